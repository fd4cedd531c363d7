//! The Secret that holds the private half of a sealing key: its form, its writer and its reader, as JSON text.
//!
//! Its type is `sealing.dev/sealing-key`, it has the label of that name, it is immutable, and no object owns it.
//! It has these values in `data`:
//!
//! | value | is |
//! | --- | --- |
//! | `identity` | the private half, `AGE-SECRET-KEY-PQ-1…` |
//! | `recipient` | the public half, `age1pq1…` |
//! | `sequence` | the order of the keys: a whole number from 1 to 2³¹ − 1, higher is newer |
//! | `createdAt` | when the key was made, RFC 3339 |
//! | `format` | `2`; absent in format 1, which has neither `recovery` nor `backup` |
//! | `recovery` | the recovery recipients in their canonical texts, sorted by fingerprint, a line feed after each |
//! | `backup` | the private half as an armoured age file for these recipients; absent if there are none |
//!
//! `recovery` and `backup` are fixed when the key is made, in immutable data. Otherwise a person who may only change
//! the controller's flags could add a recipient of their own for a minute, and get every private half.
//!
//! The annotation `sealing.dev/state` notes the key's state ([`Note`]). The finalizer `sealing.dev/key-in-use` makes
//! a deletion a request, which waits until nothing needs the key.
//!
//! The controller gives the state its meaning, and sees in managedFields who wrote which part of the Secret.
//!
//! Invariants: every type that holds a private half wipes it on drop and has no `Debug`, `Display`, `Serialize` or
//! `Clone`, unlike the API's own Secret type. No error repeats a value. A missing or malformed value refuses its
//! Secret and not the list around it. So a parser's error for the list, which may quote the text, is never needed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Fingerprint, Identity, Recipient};
use crate::plaintext::WipedString;
use crate::resources::{
    DIGEST_ANNOTATION, KEY_IN_USE, KeyState, SEALING_KEY_LABEL, SEALING_KEY_TYPE, STATE_ANNOTATION,
};

/// The highest sequence that a key can have.
pub const MAX_SEQUENCE: i64 = (1 << 31) - 1;

/// The most recovery recipients of a key: an envelope has room for as many beside the key itself.
pub const MAX_RECOVERY: usize = crate::age_file::MAX_RECIPIENTS - 1;

/// The name under which `seal keys restore` writes a Secret, in the API server's record of who wrote which part.
pub const RESTORE_MANAGER: &str = "seal-restore";

/// The item that holds the private half.
pub const IDENTITY: &str = "identity";

/// The number of the format that is written.
const FORMAT: &str = "2";

/// The first and the last line of an armoured age file.
const ARMOUR: [&str; 2] = ["-----BEGIN AGE ENCRYPTED FILE-----\n", "-----END AGE ENCRYPTED FILE-----\n"];

/// The content of the Secret of a sealing key.
pub struct StoredKey {
    /// Both halves.
    pub identity: Identity,
    /// The order of the keys, from 1 to [`MAX_SEQUENCE`]: higher is newer.
    pub sequence: i64,
    /// When the key was made.
    pub created_at: Time,
    /// The recovery set that the key was made with; none in format 1.
    pub recovery: Option<Recovery>,
}

/// The recovery set of a key, fixed when the key is made, and the key's backup for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    recipients: Vec<Recipient>,
    backup: String,
}

impl Recovery {
    /// The set of these recipients, with the private half as an armoured age file for them.
    ///
    /// `None` if there are no recipients, more than [`MAX_RECOVERY`], or if the backup isn't an armoured age file:
    /// nothing else may be published as one.
    pub fn new(recipients: impl IntoIterator<Item = Recipient>, backup: String) -> Option<Self> {
        let sorted: BTreeMap<Fingerprint, Recipient> =
            recipients.into_iter().map(|recipient| (recipient.fingerprint(), recipient)).collect();
        let [begin, end] = ARMOUR;
        let is_armoured = backup.starts_with(begin) && backup.ends_with(end);
        let is_set = (1..=MAX_RECOVERY).contains(&sorted.len());
        (is_set && is_armoured).then(|| Self { recipients: sorted.into_values().collect(), backup })
    }

    /// The recipients, sorted by fingerprint; at least one.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The private half as an armoured age file for the recipients.
    pub fn backup(&self) -> &str {
        &self.backup
    }

    /// Reads the set; `None` in the set if both values are empty.
    fn read(recipients: &str, backup: &str) -> Result<Option<Self>, NotAKey> {
        if recipients.is_empty() && backup.is_empty() {
            return Ok(None);
        }
        // The lines are counted before any is parsed.
        if recipients.lines().count() > MAX_RECOVERY {
            return Err(NotAKey::Recovery);
        }
        let recipients: Result<Vec<Recipient>, _> = recipients.lines().map(str::parse).collect();
        let recovery = Self::new(recipients.map_err(|_| NotAKey::Recovery)?, backup.to_owned());
        recovery.map(Some).ok_or(NotAKey::Recovery)
    }
}

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

