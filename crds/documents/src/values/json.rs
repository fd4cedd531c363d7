//! Documents in JSON as values, without a tree in between.
//!
//! Invariants: everything is weighed before it is made; no key occurs twice.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{DocumentError, check};
use crate::room::{NoRoom, Room, is_reserved};
use crate::source::AtLine;
use crate::yaml::Syntax;

/// The documents of a JSON text as values, up to the first that can't be read. Together they weigh at most `max_weight`
/// bytes.
pub fn read_json(bytes: &[u8], max_weight: usize) -> Vec<Result<Value, AtLine<DocumentError>>> {
    let text = match check(bytes, Syntax::Json) {
        Ok(text) => text,
        Err(error) => return vec![Err(error.at_line(bytes))],
    };
    let mut room = Room::new(max_weight);
    let mut json = serde_json::Deserializer::from_str(text);
    let mut documents = Vec::new();
    while !matches!(json.end(), Ok(())) {
        let document = Strict(&mut room).deserialize(&mut json).map_err(|error| describe(&error));
        let is_last = document.is_err();
        documents.push(document);
        if is_last {
            break;
        }
    }
    documents
}

/// Our own words come back inside of a parser's error, whose other words may quote the file.
fn describe(error: &serde_json::Error) -> AtLine<DocumentError> {
    let text = error.to_string();
    let own = [DocumentError::Twice, DocumentError::NoRoom(NoRoom), DocumentError::Reserved]
        .into_iter()
        .find(|own| text.starts_with(&own.to_string()));
    AtLine { error: own.unwrap_or(DocumentError::NotJson), line: error.line(), column: error.column() }
}

/// A value without duplicate keys, for which there is room.
struct Strict<'a>(&'a mut Room);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.0.node(0).map_err(E::custom)?;
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.0.node(0).map_err(E::custom)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.0.node(0).map_err(E::custom)?;
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.0.node(0).map_err(E::custom)?;
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.0.node(0).map_err(E::custom)?;
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.0.node(value.len()).map_err(E::custom)?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.0.node(0).map_err(A::Error::custom)?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Strict(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.0.node(0).map_err(A::Error::custom)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if is_reserved(&key) {
                return Err(A::Error::custom(DocumentError::Reserved));
            }
            self.0.node(key.len()).and_then(|()| self.0.entry(&map)).map_err(A::Error::custom)?;
            let value = entries.next_value_seed(Strict(self.0))?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom(DocumentError::Twice));
            }
        }
        Ok(Value::Object(map))
    }
}
