//! Objects that this process opens, to see what opening alone costs.
//!
//! Invariant: every opening gives all values, or ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use seal_crds::bitnami::{BitnamiSealed, seal_item};
use seal_crds::format::{Format, Sealed};
use seal_crds::keys::{Certificate, Identity, Keyring, RsaPrivateKey, RsaPublicKey};
use seal_crds::native::{Item, NamedRecipient, NativeSealed, seal};
use seal_crds::resources::Template;
use seal_crds::resources::bitnami::SealedSecretSpec;
use seal_crds::{Binding, ItemName, Place, Plaintext, Scope};
use seal_go::template::Branching;
use seal_tests::toolchain;

/// Private keys, of which the last one opens, and whom to seal to.
pub(crate) struct Keys {
    ring: Keyring,
    recipients: Vec<NamedRecipient>,
    rsa: Option<RsaPublicKey>,
}

impl Keys {
    /// So many keys as a controller makes them.
    pub(crate) fn hybrid(count: usize) -> Self {
        Self::of((0..count).map(|_| Identity::generate()).collect())
    }

    /// The classical key of the tests of the command line.
    pub(crate) fn x25519() -> Self {
        let file = toolchain::repository().join("tests/cli/given/classic.key");
        let text = std::fs::read_to_string(file).expect("the repository has it");
        let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("it is a file of age");
        Self::of(vec![Identity::parse(key).expect("it is a key")])
    }

    fn of(identities: Vec<Identity>) -> Self {
        let recipient = identities.last().expect("there is one").recipient().clone();
        let recipients = vec![NamedRecipient { recipient, name: None }];
        Self { ring: Keyring::new(identities), recipients, rsa: None }
    }

    /// So many RSA keys of 4096 bits.
    pub(crate) fn rsa(count: usize) -> Self {
        let mut ring = Keyring::default();
        for _ in 1..count {
            ring.insert_rsa_key(RsaPrivateKey::generate());
        }
        let pem = include_str!("../../crds/src/keys/testdata/rsa-4096.pem");
        ring.insert_rsa_key(RsaPrivateKey::from_pem(pem).expect("it is a key"));
        let certificate = include_str!("../../crds/src/keys/testdata/rsa-4096.crt");
        let certificate = Certificate::from_pem(certificate).expect("it is a certificate");
        Self { ring, recipients: Vec::new(), rsa: Some(certificate.public_key().clone()) }
    }

    /// The same, sealed to so many more recipients.
    pub(crate) fn and_recipients(mut self, more: usize) -> Self {
        let recipient = || NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
        self.recipients.extend(std::iter::repeat_with(recipient).take(more));
        self
    }
}

/// An object, and the keys that open it.
pub(crate) struct Opening<'k> {
    keys: &'k Keys,
    items: usize,
    sealed: Box<dyn Sealed>,
}

impl<'k> Opening<'k> {
    pub(crate) fn new(format: Format, keys: &'k Keys, items: usize) -> Self {
        let sealed: Box<dyn Sealed> = match format {
            Format::Native => Box::new(native(keys, items)),
            Format::Bitnami => Box::new(bitnami(keys, items)),
        };
        Self { keys, items, sealed }
    }

    pub(crate) fn open(&self) {
        let opened = self.sealed.unseal(&self.keys.ring).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(opened.data.len(), self.items);
    }
}

/// The microseconds that one call takes, on average over so many milliseconds.
pub(crate) fn repeated(milliseconds: u64, mut call: impl FnMut()) -> f64 {
    let (begun, enough) = (Instant::now(), Duration::from_millis(milliseconds));
    let mut calls = 0_u32;
    while begun.elapsed() < enough || calls == 0 {
        call();
        calls += 1;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// Seals as [`Opening::new`] does, for those who time it.
pub(crate) fn native(keys: &Keys, items: usize) -> NativeSealed {
    let items: BTreeMap<ItemName, Item> = values(items)
        .map(|(name, value)| (name.parse().expect("it is a name"), Item::new(Plaintext::from(value), false)))
        .collect();
    let none = BTreeSet::new();
    let spec = seal(&place(), Scope::Strict, &keys.recipients, &items, Template::default(), &none);
    NativeSealed::parse(place(), &spec.expect("it can be sealed"), &none).expect("it was just sealed")
}

fn bitnami(keys: &Keys, items: usize) -> BitnamiSealed {
    let binding = Binding::new(Scope::Strict, &place());
    let key = keys.rsa.as_ref().expect("the keys are RSA's");
    let encrypted_data =
        values(items).map(|(name, value)| (name, seal_item(key, &binding, &value))).collect();
    let spec = SealedSecretSpec { encrypted_data, ..SealedSecretSpec::default() };
    BitnamiSealed::parse(place(), &BTreeMap::new(), &spec, &BTreeSet::new(), Branching::Refused)
        .expect("it was just sealed")
}

fn values(count: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..count).map(|item| (format!("item-{item}"), format!("value {item}, and so on").into_bytes()))
}

fn place() -> Place {
    Place { namespace: "prod".parse().expect("a namespace"), name: "db".parse().expect("a name") }
}
