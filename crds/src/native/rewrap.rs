//! The verbs rewrap and reseal: one envelope for the same or other recipients, in the place of all envelopes of an
//! object. Rewrapping keeps the data keys; resealing makes fresh ones.
//!
//! The caller decides when and to whom, and puts the result into a manifest. Neither is revocation: with the old
//! envelopes, every former recipient can still open the object. Invariants: a rewrap keeps data keys, their ids and
//! their bindings, so no item changes. And every recipient that a value was ever sealed to stays on record with it, as
//! a recipient or a past one, so that an exposure isn't forgotten.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use super::data_key::DataKeyId;
use super::document::KnownKey;
use super::object::{NativeSealed, OpenedObject};
use super::push_lp;
use super::seal::{Item, NamedRecipient, SealError, distinct, seal_items, wrap};
use crate::format::UnsealError;
use crate::hex::hex;
use crate::keys::{Fingerprint, Keyring};
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use crate::resources::Envelope;

/// The reason why an object wasn't rewrapped.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The object doesn't open.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The envelope can't be made for these recipients, or can't remember all past recipients of its data keys
    /// ([`SealError::PastFull`]).
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The parts of a spec that [`NativeSealed::reseal`] makes anew.
pub struct Resealed {
    /// The one envelope.
    pub envelope: Envelope,
    /// The lines of all items.
    pub encrypted_data: BTreeMap<String, String>,
}

/// The name of a set of recipients, whatever their order: `hex(SHA-256("seal/v1/target" ‖ sorted raw fingerprints))`.
pub fn target(recipients: impl IntoIterator<Item = Fingerprint>) -> String {
    let sorted: BTreeSet<Fingerprint> = recipients.into_iter().collect();
    let hash = Sha256::new().chain_update(b"seal/v1/target");
    let hash = sorted.iter().fold(hash, |hash, fingerprint| hash.chain_update(fingerprint.as_bytes()));
    hex(&hash.finalize())
}

/// The source ([`NativeSealed::source`]) of envelopes that weren't checked in any other way; `None` if an age file isn't
/// base64. For finding the one object among many.
pub fn source(envelopes: &[Envelope]) -> Option<String> {
    let files = envelopes.iter().map(|envelope| BASE64.decode(&envelope.age).ok());
    let files: Vec<Vec<u8>> = files.collect::<Option<_>>()?;
    Some(source_of(files.iter().map(Vec::as_slice)))
}

/// The assignment ([`Sealed::assignment`]) of items that weren't checked in any other way; `None` if one has no id of a data
/// key. For comparing it with what a status says.
///
/// [`Sealed::assignment`]: crate::format::Sealed::assignment
pub fn assignment(items: &BTreeMap<String, String>) -> Option<String> {
    let id = |sealed: &str| sealed.split_once('.')?.0.parse::<DataKeyId>().ok();
    let items = items.iter().map(|(item, sealed)| Some((item.as_str(), id(sealed)?)));
    let items: Vec<(&str, DataKeyId)> = items.collect::<Option<_>>()?;
    Some(assignment_of(items.iter().map(|(item, id)| (*item, id))))
}

fn assignment_of<'i>(items: impl Iterator<Item = (&'i str, &'i DataKeyId)>) -> String {
    let mut covered = b"seal/v1/assignment".to_vec();
    for (item, id) in items {
        push_lp(&mut covered, item.as_bytes());
        covered.extend_from_slice(id.as_bytes());
    }
    hex(&Sha256::digest(covered))
}

fn source_of<'f>(age_files: impl Iterator<Item = &'f [u8]>) -> String {
    let mut covered = b"seal/v1/source".to_vec();
    age_files.for_each(|file| push_lp(&mut covered, file));
    hex(&Sha256::digest(covered))
}

impl NativeSealed {
    /// The name of the envelopes of this object: `hex(SHA-256("seal/v1/source" ‖ lp(age₁) ‖ lp(age₂) ‖ …))` over the raw
    /// age files, in their order. It finds the file that an offer is for, even if a tool renamed the object or
    /// changed its template.
    pub fn source(&self) -> String {
        source_of(self.age_files())
    }

