//! A part of an object as the JSON text that it came as, compacted.
//!
//! The threat: whoever may create SealedSecrets in one namespace fills the memory of a controller that serves all of
//! them. In `template.metadata` the peer's definition lets anything stand, and as a tree of values 1.5 MiB of
//! `{"":0}` are more than a hundred times as large; the watch keeps every object. So the text is kept, and a tree is
//! made when the object is looked at, of a bounded weight.
//!
//! Not its meaning. Invariant: nothing here takes up more than a small multiple of the text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::host::manifests::document;

/// What the tree may weigh: many times what that of the largest object that is one weighs.
const MAX_WEIGHT: usize = 32 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(Box<str>);

impl Default for Text {
    fn default() -> Self {
        Self("null".into())
    }
}

impl Text {
    /// The tree.
    ///
    /// # Errors
    ///
    /// A permanent failure where it is too deep, has too many values, or weighs too much.
    pub(super) fn to_value(&self) -> Result<Value, Failure> {
        let document = document::read(self.0.as_bytes(), true, MAX_WEIGHT).into_iter().next();
        let document = document.expect("what was written is one document");
        document.map_err(|error| Failure::permanent("Malformed", format!("the spec {error}")))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::new();
        Copy(&mut text).deserialize(deserializer)?;
        Ok(Self(text.into()))
    }
}

/// Writes down what it is told, and keeps nothing.
struct Copy<'a>(&'a mut String);

impl Copy<'_> {
    fn put<E: Error>(self, value: impl Serialize) -> Result<(), E> {
        *self.0 += &serde_json::to_string(&value).map_err(E::custom)?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Copy<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Copy<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.put(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let start = self.0.len();
        self.0.push('[');
        while seq.next_element_seed(Copy(self.0))?.is_some() {
            self.0.push(',');
        }
        close(self.0, start, ']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let start = self.0.len();
        self.0.push('{');
        while entries.next_key_seed(Copy(self.0))?.is_some() {
            self.0.push(':');
            entries.next_value_seed(Copy(self.0))?;
            self.0.push(',');
        }
        close(self.0, start, '}');
        Ok(())
    }
}

/// Ends a collection that began at `start`, over the last comma if there is one.
fn close(text: &mut String, start: usize, with: char) {
    if text.len() > start + 1 {
        text.pop();
    }
    text.push(with);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_out_is_what_came_in() {
        for value in [
            json!(null),
            json!({"a": [1, -2, 2.5, true, null, "x\"\\\n\u{e9}"], "": {}, "b": [], "c": {"d": {"e": [[]]}}}),
            json!("text"),
            json!([[], {}, 18_446_744_073_709_551_615_u64]),
        ] {
            let from_text: Text = serde_json::from_str(&value.to_string()).unwrap();
            assert_eq!(from_text.to_value().as_ref(), Ok(&value));
            // The watch may hand it on in pieces that were taken apart already.
            let from_value: Text = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(from_value.to_value(), Ok(value));
        }
        assert_eq!(Text::default().to_value(), Ok(Value::Null));
    }

    #[test]
    fn it_takes_up_no_more_than_its_text_and_no_tree_is_made_of_what_is_too_heavy() {
        let heavy = format!("[{}0]", "{\"\":0},".repeat(200_000));
        let text: Text = serde_json::from_str(&heavy).unwrap();
        assert_eq!(text.0.len(), heavy.len());
        let failure = text.to_value().unwrap_err();
        assert!(
            failure.is_permanent() && failure.message.contains("more memory than there is room for"),
            "{failure}"
        );
    }
}
