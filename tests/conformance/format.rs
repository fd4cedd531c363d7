//! Each side opens what the other seals: the contract crate and the real kubeseal, with keys as files, offline.
//!
//! Not controllers, nor our command line. Invariant: every case, in every scope, with the smallest key and with
//! the usual one, in both directions; and in a place where the object must not open, neither side opens it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use seal_crds::bitnami::{BitnamiSealed, seal_item};
use seal_crds::format::{Sealed as _, UnsealError};
use seal_crds::resources::bitnami::{SealedSecretSpec, Template, TemplateMetadata};
use seal_crds::scope::{Binding, Place, Scope};
use seal_go::template::Branching;
use seal_tests::control_plane::succeed_with;
use seal_tests::toolchain;
use serde_json::{Value, json};

use super::cases::{self, Case, Content};
use super::keys::{KEYS, Key};

const NAMESPACE: &str = "prod";

/// The real kubeseal, without a cluster or a home.
fn kubeseal() -> Command {
    let mut kubeseal = Command::new(toolchain::bin("kubeseal"));
    kubeseal.env_clear().args(["--kubeconfig", "/nonexistent"]);
    kubeseal
}

fn place(namespace: &str, name: &str) -> Place {
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

/// Writes the key's two halves into files.
fn files(key: &Key, dir: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let files = (dir.join("key.crt"), dir.join("key.pem"));
    fs::write(&files.0, key.certificate).unwrap();
    fs::write(&files.1, key.private).unwrap();
    files
}

/// Seals with kubeseal.
pub(crate) fn sealed_by_them(case: &Case, namespace: &str, scope: Scope, key: &Key) -> Value {
    sealed_by(kubeseal().args(["--format", "json"]), case, &case.secret(namespace, scope), key)
}

/// Seals with our programs: to the smaller key with `seal kubeseal`, to the larger with `seal`.
pub(crate) fn sealed_by_our_programs(case: &Case, namespace: &str, scope: Scope, key: &Key) -> Value {
    let mut seal = Command::new(env!("CARGO_BIN_EXE_test-seal"));
    seal.env_clear();
    if key.bits == 2048 {
        seal.args(["kubeseal", "--kubeconfig", "/nonexistent", "--format", "json"]);
        return sealed_by(&mut seal, case, &case.secret(namespace, scope), key);
    }
    seal.args(["--seal-format", "bitnami", "--scope", scope.as_str()]);
    // `seal` takes the scope from a flag, and refuses an annotation that names another scope.
    sealed_by(&mut seal, case, &case.secret(namespace, Scope::Strict), key)
}

/// Seals with a program, and then adds the templates by hand, as the peer's documentation says.
fn sealed_by(program: &mut Command, case: &Case, secret: &Value, key: &Key) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, _) = files(key, dir.path());
    let output = succeed_with(program.arg("--cert").arg(certificate), &secret.to_string());
    let mut sealed = serde_json::from_slice(&output.stdout).unwrap();
    case.add_templates(&mut sealed);
    sealed
}

/// Seals with the contract crate, which also has the deprecated form that no program seals any more.
pub(crate) fn sealed_by_us(case: &Case, namespace: &str, scope: Scope, key: &Key) -> Value {
    let binding = Binding::new(scope, &place(namespace, case.name));
    let certificate = key.parsed();
    let seal = |value: &[u8]| seal_item(certificate.public_key(), &binding, value);
    if case.whole {
        let secret = case.secret(namespace, scope).to_string();
        let spec = json!({"data": seal(secret.as_bytes()), "encryptedData": {}});
        return case.around(namespace, scope, &spec);
    }
    let template = Template {
        metadata: TemplateMetadata { labels: case.labels.clone(), annotations: case.annotations_for(scope) },
        type_: Some(case.type_.to_owned()),
        immutable: case.immutable,
        ..Template::default()
    };
    let encrypted_data = case.items.iter().map(|(key, value)| (key.clone(), seal(value))).collect();
    let spec = SealedSecretSpec { template, encrypted_data, data: None };
    let mut sealed = case.around(namespace, scope, &serde_json::to_value(spec).unwrap());
    case.add_templates(&mut sealed);
    sealed
}

