//! A file's text with a name, and places in it that can be shown to people.
//!
//! An error shows its line, and that line may hold a password. So an excerpt is made of the parts that may be shown, and
//! not by hiding parts of the line: [`Visible`] ranges (keys, names, types) appear, punctuation between them appears, and
//! everything else is `…`.
//!
//! Invariant: an excerpt never holds a value of a Secret, a comment, or text that wasn't understood.

use std::ops::Range;

use zeroize::Zeroizing;

use seal_foreign::is_unprintable;

/// An error and the byte of the text it is about.
#[derive(Debug)]
pub struct Located<E> {
    pub error: E,
    pub at: usize,
}

/// An error and the place it is about, ready to be printed.
#[derive(Debug)]
pub struct Spotted<E> {
    pub error: E,
    pub spot: Box<Spot>,
}

/// An error and the line and column it is about, both from 1: for text that is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error} at line {line}, column {column}")]
pub struct AtLine<E> {
    pub error: E,
    pub line: usize,
    /// In characters.
    pub column: usize,
}

impl<E> Located<E> {
    /// The same place, with another error.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Located<F> {
        Located { error: f(self.error), at: self.at }
    }

    /// The same error, with its line in the text that it is about.
    pub fn at_line(self, text: &[u8]) -> AtLine<E> {
        let before = &text[..self.at.min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        AtLine { error: self.error, line, column }
    }
}

/// The text of one input. Wiped when dropped, without `Debug`.
pub struct Source {
    /// As the user typed it; `<stdin>` for standard input.
    pub name: String,
    text: Zeroizing<String>,
}

/// A place in a source, ready to be printed.
#[derive(Debug)]
pub struct Spot {
    source: String,
    pub line: usize,
    column: usize,
    pub excerpt: Option<Excerpt>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Excerpt {
    pub line: String,
    /// How many characters of `line` stand before the caret.
    pub caret: usize,
}

/// The parts of a source that may be shown: sorted, without overlaps.
#[derive(Default)]
pub struct Visible(Vec<(Range<usize>, bool)>);

/// Words that are in every manifest, and so no password.
const KNOWN_WORDS: [&str; 14] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "type",
    "immutable",
    "data",
    "stringData",
    "items",
    "spec",
    "status",
];

const LONGEST_EXCERPT: usize = 100;

