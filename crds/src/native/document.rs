//! The document inside an envelope: data keys, and the binding of those keys.
//!
//! ```text
//! payload of the age file = one JSON document, UTF-8:
//!   {"v":1,
//!    "scope":"strict"|"namespace-wide"|"cluster-wide",
//!    "namespace":…,            absent for cluster-wide
//!    "name":…,                 absent unless strict
//!    "recipients":[hex…],      fingerprints the file is encrypted to; 1 to 16
//!    "past":[hex…],            fingerprints its keys were encrypted to earlier; disjoint from recipients; 0 to 64
//!    "keys":[{"key":base64url, 32 bytes, no padding
//!             "template":bool, true if its items may be substituted into templates
//!             "seen":[index…]  into recipients then past: everybody the key was ever wrapped to;
//!            }…]}              strictly rising, with every index of recipients; 1 to 256 keys
//! ```
//! The order of fields and the white space between them are free. The parser refuses unknown and duplicate fields,
//! `null`, arrays in the place of objects, escapes (no string here needs one), and any text after the document. An
//! unknown `v` has its own error.
//!
//! [`super::object`] compares the claims with the place of the object. Invariant: a document that parses has one
//! meaning; no part of it is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::data_key::DataKey;
use super::{MAX_DATA_KEYS, MAX_PAST, MAX_RECIPIENTS};
use crate::format::UnsealError;
use crate::keys::Fingerprint;
use crate::names::{Name, Namespace};
use crate::scope::{Binding, Scope};

/// An opened envelope: its claims and its data keys.
pub(super) struct OpenedEnvelope {
    pub(super) binding: Binding,
    pub(super) recipients: Vec<Fingerprint>,
    pub(super) keys: Vec<KnownKey>,
    /// The fingerprint of the identity that opened it.
    pub(super) by: Fingerprint,
}

/// A data key, and every recipient that it was ever wrapped to: each of them may still have it.
pub(super) struct KnownKey {
    pub(super) key: DataKey,
    pub(super) seen: BTreeSet<Fingerprint>,
}

impl KnownKey {
    /// A new data key, which no recipient has seen.
    #[cfg(test)]
    pub(super) fn fresh(key: DataKey) -> Self {
        Self { key, seen: BTreeSet::new() }
    }
}

/// The document would have to name too many past recipients. Holds their number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PastFull(pub(super) usize);

/// The document that wraps data keys to `recipients`. Every other recipient who has seen one of the keys is in its
/// `past`.
///
/// # Errors
///
/// [`PastFull`], because an exposure is never dropped to make room.
pub(super) fn write(
    binding: &Binding,
    recipients: &[Fingerprint],
    keys: &[KnownKey],
) -> Result<Zeroizing<Vec<u8>>, PastFull> {
    let seen = keys.iter().flat_map(|known| &known.seen).copied();
    let past: BTreeSet<Fingerprint> = seen.filter(|seen| !recipients.contains(seen)).collect();
    if past.len() > MAX_PAST {
        return Err(PastFull(past.len()));
    }
    let past: Vec<Fingerprint> = past.into_iter().collect();
    let past_indices: BTreeMap<&Fingerprint, usize> = past.iter().zip(recipients.len()..).collect();
    let texts: Vec<Zeroizing<String>> = keys.iter().map(|known| known.key.to_text()).collect();
    let keys_and_texts = keys.iter().zip(&texts);
    // The buffer gets its full room at once: growing would leave copies of keys behind.
    let everybody = recipients.len() + past.len();
    let room = 1024 + 80 * everybody + keys.len() * (96 + 4 * everybody);
    let document = Document {
        v: 1,
        scope: binding.scope().as_str(),
        namespace: binding.namespace().map(Namespace::as_str),
        name: binding.name().map(Name::as_str),
        recipients: recipients.to_vec(),
        keys: keys_and_texts
            .map(|(known, text)| {
                // Both sets are sorted, and so are the indices.
                let earlier = known.seen.iter().filter_map(|seen| past_indices.get(seen).copied());
                let seen = (0..recipients.len()).chain(earlier).collect();
                JsonObject(DocumentKey { key: text, template: known.key.template, seen })
            })
            .collect(),
        past,
    };
    let mut json = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *json, &document).expect("plain data always serializes");
    Ok(json)
}

