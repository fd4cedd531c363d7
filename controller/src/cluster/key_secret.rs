//! The Secret that holds the private half of a sealing key.
//!
//! A type of its own, because the API's Secret type has `Debug` and `Clone` and doesn't wipe. Not a cache:
//! it is read, turned into an [`Identity`], and dropped. Invariant: the private half is in wiped memory,
//! as far as it is ours; the HTTP client's buffers aren't.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::Identity;
use seal_crds::resources::SEALING_KEY_LABEL;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use zeroize::Zeroizing;

/// The Secret's type: tells people, and `kubectl get secret`, what it is.
const TYPE: &str = "sealing.dev/sealing-key";

#[derive(Deserialize)]
pub(super) struct KeySecretList {
    pub(super) items: Vec<KeySecret>,
}

#[derive(Deserialize)]
pub(super) struct KeySecret {
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) data: KeyData,
}

/// Absent values are empty, and refused where they are parsed: one Secret without them must not keep the
/// other keys from being loaded.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct KeyData {
    pub(super) identity: Text,
    pub(super) sequence: Text,
    pub(super) created_at: Text,
}

/// A base64 value that is text, wiped on drop.
#[derive(Default)]
pub(super) struct Text(pub(super) Zeroizing<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = Zeroizing::new(String::deserialize(deserializer)?);
        let decoded = Zeroizing::new(BASE64.decode(&*encoded).unwrap_or_default());
        let text = std::str::from_utf8(&decoded).unwrap_or_default();
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// The request body that stores an identity. Immutable: a private half never changes.
pub(super) fn to_json(name: &str, identity: &Identity, sequence: i64, created_at: &str) -> Vec<u8> {
    let secret = identity.to_secret_string();
    let fixed = json!({
        "name": name,
        "labels": { SEALING_KEY_LABEL: "" },
    });
    let public = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","type":"{TYPE}","immutable":true,"metadata":{fixed},"data":{{"recipient":"{}","sequence":"{}","createdAt":"{}","identity":""#,
        BASE64.encode(identity.recipient().to_string()),
        BASE64.encode(sequence.to_string()),
        BASE64.encode(created_at),
    );
    with_private_half(&public, &secret)
}

/// A Secret's JSON whose last value is a private half: `public` ends with the quote that opens it.
///
/// Written by hand, so that no JSON value holds a copy of the private half; and with room for it from the start, so
/// that growing leaves none behind.
pub(super) fn with_private_half(public: &str, private: &str) -> Vec<u8> {
    let encoded = Zeroizing::new(BASE64.encode(private));
    let mut body = Vec::with_capacity(public.len() + encoded.len() + 3);
    body.extend_from_slice(public.as_bytes());
    body.extend_from_slice(encoded.as_bytes());
    body.extend_from_slice(br#""}}"#);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        let identity = Identity::generate();
        let body = to_json("sealing-key-first", &identity, 7, "2026-01-01T00:00:00Z");
        let secret: KeySecret = serde_json::from_slice(&body).unwrap();
        assert_eq!(Identity::parse(&secret.data.identity.0).unwrap().fingerprint(), identity.fingerprint());
        assert_eq!(&*secret.data.sequence.0, "7");
        assert_eq!(&*secret.data.created_at.0, "2026-01-01T00:00:00Z");
        assert!(secret.metadata.labels.unwrap().contains_key(SEALING_KEY_LABEL));
    }

    #[test]
    fn a_secret_without_the_values_is_empty_not_an_error() {
        for text in [r#"{"metadata":{}}"#, r#"{"metadata":{},"data":{"identity":"!!"}}"#] {
            let secret: KeySecret = serde_json::from_str(text).unwrap();
            assert!(Identity::parse(&secret.data.identity.0).is_err());
        }
    }
}
