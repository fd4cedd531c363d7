//! A Secret with the label of a sealing key, and whether it is one.
//!
//! Invariants: types with a private half wipe it on drop and have no `Debug`, `Display`, `Serialize` or `Clone`. No error
//! repeats a value. A missing or malformed value refuses its Secret and not the list around it, so a parser's error for the
//! list, which may quote the text, is never needed.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, IDENTITY, MAX_RECOVERY, MAX_SEQUENCE, Recovery, StoredKey};
use crate::keys::{Fingerprint, Identity, Recipient};
use crate::plaintext::WipedString;
use crate::resources::{DIGEST_ANNOTATION, SEALING_KEY_TYPE};

/// Secrets with the label of a sealing key, as the API server lists them.
#[derive(Deserialize)]
pub struct KeySecretList {
    /// The Secrets, in the order of the list.
    pub items: Vec<KeySecret>,
}

/// A Secret with the label of a sealing key, which may or may not be one ([`KeySecret::into_key`]).
#[derive(Deserialize)]
pub struct KeySecret {
    /// The metadata of the Secret.
    pub metadata: ObjectMeta,
    #[serde(default, rename = "type")]
    type_: String,
    #[serde(default)]
    immutable: bool,
    #[serde(default)]
    data: KeyData,
}

/// The parts of a Secret that make it a sealing key, for readers of other forms than the API server's JSON.
#[derive(Default)]
pub struct SecretParts {
    /// `metadata.name`.
    pub name: Option<String>,
    /// `metadata.annotations`, or some of them.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.ownerReferences` isn't empty.
    pub is_owned: bool,
    /// `type`.
    pub type_: String,
    /// `immutable` is true.
    pub is_immutable: bool,
    /// `data`, in base64.
    pub data: BTreeMap<String, WipedString>,
}

impl From<SecretParts> for KeySecret {
    fn from(parts: SecretParts) -> Self {
        let SecretParts { name, annotations, is_owned, type_, is_immutable, mut data } = parts;
        let owner_references = is_owned.then(|| vec![OwnerReference::default()]);
        let metadata =
            ObjectMeta { name, annotations: Some(annotations), owner_references, ..ObjectMeta::default() };
        let mut item = |name: &str| data.remove(name).unwrap_or_default();
        let data = KeyData {
            identity: item(IDENTITY),
            recipient: item("recipient"),
            sequence: item("sequence"),
            created_at: item("createdAt"),
            format: item("format"),
            recovery: item("recovery"),
            backup: item("backup"),
        };
        Self { metadata, type_, immutable: is_immutable, data }
    }
}

/// The values of `data`, in base64. An absent value is empty, which its parser refuses.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyData {
    identity: WipedString,
    recipient: WipedString,
    sequence: WipedString,
    created_at: WipedString,
    format: WipedString,
    recovery: WipedString,
    backup: WipedString,
}

/// The reason why a Secret with the label of a sealing key isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// Another object owns the Secret. Without this check, people who may create a SealedSecret beside the keys could
    /// plant a key.
    #[error("a SealedSecret made it, or another object owns it, and a sealing key has no owner")]
    Owned,
    /// The Secret has another type.
    #[error("its type isn't {SEALING_KEY_TYPE}")]
    Type,
    /// The Secret isn't immutable.
    #[error("it doesn't say immutable: true, which a sealing key does")]
    Mutable,
    /// A later version made it. The fingerprint is that of its recipient, if it has one.
    #[error("data.format is of a later version; update the controller")]
    LaterVersion(Option<Fingerprint>),
    /// The private half can't be used.
    #[error("data.identity isn't an identity (AGE-SECRET-KEY-PQ-1…)")]
    Identity,
    /// The sequence isn't a number, or is out of bounds.
    #[error("data.sequence isn't a whole number from 1 to {MAX_SEQUENCE}")]
    Sequence,
    /// The date isn't a time.
    #[error("data.createdAt isn't a time as in RFC 3339")]
    CreatedAt,
    /// The recovery set can't be used: a key whose set isn't known must not be sealed to.
    #[error(
        "data.recovery isn't a list of at most {MAX_RECOVERY} recipients with a backup in data.backup, an armoured age \
         file"
    )]
    Recovery,
}

impl KeySecret {
    /// Reads the sealing key: the metadata of its Secret, and the key.
    ///
    /// # Errors
    ///
    /// The first reason why it isn't a sealing key.
    pub fn into_key(self) -> Result<(ObjectMeta, StoredKey), NotAKey> {
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
        let format = data.format.decoded();
        if !["", FORMAT].contains(&format.as_str()) {
            let recipient = data.recipient.decoded().parse::<Recipient>();
            return Err(NotAKey::LaterVersion(recipient.ok().map(|recipient| recipient.fingerprint())));
        }
        let identity = Identity::parse(&data.identity.decoded()).map_err(|_| NotAKey::Identity)?;
        let created_at = Value::from(data.created_at.decoded().as_str());
        let created_at = serde_json::from_value(created_at).map_err(|_| NotAKey::CreatedAt)?;
        let sequence = data.sequence.decoded().parse().ok();
        let sequence = sequence.filter(|sequence| (1..=MAX_SEQUENCE).contains(sequence));
        let sequence = sequence.ok_or(NotAKey::Sequence)?;
        let recovery = match format.as_str() {
            FORMAT => Recovery::read(&data.recovery.decoded(), &data.backup.decoded())?,
            _ => None,
        };
        Ok((metadata, StoredKey { identity, sequence, created_at, recovery }))
    }
}

/// `true` if the Secret belongs to another object. A Secret that a SealedSecret makes may have no owner
/// (`skip-set-owner-references`), but it always has the controller's annotation.
fn is_owned(metadata: &ObjectMeta) -> bool {
    let has_digest = metadata.annotations.as_ref().is_some_and(|all| all.contains_key(DIGEST_ANNOTATION));
    has_digest || metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty())
}