/// The state that the annotation `sealing.dev/state` of a key's Secret notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// There is no such annotation.
    Absent,
    /// The annotation says a state.
    Says(KeyState),
    /// The annotation says something that isn't a state.
    Unreadable,
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

impl Note {
    /// The note on the Secret with this metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let Some(text) = metadata.annotations.as_ref().and_then(|all| all.get(STATE_ANNOTATION)) else {
            return Self::Absent;
        };
        match serde_json::from_value(text.as_str().into()) {
            Ok(state) => Self::Says(state),
            Err(_) => Self::Unreadable,
        }
    }
}

impl StoredKey {
    /// The Secret of this name as JSON, with this state noted on it.
    pub fn to_json(&self, name: &str, state: KeyState) -> Zeroizing<Vec<u8>> {
        let metadata = json!({
            "name": name,
            "labels": { SEALING_KEY_LABEL: "" },
            "annotations": { STATE_ANNOTATION: state },
            "finalizers": [KEY_IN_USE],
        });
        let created_at = serde_json::to_value(&self.created_at).expect("a time is plain data");
        let recovery = self.recovery.as_ref();
        let lines: String = recovery
            .iter()
            .flat_map(|it| it.recipients())
            .map(|recipient| format!("{recipient}\n"))
            .collect();
        let backup =
            recovery.map_or_else(String::new, |it| format!(r#""backup":"{}","#, BASE64.encode(it.backup())));
        let public = format!(
            r#"{{"apiVersion":"v1","kind":"Secret","type":"{SEALING_KEY_TYPE}","immutable":true,"metadata":{metadata},"data":{{"recipient":"{}","sequence":"{}","createdAt":"{}","format":"{}","recovery":"{}",{backup}"{IDENTITY}":""#,
            BASE64.encode(self.identity.recipient().as_str()),
            BASE64.encode(self.sequence.to_string()),
            BASE64.encode(created_at.as_str().unwrap_or_default()),
            BASE64.encode(FORMAT),
            BASE64.encode(lines),
        );
        with_private_half(&public, &self.identity.to_secret_string())
    }
}

/// The JSON of a Secret whose last value is a private half, of a key of ours or of sealed-secrets. `public` is the
/// JSON up to the quote that opens that value.
///
/// The function joins texts, so that no JSON value holds a copy of the private half. The buffer has its full room
/// from the start, because growing would leave copies behind.
pub fn with_private_half(public: &str, private: &str) -> Zeroizing<Vec<u8>> {
    let encoded = Zeroizing::new(BASE64.encode(private));
    let mut body = Zeroizing::new(Vec::with_capacity(public.len() + encoded.len() + 3));
    body.extend_from_slice(public.as_bytes());
    body.extend_from_slice(encoded.as_bytes());
    body.extend_from_slice(br#""}}"#);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StoredKey {
        let created_at = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        StoredKey { identity: Identity::generate(), sequence: 7, created_at, recovery: None }
    }

    fn recipients(count: usize) -> Vec<Recipient> {
        (0..count).map(|_| Identity::generate().recipient().clone()).collect()
    }

    const BACKUP: &str = "-----BEGIN AGE ENCRYPTED FILE-----\neA==\n-----END AGE ENCRYPTED FILE-----\n";

    /// A Secret as the controller makes it, changed.
    fn read(change: impl FnOnce(&mut Value)) -> Result<(ObjectMeta, StoredKey), NotAKey> {
        let mut secret: Value =
            serde_json::from_slice(&key().to_json("sealing-key-first", KeyState::Active)).unwrap();
        change(&mut secret);
        serde_json::from_value::<KeySecret>(secret).unwrap().into_key()
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let stored = key();
        let secret: KeySecret =
            serde_json::from_slice(&stored.to_json("sealing-key-first", KeyState::Active)).unwrap();
        assert!(secret.metadata.labels.as_ref().unwrap().contains_key(SEALING_KEY_LABEL));
        let (metadata, read) = secret.into_key().unwrap_or_else(|not| panic!("{not}"));
        assert_eq!(read.identity.fingerprint(), stored.identity.fingerprint());
        assert_eq!((read.sequence, json!(read.created_at)), (7, json!("2026-01-01T00:00:00Z")));
        assert_eq!(Note::of(&metadata), Note::Says(KeyState::Active));
        assert_eq!(metadata.name.as_deref(), Some("sealing-key-first"));
        assert!(read.recovery.is_none());
        assert_eq!(metadata.finalizers, Some(vec![KEY_IN_USE.to_owned()]), "a deletion is a request");
        // The recipient in the Secret is that of the private half.
        let recipient = serde_json::from_slice::<Value>(&stored.to_json("k", KeyState::Active)).unwrap();
        let recipient = BASE64.decode(recipient["data"]["recipient"].as_str().unwrap()).unwrap();
        assert_eq!(recipient, stored.identity.recipient().as_str().as_bytes());
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
    fn a_recovery_set_is_stored_sorted_with_its_backup() {
        let set = recipients(3);
        let recovery = Recovery::new(set.iter().rev().chain(&set).cloned(), BACKUP.into());
        let stored = StoredKey { recovery, ..key() };
        let json = stored.to_json("k", KeyState::Active);
        let (_, read) = serde_json::from_slice::<KeySecret>(&json)
            .unwrap()
            .into_key()
            .unwrap_or_else(|not| panic!("{not}"));
        assert_eq!(read.recovery, stored.recovery);
        let read = read.recovery.unwrap();
        assert_eq!((read.recipients().len(), read.backup()), (3, BACKUP), "each once");
        assert!(read.recipients().is_sorted_by_key(Recipient::fingerprint));
        let data = serde_json::from_slice::<Value>(&json).unwrap()["data"].clone();
        let text = BASE64.decode(data["recovery"].as_str().unwrap()).unwrap();
        let lines: String = read.recipients().iter().map(|recipient| format!("{recipient}\n")).collect();
        assert_eq!(String::from_utf8(text).unwrap(), lines);
        // Without a set, there is an empty list and no backup.
        let data =
            serde_json::from_slice::<Value>(&key().to_json("k", KeyState::Active)).unwrap()["data"].clone();
        assert_eq!((&data["recovery"], &data["backup"]), (&json!(""), &Value::Null));
    }

    #[test]
    fn a_recovery_set_that_is_half_there_or_too_large_refuses_the_key() {
        let (one, many) = (recipients(1), recipients(MAX_RECOVERY + 1));
        let lines = |set: &[Recipient]| set.iter().map(|it| format!("{it}\n")).collect::<String>();
        let plain = "# seal sealing key, format 1\nAGE-SECRET-KEY-PQ-1HUNTER2\n";
        for (set, backup) in [
            (lines(&one), ""),
            (String::new(), BACKUP),
            (lines(&many), BACKUP),
            ("age1pq1hunter2\n".to_owned(), BACKUP),
            (lines(&one), "-----BEGIN AGE ENCRYPTED FILE-----\neA==\n"),
            (lines(&one), plain),
        ] {
            let refused = read(|secret| {
                secret["data"]["recovery"] = json!(BASE64.encode(&set));
                secret["data"]["backup"] = json!(BASE64.encode(backup));
            });
            assert_eq!(refused.err(), Some(NotAKey::Recovery), "{set} {backup}");
        }
        assert!(Recovery::new(one, plain.into()).is_none(), "only ciphertext is ever a backup");
    }

    #[test]
    fn format_1_has_no_recovery_set_and_only_two_formats_are_known() {
        let format = |format: Option<&str>| {
            let (set, backup) = (recipients(1)[0].to_string(), BACKUP);
            read(|secret| {
                secret["data"]["recovery"] = json!(BASE64.encode(set));
                secret["data"]["backup"] = json!(BASE64.encode(backup));
                secret["data"]["format"] =
                    json!(format.map(|format| BASE64.encode(format)).unwrap_or_default());
            })
        };
        let recovery = |text| format(text).unwrap_or_else(|not| panic!("{not}")).1.recovery;
        assert!(recovery(None).is_none());
        assert!(recovery(Some("2")).is_some());
        for later in ["1", "3", "02", "2\n", "two"] {
            let refused = format(Some(later)).err();
            assert!(matches!(refused, Some(NotAKey::LaterVersion(Some(_)))), "{later:?} {refused:?}");
        }
    }

    #[test]
    fn a_key_of_a_later_version_is_known_by_its_recipient() {
        let recipient = Identity::generate().recipient().clone();
        let refused = read(|secret| {
            secret["data"]["format"] = json!(BASE64.encode("3"));
            secret["data"]["recipient"] = json!(BASE64.encode(recipient.as_str()));
        });
        assert_eq!(refused.err(), Some(NotAKey::LaterVersion(Some(recipient.fingerprint()))));
    }

    #[test]
    fn a_date_with_an_offset_is_the_time_that_it_means() {
        let date = json!(BASE64.encode("2026-01-01T01:30:00.5+01:30"));
        let (_, read) =
            read(|secret| secret["data"]["createdAt"] = date).unwrap_or_else(|not| panic!("{not}"));
        assert_eq!(json!(read.created_at), json!("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn a_note_says_a_state_or_cannot_be_read() {
        let noted = |annotations: Value| {
            let read = read(|secret| secret["metadata"]["annotations"] = annotations);
            Note::of(&read.unwrap_or_else(|not| panic!("{not}")).0)
        };
        for state in [KeyState::Active, KeyState::Retiring, KeyState::Revoked] {
            assert_eq!(noted(json!({ STATE_ANNOTATION: state })), Note::Says(state));
        }
        for text in ["", "active", "Destroyed", " Active"] {
            assert_eq!(noted(json!({ STATE_ANNOTATION: text })), Note::Unreadable, "{text:?}");
        }
        assert_eq!(noted(json!({})), Note::Absent);
    }
}
