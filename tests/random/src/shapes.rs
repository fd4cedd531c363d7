//! Manifests with one SealedSecret in them, in every layout that people and tools give YAML and JSON: for edits in place,
//! which have to leave each of them as it is.
//!
//! A shape is a list of pieces, and each piece knows which part of the object it is. So a test can say which pieces an
//! edit may touch, and hold all others to the byte. This crate seals nothing and parses nothing: the caller gives what
//! the object says, and reads the text. A text that another program wrote gets its pieces by [`Shape::find`]. Invariant: the text of a shape means the same whatever its layout, and the layout
//! follows from the random numbers alone.

mod block;
mod flow;
mod found;
mod task;

use crate::Random;

pub use task::{Gone, Task};

/// What a SealedSecret of the native format says.
pub struct Says {
    /// The words of the scope.
    pub scope: String,
    pub envelopes: Vec<Envelope>,
    /// Names and lines, in the order in which they are to stand.
    pub items: Vec<(String, String)>,
}

/// One envelope.
#[derive(Clone)]
pub struct Envelope {
    pub keys: Vec<String>,
    /// Names, which may be missing, and fingerprints.
    pub recipients: Vec<(Option<String>, String)>,
    pub age: String,
}

/// A part of the object that a piece of text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// No edit of an item may touch it.
    Fixed,
    /// The entry of an item without its value.
    Item(usize),
    /// The value of an item.
    Value(usize),
    /// All of an envelope, with its lines.
    Envelope(usize),
    /// A comment between envelopes: it goes only if all of them do.
    Between,
    /// The commas and blanks between the entries of a flow collection.
    Separator,
    /// Nothing. Entries may come here.
    Joint,
}

/// A piece of a text.
pub struct Piece {
    pub text: String,
    pub part: Part,
}

/// A manifest.
pub struct Shape {
    pub pieces: Vec<Piece>,
    /// Whether an anchor on a part of the object is used elsewhere: an edit of that part has to be refused.
    pub is_shared: bool,
}

impl Shape {
    /// A manifest in a random layout.
    pub fn draw(says: &Says, random: &mut Random) -> Self {
        let mut writer = Writer { pieces: Vec::new(), random };
        if writer.one_in(6) {
            flow::json(&mut writer, says);
            return Self { pieces: writer.pieces, is_shared: false };
        }
        let is_shared = block::manifest(&mut writer, says);
        let mut pieces = writer.pieces;
        if random.below(5) == 0 {
            pieces.iter_mut().for_each(|piece| piece.text = piece.text.replace('\n', "\r\n"));
        }
        Self { pieces, is_shared }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// Whether a text is this one but for the parts that may go: all others are there, in their order, and nothing came
    /// but where a part went or entries may come.
    pub fn allows(&self, text: &str, may_go: impl Fn(Part) -> bool) -> bool {
        // Pieces that stay, joined; before each run there may be anything or nothing.
        let mut runs = vec![String::new()];
        for Piece { text, part } in &self.pieces {
            if *part == Part::Joint || may_go(*part) {
                runs.push(String::new());
            } else {
                runs.last_mut().expect("there is one").push_str(text);
            }
        }
        let Some(mut rest) = text.strip_prefix(runs[0].as_str()) else { return false };
        if runs.len() == 1 {
            return rest.is_empty();
        }
        let last = runs.pop().expect("there are two");
        for run in &runs[1..] {
            let Some(at) = rest.find(run.as_str()) else { return false };
            rest = &rest[at + run.len()..];
        }
        rest.ends_with(&last)
    }
}

/// Collects pieces.
struct Writer<'r> {
    pieces: Vec<Piece>,
    random: &'r mut Random,
}

impl Writer<'_> {
    fn push(&mut self, text: impl Into<String>, part: Part) {
        self.pieces.push(Piece { text: text.into(), part });
    }

    fn fixed(&mut self, text: impl Into<String>) {
        self.push(text, Part::Fixed);
    }

    /// `true` once in so many times.
    fn one_in(&mut self, times: usize) -> bool {
        self.random.below(times) == 0
    }

    fn pick<'p>(&mut self, among: &[&'p str]) -> &'p str {
        among[self.random.below(among.len())]
    }

    /// A number of blanks.
    fn blanks(&mut self, from: usize, to: usize) -> String {
        " ".repeat(from + self.random.below(to - from + 1))
    }

    /// The numbers below `count` in a random order.
    fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for index in (1..count).rev() {
            order.swap(index, self.random.below(index + 1));
        }
        order
    }

    /// A key or a value in quotes or without. It holds letters of base64 and dots only.
    fn quoted(&mut self, text: &str) -> String {
        match self.random.below(4) {
            0 => format!("'{text}'"),
            1 => format!("\"{text}\""),
            2 => format!("\"{}\"", text.replace('/', "\\/")),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn says() -> Says {
        let envelope = |key: &str| Envelope {
            keys: vec![key.to_owned()],
            recipients: vec![(Some("prod".to_owned()), "a".repeat(64)), (None, "b".repeat(64))],
            age: format!("YWdl{key}"),
        };
        Says {
            scope: "strict".to_owned(),
            envelopes: vec![envelope("k1"), envelope("k2")],
            items: vec![("a".to_owned(), "k1.AA==".to_owned()), ("b.c".to_owned(), "k2.BB==".to_owned())],
        }
    }

    #[test]
    fn a_text_is_allowed_only_with_everything_that_has_to_stay() {
        for seed in 0..500 {
            let shape = Shape::draw(&says(), &mut Random(seed));
            let text = shape.text();
            assert!(shape.allows(&text, |_| false), "{text}");
            assert!(!shape.allows(&format!("x{text}"), |_| false), "{text}");
            let line = "k1.AA==";
            for written in [line.to_owned(), line.replace('/', "\\/")] {
                let other = text.replacen(&written, "k3.CC==", 1);
                assert!(shape.allows(&other, |part| part == Part::Value(0)), "{text}");
                assert!(text == other || !shape.allows(&other, |part| part == Part::Value(1)), "{text}");
            }
        }
    }
}
