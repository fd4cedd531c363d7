//! A part of an object, kept as the JSON text that the API server sent.
//!
//! The threat: a person who may create SealedSecrets in one namespace stops, or fills the memory of, a
//! controller that serves all namespaces. The definition of sealed-secrets allows anything in
//! `template.metadata`. 1.5 MiB of `{"":0}` take more than a hundred times as much memory as a tree of
//! values, and the watch keeps every object. Brackets that nest deeper than a recursive reader may go would
//! make the whole list fail, and with it every object of the group. So any text is kept as text. A reconcile
//! makes a tree from it, of a bounded depth and weight.
//!
//! Invariants: a part takes up no more memory than its text; reading it needs no stack.

use seal_crds::Reason;
use seal_documents::values;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::failure::Failure;

/// The most that the tree may weigh: many times the weight of the largest object in use.
const MAX_WEIGHT: usize = 32 << 20;

/// The text of a JSON value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct JsonText(Box<RawValue>);

impl JsonText {
    /// The bytes of the text.
    pub(super) fn len(&self) -> usize {
        self.0.get().len()
    }

    /// The value as a tree.
    ///
    /// # Errors
    ///
    /// A permanent failure if it is too deep, has too many values, or weighs too much.
    pub(super) fn to_value(&self) -> Result<Value, Failure> {
        let document = values::read_json(self.0.get().as_bytes(), MAX_WEIGHT).into_iter().next();
        let document = document.expect("a value is one document");
        document.map_err(|error| Failure::new(Reason::Malformed, format!("the spec {error}")))
    }
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
            let text: JsonText = serde_json::from_str(&value.to_string()).unwrap();
            assert_eq!(text.to_value(), Ok(value));
        }
        assert_eq!(JsonText::default().to_value(), Ok(Value::Null));
    }

    #[test]
    fn it_takes_up_no_more_than_its_text_and_no_tree_is_made_of_what_is_too_heavy() {
        let heavy = format!("[{}0]", "{\"\":0},".repeat(200_000));
        let text: JsonText = serde_json::from_str(&heavy).unwrap();
        assert_eq!(text.0.get().len(), heavy.len());
        let failure = text.to_value().unwrap_err();
        assert!(
            failure.is_permanent() && failure.message.contains("more memory than there is room for"),
            "{failure}"
        );
    }

    #[test]
    fn no_text_is_too_deep_to_be_kept_but_no_tree_is_made_of_it() {
        for depth in [128, 1_000_000] {
            let deep = "[".repeat(depth) + &"]".repeat(depth);
            let text: JsonText = serde_json::from_str(&deep).unwrap();
            let failure = text.to_value().unwrap_err();
            assert!(failure.is_permanent() && failure.message.contains("nests deeper"), "{failure}");
        }
    }
}
