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

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use zeroize::Zeroizing;

use super::Identity;
use crate::resources::{KEY_IN_USE, KeyState, SEALING_KEY_LABEL, SEALING_KEY_TYPE, STATE_ANNOTATION};

pub use note::Note;
pub use recovery::{MAX_RECOVERY, Recovery};
pub use secret::{KeySecret, KeySecretList, NotAKey, SecretParts};

mod note;
mod recovery;
mod secret;
#[cfg(test)]
mod tests;

/// The highest sequence that a key can have.
pub const MAX_SEQUENCE: i64 = (1 << 31) - 1;

/// The name under which `seal keys restore` writes a Secret, in the API server's record of who wrote which part.
pub const RESTORE_MANAGER: &str = "seal-restore";

/// The item that holds the private half.
pub const IDENTITY: &str = "identity";

/// The number of the format that is written.
const FORMAT: &str = "2";

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
