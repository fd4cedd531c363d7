//! The native format, held by static files: `vectors/opens/` and `vectors/refused/`; the peer's is in [`bitnami`].
//!
//! The programs under test don't make the files: `write` makes them by hand and with the real age, once, and only on
//! request. A new vector goes there. Invariant: a committed file never changes. Every file is read here, and every file
//! holds its whole outcome, but for the English of a refusal, which is in [`sentences`].

mod bitnami;
mod sentences;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::ResourceExt as _;
use seal_crds::keys::{Keyring, parse_identities};
use seal_crds::native::NativeSealed;
use seal_crds::reason::{About, Reason, Shown};
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

/// The complete Secret.
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
    /// The identity that opens each envelope.
    opened_by: Vec<String>,
}

/// The refusal that a vector expects.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The reason, or `Unreadable` if the manifest doesn't even have the fields of a SealedSecret.
    reason: String,
    /// The values that the message names, as whole words.
    #[serde(default)]
    names: Vec<String>,
}

/// The refusal that the code under test gives.
struct Refusal {
    reason: String,
    /// The message; `None` if the manifest is `Unreadable`, because each reader then has a message of its own.
    sentence: Option<String>,
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

/// The outcome for a manifest; `None` if the text isn't a manifest.
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

/// The data of the Secret in the form of a vector.
fn encoded(opened: &Unsealed) -> BTreeMap<String, String> {
    opened.data.iter().map(|(name, value)| (name.to_string(), BASE64.encode(value.expose()))).collect()
}

/// The refusal of an object that doesn't open.
#[track_caller]
fn refusal<T>(file: &str, verdict: Option<Result<T, UnsealError>>) -> Refusal {
    match verdict {
        None => Refusal { reason: "Unreadable".to_owned(), sentence: None },
        Some(Err(error)) => {
            Refusal { reason: error.reason().as_str().to_owned(), sentence: Some(error.to_string()) }
        }
        Some(Ok(_)) => panic!("{file} opens"),
    }
}

/// The vectors of the native format that are refused: the file, the real refusal, and the expected one.
fn native_refusals() -> Vec<(String, Refusal, Refused)> {
    let check = |(file, text): (String, String)| {
        let (manifest, expected) = read(&text);
        let found = refusal(&file, unseal(manifest, &expected));
        assert_eq!(expected.opens, None, "{file}");
        let refused = expected.refused.unwrap_or_else(|| panic!("{file} is not said to be refused"));
        (file, found, refused)
    };
    vectors("refused").into_iter().map(check).collect()
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
fn vectors_that_are_refused_give_the_reason_and_name_the_values_they_say() {
    let refusals = native_refusals();
    assert!(refusals.len() >= 60);
    for (file, found, expected) in refusals {
        sentences::assert_refused(&file, &found, &expected);
    }
}

/// Each reason of a format has a vector, and no vector has a reason of the controller's.
#[test]
fn every_reason_has_a_vector() {
    let refusals = native_refusals().into_iter().chain(bitnami::refusals());
    let found: BTreeSet<String> = refusals.map(|(_, found, _)| found.reason).collect();
    // This reason is about the Secret, but the formats give it too: they bound the Secret's size from sealed lengths.
    let is_of_a_format = |reason: &Reason| {
        let is_about_sealing = matches!(reason.about(), About::Object | About::Key);
        // What isn't a failure refuses nothing: an offer, or a key that is gone.
        let is_refusal = reason.shown() == Shown::SealedSecret && reason.is_failure();
        is_refusal && (is_about_sealing || *reason == Reason::SecretTooLarge)
    };
    // An object that takes too many trials is too large for a file; `many_keys` makes one.
    let has_none = [Reason::TooManyTrials];
    let reasons = Reason::ALL.iter().filter(|reason| is_of_a_format(reason) && !has_none.contains(reason));
    let expected = reasons.map(|reason| reason.as_str()).chain(["Unreadable"]);
    assert_eq!(found, expected.map(str::to_owned).collect());
}

#[test]
fn every_reason_of_the_native_format_has_a_native_vector() {
    let found: BTreeSet<String> = native_refusals().into_iter().map(|(_, found, _)| found.reason).collect();
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
