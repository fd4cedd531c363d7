//! Documents of a text, YAML or JSON, as the values that kubectl would send, without a key that occurs twice: for
//! programs that keep objects, and show nobody their text.
//!
//! Not a schema. A key that occurs twice is refused because readers differ in which one they take: what a
//! reviewer saw need not be what is reconciled. So is a line separator that YAML 1.1 (kubectl) breaks lines at and
//! YAML 1.2 doesn't. Invariants: an error says where and what in fixed words; the parser's own text may quote the
//! file and is dropped. Nothing is built from a file that is out of bounds ([`crate::limits`]), and what is
//! built is weighed as it is made, by [`weight`].

use std::fmt;

use serde_json::{Map, Value};

use crate::{
    limits::{Excess, OutOfBounds, check_json, check_yaml},
    yaml::Syntax,
};

mod json;
mod number;
mod yaml;

/// Why a document can't be read. The words are the rest of a sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentError {
    problem: Problem,
    /// Line and column in the file, from 1.
    position: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("isn't YAML")]
    NotYaml,
    #[error("isn't JSON")]
    NotJson,
    #[error("isn't text in UTF-8")]
    NotText,
    #[error("has a line separator that YAML libraries read in different ways")]
    Separator,
    #[error("has a tag that isn't known here")]
    Tag,
    #[error("has a key twice")]
    Twice,
    #[error("has a key that isn't text")]
    Key,
    #[error("has a merge key (<<), which isn't understood here")]
    Merge,
    #[error("has a number that JSON has no word for")]
    Number,
    #[error("has a key that this reader keeps for itself")]
    Reserved,
    #[error(transparent)]
    Excess(#[from] Excess),
    #[error("takes up more memory than there is room for")]
    Heavy,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        match self.position {
            Some((line, column)) => write!(f, " at line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DocumentError {}

/// What a value takes up beside its text: about what `serde_json` needs, and never less.
const NODE: usize = 64;
/// The same for a map that isn't empty: it has room for eleven entries from the start.
const MAP: usize = 11 * (size_of::<String>() + size_of::<Value>());

/// About how many bytes of memory a value takes up.
pub fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => NODE,
        Value::String(text) => NODE + text.len(),
        Value::Array(values) => NODE + values.iter().map(weight).sum::<usize>(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| NODE + key.len() + weight(value)).sum::<usize>();
            NODE + if map.is_empty() { 0 } else { MAP } + entries
        }
    }
}

/// With this key, serde_json takes a text inside of a value for JSON, and makes a tree that nobody has weighed.
const RESERVED: &str = "$serde_json::private::RawValue";

/// All documents of a file; after one that can't be read there is no telling where the next begins.
///
/// Together they weigh at most `max_weight`.
pub fn read(bytes: &[u8], syntax: Syntax, max_weight: usize) -> Vec<Result<Value, DocumentError>> {
    let mut room = Room(max_weight);
    let (documents, error) = match (check(bytes, syntax), syntax) {
        (Ok(text), Syntax::Json) => json::read(text, &mut room),
        (Ok(text), Syntax::Yaml) => yaml::read(text, &mut room),
        (Err((problem, at)), _) => (Vec::new(), Some(locate(problem, bytes, at))),
    };
    documents.into_iter().map(Ok).chain(error.map(Err)).collect()
}

/// The text, if it is one that every reader reads in the same way, and that can be built; else the byte at which it
/// isn't.
fn check(bytes: &[u8], syntax: Syntax) -> Result<&str, (Problem, usize)> {
    let text = std::str::from_utf8(bytes).map_err(|error| (Problem::NotText, error.valid_up_to()))?;
    let out_of_bounds = |OutOfBounds { excess, at }| (excess.into(), at);
    match syntax {
        Syntax::Json => check_json(bytes).map_err(out_of_bounds)?,
        Syntax::Yaml => {
            if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
                return Err((Problem::Separator, at));
            }
            check_yaml(text).map_err(out_of_bounds)?;
        }
    }
    Ok(text)
}

fn locate(problem: Problem, bytes: &[u8], at: usize) -> DocumentError {
    let before = &bytes[..at];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    DocumentError { problem, position: Some((line, column)) }
}

/// The weight that values may still have.
struct Room(usize);

impl Room {
    fn take(&mut self, weight: usize) -> Result<(), Problem> {
        self.0 = self.0.checked_sub(weight).ok_or(Problem::Heavy)?;
        Ok(())
    }

    /// How many values there is room for, at most.
    fn nodes(&self) -> usize {
        self.0 / NODE
    }

    /// For a value with this much text, before it is made.
    fn node(&mut self, text: usize) -> Result<(), Problem> {
        self.take(NODE + text)
    }

