//! A spec as JSON into the typed spec, for every program alike.
//!
//! [`crate::native`] parses the typed spec afterwards. Invariants: no error repeats serde's message, which may quote
//! a value that somebody put into the wrong place; an error names only fields of ours; and the schema accepts every
//! spec that is accepted here.

use serde::Deserialize as _;
use serde_json::Value;

use super::SealedSecretSpec;
use crate::scope::Scope;

/// The reason why a value isn't the spec of a SealedSecret. `Display` is the rest of a sentence about the spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A required field is missing.
    #[error("has no {0}")]
    MissingField(String),
    /// A field that this version doesn't know. It may be meant to restrict something, so it isn't ignored.
    #[error("has a field that this version doesn't know")]
    UnknownField,
    /// The value of `scope` isn't a scope.
    #[error("has a scope that is not one of {}", Scope::list())]
    UnknownScope,
    /// A value has the wrong type.
    #[error("isn't that of a SealedSecret")]
    WrongForm,
}

impl SealedSecretSpec {
    /// Reads a spec from JSON.
    ///
    /// # Errors
    ///
    /// Any [`SpecError`].
    pub fn from_json(spec: &Value) -> Result<Self, SpecError> {
        // serde would also accept an array of a struct's values, in order, for the struct.
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

/// `true` if an array stands in the place of an object: of an element of these lists, or of a nested object.
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
