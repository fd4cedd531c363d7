//! Objects for repositories: real ones, sealed in this process, and the text of their manifests.
//!
//! Invariant: the text of an object has each field on a line of its own, so that a test can break one of them by its text.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::keys::{Identity, Recipient};
use seal_crds::native::{Item, NamedRecipient, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Scope};

use crate::sandbox::CANARY;

/// The recipients of the repository.
pub(super) struct Keys {
    pub(super) prod: Recipient,
    pub(super) recovery: Recipient,
    /// In no file of pins.
    pub(super) stranger: Recipient,
    /// Marked in the pins.
    pub(super) revoked: Recipient,
}

impl Keys {
    pub(super) fn new() -> Self {
        let recipient = || Identity::generate().recipient().clone();
        Self { prod: recipient(), recovery: recipient(), stranger: recipient(), revoked: recipient() }
    }

    /// Those of the rules.
    pub(super) fn both(&self) -> [&Recipient; 2] {
        [&self.prod, &self.recovery]
    }
}

/// A spec with one item for templates and one that isn't.
pub(super) fn spec(place: &str, scope: Scope, recipients: &[&Recipient]) -> SealedSecretSpec {
    let (namespace, name) = place.split_once('/').unwrap();
    let place = Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() };
    let named = |recipient: &&Recipient| NamedRecipient { recipient: (*recipient).clone(), name: None };
    let recipients: Vec<NamedRecipient> = recipients.iter().map(named).collect();
    let items = [("user", false), ("password", true)].map(|(name, template)| {
        (name.parse().unwrap(), Item::new(Plaintext::from(CANARY.as_bytes().to_vec()), template))
    });
    seal(&place, scope, &recipients, &items.into(), Template::default(), &BTreeSet::new()).unwrap()
}

/// The manifest of a spec at a place.
pub(super) fn manifest(place: &str, spec: &SealedSecretSpec) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    let spec = serde_yaml::to_string(spec).unwrap();
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n{spec}"
    )
}

/// A strict object for these recipients.
pub(super) fn native(place: &str, recipients: &[&Recipient]) -> String {
    manifest(place, &spec(place, Scope::Strict, recipients))
}

/// An object of bitnami.com whose ciphertext is as long as one for an RSA key of 4096 bits, and random.
pub(super) fn bitnami(place: &str, random: impl FnMut() -> u64) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    let mut ciphertext = vec![2, 0];
    let bytes: Vec<u8> = std::iter::repeat_with(random).take(70).flat_map(u64::to_le_bytes).collect();
    ciphertext.extend(bytes);
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
         encryptedData:\n    password: {}\n  template:\n    metadata:\n      name: {name}\n      namespace: {namespace}\n",
        BASE64.encode(ciphertext)
    )
}
