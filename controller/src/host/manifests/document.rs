//! Documents of a file, YAML or JSON, as plain values in which no key occurs twice.
//!
//! Not a schema. A key that occurs twice is refused because readers differ in which one they take: what a
//! reviewer saw need not be what is reconciled. Invariant: an error says where and what in fixed words; the
//! parser's own text may quote the file and is dropped.
//!
//! Aliases are why what a file says may be far larger than the file, so its values are weighed as they are
//! made: by [`weight`], and by their text against the length of the file.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a document can't be read. The words are the rest of a sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentError {
    problem: &'static str,
    /// Line and column in the file, from 1.
    position: Option<(usize, usize)>,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)?;
        match self.position {
            Some((line, column)) => write!(f, " at line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DocumentError {}

/// How many times its length a file may say. Text that is short as YAML and long as UTF-8 needs 2.
const MAX_EXPANSION: usize = 16;

/// What a value takes up beside its text: about what `serde_json` needs, and never less.
const NODE: usize = 64;
/// The same for a map that isn't empty: it has room for eleven entries from the start.
const MAP: usize = 11 * (size_of::<String>() + size_of::<Value>());

/// About how many bytes of memory a value takes up.
pub(super) fn weight(value: &Value) -> usize {
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

/// All documents of a file; after one that can't be read there is no telling where the next begins.
///
/// Together they weigh at most `max_weight`.
pub(crate) fn read(bytes: &[u8], is_json: bool, max_weight: usize) -> Vec<Result<Value, DocumentError>> {
    let mut documents = Vec::new();
    let mut keep = |document| {
        let failed = Result::is_err(&document);
        documents.push(document);
        failed
    };
    let mut bounds = Bounds { weight: max_weight, said: MAX_EXPANSION.saturating_mul(bytes.len() + NODE) };
    if is_json {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        while !matches!(json.end(), Ok(())) {
            let position = |error: &serde_json::Error| Some((error.line(), error.column()));
            let document = Strict(&mut bounds).deserialize(&mut json);
            if keep(document.map_err(|error| describe(&error, "isn't JSON", position(&error)))) {
                break;
            }
        }
    } else {
        for document in serde_yaml::Deserializer::from_slice(bytes) {
            let position = |error: &serde_yaml::Error| error.location().map(|at| (at.line(), at.column()));
            let document = Strict(&mut bounds).deserialize(document);
            if keep(document.map_err(|error| describe(&error, "isn't YAML", position(&error)))) {
                break;
            }
        }
    }
    documents
}

/// What may still be made of a file.
struct Bounds {
    weight: usize,
    said: usize,
}

impl Bounds {
    fn charge<E: serde::de::Error>(&mut self, weight: usize, said: usize) -> Result<(), E> {
        self.said = self.said.checked_sub(said).ok_or_else(|| E::custom(EXPANDS))?;
        self.weight = self.weight.checked_sub(weight).ok_or_else(|| E::custom(HEAVY))?;
        Ok(())
    }

    fn node<E: serde::de::Error>(&mut self, text: usize) -> Result<(), E> {
        self.charge(NODE + text, 1 + text)
    }
}

/// Our own words inside a parser's error, by which it is told from all others.
const TWICE: &str = "has a key twice";
const EXPANDS: &str = "says far more than it is long (aliases)";
const HEAVY: &str = "doesn't fit into the 256 MiB for all SealedSecrets";

fn describe(
    error: &impl fmt::Display,
    otherwise: &'static str,
    position: Option<(usize, usize)>,
) -> DocumentError {
    let text = error.to_string();
    let problem = [TWICE, EXPANDS, HEAVY].into_iter().find(|own| text.contains(own)).unwrap_or(otherwise);
    DocumentError { problem, position }
}

/// A value without duplicate keys, within bounds.
struct Strict<'a>(&'a mut Bounds);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML or JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.0.node(0)?;
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.0.node(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.0.node(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.0.node(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.0.node(0)?;
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.0.node(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.0.node(0)?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Strict(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.0.node(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(Strict(self.0))? {
            if map.is_empty() {
                self.0.charge(MAP, 0)?;
            }
            // YAML lets a key be anything; Kubernetes knows only text, and reads `1:` as `"1":`.
            let key = match key {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) | Value::Null => key.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(A::Error::custom("a key that isn't text")),
            };
            let value = entries.next_value_seed(Strict(self.0))?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Vec<Result<Value, String>> {
        read(text.as_bytes(), false, usize::MAX).into_iter().map(|d| d.map_err(|e| e.to_string())).collect()
    }

    fn json(text: &str) -> Vec<Result<Value, String>> {
        read(text.as_bytes(), true, usize::MAX).into_iter().map(|d| d.map_err(|e| e.to_string())).collect()
    }

    #[test]
    fn documents_are_read_one_by_one() {
        let found = yaml("a: 1\n---\n---\n# nothing\n---\non: [x, 2.5, null, true]\n1: -1\n");
        let expected = [
            serde_json::json!({"a": 1}),
            Value::Null,
            Value::Null,
            serde_json::json!({"on": ["x", 2.5, null, true], "1": -1}),
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
    fn an_error_says_where_and_quotes_nothing() {
        let found = yaml("a: 1\n---\nb: hunter2\n  password: [hunter2\n");
        assert_eq!(found.len(), 2);
        let error = found[1].clone().unwrap_err();
        assert!(error.starts_with("isn't YAML at line ") && !error.contains("hunter2"), "{error}");
        let error = json("{\"a\":\n hunter2}")[0].clone().unwrap_err();
        assert!(error.starts_with("isn't JSON at line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn aliases_can_not_be_multiplied_without_end() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (above, below) in ('a'..'j').zip('b'..='j') {
            let many = vec![format!("*{above}"); 9].join(", ");
            bomb += &format!("{below}: &{below} [{many}]\n");
        }
        assert!(yaml(&bomb)[0].is_err());
        assert!(yaml(&"[".repeat(100_000))[0].is_err());
    }
    #[test]
    fn one_long_text_can_not_be_repeated_without_end() {
        let repeated = |times| {
            let aliases = vec!["*a"; times].join(", ");
            format!("a: &a {}\nb: [{aliases}]\n", "x".repeat(100_000))
        };
        assert!(yaml(&repeated(5))[0].is_ok(), "aliases as people use them");
        let error = yaml(&repeated(1000))[0].clone().unwrap_err();
        assert!(error.starts_with(EXPANDS), "{error}");
    }

    #[test]
    fn what_a_file_says_weighs_at_most_what_there_is_room_for() {
        let text = "a: [1, x, {b: null, c: {}}]\n1: true\n";
        let weight = weight(yaml(text)[0].as_ref().unwrap());
        // A key may turn out longer than what was weighed (`1` becomes `"1"`), a little.
        assert!(read(text.as_bytes(), false, weight)[0].is_ok());
        let documents = format!("{text}---\n{text}");
        let found = read(documents.as_bytes(), false, 2 * weight - 2 * NODE);
        assert!(found[0].is_ok());
        assert!(found[1].as_ref().unwrap_err().to_string().starts_with(HEAVY));
        assert!(read(b"[1, 2, 3]", true, 2 * NODE)[0].as_ref().unwrap_err().to_string().starts_with(HEAVY));
    }
}
