//! The search for the key of an item: an item doesn't name its key, so the keys at hand are tried.
//!
//! Invariants: all failures that only a key could tell apart give the same error; a key of another size isn't tried,
//! because sizes are public; failed trials are counted over the whole object and over all scopes that are tried.
//!
//! The author of a SealedSecret chooses the key of each item, and so the work: 1,024 items, each under another of the
//! loaded keys, would cost a private operation for every pair. So failed trials have a budget. The budget counts
//! whole trials, never the progress of one. So it tells no more than the keys that open an item, and the status of an
//! object that opens names those too.

use super::item::SealedItem;
use super::label::Label;
use crate::format::UnsealError;
use crate::keys::{Fingerprint, RsaPrivateKey};
use crate::plaintext::Plaintext;

/// The most trials that may fail while one object is opened: about 11 seconds of work with keys of 4096 bits.
///
/// The key that opened one item is tried first on the next. So an honest object fails at most once for every item and
/// every *other* key that opens an item in it: 1,024 items under 8 keys stay below the limit, in any order, and with
/// up to 128 keys loaded.
pub(super) const MAX_FAILED_TRIALS: usize = 8192;

/// The trial of keys on the items of one object.
pub(super) struct Trial<'k> {
    /// The keys, in the order to try them: the key that opened one item is tried first on the next.
    keys: Vec<&'k RsaPrivateKey>,
    failed: usize,
    limit: usize,
}

impl<'k> Trial<'k> {
    /// A trial of these keys, of which at most `limit` tries may fail.
    pub(super) fn new(keys: Vec<&'k RsaPrivateKey>, limit: usize) -> Self {
        Self { keys, failed: 0, limit }
    }

    /// Opens an item: the value, and the fingerprint of the key that opened it.
    pub(super) fn open(
        &mut self,
        label: &Label,
        what: &str,
        item: &SealedItem,
    ) -> Result<(Plaintext, Fingerprint), UnsealError> {
        for index in 0..self.keys.len() {
            let key = self.keys[index];
            if !fits(key, item) {
                continue;
            }
            if let Some(value) = item.open(key, label.as_str()) {
                self.keys[..=index].rotate_right(1);
                return Ok((value, key.fingerprint()));
            }
            self.failed += 1;
            if self.failed > self.limit {
                return Err(UnsealError::TooManyTrials { limit: self.limit });
            }
        }
        Err(self.failure(label, what, item))
    }

    fn failure(&self, label: &Label, what: &str, item: &SealedItem) -> UnsealError {
        let what = what.into();
        let (tried, others): (Vec<&RsaPrivateKey>, Vec<_>) =
            self.keys.iter().partition(|key| fits(key, item));
        let fingerprints =
            |keys: Vec<&RsaPrivateKey>| keys.into_iter().map(RsaPrivateKey::fingerprint).collect();
        if tried.is_empty() {
            return UnsealError::NoRsaKey { what, bits: item.key_bits(), at_hand: fingerprints(others) };
        }
        UnsealError::CannotOpen {
            what,
            scope: label.scope(),
            binding: label.to_string().into(),
            candidates: fingerprints(tried),
        }
    }
}

fn fits(key: &RsaPrivateKey, item: &SealedItem) -> bool {
    key.public_key().bits() == item.key_bits()
}
