//! Documents of a file, YAML or JSON, as plain values in which no key occurs twice.
//!
//! Not a schema. A key that occurs twice is refused because readers differ in which one they take: what a
//! reviewer saw need not be what is reconciled. Invariant: an error says where and what in fixed words; the
//! parser's own text may quote the file and is dropped.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
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

/// All documents of a file; after one that can't be read there is no telling where the next begins.
pub(super) fn read(bytes: &[u8], is_json: bool) -> Vec<Result<Value, DocumentError>> {
    let mut documents = Vec::new();
    let mut keep = |document| {
        let failed = Result::is_err(&document);
        documents.push(document);
        failed
    };
    if is_json {
        for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Strict>() {
            let position = |error: &serde_json::Error| Some((error.line(), error.column()));
            let document = document.map(|strict| strict.0);
            if keep(document.map_err(|error| describe(&error, "isn't JSON", position(&error)))) {
                break;
            }
        }
    } else {
        for document in serde_yaml::Deserializer::from_slice(bytes) {
            let position = |error: &serde_yaml::Error| error.location().map(|at| (at.line(), at.column()));
            let document = Strict::deserialize(document).map(|strict| strict.0);
            if keep(document.map_err(|error| describe(&error, "isn't YAML", position(&error)))) {
                break;
            }
        }
    }
    documents
}

/// Our own words inside a parser's error, by which it is told from all others.
const TWICE: &str = "has a key twice";

fn describe(
    error: &impl fmt::Display,
    otherwise: &'static str,
    position: Option<(usize, usize)>,
) -> DocumentError {
    let problem = if error.to_string().contains(TWICE) { TWICE } else { otherwise };
    DocumentError { problem, position }
}

/// A value without duplicate keys.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML or JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(Strict(key)) = entries.next_key()? {
            // YAML lets a key be anything; Kubernetes knows only text, and reads `1:` as `"1":`.
            let key = match key {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) | Value::Null => key.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(A::Error::custom("a key that isn't text")),
            };
            let Strict(value) = entries.next_value()?;
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
        read(text.as_bytes(), false).into_iter().map(|d| d.map_err(|e| e.to_string())).collect()
    }

    fn json(text: &str) -> Vec<Result<Value, String>> {
        read(text.as_bytes(), true).into_iter().map(|d| d.map_err(|e| e.to_string())).collect()
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
}
