//! From a spec as it was found to a typed one, for either store.
//!
//! Not the format's own parsing, which `seal_crds` does afterwards. Invariant: the parser's message, which
//! may quote a value that somebody put into the wrong place, stays behind; what is said of fields goes by
//! their own names, which are ours.

use seal_crds::resources::SealedSecretSpec;
use serde::Deserialize as _;
use serde_json::Value;

use crate::failure::Failure;

/// The spec of the native format.
///
/// # Errors
///
/// A permanent failure where a field is missing, unknown or of the wrong type.
pub(crate) fn decode_spec(value: &Value) -> Result<SealedSecretSpec, Failure> {
    SealedSecretSpec::deserialize(value).map_err(|error| {
        let text = error.to_string();
        let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let problem = match missing {
            Some(field) => format!("has no {field}"),
            None if text.starts_with("unknown field") => "has a field that this version doesn't know".into(),
            None => "isn't that of a SealedSecret".into(),
        };
        Failure::permanent("Malformed", format!("the spec {problem}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (spec, message) in [
            (json!({}), "the spec has no scope"),
            (json!({"scope": "hunter2"}), "the spec isn't that of a SealedSecret"),
            (json!({"hunter2": 1}), "the spec has a field that this version doesn't know"),
            (json!("hunter2"), "the spec isn't that of a SealedSecret"),
            (Value::Null, "the spec isn't that of a SealedSecret"),
        ] {
            let failure = decode_spec(&spec).unwrap_err();
            assert_eq!((failure.reason, failure.message.as_str()), ("Malformed", message), "{spec}");
        }
    }
}
