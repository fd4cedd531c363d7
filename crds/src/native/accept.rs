//! The acceptance of an offer: may the envelope of a rewrap offer take the place of a file's own?
//!
//! Making offers is the controller's part. Whoever accepts one holds no identity, and so can't see if the envelope opens.
//! The threats are a forged status, by whoever may write one, and flags of the controller, by whoever may configure it. What
//! is checked here keeps the harm of the first to availability: no forged offer adds a recipient whom the user hasn't
//! pinned, and none keeps an item without a data key in the list. An envelope that lies about what is inside doesn't open,
//! and the old one is still in Git. And no offer drops a recipient whom the user has pinned, such as the one for recovery,
//! as far as the offer says whom it is for.
//!
//! What can't be checked without an identity is the memory inside: a forger who holds the data keys (whoever opens the
//! object) can make an envelope that opens, and in which nobody has seen a value before. A revocation then misses such a
//! recipient in the cluster; the envelopes in Git's history still name it.
//!
//! Invariant: of an offer, only data key ids, fingerprints and the age file get into a manifest. The names of the
//! recipients are the user's own.

use std::collections::BTreeSet;

use super::object::NativeSealed;
use super::rewrap::target;
use super::seal::NamedRecipient;
use crate::format::{SealedTo, UnsealError};
use crate::keys::Fingerprint;
use crate::resources::{Envelope, RecipientHint, Rewrap};

/// The recipients that a user pins.
#[derive(Clone, Debug, Default)]
pub struct OfferPins {
    /// Whatever is sealed has these recipients.
    pub required: Vec<NamedRecipient>,
    /// These recipients are allowed, too: keys whose successor is required.
    pub optional: Vec<NamedRecipient>,
}

/// The recipients of a sealed object, compared with those that a user pins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The recipients that aren't pinned.
    pub not_pinned: Vec<SealedTo>,
    /// The required recipients that an envelope lacks.
    pub lacking: Vec<SealedTo>,
}

impl OfferPins {
    /// The pin of a recipient.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&NamedRecipient> {
        self.required.iter().chain(&self.optional).find(|pin| pin.recipient.fingerprint() == *fingerprint)
    }

    /// Compares the recipients of all envelopes with the pins.
    pub fn compare<'t>(&self, envelopes: impl IntoIterator<Item = &'t [SealedTo]>) -> Difference {
        let mut difference = Difference::default();
        let mut add = |to: SealedTo, is_lacking: bool| {
            let list = if is_lacking { &mut difference.lacking } else { &mut difference.not_pinned };
            if !list.iter().any(|known| known.fingerprint == to.fingerprint) {
                list.push(to);
            }
        };
        for envelope in envelopes {
            let has: BTreeSet<Fingerprint> = envelope.iter().map(|to| to.fingerprint).collect();
            envelope
                .iter()
                .filter(|to| self.find(&to.fingerprint).is_none())
                .for_each(|to| add(to.clone(), false));
            for pin in &self.required {
                let fingerprint = pin.recipient.fingerprint();
                if !has.contains(&fingerprint) {
                    add(SealedTo::new(fingerprint, pin.name.as_deref()), true);
                }
            }
        }
        difference
    }
}

impl Difference {
    /// Whether everything is sealed to the required recipients, and to pinned ones alone.
    pub fn is_none(&self) -> bool {
        self.not_pinned.is_empty() && self.lacking.is_empty()
    }
}

/// The reason why an offer isn't accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The offer is for other envelopes.
    #[error("the offer is for other envelopes")]
    OtherSource,
    /// The envelope is sealed to recipients that aren't pinned.
    #[error("the offer is sealed to recipients that aren't pinned: {}", shown(.0))]
    NotPinned(Vec<SealedTo>),
    /// The envelope isn't sealed to recipients that are pinned.
    #[error("the offer isn't sealed to pinned recipients: {}", shown(.0))]
    Lacking(Vec<SealedTo>),
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
    /// Gives the envelope of an offer, if it may take the place of all envelopes of this object.
    ///
    /// # Errors
    ///
    /// Any [`OfferError`].
    pub fn accept(&self, offer: &Rewrap, pins: &OfferPins) -> Result<Envelope, OfferError> {
        if offer.source != self.source() {
            return Err(OfferError::OtherSource);
        }
        let envelopes = std::slice::from_ref(&offer.envelope);
        let recipients = self.check_envelopes(envelopes).map_err(OfferError::Refused)?.concat();
        let Difference { not_pinned, lacking } = pins.compare([&recipients[..]]);
        if !not_pinned.is_empty() {
            return Err(OfferError::NotPinned(not_pinned));
        }
        if !lacking.is_empty() {
            return Err(OfferError::Lacking(lacking));
        }
        if offer.target != target(recipients.iter().map(|to| to.fingerprint)) {
            return Err(OfferError::WrongTarget);
        }
        let hint = |to: &SealedTo| RecipientHint {
            name: pins.find(&to.fingerprint).and_then(|pin| pin.name.clone()),
            fingerprint: to.fingerprint.to_string(),
        };
        let Envelope { keys, age, .. } = offer.envelope.clone();
        Ok(Envelope { keys, recipients: recipients.iter().map(hint).collect(), age })
    }
}
