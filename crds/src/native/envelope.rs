//! The envelope: an age file that holds data keys and says what they are bound to.
//!
//! ```text
//! age field = base64 (canonical, padded) of a binary age v1 file (C2SP age), at most 64 KiB
//! header    = at most 20 stanzas, none of them scrypt; no armour
//! payload   = one JSON document, UTF-8:
//!   {"v":1,
//!    "scope":"strict"|"namespace-wide"|"cluster-wide",
//!    "namespace":…,            absent for cluster-wide
//!    "name":…,                 absent unless strict
//!    "recipients":[hex…],      fingerprints the file is encrypted to; 1 to 16
//!    "past":[hex…],            fingerprints its keys were encrypted to earlier; disjoint from recipients
//!    "keys":[{"key":base64url, 32 bytes, no padding
//!             "template":bool, may its items be substituted into templates
//!             "seen":[index…]  into recipients then past: everybody the key was ever wrapped to;
//!            }…]}              strictly rising, with every index of recipients; 1 to 256 keys
//! ```
//! Unknown and duplicate fields, `null`, escapes inside strings that need none, and anything after the
//! document are refused; an unknown `v` has its own error.
//!
//! Not the object around it: whether the claims fit their place is [`super::object`]'s question.
//! Invariant: a document that opens has one meaning; nothing in it is ignored.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::data_key::DataKey;
use super::{MAX_AGE_SIZE, MAX_DATA_KEYS, MAX_RECIPIENTS, MAX_STANZAS};
use crate::format::UnsealError;
use crate::keys::{Fingerprint, Identity, Keyring, Recipient};
use crate::names::{Name, Namespace};
use crate::scope::{Binding, Scope};

/// Identities that are tried on one envelope, at most; a cluster has a handful. Each trial costs one key
/// operation for every stanza, and the manifest's author chooses the stanzas.
const MAX_TRIALS: usize = 64;

/// What an envelope says once it is open.
pub(super) struct Opened {
    pub(super) binding: Binding,
    pub(super) recipients: Vec<Fingerprint>,
    pub(super) keys: Vec<DataKey>,
    /// The identity that opened it.
    pub(super) by: Fingerprint,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    v: u64,
    scope: Scope,
    #[serde(default, borrow, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    recipients: Vec<Fingerprint>,
    past: Vec<Fingerprint>,
    #[serde(borrow)]
    keys: Vec<Key<'a>>,
}

/// Borrowed text: the key is never copied into a string that nobody wipes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key<'a> {
    key: &'a str,
    template: bool,
    seen: Vec<usize>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

/// `null` is not "absent".
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Seals fresh data keys to the recipients. The result is the age file.
///
/// # Errors
///
/// What the age library says; in practice only that recipients of several kinds can't share a file, which
/// the caller has checked.
pub(super) fn wrap(
    binding: &Binding,
    recipients: &[&Recipient],
    keys: &[DataKey],
) -> Result<Vec<u8>, age::EncryptError> {
    let texts: Vec<Zeroizing<String>> = keys.iter().map(DataKey::to_text).collect();
    let everybody: Vec<usize> = (0..recipients.len()).collect();
    let document = Document {
        v: 1,
        scope: binding.scope(),
        namespace: binding.namespace().map(Namespace::as_str),
        name: binding.name().map(Name::as_str),
        recipients: recipients.iter().map(|recipient| recipient.fingerprint()).collect(),
        past: Vec::new(),
        keys: keys
            .iter()
            .zip(&texts)
            .map(|(key, text)| Key { key: text, template: key.template, seen: everybody.clone() })
            .collect(),
    };
    // Room for everything at once, so that growing leaves no copy of a key behind.
    let room = 1024 + 80 * recipients.len() + keys.len() * (96 + 4 * recipients.len());
    let mut json = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *json, &document).expect("plain data always serializes");

    let recipients: Vec<_> = recipients.iter().map(|recipient| recipient.as_age()).collect();
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().map(|recipient| &**recipient as &dyn age::Recipient))?;
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file)?;
    writer.write_all(&json)?;
    writer.finish()?;
    Ok(file)
}