    /// The name of which data key each item uses: `hex(SHA-256("seal/v1/assignment" ‖ lp(item₁) ‖ id₁ ‖ …))`, in the order of
    /// the items' names.
    ///
    /// The threat: an item that comes under the envelopes that were there, by a patch perhaps, may use a data key that a
    /// revoked recipient has seen. The envelopes alone don't show it.
    pub(super) fn assignment(&self) -> String {
        assignment_of(self.assignments().map(|(item, id)| (item.as_str(), id)))
    }

    /// Makes one envelope that replaces all envelopes of this object, sealed to these recipients alone.
    ///
    /// It has every data key, in the order of the old envelopes, also the keys that no item uses any more.
    ///
    /// # Guarantees
    ///
    /// The call first opens the whole object, items included. It refuses an object that doesn't open in its place, so
    /// it answers no question that unsealing doesn't answer.
    ///
    /// # Errors
    ///
    /// Any [`RewrapError`].
    pub fn rewrap(&self, keys: &Keyring, recipients: &[NamedRecipient]) -> Result<Envelope, RewrapError> {
        self.merge_envelopes(keys, recipients, |_| true)
    }

    /// As [`rewrap`](Self::rewrap), without the data keys that no item uses any more. For whoever has the file at hand:
    /// in an offer, a key that is left out could be one that the file has begun to use again.
    ///
    /// # Errors
    ///
    /// Any [`RewrapError`].
    pub fn rewrap_used(
        &self,
        keys: &Keyring,
        recipients: &[NamedRecipient],
    ) -> Result<Envelope, RewrapError> {
        let used = self.used_keys();
        self.merge_envelopes(keys, recipients, |id| used.contains(id))
    }

    fn merge_envelopes(
        &self,
        keys: &Keyring,
        recipients: &[NamedRecipient],
        is_kept: impl Fn(&DataKeyId) -> bool,
    ) -> Result<Envelope, RewrapError> {
        let recipients = distinct(recipients)?;
        let data_keys = self.open(keys)?.data_keys.into_iter();
        let kept: Vec<KnownKey> = data_keys.filter(|(id, _)| is_kept(id)).map(|(_, known)| known).collect();
        Ok(wrap(&self.binding(), &recipients, &kept)?)
    }

    /// Opens the object, and gives its items as they were sealed, each with its use in templates and the recipients who
    /// have seen it; without the keys that `template.data` makes.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`] of unsealing.
    pub fn items(&self, keys: &Keyring) -> Result<BTreeMap<ItemName, Item>, UnsealError> {
        let OpenedObject { data_keys, items, .. } = self.open(keys)?;
        let known: BTreeMap<DataKeyId, KnownKey> = data_keys.into_iter().collect();
        let item = |(name, value): (ItemName, Plaintext)| {
            let old = &known[&self.key_of(&name)];
            (name, Item { value, template: old.key.template, seen: old.seen.clone() })
        };
        Ok(items.into_iter().map(item).collect())
    }

    /// Seals the same values again, under fresh data keys, in one envelope.
    ///
    /// Whoever has a former data key has the value that it opens, and still has it afterwards. So a fresh data key
    /// inherits what the old one remembers: sealing again washes no exposed value clean. Only a new value does that.
    ///
    /// # Guarantees
    ///
    /// As for [`rewrap`](Self::rewrap): it refuses an object that doesn't open in its place.
    ///
    /// # Errors
    ///
    /// Any [`RewrapError`].
    pub fn reseal(&self, keys: &Keyring, recipients: &[NamedRecipient]) -> Result<Resealed, RewrapError> {
        let recipients = distinct(recipients)?;
        let items = self.items(keys)?;
        let (envelope, encrypted_data) = seal_items(&self.binding(), &recipients, &items)?;
        Ok(Resealed { envelope, encrypted_data })
    }
}
