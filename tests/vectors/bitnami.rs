//! The peer's format, held by static files that the real kubeseal sealed: `vectors/bitnami/opens/` and
//! `vectors/bitnami/refused/`.
//!
//! The rules of `super` for vectors of the native format hold here too. Invariant: a Secret that opens is compared as a
//! whole.

use seal_crds::bitnami::BitnamiSealed;
use seal_crds::keys::{Keyring, RsaPrivateKey};
use seal_crds::resources::bitnami::SealedSecretSpec;
use seal_go::template::Branching;

use super::*;

/// The second document of a file; the first is the manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    /// The keys in the keyring: the names of files of the contract's own tests.
    keys: Vec<String>,
    #[serde(default)]
    allowed_types: BTreeSet<String>,
    /// `true` if templates may branch.
    #[serde(default)]
    branching: bool,
    opens: Option<Opens>,
    refused: Option<Refused>,
}

/// The complete Secret.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Opens {
    /// The scope that the annotations claim and the label confirms.
    scope: String,
    #[serde(rename = "type")]
    type_: String,
    immutable: Option<bool>,
    /// `true` if the SealedSecret owns the Secret.
    owned: bool,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    /// Keys of labels and annotations that the Secret doesn't get.
    #[serde(default)]
    left_out: Vec<String>,
    data: BTreeMap<String, String>,
    digest: String,
    /// The keys that opened an item, in the order of the items.
    opened_by: Vec<String>,
}

fn private_key(name: &str) -> RsaPrivateKey {
    let path = dir().join(format!("../../crds/src/keys/testdata/{name}.pem"));
    RsaPrivateKey::from_pem(fs::read(path).unwrap()).unwrap()
}

fn verdict(manifest: &str, expected: &Expected) -> Option<Result<Opens, UnsealError>> {
    let manifest: serde_json::Value = serde_yaml::from_str(manifest).unwrap();
    let spec = SealedSecretSpec::from_json(&manifest["spec"]).ok()?;
    let metadata = &manifest["metadata"];
    let annotations: Option<_> = serde_json::from_value(metadata["annotations"].clone()).unwrap();
    let name = |field: &str| metadata[field].as_str().unwrap_or_default();
    let mut keys = Keyring::default();
    let mut names = BTreeMap::new();
    for name in &expected.keys {
        let key = private_key(name);
        names.insert(key.fingerprint(), name.clone());
        keys.insert_rsa_key(key);
    }
    let unseal = || {
        let place = Place { namespace: name("namespace").parse()?, name: name("name").parse()? };
        let annotations = annotations.unwrap_or_default();
        let branching = if expected.branching { Branching::Allowed } else { Branching::Refused };
        let sealed = BitnamiSealed::parse(place, &annotations, &spec, &expected.allowed_types, branching)?;
        let revealed = sealed.reveal(&keys)?;
        let sealed = revealed.as_deref().unwrap_or(&sealed);
        let opened = sealed.unseal(&keys)?;
        let shape = sealed.shape().clone();
        assert_eq!(opened.data.keys().cloned().collect::<BTreeSet<_>>(), shape.keys);
        Ok(Opens {
            scope: sealed.scope().to_string(),
            type_: shape.type_,
            immutable: shape.immutable,
            owned: shape.owned,
            labels: shape.labels,
            annotations: shape.annotations,
            left_out: shape.left_out.into_iter().map(|left_out| left_out.key).collect(),
            data: encoded(&opened),
            digest: sealed.digest().to_string(),
            opened_by: opened.opened_by.iter().map(|by| names[by].clone()).collect(),
        })
    };
    Some(unseal())
}

fn read(text: &str) -> (&str, Expected) {
    let (manifest, expected) = text.split_once("\n---\n").expect("a vector has two documents");
    (manifest, serde_yaml::from_str(expected).unwrap())
}

#[test]
fn vectors_of_the_peer_that_open_become_the_secret_they_say() {
    let vectors = vectors("bitnami/opens");
    assert!(vectors.len() >= 15);
    for (file, text) in vectors {
        let (manifest, expected) = read(&text);
        let found = verdict(manifest, &expected)
            .unwrap_or_else(|| panic!("{file} is no SealedSecret"))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(Some(found), expected.opens, "{file}");
        assert_eq!(expected.refused, None, "{file}");
    }
}

/// The vectors that are refused: the file, the real refusal, and the expected one.
pub(super) fn refusals() -> Vec<(String, Refusal, Refused)> {
    let check = |(file, text): (String, String)| {
        let (manifest, expected) = read(&text);
        let found = refusal(&file, verdict(manifest, &expected));
        assert_eq!(expected.opens, None, "{file}");
        let refused = expected.refused.unwrap_or_else(|| panic!("{file} is not said to be refused"));
        (file, found, refused)
    };
    vectors("bitnami/refused").into_iter().map(check).collect()
}

#[test]
fn vectors_of_the_peer_that_are_refused_give_the_reason_and_name_the_values_they_say() {
    let mut reasons = BTreeSet::new();
    for (file, found, expected) in refusals() {
        sentences::assert_refused(&file, &found, &expected);
        reasons.insert(found.reason);
    }
    let expected =
        ["CannotOpen", "InvalidName", "InvalidTemplate", "Malformed", "NoMatchingKey", "Unreadable"];
    assert_eq!(reasons, expected.map(str::to_owned).into());
}
