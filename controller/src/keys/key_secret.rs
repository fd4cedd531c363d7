//! The Secret that holds the private half of a sealing key.
//!
//! A type of its own, because the API's Secret type has `Debug` and `Clone` and doesn't wipe. Not a cache:
//! it is read, turned into an [`Identity`], and dropped. Invariant: the private half is in wiped memory,
//! as far as it is ours; the HTTP client's buffers aren't.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::{Fingerprint, Identity, Recipient};
use seal_crds::resources::{
    DIGEST_ANNOTATION, KeyState, SEALING_KEY_LABEL, SEALING_KEY_TYPE, STATE_ANNOTATION,
};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use zeroize::Zeroizing;

use super::lifecycle::{Holder, MAX_SEQUENCE, Note};
use crate::cluster::fields::owned;
use crate::status::rfc3339;

#[derive(Deserialize)]
pub(super) struct KeySecretList {
    pub(super) items: Vec<KeySecret>,
}

#[derive(Deserialize)]
pub(super) struct KeySecret {
    pub(super) metadata: ObjectMeta,
    #[serde(default, rename = "type")]
    type_: String,
    #[serde(default)]
    immutable: bool,
    #[serde(default)]
    data: KeyData,
}

/// Absent values are empty, and refused where they are parsed: one Secret without them must not keep the
/// other keys from being loaded.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyData {
    identity: Text,
    recipient: Text,
    sequence: Text,
    created_at: Text,
    /// The version of this layout; the first one has no such value.
    format: Text,
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

/// Why a Secret with the label of a sealing key gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAKey {
    /// Whoever may create a SealedSecret here could otherwise plant a key.
    #[error("a SealedSecret made it, or another object owns it, and a sealing key has no owner")]
    Owned,
    #[error("its type isn't {SEALING_KEY_TYPE}")]
    Type,
    #[error("it doesn't say immutable: true, which a sealing key does")]
    Mutable,
    /// A later version made it. The fingerprint is that of its recipient, where it has one.
    #[error("data.format is of a later version; update the controller")]
    LaterVersion(Option<Fingerprint>),
    #[error("data.identity isn't an identity (AGE-SECRET-KEY-PQ-1…)")]
    Identity,
    #[error("data.sequence isn't a whole number from 1 to {MAX_SEQUENCE}")]
    Sequence,
    #[error("data.createdAt isn't a time as in RFC 3339")]
    CreatedAt,
}

impl KeySecret {
    /// The private half, and what is public of the Secret.
    ///
    /// # Errors
    ///
    /// The first reason why it isn't a sealing key.
    pub(super) fn into_key(self) -> Result<(Holder, Identity), NotAKey> {
        let Self { metadata, type_, immutable, data } = self;
        if is_owned(&metadata) {
            return Err(NotAKey::Owned);
        }
        if type_ != SEALING_KEY_TYPE {
            return Err(NotAKey::Type);
        }
        if !immutable {
            return Err(NotAKey::Mutable);
        }
        if !data.format.0.is_empty() {
            let recipient = data.recipient.0.parse::<Recipient>();
            return Err(NotAKey::LaterVersion(recipient.ok().map(|recipient| recipient.fingerprint())));
        }
        let identity = Identity::parse(&data.identity.0).map_err(|_| NotAKey::Identity)?;
        let sequence = data.sequence.0.parse().ok().filter(|sequence| (1..=MAX_SEQUENCE).contains(sequence));
        let created_at = data.created_at.0.parse::<Timestamp>().map_err(|_| NotAKey::CreatedAt)?;
        let ours = owned(metadata.managed_fields.as_deref().unwrap_or_default());
        let holder = Holder {
            note: note(&metadata),
            is_noted_by_us: ours.annotations().any(|key| key == STATE_ANNOTATION),
            is_made_by_us: ours.data().any(|key| key == "identity"),
            secret: metadata.name.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            recipient: identity.recipient().clone(),
            sequence: sequence.ok_or(NotAKey::Sequence)?,
            created_at: rfc3339(created_at),
        };
        Ok((holder, identity))
    }
}

/// Whether the Secret belongs to another object. Not every Secret that a SealedSecret makes has an owner
/// (`skip-set-owner-references`), but all that this controller writes have its annotation.
fn is_owned(metadata: &ObjectMeta) -> bool {
    let has_digest = metadata.annotations.as_ref().is_some_and(|all| all.contains_key(DIGEST_ANNOTATION));
    has_digest || metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty())
}

fn note(metadata: &ObjectMeta) -> Note {
    let Some(text) = metadata.annotations.as_ref().and_then(|all| all.get(STATE_ANNOTATION)) else {
        return Note::Absent;
    };
    match serde_json::from_value::<KeyState>(text.as_str().into()) {
        Ok(state) => Note::Says(state),
        Err(_) => Note::Unreadable,
    }
}