/// Reads the document of envelope `index`, which the identity `by` opened.
///
/// # Errors
///
/// [`UnsealError::UnknownVersion`], [`UnsealError::MalformedEnvelope`]. No error repeats any part of the document.
pub(super) fn parse(index: usize, json: &[u8], by: Fingerprint) -> Result<OpenedEnvelope, UnsealError> {
    let malformed = |problem| UnsealError::MalformedEnvelope { envelope: index, problem };
    let JsonObject(Versioned { v }) =
        serde_json::from_slice(json).map_err(|_| malformed("no JSON document with a version"))?;
    if v != 1 {
        return Err(UnsealError::UnknownVersion { envelope: index, found: v });
    }
    if json.contains(&b'\\') {
        return Err(malformed("a document with escapes"));
    }
    let JsonObject(document): JsonObject<Document<'_>> = serde_json::from_slice(json)
        .map_err(|_| malformed("a document with missing, unknown, duplicate or ill-typed fields"))?;

    let scope: Scope = document.scope.parse().map_err(|_| malformed("a scope that doesn't exist"))?;
    let unusable = |_| malformed("a namespace or name that may not be used");
    let namespace: Option<Namespace> = document.namespace.map(str::parse).transpose().map_err(unusable)?;
    let name: Option<Name> = document.name.map(str::parse).transpose().map_err(unusable)?;
    let binding = Binding::from_parts(scope, namespace, name)
        .ok_or(malformed("a namespace or name that its scope doesn't bind, or lacks one it binds"))?;

    let (recipients, past) = (&document.recipients, &document.past);
    if !(1..=MAX_RECIPIENTS).contains(&recipients.len()) {
        return Err(malformed("a list of recipients that is empty or longer than 16"));
    }
    if past.len() > MAX_PAST {
        return Err(malformed("a list of past recipients that is longer than 64"));
    }
    let everybody: Vec<Fingerprint> = recipients.iter().chain(past).copied().collect();
    if everybody.iter().collect::<BTreeSet<_>>().len() != everybody.len() {
        return Err(malformed("a recipient twice"));
    }
    // An identity outside of the list has just opened the envelope, so the list is false. A later search for exposed
    // keys would miss that identity.
    if !recipients.contains(&by) {
        return Err(malformed("a list of recipients without the identity that opened it"));
    }
    if !(1..=MAX_DATA_KEYS).contains(&document.keys.len()) {
        return Err(malformed("no data key, or more than 256"));
    }
    let keys = document
        .keys
        .iter()
        .map(|JsonObject(key)| {
            let rising = key.seen.windows(2).all(|pair| pair[0] < pair[1]);
            let in_range = key.seen.last().is_none_or(|&last| last < everybody.len());
            let complete = key.seen.iter().take(recipients.len()).copied().eq(0..recipients.len());
            if !(rising && in_range && complete) {
                return Err(malformed("a data key whose \"seen\" isn't rising, in range and complete"));
            }
            let seen = key.seen.iter().map(|index| everybody[*index]).collect();
            let key = DataKey::from_text(key.key, key.template);
            Ok(KnownKey { key: key.ok_or(malformed("a data key that isn't 32 bytes"))?, seen })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let seen: BTreeSet<&Fingerprint> = keys.iter().flat_map(|known| &known.seen).collect();
    if seen.len() != everybody.len() {
        return Err(malformed("a past recipient whom no data key was wrapped to"));
    }
    Ok(OpenedEnvelope { binding, recipients: document.recipients, keys, by })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    v: u64,
    scope: &'a str,
    #[serde(default, borrow, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(default, borrow, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    recipients: Vec<Fingerprint>,
    past: Vec<Fingerprint>,
    #[serde(borrow)]
    keys: Vec<JsonObject<DocumentKey<'a>>>,
}

/// A data key in the form of the document. It borrows the text, so that no unwiped string holds a copy of the key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentKey<'a> {
    key: &'a str,
    template: bool,
    seen: Vec<usize>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

/// Reads a field that is there: `null` is not "absent", so it is an error.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// A JSON object. serde alone would also accept an array of the fields' values.
#[derive(Serialize)]
#[serde(transparent)]
struct JsonObject<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = JsonObject<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(JsonObject)
            }
        }

        deserializer.deserialize_map(OnlyMap(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn by() -> Fingerprint {
        "aa".repeat(32).parse().unwrap()
    }

    /// A valid document, with one piece of its text replaced.
    fn parse_changed(from: &str, to: &str) -> Result<OpenedEnvelope, UnsealError> {
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
    fn order_of_fields_and_white_space_are_free() {
        let opened =
            parse_changed(r#""v":1,"scope":"strict","#, "\n\"scope\" : \"strict\",\t\"v\":1 ,").unwrap();
        assert_eq!(opened.binding.to_string(), "prod/db");
    }

    #[test]
    fn every_looseness_is_refused() {
        const FIELDS: &str = "a document with missing, unknown, duplicate or ill-typed fields";
        const ESCAPES: &str = "a document with escapes";
        const BINDING: &str = "a namespace or name that its scope doesn't bind, or lacks one it binds";
        const UNUSABLE: &str = "a namespace or name that may not be used";
        const VERSION: &str = "no JSON document with a version";
        const SEEN: &str = "a data key whose \"seen\" isn't rising, in range and complete";
        const KEY_LENGTH: &str = "a data key that isn't 32 bytes";
        const TWICE: &str = "a recipient twice";
        let (a, b) = ("aa".repeat(32), "bb".repeat(32));
        let many: Vec<_> = (0..16).map(|n| format!("\"{n:064x}\",")).collect();
        let sixteen_and = format!("[{}\"{a}\"]", many.concat());
        let key = format!(r#"{{"key":"{KEY}","template":false,"seen":[0,1]}}"#);
        let keys_257 = format!("[{}{key}]", format!("{key},").repeat(256));
        let past_65: Vec<_> = (0..64).map(|n| format!("\"{n:064x}\",")).collect();
        let past_65 = format!("[{}\"{b}\"]", past_65.concat());
        let list = |text: &str| format!("[\"{text}\"]");
        for (from, to, problem) in [
            // Fields: each must be there, once, and have its type.
            (r#""v":1,"#, "", VERSION),
            (r#""v":1"#, r#""v":"1""#, VERSION),
            (r#""v":1"#, r#""v":1.0"#, VERSION),
            (r#""v":1"#, r#""v":-1"#, VERSION),
            (r#""v":1"#, r#""v":1,"v":1"#, VERSION),
            ("]}", "]}{}", VERSION),
            (r#""past""#, r#""post""#, FIELDS),
            (r#""name":"db""#, r#""name":null"#, FIELDS),
            (r#""name":"db""#, r#""name":"db","name":"db""#, FIELDS),
            (r#""name":"db""#, r#""name":"db","more":1"#, FIELDS),
            (r#""scope":"strict""#, r#""scope":{"strict":null}"#, FIELDS),
            (r#""template":false"#, r#""template":0"#, FIELDS),
            (r#""template":false,"#, "", FIELDS),
            (r#""template""#, r#""more":1,"template""#, FIELDS),
            (&*key, &*format!(r#"["{KEY}",false,[0,1]]"#), FIELDS),
            (&*list(&b), &*list(&b.to_uppercase()), FIELDS),
            (&*list(&b), &*list(&b[1..]), FIELDS),
            // A string has one spelling.
            (r#""strict""#, r#""stri\u0063t""#, ESCAPES),
            (r#""name":"db""#, r#""n\u0061me":"db""#, ESCAPES),
            (&*list(&b), &*list(&b.replacen('b', "\\u0062", 1)), ESCAPES),
            // The scope, and the names that it binds.
            (r#""strict""#, r#""Strict""#, "a scope that doesn't exist"),
            (r#","name":"db""#, "", BINDING),
            (r#""strict""#, r#""namespace-wide""#, BINDING),
            (r#""strict""#, r#""cluster-wide""#, BINDING),
            (r#""name":"db""#, r#""name":"../db""#, UNUSABLE),
            (r#""namespace":"prod""#, r#""namespace":"""#, UNUSABLE),
            // Recipients.
            (&*list(&a), "[]", "a list of recipients that is empty or longer than 16"),
            (&*list(&a), &*sixteen_and, "a list of recipients that is empty or longer than 16"),
            (&*list(&b), &*past_65, "a list of past recipients that is longer than 64"),
            (&*list(&b), &*list(&a), TWICE),
            (&*list(&b), &*format!("[\"{b}\",\"{b}\"]"), TWICE),
            (
                &*list(&a),
                &*list(&"cc".repeat(32)),
                "a list of recipients without the identity that opened it",
            ),
            // Data keys.
            (&*format!("[{key}]"), "[]", "no data key, or more than 256"),
            (&*format!("[{key}]"), &*keys_257, "no data key, or more than 256"),
            (KEY, &KEY[1..], KEY_LENGTH),
            (KEY, &*format!("{}B", &KEY[1..]), KEY_LENGTH),
            (KEY, &*format!("{}+", &KEY[1..]), KEY_LENGTH),
            (r#""seen":[0,1]"#, r#""seen":[1,0]"#, SEEN),
            (r#""seen":[0,1]"#, r#""seen":[1]"#, SEEN),
            (r#""seen":[0,1]"#, r#""seen":[0,0]"#, SEEN),
            (r#""seen":[0,1]"#, r#""seen":[0,2]"#, SEEN),
            (r#""seen":[0,1]"#, r#""seen":[]"#, SEEN),
        ] {
            let error = UnsealError::MalformedEnvelope { envelope: 0, problem };
            assert_eq!(parse_changed(from, to).err(), Some(error), "{from} -> {to}");
        }
    }

    #[test]
    fn an_array_is_no_document() {
        let fields = format!(r#"[1,"strict","prod","db",["{}"],[],[]]"#, "aa".repeat(32));
        for json in [&*fields, "[1]", "1", "null", ""] {
            let problem = "no JSON document with a version";
            let error = UnsealError::MalformedEnvelope { envelope: 0, problem };
            assert_eq!(parse(0, json.as_bytes(), by()).err(), Some(error), "{json}");
        }
    }

    #[test]
    fn an_unknown_version_has_its_own_error() {
        assert_eq!(
            parse_changed(r#""v":1"#, r#""new":[],"v":2"#).err(),
            Some(UnsealError::UnknownVersion { envelope: 0, found: 2 })
        );
    }
}
