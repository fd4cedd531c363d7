//! Which key opens an item: nothing in it says so, so the keys are tried.
//!
//! Not the choice which keys are at hand. Invariant: what doesn't open gives one error, whatever the reason that only a
//! key can tell; a key of another size isn't tried, which everybody can see.

use super::item::SealedItem;
use super::label;
use crate::format::UnsealError;
use crate::keys::{Fingerprint, RsaPrivateKey};
use crate::plaintext::Plaintext;
use crate::scope::Binding;

/// The trial of keys on the items of one object.
pub(super) struct Trial<'a> {
    binding: &'a Binding,
    /// In the order to try them: what opened one item is tried first on the next.
    keys: Vec<&'a RsaPrivateKey>,
    /// What opened something, in the order of the first time.
    pub(super) by: Vec<Fingerprint>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(binding: &'a Binding, keys: Vec<&'a RsaPrivateKey>) -> Self {
        Self { binding, keys, by: Vec::new() }
    }

    pub(super) fn open(&mut self, what: &str, item: &SealedItem) -> Result<Plaintext, UnsealError> {
        let label = label(self.binding);
        let fits = |key: &RsaPrivateKey| key.public_key().bits() == item.key_bits();
        let fitting = self.keys.iter().enumerate().filter(|(_, key)| fits(key));
        let found = { fitting }.find_map(|(index, key)| Some((index, item.open(key, &label)?)));
        let Some((index, value)) = found else {
            return Err(self.failure(what, item, fits));
        };
        self.keys[..=index].rotate_right(1);
        let by = self.keys[0].fingerprint();
        if !self.by.contains(&by) {
            self.by.push(by);
        }
        Ok(value)
    }

    fn failure(&self, what: &str, item: &SealedItem, fits: impl Fn(&RsaPrivateKey) -> bool) -> UnsealError {
        let what = what.into();
        let (tried, others): (Vec<&RsaPrivateKey>, Vec<_>) = self.keys.iter().partition(|key| fits(key));
        let fingerprints =
            |keys: Vec<&RsaPrivateKey>| keys.into_iter().map(RsaPrivateKey::fingerprint).collect();
        if tried.is_empty() {
            return UnsealError::NoRsaKey { what, bits: item.key_bits(), at_hand: fingerprints(others) };
        }
        UnsealError::CannotOpen {
            what,
            scope: self.binding.scope(),
            binding: self.binding.to_string().into(),
            candidates: fingerprints(tried),
        }
    }
}
