//! The acceptance of an offer: may the envelope of a rewrap offer take the place of a file's own?
//!
//! Making offers is the controller's part. Whoever accepts one holds no identity, and so can't see if the envelope opens.
//! The threat is a forged status, by whoever may write one. What is checked here keeps the harm to availability: no
//! forged offer adds a recipient whom the user hasn't pinned, and none keeps an item without a data key in the list. An
//! envelope that lies about what is inside doesn't open, and the old one is still in Git.
//!
//! Invariant: of an offer, only data key ids, fingerprints and the age file get into a manifest. The names of the
//! recipients are the user's own.

use super::object::NativeSealed;
use super::rewrap::target;
use super::seal::NamedRecipient;
use crate::format::{SealedTo, UnsealError};
use crate::resources::{Envelope, RecipientHint, Rewrap};

/// The reason why an offer isn't accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The offer is for other envelopes.
    #[error("the offer is for other envelopes")]
    OtherSource,
    /// The envelope is sealed to recipients that aren't pinned.
    #[error("the offer is sealed to recipients that aren't pinned: {}", shown(.0))]
    NotPinned(Vec<SealedTo>),
    /// The target that the offer claims isn't the name of its recipients.
    #[error("the offer's target isn't the name of its recipients")]
    WrongTarget,
    /// With the envelope, the object would be refused, by what shows without a key.
    #[error("with the offer, the object would be refused: {0}")]
    Refused(UnsealError),
}

fn shown(recipients: &[SealedTo]) -> String {
    let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    recipients.join(", ")
}

impl NativeSealed {
    /// Gives the envelope of an offer, if it may take the place of all envelopes of this object. `pinned` are the
    /// recipients that the user allows.
    ///
    /// # Errors
    ///
    /// Any [`OfferError`].
    pub fn accept(&self, offer: &Rewrap, pinned: &[NamedRecipient]) -> Result<Envelope, OfferError> {
        if offer.source != self.source() {
            return Err(OfferError::OtherSource);
        }
        let envelopes = std::slice::from_ref(&offer.envelope);
        let recipients = self.check_envelopes(envelopes).map_err(OfferError::Refused)?.concat();
        let pin = |to: &SealedTo| pinned.iter().find(|pin| pin.recipient.fingerprint() == to.fingerprint);
        let foreign: Vec<SealedTo> = recipients.iter().filter(|to| pin(to).is_none()).cloned().collect();
        if !foreign.is_empty() {
            return Err(OfferError::NotPinned(foreign));
        }
        if offer.target != target(recipients.iter().map(|to| to.fingerprint)) {
            return Err(OfferError::WrongTarget);
        }
        let hint = |to: &SealedTo| RecipientHint {
            name: pin(to).and_then(|pin| pin.name.clone()),
            fingerprint: to.fingerprint.to_string(),
        };
        let Envelope { keys, age, .. } = offer.envelope.clone();
        Ok(Envelope { keys, recipients: recipients.iter().map(hint).collect(), age })
    }
}