/// Checks what can be seen of an age file without a key: that it is one, binary, and within bounds.
///
/// # Errors
///
/// What is wrong, as the rest of a sentence.
pub(super) fn check_header(file: &[u8]) -> Result<(), &'static str> {
    if file.len() > MAX_AGE_SIZE {
        return Err("is larger than 64 KiB");
    }
    if file.starts_with(b"-----BEGIN") {
        return Err("is armoured; only the binary form of an age file is allowed");
    }
    let mut lines = file.split(|&byte| byte == b'\n');
    match lines.next() {
        Some(b"age-encryption.org/v1") => {}
        Some(line) if line.starts_with(b"age-encryption.org/") => {
            return Err("is an age file of a version that this program doesn't know");
        }
        _ => return Err("is not an age file"),
    }
    let mut stanzas = 0;
    for line in lines {
        if line.starts_with(b"---") {
            return Ok(());
        }
        if let Some(stanza) = line.strip_prefix(b"-> ") {
            stanzas += 1;
            // A passphrase is no recipient: anybody could be asked for one, and trying it costs what the
            // manifest's author says it costs.
            if stanza == b"scrypt" || stanza.starts_with(b"scrypt ") {
                return Err("is encrypted to a passphrase; only recipients are allowed");
            }
            if stanzas > MAX_STANZAS {
                return Err("has more than 20 stanzas");
            }
        }
    }
    Err("is cut short")
}

/// Opens an age file with whichever identity fits, hinted ones first.
///
/// # Errors
///
/// [`UnsealError::NoMatchingKey`], [`UnsealError::EnvelopeAltered`], [`UnsealError::MalformedEnvelope`],
/// [`UnsealError::UnknownVersion`].
pub(super) fn open(
    index: usize,
    file: &[u8],
    hints: &[Fingerprint],
    keys: &Keyring,
) -> Result<Opened, UnsealError> {
    let hinted = hints.iter().filter_map(|hint| keys.find(hint));
    let others = keys.iter().filter(|identity| !hints.contains(&identity.fingerprint()));
    for identity in hinted.chain(others).take(MAX_TRIALS) {
        if let Some(json) = decrypt(index, file, identity)? {
            return parse(index, &json, identity.fingerprint());
        }
    }
    Err(UnsealError::NoMatchingKey { envelope: index, sealed_to: hints.to_vec() })
}

/// The payload, or `None` where the file isn't for this identity.
fn decrypt(index: usize, file: &[u8], identity: &Identity) -> Result<Option<Zeroizing<Vec<u8>>>, UnsealError> {
    // One error for a bad header MAC, a bad stanza and a bad payload: whoever changed the file needn't
    // learn how far it got, and nobody else has a use for it.
    let altered = || UnsealError::EnvelopeAltered { envelope: index };
    let decryptor = age::Decryptor::new(file).map_err(|_| altered())?;
    match decryptor.decrypt(std::iter::once(identity.as_age())) {
        Ok(mut reader) => {
            // The payload is shorter than the file, so reading never moves the buffer.
            let mut json = Zeroizing::new(Vec::with_capacity(file.len()));
            reader.read_to_end(&mut json).map_err(|_| altered())?;
            Ok(Some(json))
        }
        Err(age::DecryptError::NoMatchingKeys) => Ok(None),
        Err(_) => Err(altered()),
    }
}

