//! The verb rewrap: all envelopes of an object into one, for recipients who may be others.
//!
//! Rotation decides when and to whom, and puts the envelope into a manifest; that is not here. Rewrapping is not
//! revocation: everybody who could open the object before still can, with the old envelopes. Invariants: data keys,
//! their ids and their bindings stay, so no item changes; and every recipient that a data key was ever wrapped to stays
//! on record with it, as a recipient or a past one, so that an exposure isn't forgotten.

use super::document::KnownKey;
use super::object::NativeSealed;
use super::seal::{NamedRecipient, SealError, distinct, wrap};
use crate::format::UnsealError;
use crate::keys::Keyring;
use crate::resources::Envelope;

/// Why nothing was rewrapped.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The object doesn't open.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The envelope can't be made for these recipients, or can't remember everybody who had its data keys
    /// ([`SealError::PastFull`]).
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl NativeSealed {
    /// One envelope that can stand for all of this object's, sealed to these recipients alone.
    ///
    /// It has every data key, in the order of the envelopes it stands for; also those that no item uses any more.
    ///
    /// # Guarantees
    ///
    /// The object is opened as a whole first, items included. An object that doesn't open in its place isn't rewrapped,
    /// so this call answers no question that unsealing doesn't answer.
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
