//! Makes the vectors of the peer's format: values sealed by the real kubeseal, manifests by it or by hand.
//!
//! A test run makes none; see `super`. Invariant: as in `super`; expectations come from the input, and the digest
//! from its definition.

mod opens;
mod refused;

use std::process::Command;

use seal_tests::toolchain;

use super::*;

const KEYS: &str = "crds/src/keys/testdata";

pub(super) fn cases() -> Vec<Case> {
    opens::cases().into_iter().chain(refused::cases()).collect()
}

fn kubeseal(key: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let certificate = toolchain::repository().join(KEYS).join(format!("{key}.crt"));
    let mut command = Command::new(toolchain::bin("kubeseal"));
    command.arg("--cert").arg(certificate).args(args);
    by_hand::pipe(&mut command, input)
}

/// A SealedSecret as kubeseal makes it from a Secret.
fn sealed(key: &str, secret: &Value) -> Value {
    serde_json::from_slice(&kubeseal(key, &["--format=json"], secret.to_string().as_bytes())).unwrap()
}

/// One value, sealed for prod/db.
fn raw(key: &str, scope: &str, value: impl AsRef<[u8]>) -> String {
    let args =
        ["--raw", "--namespace=prod", "--name=db", "--from-file=/dev/stdin", &format!("--scope={scope}")];
    String::from_utf8(kubeseal(key, &args, value.as_ref())).unwrap()
}

/// A Secret at prod/db, with the annotation of a scope.
fn secret(scope: &str, values: &[(&str, &[u8])]) -> Value {
    let data: Map<_, _> =
        values.iter().map(|(name, value)| ((*name).to_owned(), BASE64.encode(value).into())).collect();
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "db", "namespace": "prod" },
        "data": data,
    });
    if scope != "strict" {
        secret["metadata"]["annotations"][format!("sealedsecrets.bitnami.com/{scope}")] = "true".into();
    }
    secret
}

/// A manifest by hand, around values that [`raw`] sealed.
fn manifest(scope: &str, spec: Value) -> Value {
    let mut manifest = json!({
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": { "name": "db", "namespace": "prod" },
        "spec": spec,
    });
    if scope != "strict" {
        manifest["metadata"]["annotations"][format!("sealedsecrets.bitnami.com/{scope}")] = "true".into();
    }
    manifest
}

/// The first digits of a key's fingerprint: of its SubjectPublicKeyInfo, which openssl takes out of the certificate.
fn short(key: &str) -> String {
    let certificate = fs::read(toolchain::repository().join(KEYS).join(format!("{key}.crt"))).unwrap();
    let public = by_hand::pipe(Command::new("openssl").args(["x509", "-pubkey", "-noout"]), &certificate);
    let der = by_hand::pipe(Command::new("openssl").args(["pkey", "-pubin", "-outform", "der"]), &public);
    by_hand::hex(&by_hand::sha256(&der))[..16].to_owned()
}

/// The digest that `crds/src/digest.rs` defines, over the fields of the spec that have a meaning.
fn digest(scope: &str, spec: &Value) -> String {
    let mut template = Map::new();
    for field in ["data", "immutable", "type"] {
        template.insert(field.to_owned(), spec["template"][field].clone());
    }
    let mut metadata = Map::new();
    for field in ["annotations", "labels"] {
        metadata.insert(field.to_owned(), spec["template"]["metadata"][field].clone());
    }
    template.insert("metadata".to_owned(), without_nothing(metadata));
    let mut covered = json!({ "encryptedData": spec["encryptedData"] });
    for (field, value) in [("data", spec["data"].clone()), ("template", without_nothing(template))] {
        if !is_nothing(&value) {
            covered[field] = value;
        }
    }
    let covered = json!({ "format": "bitnami.com/v1alpha1", "scope": scope, "spec": covered });
    by_hand::hex(&by_hand::sha256(format!("seal/v1/digest1{covered}").as_bytes()))
}

fn without_nothing(fields: Map<String, Value>) -> Value {
    fields.into_iter().filter(|(_, value)| !is_nothing(value)).collect()
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}