fn parse(index: usize, json: &[u8], by: Fingerprint) -> Result<Opened, UnsealError> {
    let malformed = |problem| UnsealError::MalformedEnvelope { envelope: index, problem };
    let Versioned { v } =
        serde_json::from_slice(json).map_err(|_| malformed("no JSON document with a version"))?;
    if v != 1 {
        return Err(UnsealError::UnknownVersion { envelope: index, found: v });
    }
    let document: Document<'_> = serde_json::from_slice(json)
        .map_err(|_| malformed("a document with missing, unknown, duplicate or ill-typed fields"))?;

    let namespace: Option<Namespace> = document.namespace.map(str::parse).transpose()?;
    let name: Option<Name> = document.name.map(str::parse).transpose()?;
    let binding = Binding::from_parts(document.scope, namespace, name)
        .ok_or(malformed("a namespace or name that its scope doesn't bind, or lacks one it binds"))?;

    let (recipients, past) = (&document.recipients, &document.past);
    if !(1..=MAX_RECIPIENTS).contains(&recipients.len()) {
        return Err(malformed("a list of recipients that is empty or longer than 16"));
    }
    let everybody: BTreeSet<_> = recipients.iter().chain(past).collect();
    if everybody.len() != recipients.len() + past.len() {
        return Err(malformed("a recipient twice"));
    }
    // A list that this very opening proves false would make a later look for exposed keys miss it.
    if !recipients.contains(&by) {
        return Err(malformed("a list of recipients without the identity that opened it"));
    }
    if !(1..=MAX_DATA_KEYS).contains(&document.keys.len()) {
        return Err(malformed("no data key, or more than 256"));
    }
    let keys = document
        .keys
        .iter()
        .map(|key| {
            let rising = key.seen.windows(2).all(|pair| pair[0] < pair[1]);
            let in_range = key.seen.last().is_none_or(|&last| last < everybody.len());
            let complete = key.seen.iter().take(recipients.len()).copied().eq(0..recipients.len());
            if !(rising && in_range && complete) {
                return Err(malformed("a data key whose \"seen\" isn't rising, in range and complete"));
            }
            DataKey::from_text(key.key, key.template).ok_or(malformed("a data key that isn't 32 bytes"))
        })
        .collect::<Result<_, _>>()?;
    Ok(Opened { binding, recipients: document.recipients, keys, by })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn by() -> Fingerprint {
        "aa".repeat(32).parse().unwrap()
    }

    /// A valid document, with one piece of its text replaced.
    fn parse_changed(from: &str, to: &str) -> Result<Opened, UnsealError> {
        let (a, b) = ("aa".repeat(32), "bb".repeat(32));
        let json = format!(
            r#"{{"v":1,"scope":"strict","namespace":"prod","name":"db","recipients":["{a}"],"past":["{b}"],"keys":[{{"key":"{KEY}","template":false,"seen":[0,1]}}]}}"#
        );
        assert!(json.contains(from), "{from}");
        parse(0, json.replacen(from, to, 1).as_bytes(), by())
    }

    #[test]
    fn a_strict_document_parses() {
        let opened = parse_changed("", "").unwrap();
        assert_eq!(opened.binding.to_string(), "prod/db");
        assert_eq!(opened.recipients, [by()]);
        assert_eq!(opened.keys.len(), 1);
    }

    #[test]
    fn every_looseness_is_refused() {
        for (from, to) in [
            (r#","name":"db""#, ""),
            (r#""strict""#, r#""cluster-wide""#),
            (r#""name":"db""#, r#""name":null"#),
            (r#""name":"db""#, r#""name":"db","name":"db""#),
            (r#""name":"db""#, r#""name":"db","more":1"#),
            (r#""name":"db""#, r#""name":"d\u0062""#),
            (r#""name":"db""#, r#""name":"../db""#),
            (r#""v":1"#, r#""v":"1""#),
            (r#""seen":[0,1]"#, r#""seen":[1,0]"#),
            (r#""seen":[0,1]"#, r#""seen":[1]"#),
            (r#""seen":[0,1]"#, r#""seen":[0,0]"#),
            (r#""seen":[0,1]"#, r#""seen":[0,2]"#),
            (r#""seen":[0,1]"#, r#""seen":[]"#),
            (&KEY[..43], &KEY[..42]),
            (r#""template":false"#, r#""template":0"#),
            ("]}", "]}{}"),
            ("bbbb", "BBBB"),
        ] {
            assert!(parse_changed(from, to).is_err(), "{from} -> {to}");
        }
        assert!(parse_changed(&"bb".repeat(32), &"aa".repeat(32)).is_err(), "a recipient twice");
        assert!(parse_changed(&"aa".repeat(32), &"cc".repeat(32)).is_err(), "without the opener");
    }

    #[test]
    fn an_unknown_version_has_its_own_error() {
        assert_eq!(
            parse_changed(r#""v":1"#, r#""new":[],"v":2"#).err(),
            Some(UnsealError::UnknownVersion { envelope: 0, found: 2 })
        );
    }

    #[test]
    fn headers_are_bounded_before_any_key_is_tried() {
        let header = |stanza: &str, times: usize| {
            format!("age-encryption.org/v1\n{}--- mac\n", stanza.repeat(times)).into_bytes()
        };
        assert_eq!(check_header(&header("-> X25519 a\nb\n", 20)), Ok(()));
        for (file, problem) in [
            (header("-> X25519 a\nb\n", 21), "has more than 20 stanzas"),
            (header("-> scrypt a 18\nb\n", 1), "is encrypted to a passphrase; only recipients are allowed"),
            (b"-----BEGIN AGE".to_vec(), "is armoured; only the binary form of an age file is allowed"),
            (b"age-encryption.org/v2\n".to_vec(), "is an age file of a version that this program doesn't know"),
            (b"hello".to_vec(), "is not an age file"),
            (b"age-encryption.org/v1\n-> X25519".to_vec(), "is cut short"),
            (vec![0; MAX_AGE_SIZE + 1], "is larger than 64 KiB"),
        ] {
            assert_eq!(check_header(&file), Err(problem));
        }
    }
}
