//! Makes vectors: manifests by hand, envelopes with the real age, expectations from what went in.
//!
//! A test run makes none; see `super`. Invariant: an existing vector is never overwritten, and the code under test
//! computes no expectation.

mod bitnami;
mod opens;
mod refused;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::identity_file;
use crate::by_hand::{self, Bound, DataKey, age_encrypt, fingerprint};

/// A vector to write: its file without `.yaml`, one sentence about it, and the function that makes it.
pub(super) struct Case {
    folder: &'static str,
    file: &'static str,
    about: &'static str,
    make: Box<dyn Fn() -> (Value, Value)>,
}

impl Case {
    fn path(&self) -> String {
        format!("{}/{}.yaml", self.folder, self.file)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    opens::cases().into_iter().chain(refused::cases()).chain(bitnami::cases())
}

/// The files that should be there.
pub(super) fn files() -> BTreeSet<String> {
    cases().map(|case| case.path()).collect()
}

/// Writes the files that are missing.
pub(super) fn missing(dir: &Path) {
    for case in cases().filter(|case| !dir.join(case.path()).exists()) {
        let (manifest, expected) = (case.make)();
        let [manifest, expected] =
            [manifest, expected].map(|document| serde_yaml::to_string(&document).unwrap());
        let text = format!("# {}\n{manifest}---\n{expected}", case.about);
        fs::write(dir.join(case.path()), text).unwrap();
    }
}

/// The expectation of a refused vector; `names` are words with spaces between them.
fn refusal(reason: &str, names: &str) -> Value {
    let mut refused = json!({ "reason": reason });
    let names: Vec<_> = names.split_whitespace().collect();
    if !names.is_empty() {
        refused["names"] = names.into();
    }
    refused
}

/// The data key of most vectors.
fn key() -> DataKey {
    DataKey::labelled("a data key of the vectors", false)
}

/// Another data key.
fn second_key() -> DataKey {
    DataKey::labelled("a second data key of the vectors", false)
}

/// A data key whose items may be substituted into templates.
fn template_key() -> DataKey {
    DataKey::labelled("a data key for templates", true)
}

/// The recipient of an identity file.
fn recipient(identity: &str) -> String {
    if identity.starts_with("ssh") {
        let line = String::from_utf8(identity_file(&format!("{identity}.pub"))).unwrap();
        return line.split(' ').take(2).collect::<Vec<_>>().join(" ").trim_end().to_owned();
    }
    let text = String::from_utf8(identity_file(identity)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("# recipient: "));
    line.unwrap().to_owned()
}

fn fingerprint_of(identity: &str) -> String {
    fingerprint(&recipient(identity))
}

fn short(identity: &str) -> String {
    fingerprint_of(identity)[..16].to_owned()
}

/// A SealedSecret in the making.
struct Object {
    namespace: &'static str,
    name: &'static str,
    bound: Bound,
    envelopes: Vec<Value>,
    encrypted_data: Map<String, Value>,
    template: Option<Value>,
}

impl Object {
    fn new(scope: &'static str, namespace: &'static str, name: &'static str) -> Self {
        Self {
            namespace,
            name,
            bound: Bound::new(scope, namespace, name),
            envelopes: Vec::new(),
            encrypted_data: Map::new(),
            template: None,
        }
    }

    /// A strict object at prod/db.
    fn strict() -> Self {
        Self::new("strict", "prod", "db")
    }

    fn envelope(self, to: &[&str], keys: &[DataKey]) -> Self {
        self.envelope_changed(to, keys, |text| text)
    }

    /// An envelope whose document was changed before it was encrypted; the public lists stay.
    fn envelope_changed(mut self, to: &[&str], keys: &[DataKey], change: impl Fn(String) -> String) -> Self {
        let fingerprints: Vec<_> = to.iter().map(|identity| fingerprint_of(identity)).collect();
        let document = by_hand::document(&self.bound, &fingerprints, &[], keys);
        let age = encrypt(to, &change(document.to_string()));
        let hints = to
            .iter()
            .zip(&fingerprints)
            .map(|(name, fingerprint)| json!({ "name": name, "fingerprint": fingerprint }));
        self.envelopes.push(json!({
            "keys": keys.iter().map(|key| key.id(&self.bound)).collect::<Vec<_>>(),
            "recipients": hints.collect::<Vec<_>>(),
            "age": age,
        }));
        self
    }

    fn item(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.item_under(&key(), name, value)
    }

    fn item_under(mut self, key: &DataKey, name: &str, value: impl AsRef<[u8]>) -> Self {
        let line = key.line(&self.bound, name, value.as_ref());
        self.encrypted_data.insert(name.to_owned(), line.into());
        self
    }

    fn template(mut self, template: Value) -> Self {
        self.template = Some(template);
        self
    }

    fn manifest(self) -> Value {
        let mut spec = json!({
            "scope": self.bound.scope, "envelopes": self.envelopes, "encryptedData": self.encrypted_data,
        });
        if let Some(template) = self.template {
            spec["template"] = template;
        }
        json!({
            "apiVersion": "sealing.dev/v1alpha1",
            "kind": "SealedSecret",
            "metadata": { "namespace": self.namespace, "name": self.name },
            "spec": spec,
        })
    }
}

/// Makes an age file, in base64.
fn encrypt(to: &[&str], document: &str) -> String {
    let recipients: Vec<_> = to.iter().map(|identity| recipient(identity)).collect();
    let recipients: Vec<_> = recipients.iter().map(String::as_str).collect();
    BASE64.encode(age_encrypt(&recipients, document.as_bytes()))
}
