//! The verb rewrap: merges all envelopes of an object into one, for the same or other recipients.
//!
//! The caller decides when and to whom, and puts the envelope into a manifest. Rewrapping is not revocation: with the
//! old envelopes, every former recipient can still open the object. Invariants: data keys, their ids and their
//! bindings stay, so no item changes. And every recipient that a data key was ever wrapped to stays on record with
//! it, as a recipient or a past one, so that an exposure isn't forgotten.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::document::KnownKey;
use super::object::NativeSealed;
use super::push_lp;
use super::seal::{NamedRecipient, SealError, distinct, wrap};
use crate::format::UnsealError;
use crate::keys::{Fingerprint, Keyring};
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

/// The name of a set of recipients, whatever their order: `hex(SHA-256("seal/v1/target" ‖ sorted raw fingerprints))`.
pub fn target(recipients: impl IntoIterator<Item = Fingerprint>) -> String {
    let sorted: BTreeSet<Fingerprint> = recipients.into_iter().collect();
    let hash = Sha256::new().chain_update(b"seal/v1/target");
    let hash = sorted.iter().fold(hash, |hash, fingerprint| hash.chain_update(fingerprint.as_bytes()));
    hex(hash.finalize())
}

/// 64 lower-case digits.
fn hex(hash: impl IntoIterator<Item = u8>) -> String {
    hash.into_iter().map(|byte| format!("{byte:02x}")).collect()
}

impl NativeSealed {
    /// The name of the envelopes of this object: `hex(SHA-256("seal/v1/source" ‖ lp(age₁) ‖ lp(age₂) ‖ …))` over the raw
    /// age files, in their order. It finds the file that an offer is for, even if a tool renamed the object or
    /// changed its template.
    pub fn source(&self) -> String {
        let mut covered = b"seal/v1/source".to_vec();
        self.age_files().for_each(|file| push_lp(&mut covered, file));
        hex(Sha256::digest(covered))
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
        let recipients = distinct(recipients)?;
        let data_keys: Vec<KnownKey> =
            self.open(keys)?.data_keys.into_iter().map(|(_, known)| known).collect();
        Ok(wrap(&self.binding(), &recipients, &data_keys)?)
    }
}
