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

/// Every value that matters begins with this text, so that a search finds it. It is so long that base64 of random
/// bytes never contains it by chance.
pub const CANARY: &str = "opensesame";

const PLACE: &str = "a place is namespace/name";

/// The recipients of the repository.
pub struct Keys {
    /// Pinned.
    pub prod: Recipient,
    /// Pinned, and offline.
    pub recovery: Recipient,
    /// In no file of pins.
    pub stranger: Recipient,
    /// Marked in the pins.
    pub revoked: Recipient,
}

impl Keys {
    /// Fresh ones; their private halves are gone.
    #[must_use]
    pub fn generate() -> Self {
        let recipient = || Identity::generate().recipient().clone();
        Self { prod: recipient(), recovery: recipient(), stranger: recipient(), revoked: recipient() }
    }

    /// Those of the rules.
    #[must_use]
    pub fn both(&self) -> [&Recipient; 2] {
        [&self.prod, &self.recovery]
    }
}

/// A spec with one item for templates and one that isn't, for a place `namespace/name`.
///
/// # Panics
/// When the place isn't one, or two kinds of recipients don't go together.
#[must_use]
pub fn spec(place: &str, scope: Scope, recipients: &[&Recipient]) -> SealedSecretSpec {
    let (namespace, name) = parts(place);
    let place = Place { namespace: namespace.parse().expect(PLACE), name: name.parse().expect(PLACE) };
    let named = |recipient: &&Recipient| NamedRecipient { recipient: (*recipient).clone(), name: None };
    let recipients: Vec<NamedRecipient> = recipients.iter().map(named).collect();
    let items = [("user", false), ("password", true)].map(|(name, template)| {
        (
            name.parse().expect("the two above are names"),
            Item::new(Plaintext::from(CANARY.as_bytes().to_vec()), template),
        )
    });
    seal(&place, scope, &recipients, &items.into(), Template::default(), &BTreeSet::new())
        .expect("two items for recipients of one kind can be sealed")
}

/// The manifest of a spec at a place.
///
/// # Panics
/// When the place isn't one.
#[must_use]
pub fn manifest(place: &str, spec: &SealedSecretSpec) -> String {
    let (namespace, name) = parts(place);
    let spec = serde_yaml::to_string(spec).expect("a spec is plain data");
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n{spec}"
    )
}

/// A strict object for these recipients.
///
/// # Panics
/// When the place isn't one.
#[must_use]
pub fn native(place: &str, recipients: &[&Recipient]) -> String {
    manifest(place, &spec(place, Scope::Strict, recipients))
}

/// An object of bitnami.com whose ciphertext is as long as one for an RSA key of 4096 bits, and random.
///
/// # Panics
/// When the place isn't one.
pub fn bitnami(place: &str, random: impl FnMut() -> u64) -> String {
    let (namespace, name) = parts(place);
    let mut ciphertext = vec![2, 0];
    let bytes: Vec<u8> = std::iter::repeat_with(random).take(70).flat_map(u64::to_le_bytes).collect();
    ciphertext.extend(bytes);
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
         encryptedData:\n    password: {}\n  template:\n    metadata:\n      name: {name}\n      namespace: {namespace}\n",
        BASE64.encode(ciphertext)
    )
}

fn parts(place: &str) -> (&str, &str) {
    place.split_once('/').expect(PLACE)
}
