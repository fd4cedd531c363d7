//! YAML as Go's yaml.v2 (behind sigs.k8s.io/yaml) prints it: keys sorted, lists not indented, long text folded.
//!
//! Not [`seal_documents::yaml`], which reads for all and writes one line to a scalar. Invariant: the buffer never has to grow,
//! which would leave copies of plaintext behind.

mod scalar;

use zeroize::Zeroizing;

use super::node::Node;

/// Keys longer than this, in bytes, stand behind a question mark.
const LONGEST_SIMPLE_KEY: usize = 128;

/// One document, without a line `---`.
pub(super) fn document(node: &Node) -> Zeroizing<String> {
    let mut out = Printer { out: Zeroizing::new(String::with_capacity(node.longest(8))), column: 0 };
    match node {
        Node::Map(entries) if !entries.is_empty() => out.mapping(entries, 0),
        other => out.value(other, 0),
    }
    out.start_line(0);
    out.out
}

struct Printer {
    out: Zeroizing<String>,
    /// Characters on this line.
    column: usize,
}

impl Printer {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column = if c == '\n' { 0 } else { self.column + 1 };
    }

    fn put_all(&mut self, text: &str) {
        text.chars().for_each(|c| self.put(c));
    }

    /// A new line, unless one has just begun, and the indent.
    fn start_line(&mut self, indent: usize) {
        if self.column > 0 {
            self.put('\n');
        }
        (0..indent).for_each(|_| self.put(' '));
    }

    /// The entries, the first at the place where the last thing was written.
    fn mapping(&mut self, entries: &[(String, Node)], indent: usize) {
        for (index, (key, value)) in sorted(entries).into_iter().enumerate() {
            if index > 0 {
                self.start_line(indent);
            }
            if key.len() <= LONGEST_SIMPLE_KEY && !scalar::has_breaks(key) {
                self.scalar(key, indent, true);
            } else {
                self.put_all("? ");
                self.scalar(key, indent, false);
                self.start_line(indent);
            }
            self.put(':');
            self.after_key(value, indent);
        }
    }

    fn after_key(&mut self, value: &Node, indent: usize) {
        match value {
            Node::Map(entries) if !entries.is_empty() => {
                self.start_line(indent + 2);
                self.mapping(entries, indent + 2);
            }
            Node::List(values) if !values.is_empty() => {
                for value in values {
                    self.start_line(indent);
                    self.put_all("- ");
                    self.value(value, indent);
                }
            }
            value => {
                self.put(' ');
                self.value(value, indent);
            }
        }
    }

    /// A value at the place where the last thing was written.
    fn value(&mut self, value: &Node, indent: usize) {
        match value {
            Node::Null => self.put_all("null"),
            Node::Bool(value) => self.put_all(if *value { "true" } else { "false" }),
            Node::Number(number) => self.put_all(number),
            Node::Text(text) => self.scalar(text, indent, false),
            Node::List(values) if values.is_empty() => self.put_all("[]"),
            Node::Map(entries) if entries.is_empty() => self.put_all("{}"),
            Node::Map(entries) => self.mapping(entries, indent + 2),
            Node::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        self.start_line(indent + 2);
                    }
                    self.put_all("- ");
                    self.value(value, indent + 2);
                }
            }
        }
    }
}

/// By key, as yaml.v2 does: numbers within keys by their value, letters behind everything else.
fn sorted(entries: &[(String, Node)]) -> Vec<(&str, &Node)> {
    let mut sorted: Vec<(&str, &Node)> = Vec::with_capacity(entries.len());
    // By insertion: with numbers that begin with zeros the relation is no order, of which the library's sort wants to
    // be sure, and of which yaml.v2 makes now this and now that.
    for (key, value) in entries {
        let at = sorted.iter().position(|(other, _)| is_less(key, other)).unwrap_or(sorted.len());
        sorted.insert(at, (key, value));
    }
    sorted
}

fn is_less(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len() < b.len();
    };
    let (x, y) = (a[at], b[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x < y,
        (false, false) => {}
        (_, y_is_letter) => return y_is_letter,
    }
    // Zeros behind a digit that isn't one are part of a number; others are in front of one.
    let before = a[..at].iter().rev().take_while(|c| c.is_ascii_digit());
    let is_within = (x == '0' || y == '0') && before.into_iter().any(|c| *c != '0');
    let number = |from: &[char]| {
        let digits = from.iter().take_while(|c| c.is_ascii_digit());
        digits.fold((0, i64::from(is_within)), |(length, value), c| {
            let digit = i64::from(*c as u32 - '0' as u32);
            (length + 1, value.wrapping_mul(10).wrapping_add(digit))
        })
    };
    let ((x_length, x_value), (y_length, y_value)) = (number(&a[at..]), number(&b[at..]));
    if x_value != y_value {
        x_value < y_value
    } else if x_length != y_length {
        x_length < y_length
    } else {
        x < y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> Node {
        Node::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), Node::text(*value))).collect())
    }

    #[test]
    fn keys_are_in_yaml_v2s_order() {
        let keys = ["a10", "a9", "a", "10", "9", "_b", "A", "a-b", "a.b", "a01", "a1", "é"];
        let node = map(&keys.map(|key| (key, "x")));
        let text = document(&node);
        let found: Vec<_> =
            text.lines().map(|line| line.split(':').next().unwrap().trim_matches('"')).collect();
        assert_eq!(found, ["_b", "9", "10", "A", "a", "a-b", "a.b", "a1", "a01", "a9", "a10", "é"]);
    }

    #[test]
    fn collections_are_laid_out_as_yaml_v2_does() {
        let list =
            Node::List(vec![map(&[("b", "1"), ("a", "x")]), Node::text("y"), Node::List(vec![Node::Null])]);
        let node = Node::Map(vec![
            ("list".to_owned(), list),
            ("empty".to_owned(), Node::Map(Vec::new())),
            ("none".to_owned(), Node::List(Vec::new())),
            ("map".to_owned(), map(&[("k", "v")])),
            ("yes".to_owned(), Node::Bool(true)),
        ]);
        let expected = "empty: {}\nlist:\n- a: x\n  b: \"1\"\n- \"y\"\n- - null\nmap:\n  k: v\nnone: []\n\"yes\": true\n";
        assert_eq!(*document(&node), expected);
    }

    #[test]
    fn a_long_key_stands_behind_a_question_mark() {
        let key = "k".repeat(129);
        assert_eq!(*document(&map(&[(&key, "v")])), format!("? {key}\n: v\n"));
        assert_eq!(*document(&map(&[(&key[1..], "v")])), format!("{}: v\n", &key[1..]));
    }
}