impl Source {
    pub fn new(name: String, text: Zeroizing<String>) -> Self {
        Self { name, text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// A place in text that was parsed; `visible` has the parts that may be shown.
    pub fn spot(&self, at: usize, visible: &Visible) -> Spot {
        let at = self.text.floor_char_boundary(at);
        let (line, column, range) = self.locate(at);
        // A caret inside of a value would cut its `…` in two.
        let shown_at = visible.hidden_around(at).map_or(at, |hidden| hidden.start.max(range.start));
        let before = visible.render(&self.text, range.start..shown_at);
        let after = visible.render(&self.text, shown_at..range.end);
        Spot { excerpt: Some(Excerpt::cut(&before, &after)), ..self.bare(line, column) }
    }

    /// A place in text that couldn't be parsed. Of its line only a well-known key is shown, because the rest may be
    /// anything.
    pub fn spot_unparsed(&self, at: usize) -> Spot {
        let (line, column, range) = self.locate(at);
        let text = &self.text[range.clone()];
        let indent = text.len() - text.trim_start_matches([' ', '-']).len();
        let known = KNOWN_WORDS.iter().find(|word| text[indent..].starts_with(&format!("{word}:")));
        let shown = known.map_or(indent, |word| indent + word.len() + 1);
        let gap = if text[shown..].starts_with(' ') { " " } else { "" };
        let rest = if text[shown..].trim().is_empty() { "" } else { "…" };
        let rendered = format!("{}{gap}{rest}", &text[..shown]);
        let caret = column.saturating_sub(1).min(rendered.chars().count().saturating_sub(rest.len().min(1)));
        let excerpt = Excerpt { line: rendered, caret };
        Spot { excerpt: Some(excerpt), ..self.bare(line, column) }
    }

    fn bare(&self, line: usize, column: usize) -> Spot {
        Spot { source: self.name.clone(), line, column, excerpt: None }
    }

    /// Line and column (in characters), both from 1, and the bytes of the line.
    fn locate(&self, at: usize) -> (usize, usize, Range<usize>) {
        let at = self.text.floor_char_boundary(at);
        let start = self.text[..at].rfind('\n').map_or(0, |i| i + 1);
        let end = self.text[at..].find(['\n', '\r']).map_or(self.text.len(), |i| at + i);
        let line = self.text[..at].matches('\n').count() + 1;
        (line, self.text[start..at].chars().count() + 1, start..end)
    }
}

impl Spot {
    /// A place known only by line and column, in text that is never shown.
    pub fn unseen(source: &str, line: usize, column: usize) -> Self {
        Self { source: source.to_owned(), line, column, excerpt: None }
    }

    /// `file:line:column`, as editors and terminals follow it.
    pub fn label(&self) -> String {
        format!("{}:{}:{}", self.source, self.line, self.column)
    }
}

impl Excerpt {
    fn cut(before: &str, after: &str) -> Self {
        let caret = before.chars().count();
        let skipped = caret.saturating_sub(LONGEST_EXCERPT * 2 / 3);
        let lead = if skipped > 0 { "…" } else { "" };
        let line: String = before.chars().chain(after.chars()).skip(skipped).take(LONGEST_EXCERPT).collect();
        Self { line: format!("{lead}{line}"), caret: caret - skipped + lead.chars().count() }
    }
}

impl Visible {
    /// From the nodes of the source: each range, and whether it may be shown.
    pub fn new(mut ranges: Vec<(Range<usize>, bool)>) -> Self {
        ranges.sort_by_key(|(range, _)| range.start);
        Self(ranges)
    }

    /// The hidden range that `at` lies in.
    fn hidden_around(&self, at: usize) -> Option<Range<usize>> {
        let inside = self.from(at).next().filter(|(range, shown)| !shown && range.contains(&at));
        inside.map(|(range, _)| range.clone())
    }

    /// The ranges that end behind `at`.
    fn from(&self, at: usize) -> impl Iterator<Item = &(Range<usize>, bool)> {
        self.0[self.0.partition_point(|(range, _)| range.end <= at)..].iter()
    }

    fn render(&self, text: &str, window: Range<usize>) -> String {
        let mut out = String::new();
        let mut at = window.start;
        for (range, shown) in self.from(window.start) {
            let (start, end) = (range.start.max(at), range.end.min(window.end));
            if start >= window.end {
                break;
            }
            if range.end <= at {
                continue;
            }
            render_gap(&text[at..start], &mut out);
            if *shown {
                out.extend(text[start..end].chars().map(printable));
            } else {
                out.push('…');
            }
            at = end;
        }
        render_gap(&text[at..window.end], &mut out);
        out
    }
}

/// Between nodes there is punctuation; anything else is a comment, a tag, an
/// anchor, and is cut.
fn render_gap(gap: &str, out: &mut String) {
    for c in gap.chars() {
        match c {
            ' ' | ':' | ',' | '{' | '}' | '[' | ']' | '-' | '|' | '>' | '?' => out.push(c),
            '\t' => out.push(' '),
            _ => {
                out.push('…');
                return;
            }
        }
    }
}

fn printable(c: char) -> char {
    if c == '\t' {
        ' '
    } else if is_unprintable(c) {
        '\u{fffd}'
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("f.yaml".to_owned(), Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let source = source("a: é\nbé: x\r\nc");
        let label = |at| source.spot(at, &Visible::default()).label();
        assert_eq!(label(0), "f.yaml:1:1");
        assert_eq!(label(10), "f.yaml:2:4");
        assert_eq!(label(14), "f.yaml:3:1");
        assert_eq!(label(15), "f.yaml:3:2");
    }

    #[test]
    fn only_visible_ranges_and_punctuation_are_shown() {
        let text = "  password: hunter2 # or hunter3\n";
        let visible = Visible::new(vec![(2..10, true), (12..19, false)]);
        let spot = source(text).spot(12, &visible);
        assert_eq!(spot.excerpt, Some(Excerpt { line: "  password: … …".to_owned(), caret: 12 }));
        let inside = Visible::new(vec![(2..10, true), (12..19, false)]);
        let spot = source(text).spot(15, &inside);
        assert_eq!(spot.excerpt, Some(Excerpt { line: "  password: … …".to_owned(), caret: 12 }));
        assert_eq!(spot.label(), "f.yaml:1:16");
        assert_eq!(source(text).spot(14, &Visible::default()).excerpt.unwrap().line, "  ……");
    }

    #[test]
    fn a_line_that_was_not_understood_shows_known_words_alone() {
        let text = "stringData: {hunter2\n  hunter2: x\n- kind: \"hunter2\n";
        let line = |at| source(text).spot_unparsed(at).excerpt.unwrap().line;
        assert_eq!(line(14), "stringData: …");
        assert_eq!(line(24), "  …");
        assert_eq!(line(40), "- kind: …");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let excerpt = source(&text).spot(500, &Visible::new(vec![(0..1001, true)])).excerpt.unwrap();
        assert_eq!(excerpt.line.chars().nth(excerpt.caret), Some('x'));
        assert!(excerpt.line.chars().count() <= LONGEST_EXCERPT + 1);
    }
}