    /// Puts an entry into a map whose key and value were weighed.
    fn insert(&mut self, map: &mut Map<String, Value>, key: String, value: Value) -> Result<(), Problem> {
        if map.is_empty() {
            self.take(MAP)?;
        }
        if key == RESERVED {
            return Err(Problem::Reserved);
        }
        if map.insert(key, value).is_some() { Err(Problem::Twice) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Vec<Result<Value, String>> {
        read(text.as_bytes(), Syntax::Yaml, usize::MAX)
            .into_iter()
            .map(|d| d.map_err(|e| e.to_string()))
            .collect()
    }

    fn json(text: &str) -> Vec<Result<Value, String>> {
        read(text.as_bytes(), Syntax::Json, usize::MAX)
            .into_iter()
            .map(|d| d.map_err(|e| e.to_string()))
            .collect()
    }

    #[test]
    fn documents_are_read_one_by_one() {
        let found = yaml("a: 1\n---\n---\n# nothing\n---\non: [x, 2.5, null, true]\n1: -1\n");
        let expected = [
            serde_json::json!({"a": 1}),
            Value::Null,
            Value::Null,
            serde_json::json!({"true": ["x", 2.5, null, true], "1": -1}),
        ];
        assert_eq!(found, expected.map(Ok));
        assert_eq!(json("{\"a\":1}\n{\"b\":2}").len(), 2);
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused_at_every_depth() {
        for found in [yaml("a:\n  b: 1\n  b: 2\n"), json(r#"{"a":{"b":1,"b":2}}"#), yaml("1: a\n'1': b\n")] {
            let error = found[0].clone().unwrap_err();
            assert!(error.starts_with("has a key twice"), "{error}");
        }
    }

    #[test]
    fn no_text_in_a_value_becomes_a_tree() {
        let text = r#"{"a": {"$serde_json::private::RawValue": "[[0]]"}}"#;
        let escaped = r#"{"a": {"\u0024serde_json::private::RawValue": "[[0]]"}}"#;
        for found in [json(text), json(escaped), yaml(text)] {
            let error = found[0].clone().unwrap_err();
            assert!(error.starts_with("has a key that this reader keeps for itself"), "{error}");
        }
    }

    #[test]
    fn an_error_says_where_and_quotes_nothing() {
        let found = yaml("a: 1\n---\nb: hunter2\n  password: [hunter2\n");
        assert_eq!(found.len(), 2);
        let error = found[1].clone().unwrap_err();
        assert!(error.starts_with("isn't YAML at line ") && !error.contains("hunter2"), "{error}");
        let error = json("{\"a\":\n hunter2}")[0].clone().unwrap_err();
        assert!(error.starts_with("isn't JSON at line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_file_that_is_out_of_bounds_is_refused_before_anything_is_made() {
        let aliases = vec!["*a"; 1000].join(", ");
        let repeated = format!("a: &a {}\nb: [{aliases}]\n", "x".repeat(100_000));
        // Each says why, and not that there is no room.
        for (text, syntax, expected) in [
            ("[".repeat(100_000), Syntax::Yaml, "nests deeper than 127 levels at line 1, column 128"),
            ("{a: ".repeat(100_000), Syntax::Yaml, "nests deeper than 127 levels at line 1, column "),
            ("\n{\"a\":".repeat(100_000), Syntax::Json, "nests deeper than 127 levels at line 129, column 1"),
            ("- x\n".repeat(1_000_001), Syntax::Yaml, "holds more than 1000000 values"),
            (format!("[{}]", "1,".repeat(1_000_001)), Syntax::Json, "holds more than 1000000 values"),
            (repeated, Syntax::Yaml, "says far more than it is long (aliases) at line 2"),
        ] {
            let error = read(text.as_bytes(), syntax, 0)[0].clone().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_another_library_reads_as_the_end_of_a_comment_is_refused() {
        for separator in ["\u{85}", "\u{2028}", "\u{2029}"] {
            let error = yaml(&format!("a: 1 # x{separator}b: {{c: [d]}}\n"))[0].clone().unwrap_err();
            assert_eq!(
                error,
                "has a line separator that YAML libraries read in different ways at line 1, column 9"
            );
        }
        assert!(json("{\"a\": \"x\u{2028}y\"}")[0].is_ok(), "in JSON it is a character like any other");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let error = read(b"a: 1\nb: \xff", Syntax::Yaml, usize::MAX)[0].clone().unwrap_err().to_string();
        assert_eq!(error, "isn't text in UTF-8 at line 2, column 4");
    }

    #[test]
    fn what_a_file_says_weighs_at_most_what_there_is_room_for() {
        let text = "a: [1, x, {b: null, c: {}}]\n1: true\n";
        let weight = weight(yaml(text)[0].as_ref().unwrap());
        // A key may turn out longer than what was weighed (`1` becomes `"1"`), a little.
        assert!(read(text.as_bytes(), Syntax::Yaml, weight)[0].is_ok());
        let documents = format!("{text}---\n{text}");
        let found = read(documents.as_bytes(), Syntax::Yaml, 2 * weight - 2 * NODE);
        assert!(found[0].is_ok());
        assert!(found[1].as_ref().unwrap_err().to_string().starts_with(&Problem::Heavy.to_string()));
        assert!(
            read(b"[1, 2, 3]", Syntax::Json, 2 * NODE)[0]
                .as_ref()
                .unwrap_err()
                .to_string()
                .starts_with(&Problem::Heavy.to_string())
        );
    }
}
