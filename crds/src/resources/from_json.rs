//! From a spec as it was found, in any of the programs, to a typed one.
//!
//! Not the format's own parsing, which [`crate::native`] does afterwards. Invariants: serde's message, which
//! may quote a value that somebody put into the wrong place, stays behind, and fields go by their own names,
//! which are ours; what is taken here, the schema takes too.

use serde::Deserialize as _;
use serde_json::Value;

use super::SealedSecretSpec;
use crate::scope::Scope;

/// Why a value isn't the spec of a SealedSecret. `Display` is the rest of a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A field that must be there isn't.
    #[error("has no {0}")]
    MissingField(String),
    /// A field this version doesn't know, and which may be meant to restrict something.
    #[error("has a field that this version doesn't know")]
    UnknownField,
    /// The scope is none.
    #[error("has a scope that is not one of {}", Scope::list())]
    UnknownScope,
    /// Something is of the wrong type.
    #[error("isn't that of a SealedSecret")]
    WrongForm,
}

impl SealedSecretSpec {
    /// The typed spec.
    ///
    /// # Errors
    ///
    /// Any [`SpecError`].
    pub fn from_json(spec: &Value) -> Result<Self, SpecError> {
        // serde would also take an array of a struct's values, in order, for the struct.
        let lists = ["envelopes", "recipients"].map(|field| field.to_owned());
        if !spec.is_object() || has_array_for_object(spec, &lists) {
            return Err(SpecError::WrongForm);
        }
        if let Some(scope) = spec.get("scope").and_then(Value::as_str)
            && scope.parse::<Scope>().is_err()
        {
            return Err(SpecError::UnknownScope);
        }
        Self::deserialize(spec).map_err(|error| {
            let text = error.to_string();
            let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            match missing {
                Some(field) => SpecError::MissingField(field.to_owned()),
                None if text.starts_with("unknown field") => SpecError::UnknownField,
                None => SpecError::WrongForm,
            }
        })
    }
}

/// Whether an element of a list of objects, or one of the two nested objects, is an array instead.
fn has_array_for_object(value: &Value, lists: &[String]) -> bool {
    let Some(fields) = value.as_object() else { return value.is_array() };
    let nested = ["template", "metadata"].iter().filter_map(|&field| fields.get(field));
    let elements = lists.iter().filter_map(|field| fields.get(field)?.as_array()).flatten();
    nested.chain(elements).any(|value| has_array_for_object(value, lists))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid() -> Value {
        json!({
            "scope": "strict",
            "envelopes": [{"keys": ["k"], "recipients": [{"fingerprint": "f"}], "age": "a"}],
            "encryptedData": {"a": "x"},
            "template": {"metadata": {"labels": {"a": "b"}}},
        })
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        assert!(SealedSecretSpec::from_json(&valid()).is_ok());
        for (spec, message) in [
            (json!({}), "has no scope"),
            (json!({"hunter2": 1}), "has a field that this version doesn't know"),
            (
                json!({"scope": "hunter2"}),
                "has a scope that is not one of strict, namespace-wide, cluster-wide",
            ),
            (json!("hunter2"), "isn't that of a SealedSecret"),
            (Value::Null, "isn't that of a SealedSecret"),
        ] {
            assert_eq!(SealedSecretSpec::from_json(&spec).unwrap_err().to_string(), message, "{spec}");
        }
    }

    #[test]
    fn one_meaning_has_one_form() {
        for (at, other) in [
            ("", json!(["strict", [], {}, {}])),
            ("/scope", json!({"strict": null})),
            ("/envelopes/0", json!([["k"], [{"fingerprint": "f"}], "a"])),
            ("/envelopes/0/recipients/0", json!([null, "f"])),
            ("/template", json!([null, null, {}, {}])),
            ("/template/metadata", json!([{}, {}])),
            ("/template", Value::Null),
        ] {
            let mut spec = valid();
            *spec.pointer_mut(at).unwrap() = other;
            assert_eq!(SealedSecretSpec::from_json(&spec), Err(SpecError::WrongForm), "{at}");
        }
    }
}
