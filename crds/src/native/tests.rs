//! Tests of the native format as a whole: the results of [`seal`](super::seal()), changes that somebody makes to a
//! manifest, and the outcome of those.
//!
//! Each part is tested in its own file, and `tests/vectors/` holds bytes that must never change. This file has the
//! fixtures; a new test goes into the module that names its subject. Invariant: every refusal
//! is asserted as the whole error, so that one refusal can't stand in for another.

mod accepting;
mod bounds;
mod changing;
mod examining;
mod mutations;
mod opening;
mod places;
mod resealing;
mod rewrapping;
mod sealing;
mod tampering;

use std::collections::{BTreeMap, BTreeSet};

use age::secrecy::ExposeSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::data_key::DataKey;
use super::document::KnownKey;
use super::{Item, NamedRecipient, NativeSealed, SealError, envelope, seal};
use crate::format::{Sealed, SealedTo, UnsealError, Unsealed};
use crate::keys::{Fingerprint, Identity, Keyring, Recipient};
use crate::plaintext::Plaintext;
use crate::resources::{Envelope, SealedSecretSpec, Template};
use crate::scope::{Binding, Place, Scope};

fn hybrid() -> Identity {
    Identity::generate()
}

fn x25519() -> Identity {
    let key = age::x25519::Identity::generate();
    Identity::parse(key.to_string().expose_secret()).unwrap()
}

fn ssh_ed25519() -> Identity {
    Identity::parse(include_str!("../../../tests/vectors/identities/ssh-ed25519")).unwrap()
}

/// A keyring of copies; an identity itself can't be cloned.
fn ring(identities: &[&Identity]) -> Keyring {
    let copy = |identity: &&Identity| Identity::parse(&identity.to_secret_string()).unwrap();
    identities.iter().map(copy).collect()
}

/// A place from its text: `prod/db`, for example.
fn place(text: &str) -> Place {
    let (namespace, name) = text.split_once('/').unwrap();
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

/// A sealing in the making: `prod/db`, strict, no recipients, no items.
struct Sealing {
    place: Place,
    scope: Scope,
    recipients: Vec<NamedRecipient>,
    items: BTreeMap<String, (Vec<u8>, bool)>,
    seen: BTreeMap<String, BTreeSet<Fingerprint>>,
    template: Template,
}

impl Sealing {
    fn to(identities: &[&Identity]) -> Self {
        let recipients = identities.iter().map(|identity| NamedRecipient {
            recipient: identity.recipient().clone(),
            name: Some(identity.kind().to_string()),
        });
        Self {
            place: place("prod/db"),
            scope: Scope::Strict,
            recipients: recipients.collect(),
            items: BTreeMap::new(),
            seen: BTreeMap::new(),
            template: Template::default(),
        }
    }

    fn at(mut self, text: &str) -> Self {
        self.place = place(text);
        self
    }

    fn scoped(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    fn item(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.items.insert(name.to_owned(), (value.as_ref().to_vec(), false));
        self
    }

    /// An item that may be substituted into templates.
    fn template_item(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.items.insert(name.to_owned(), (value.as_ref().to_vec(), true));
        self
    }

    /// An item whose value others were able to open before.
    fn seen_item(mut self, name: &str, value: &str, by: impl IntoIterator<Item = Fingerprint>) -> Self {
        self.seen.insert(name.to_owned(), by.into_iter().collect());
        self.item(name, value)
    }

    fn typed(mut self, type_: &str) -> Self {
        self.template.type_ = Some(type_.to_owned());
        self
    }

    fn template_data(mut self, key: &str, text: &str) -> Self {
        self.template.data.insert(key.to_owned(), text.to_owned());
        self
    }

    fn seal(self) -> Result<SealedSecretSpec, SealError> {
        let items = self.items.into_iter().map(|(name, (value, template))| {
            let value = Plaintext::from(value);
            let seen = self.seen.get(&name).cloned().unwrap_or_default();
            (name.parse().unwrap(), Item { value, template, seen })
        });
        seal(&self.place, self.scope, &self.recipients, &items.collect(), self.template, &BTreeSet::new())
    }

    fn spec(self) -> SealedSecretSpec {
        self.seal().unwrap()
    }
}

fn unseal_all(at: &str, spec: &SealedSecretSpec, keys: &Keyring) -> Result<Unsealed, UnsealError> {
    NativeSealed::parse(place(at), spec, &BTreeSet::new())?.unseal(keys)
}

type Values = BTreeMap<String, Vec<u8>>;

/// The values of an object found at `at`.
fn unseal(at: &str, spec: &SealedSecretSpec, keys: &Keyring) -> Result<Values, UnsealError> {
    let data = unseal_all(at, spec, keys)?.data;
    Ok(data.into_iter().map(|(name, value)| (name.to_string(), value.expose().to_vec())).collect())
}

/// For each data key of the first envelope, every recipient that it was ever wrapped to.
fn seen(spec: &SealedSecretSpec, with: &Identity) -> Vec<BTreeSet<String>> {
    let keys = data_keys(spec, 0, with);
    keys.iter().map(|known| known.seen.iter().map(ToString::to_string).collect()).collect()
}

fn everybody<const N: usize>(identities: [&Identity; N]) -> BTreeSet<String> {
    identities.map(|identity| identity.fingerprint().to_string()).into()
}

fn values<const N: usize>(expected: [(&str, &[u8]); N]) -> Values {
    expected.map(|(name, value)| (name.to_owned(), value.to_vec())).into()
}

/// The object after items were added without a key: it has the envelopes and the items of both.
fn merge(mut into: SealedSecretSpec, from: SealedSecretSpec) -> SealedSecretSpec {
    into.envelopes.extend(from.envelopes);
    into.encrypted_data.extend(from.encrypted_data);
    into
}

/// The public list of recipients that [`Sealing`] writes.
fn sealed_to(identity: &Identity) -> Vec<SealedTo> {
    vec![SealedTo::new(identity.fingerprint(), Some(&identity.kind().to_string()))]
}

/// The data keys of an envelope, taken out by a recipient who breaks the rules.
fn data_keys(spec: &SealedSecretSpec, envelope: usize, identity: &Identity) -> Vec<KnownKey> {
    let file = BASE64.decode(&spec.envelopes[envelope].age).unwrap();
    envelope::open(0, &file, &[], &ring(&[identity])).unwrap().keys
}

/// An envelope over data keys for any binding, with public lists that agree with it.
fn wrap(binding: &Binding, to: &[&Recipient], keys: &[KnownKey]) -> Envelope {
    let named: Vec<_> =
        to.iter().map(|&recipient| NamedRecipient { recipient: recipient.clone(), name: None }).collect();
    seal::wrap(binding, &named.iter().collect::<Vec<_>>(), keys).unwrap()
}

/// The data key id that a line of `encryptedData` begins with.
fn id_of<'a>(spec: &'a SealedSecretSpec, item: &str) -> &'a str {
    spec.encrypted_data[item].split_once('.').unwrap().0
}