/// The request body that stores a new identity, which is Active. Immutable: a private half never changes.
pub(super) fn to_json(name: &str, identity: &Identity, sequence: i64, created_at: &str) -> Vec<u8> {
    let secret = identity.to_secret_string();
    let fixed = json!({
        "name": name,
        "labels": { SEALING_KEY_LABEL: "" },
        "annotations": { STATE_ANNOTATION: KeyState::Active },
    });
    let public = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","type":"{SEALING_KEY_TYPE}","immutable":true,"metadata":{fixed},"data":{{"recipient":"{}","sequence":"{}","createdAt":"{}","identity":""#,
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
    use serde_json::Value;

    use super::*;

    /// A Secret as the controller makes it, changed.
    fn read(change: impl FnOnce(&mut Value)) -> Result<(Holder, Identity), NotAKey> {
        let body = to_json("sealing-key-first", &Identity::generate(), 7, "2026-01-01T00:00:00Z");
        let mut secret: Value = serde_json::from_slice(&body).unwrap();
        change(&mut secret);
        serde_json::from_value::<KeySecret>(secret).unwrap().into_key()
    }

    /// managedFields of somebody who wrote the note and the private half.
    fn written_by(manager: &str) -> Value {
        let fields = json!({
            "f:data": {"f:identity": {}},
            "f:metadata": {"f:annotations": {".": {}, "f:sealing.dev/state": {}}},
        });
        json!([{"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}])
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let identity = Identity::generate();
        let body = to_json("sealing-key-first", &identity, 7, "2026-01-01T00:00:00Z");
        let secret: KeySecret = serde_json::from_slice(&body).unwrap();
        assert!(secret.metadata.labels.as_ref().unwrap().contains_key(SEALING_KEY_LABEL));
        let (holder, read) = secret.into_key().unwrap_or_else(|not| panic!("{not}"));
        assert_eq!(read.fingerprint(), identity.fingerprint());
        assert_eq!((holder.sequence, holder.created_at.as_str()), (7, "2026-01-01T00:00:00Z"));
        assert_eq!((holder.note, &holder.recipient), (Note::Says(KeyState::Active), identity.recipient()));
    }

    #[test]
    fn what_is_no_key_says_which_field_and_what_is_expected() {
        type Change = fn(&mut Value);
        let owner = |api_version| json!([{"apiVersion": api_version, "kind": "SealedSecret", "name": "x", "uid": "1"}]);
        let cases: [(NotAKey, Change); 12] = [
            (NotAKey::Type, |secret| secret["type"] = json!("Opaque")),
            (NotAKey::Mutable, |secret| secret["immutable"] = json!(false)),
            (NotAKey::Mutable, |secret| drop(secret.as_object_mut().unwrap().remove("immutable"))),
            (NotAKey::Owned, |secret| secret["metadata"]["annotations"][DIGEST_ANNOTATION] = json!("")),
            (NotAKey::Identity, |secret| secret["data"]["identity"] = json!("!!")),
            (NotAKey::Identity, |secret| secret["data"]["identity"] = json!("bm90IGEga2V5")),
            (NotAKey::Identity, |secret| secret["data"] = json!({})),
            (NotAKey::Sequence, |secret| secret["data"]["sequence"] = json!(BASE64.encode("0"))),
            (NotAKey::Sequence, |secret| secret["data"]["sequence"] = json!(BASE64.encode("2147483648"))),
            (NotAKey::CreatedAt, |secret| secret["data"]["createdAt"] = json!(BASE64.encode("yesterday"))),
            (NotAKey::LaterVersion(None), |secret| {
                secret["data"]["format"] = json!(BASE64.encode("3"));
                secret["data"]["recipient"] = json!("");
            }),
            (NotAKey::Identity, |secret| {
                secret["data"]["identity"] = json!(BASE64.encode("AGE-SECRET-KEY-PQ-1HUNTER2"));
            }),
        ];
        for (expected, change) in cases {
            let refused = read(change).err();
            assert_eq!(refused, Some(expected));
            assert!(!refused.unwrap().to_string().contains("HUNTER2"));
        }
        for api_version in ["sealing.dev/v1alpha1", "bitnami.com/v1alpha1", "v1"] {
            let refused = read(|secret| secret["metadata"]["ownerReferences"] = owner(api_version)).err();
            assert_eq!(refused, Some(NotAKey::Owned), "{api_version}");
        }
    }

    #[test]
    fn a_note_says_a_state_or_cannot_be_read_and_who_wrote_it_is_known() {
        let noted = |text: &str, manager: &str| {
            let (holder, _) = read(|secret| {
                secret["metadata"]["annotations"][STATE_ANNOTATION] = json!(text);
                secret["metadata"]["managedFields"] = written_by(manager);
            })
            .unwrap_or_else(|not| panic!("{not}"));
            (holder.note, holder.is_noted_by_us, holder.is_made_by_us)
        };
        assert_eq!(noted("Retiring", "seal-controller"), (Note::Says(KeyState::Retiring), true, true));
        assert_eq!(noted("Revoked", "kubectl-create"), (Note::Says(KeyState::Revoked), false, false));
        for text in ["", "active", "Destroyed", " Active"] {
            assert_eq!(noted(text, "seal-controller").0, Note::Unreadable, "{text:?}");
        }
        let absent = read(|secret| secret["metadata"]["annotations"] = json!({}));
        assert_eq!(absent.unwrap_or_else(|not| panic!("{not}")).0.note, Note::Absent);
    }
}
