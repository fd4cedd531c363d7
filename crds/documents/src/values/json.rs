//! Documents in JSON, one after another.
//!
//! Not the bounds: the text was checked. Invariant: everything is weighed before it is made.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{DocumentError, Problem, Room};

pub(super) fn read(text: &str, room: &mut Room) -> (Vec<Value>, Option<DocumentError>) {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut documents = Vec::new();
    while !matches!(json.end(), Ok(())) {
        match Strict(room).deserialize(&mut json) {
            Ok(document) => documents.push(document),
            Err(error) => return (documents, Some(describe(&error))),
        }
    }
    (documents, None)
}

/// Our own words come back inside of a parser's error, whose other words may quote the file.
fn describe(error: &serde_json::Error) -> DocumentError {
    let text = error.to_string();
    let own = [Problem::Twice, Problem::Heavy, Problem::Reserved]
        .into_iter()
        .find(|own| text.starts_with(&own.to_string()));
    DocumentError { problem: own.unwrap_or(Problem::NotJson), position: Some((error.line(), error.column())) }
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
        while let Some(key) = entries.next_key_seed(Strict(self.0))? {
            let Value::String(key) = key else { return Err(A::Error::custom(Problem::Key)) };
            let value = entries.next_value_seed(Strict(self.0))?;
            self.0.insert(&mut map, key, value).map_err(A::Error::custom)?;
        }
        Ok(Value::Object(map))
    }
}
