//! Tests of the Bitnami format as a whole. `testdata/kubeseal-*.json` is the output of the real kubeseal for
//! `testdata/rsa-2048.crt` of the keys' tests.
//!
//! `tests/vectors/` holds bytes that must never change, and `tests/conformance/` runs the peer itself. This file has
//! the fixtures; a new test goes into the module that names its subject. Invariant: every refusal is asserted as the
//! whole error, so that one refusal can't stand in for another.

mod malformed;
mod mutations;
mod opening;
mod refused;
mod resealing;
mod shape;
mod template_mutations;
mod templates;
mod trials;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use super::template::TemplateData;
use super::*;
use crate::format::{Sealed, UnsealError};
use crate::keys::{Fingerprint, Keyring, RsaPrivateKey};
use crate::resources::bitnami::{CLUSTER_WIDE, NAMESPACE_WIDE, SealedSecretSpec};
use crate::scope::{Binding, Place, Scope};
use seal_go::template::Branching;

const RSA_2048: &str = include_str!("../keys/testdata/rsa-2048.pem");
const RSA_3072: &str = include_str!("../keys/testdata/rsa-3072.pem");
const RSA_4096: &str = include_str!("../keys/testdata/rsa-4096.pem");

fn key(pem: &str) -> RsaPrivateKey {
    RsaPrivateKey::from_pem(pem).unwrap()
}

fn fingerprint(pem: &str) -> Fingerprint {
    key(pem).fingerprint()
}

fn ring(keys: &[&str]) -> Keyring {
    let mut ring = Keyring::default();
    for pem in keys {
        ring.insert_rsa_key(key(pem));
    }
    ring
}

/// A place from its text: `prod/db`, for example.
fn place(text: &str) -> Place {
    let (namespace, name) = text.split_once('/').unwrap();
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

/// A SealedSecret in the making: sealed for `prod/db`, to the key of 2048 bits, and found there.
#[derive(Clone)]
struct Object {
    binding: Binding,
    sealed_to: &'static str,
    at: Place,
    annotations: BTreeMap<String, String>,
    spec: SealedSecretSpec,
    allowed_types: BTreeSet<String>,
    branching: Branching,
}

impl Object {
    fn new(scope: Scope) -> Self {
        let annotation = scope.bitnami_annotation().map(|key| (key.to_owned(), "true".to_owned()));
        Self {
            binding: Binding::new(scope, &place("prod/db")),
            sealed_to: RSA_2048,
            at: place("prod/db"),
            annotations: annotation.into_iter().collect(),
            spec: SealedSecretSpec::default(),
            allowed_types: BTreeSet::new(),
            branching: Branching::Refused,
        }
    }

    /// Seals the items that follow to another key.
    fn to(mut self, pem: &'static str) -> Self {
        self.sealed_to = pem;
        self
    }

    fn found_at(mut self, text: &str) -> Self {
        self.at = place(text);
        self
    }

    fn seal(&self, value: impl AsRef<[u8]>) -> String {
        seal_item(key(self.sealed_to).public_key(), &self.binding, value.as_ref())
    }

    fn item(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let sealed = self.seal(value);
        self.spec.encrypted_data.insert(name.to_owned(), sealed);
        self
    }

    /// The deprecated `data`.
    fn whole(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.spec.data = Some(self.seal(secret));
        self
    }

    fn typed(mut self, type_: &str) -> Self {
        self.spec.template.type_ = Some(type_.to_owned());
        self
    }

    fn template(mut self, key: &str, text: &str) -> Self {
        self.spec.template.data.insert(key.to_owned(), Some(text.to_owned()));
        self
    }

    /// Leaves the item of this name out of the Secret.
    fn omit(mut self, key: &str) -> Self {
        self.spec.template.data.insert(key.to_owned(), None);
        self
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.spec.template.metadata.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    fn labelled(mut self, key: &str, value: &str) -> Self {
        self.spec.template.metadata.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    fn parse(&self) -> Result<BitnamiSealed, UnsealError> {
        let Self { at, annotations, spec, allowed_types, branching, .. } = self;
        BitnamiSealed::parse(at.clone(), annotations, spec, allowed_types, *branching)
    }

    fn unseal(&self, keys: &[&str]) -> Result<Values, UnsealError> {
        let data = self.parse()?.unseal(&ring(keys))?.data;
        Ok(data.into_iter().map(|(name, value)| (name.to_string(), value.expose().to_vec())).collect())
    }

    /// The scope whose label opens everything.
    fn sealed_scope(&self, keys: &[&str]) -> Result<Scope, UnsealError> {
        let sealed = self.parse()?;
        Ok(sealed.open_under(sealed.scopes(), &ring(keys))?.scope)
    }

    fn refused(&self) -> UnsealError {
        self.parse().map(|_| ()).unwrap_err()
    }
}

type Values = BTreeMap<String, Vec<u8>>;

fn values<const N: usize>(expected: [(&str, &[u8]); N]) -> Values {
    expected.map(|(name, value)| (name.to_owned(), value.to_vec())).into()
}

fn malformed(path: &str, problem: &str) -> UnsealError {
    UnsealError::Malformed { path: path.to_owned(), problem: problem.to_owned() }
}