/// Opens with the contract crate, as if the object were found in this place.
fn opened_by_us(sealed: &Value, place: Place, key: &Key) -> Result<Content, UnsealError> {
    let annotations = sealed["metadata"].get("annotations").cloned().unwrap_or_default();
    let annotations: Option<BTreeMap<String, String>> = serde_json::from_value(annotations).unwrap();
    let spec = SealedSecretSpec::from_json(&sealed["spec"]).unwrap();
    let sealed = BitnamiSealed::parse(
        place,
        &annotations.unwrap_or_default(),
        &spec,
        &BTreeSet::new(),
        Branching::Refused,
    )?;
    let revealed = sealed.reveal(&key.keyring())?;
    let shape = revealed.as_ref().map_or(sealed.shape(), |revealed| revealed.shape());
    let data = sealed.unseal(&key.keyring())?.data.into_iter();
    Ok(Content {
        type_: shape.type_.clone(),
        immutable: shape.immutable == Some(true),
        labels: shape.labels.clone(),
        annotations: cases::without_scope(shape.annotations.clone()),
        data: data.map(|(key, value)| (key.to_string(), value.expose().to_vec())).collect(),
    })
}

/// Opens with kubeseal, as if the object were found in this place.
pub(crate) fn opened_by_them(
    sealed: &Value,
    namespace: &str,
    name: &str,
    private: &Path,
) -> Result<Content, String> {
    let mut sealed = sealed.clone();
    sealed["metadata"]["namespace"] = json!(namespace);
    sealed["metadata"]["name"] = json!(name);
    let file = private.with_file_name("sealed.json");
    fs::write(&file, sealed.to_string()).unwrap();
    let mut kubeseal = kubeseal();
    kubeseal.args(["--recovery-unseal", "--recovery-private-key"]).arg(private);
    let output = kubeseal.stdin(fs::File::open(&file).unwrap()).output().unwrap();
    if output.status.success() {
        return Ok(Content::of(&serde_json::from_slice(&output.stdout).unwrap()));
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_kubeseal_seals_opens_here_where_its_scope_allows() {
    for key in &KEYS {
        for (case, scope) in matrix().filter(|(case, _)| !case.whole) {
            let sealed = sealed_by_them(&case, NAMESPACE, scope, key);
            let opened = |namespace, name| opened_by_us(&sealed, place(namespace, name), key);
            let what = format!("{} {scope} {}", case.name, key.bits);
            assert_eq!(opened(NAMESPACE, case.name), Ok(case.expected()), "{what}");
            assert_eq!(opened(NAMESPACE, "other").is_ok(), scope != Scope::Strict, "{what}");
            assert_eq!(opened("other", case.name).is_ok(), scope == Scope::ClusterWide, "{what}");
        }
    }
}

#[test]
fn what_is_sealed_here_kubeseal_opens_where_its_scope_allows() {
    let dir = tempfile::tempdir().unwrap();
    for key in &KEYS {
        let (_, private) = files(key, dir.path());
        for (case, scope) in matrix() {
            let sealed = sealed_by_us(&case, NAMESPACE, scope, key);
            let opened = |namespace, name| opened_by_them(&sealed, namespace, name, &private);
            let what = format!("{} {scope} {}", case.name, key.bits);
            // Only the peer's controller still opens whole Secrets.
            if !case.whole {
                assert_eq!(opened(NAMESPACE, case.name), Ok(case.expected()), "{what}");
            }
            // Our side opens what it sealed.
            assert_eq!(
                opened_by_us(&sealed, place(NAMESPACE, case.name), key),
                Ok(case.expected()),
                "{what}"
            );
            if case.name == "opaque" {
                assert_eq!(opened(NAMESPACE, "other").is_ok(), scope != Scope::Strict, "{what}");
                assert_eq!(opened("other", case.name).is_ok(), scope == Scope::ClusterWide, "{what}");
            }
        }
    }
}

fn matrix() -> impl Iterator<Item = (Case, Scope)> {
    cases::sealed()
        .into_iter()
        .flat_map(|case| Scope::ALL.into_iter().map(move |scope| (case.clone(), scope)))
}
