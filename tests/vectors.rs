//! The native format, held by static files: `vectors/opens/` and `vectors/refused/`; the peer's is in [`bitnami`].
//!
//! Not made by the programs they test: `write` makes them by hand and with the real age, once, and only
//! when asked. A new vector goes there. Invariant: a file, once committed, never changes; each is read
//! here, and each says everything that comes of it.

mod bitnami;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::ResourceExt as _;
use seal_crds::keys::{Keyring, parse_identities};
use seal_crds::native::NativeSealed;
use seal_crds::resources::SealedSecret;
use seal_crds::{Place, Sealed as _, Shape, UnsealError, Unsealed};
use serde::Deserialize;

/// The second document of a file; the first is the manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    /// Files in `vectors/identities/`, all in one keyring.
    identities: Vec<String>,
    /// Types that are refused by default and allowed here.
    #[serde(default)]
    allowed_types: BTreeSet<String>,
    opens: Option<Opens>,
    refused: Option<Refused>,
}

/// The Secret, complete.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Opens {
    #[serde(rename = "type")]
    type_: String,
    immutable: Option<bool>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// Keys of labels and annotations that the Secret doesn't get.
    #[serde(default)]
    left_out: Vec<String>,
    data: BTreeMap<String, String>,
    digest: String,
    /// For each envelope the identity that opens it.
    opened_by: Vec<String>,
}

/// What is said instead.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// `Unreadable` where the manifest doesn't even have the fields of a SealedSecret; the message is then
    /// the reader's own and not part of the format.
    reason: String,
    message: Option<String>,
}

const FOLDERS: [&str; 4] = ["opens", "refused", "bitnami/opens", "bitnami/refused"];

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The vectors in a folder, as `folder/name` and content.
fn vectors(folder: &str) -> BTreeMap<String, String> {
    let files = fs::read_dir(dir().join(folder)).unwrap();
    let vectors = files.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        (format!("{folder}/{name}"), fs::read_to_string(&path).unwrap())
    });
    vectors.collect()
}

fn read(text: &str) -> (&str, Expected) {
    let (manifest, expected) = text.split_once("\n---\n").expect("a vector has two documents");
    (manifest, serde_yaml::from_str(expected).unwrap())
}

fn identity_file(name: &str) -> Vec<u8> {
    fs::read(dir().join("identities").join(name)).unwrap()
}

fn keyring(names: &[String]) -> Keyring {
    let read = |name: &String| parse_identities(identity_file(name)).unwrap();
    names.iter().flat_map(read).collect()
}

/// The verdict on a manifest: `None` where it isn't one.
fn unseal(manifest: &str, expected: &Expected) -> Option<Result<(Shape, String, Unsealed), UnsealError>> {
    let object: SealedSecret = serde_yaml::from_str(manifest).ok()?;
    let unseal = || {
        let place = Place {
            namespace: object.namespace().unwrap_or_default().parse()?,
            name: object.name_any().parse()?,
        };
        let sealed = NativeSealed::parse(place, &object.spec, &expected.allowed_types)?;
        let opened = sealed.unseal(&keyring(&expected.identities))?;
        Ok((sealed.shape().clone(), sealed.digest().to_string(), opened))
    };
    Some(unseal())
}

/// The Secret's data as a vector says it.
fn encoded(opened: &Unsealed) -> BTreeMap<String, String> {
    opened.data.iter().map(|(name, value)| (name.to_string(), BASE64.encode(value.expose()))).collect()
}

/// The words of a refusal that are part of the format. What comes after them is for people, and grew after the first
/// vectors: how people call whom an envelope is sealed to, which keys were tried, what to do with an unused envelope.
fn held(found: Refused, expected: Option<&Refused>) -> Refused {
    let held = expected.and_then(|expected| expected.message.clone()).filter(|message| {
        ["NoMatchingKey", "UnusedEnvelope"].contains(&found.reason.as_str())
            && found.message.as_ref().is_some_and(|found| found.starts_with(message))
    });
    Refused { message: held.or(found.message), ..found }
}

/// What was said instead of opening.
#[track_caller]
fn refusal<T>(file: &str, verdict: Option<Result<T, UnsealError>>) -> Refused {
    match verdict {
        None => Refused { reason: "Unreadable".to_owned(), message: None },
        Some(Err(error)) => Refused { reason: error.reason().to_owned(), message: Some(error.to_string()) },
        Some(Ok(_)) => panic!("{file} opens"),
    }
}

#[test]
fn vectors_that_open_become_the_secret_they_say() {
    let vectors = vectors("opens");
    assert!(vectors.len() >= 15);
    for (file, text) in vectors {
        let (manifest, expected) = read(&text);
        let (shape, digest, opened) = unseal(manifest, &expected)
            .unwrap_or_else(|| panic!("{file} is no SealedSecret"))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let fingerprint_of = |name: &String| keyring(std::slice::from_ref(name)).fingerprints().next();
        let names = expected.identities.iter();
        let by_fingerprint: BTreeMap<_, _> =
            names.map(|name| (fingerprint_of(name).unwrap(), name)).collect();
        let keys: BTreeSet<_> = opened.data.keys().cloned().collect();
        assert_eq!(keys, shape.keys, "{file}");
        let found = Opens {
            type_: shape.type_,
            immutable: shape.immutable,
            labels: shape.labels,
            annotations: shape.annotations,
            left_out: shape.left_out.into_iter().map(|left_out| left_out.key).collect(),
            data: encoded(&opened),
            digest,
            opened_by: opened.opened_by.iter().map(|by| by_fingerprint[by].clone()).collect(),
        };
        assert_eq!(Some(found), expected.opens, "{file}");
        assert_eq!(expected.refused, None, "{file}");
    }
}

#[test]
fn vectors_that_are_refused_give_the_reason_and_message_they_say() {
    let vectors = vectors("refused");
    assert!(vectors.len() >= 60);
    for (file, text) in vectors {
        let (manifest, expected) = read(&text);
        let found = held(refusal(&file, unseal(manifest, &expected)), expected.refused.as_ref());
        assert_eq!(Some(found), expected.refused, "{file}");
        assert_eq!(expected.opens, None, "{file}");
    }
}

#[test]
fn every_reason_has_a_vector() {
    let vectors = vectors("refused");
    let reason = |text: &String| read(text).1.refused.unwrap().reason;
    let found: BTreeSet<String> = vectors.values().map(reason).collect();
    let expected = [
        "DuplicateKey",
        "EnvelopeAltered",
        "InvalidName",
        "InvalidTemplate",
        "ItemAltered",
        "Malformed",
        "MalformedEnvelope",
        "MissingKey",
        "NoMatchingKey",
        "NotForTemplates",
        "SecretTooLarge",
        "UnknownVersion",
        "Unreadable",
        "UnusedEnvelope",
        "WrongKeys",
        "WrongPlace",
        "WrongRecipients",
        "WrongScope",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// With `SEAL_UPDATE=vectors`, writes the vectors that are not there yet.
#[test]
fn every_vector_is_one_that_was_written_down_and_the_other_way_round() {
    if std::env::var("SEAL_UPDATE").is_ok_and(|what| what == "vectors") {
        write::missing(&dir());
    }
    let files: BTreeSet<_> = FOLDERS.iter().flat_map(|folder| vectors(folder).into_keys()).collect();
    assert_eq!(files, write::files());
}
