//! What becomes of an object in a file, by what the cluster says of its like: take the offered envelope, nothing to do, or
//! left as it is.
//!
//! The cluster's objects were found by the file's envelopes, since kustomize may rename an object and patch its template.
//! Pure. The threat is a forged status: the contract ([`NativeSealed::accept`]) says which offers are refused. A status
//! can't make a file count as done either: what isn't sealed to the pinned recipients, and to them alone, is left, and named.
//!
//! [`NativeSealed::accept`]: seal_crds::native::NativeSealed::accept

use seal_crds::native::{Difference, OfferError, OfferPins};
use seal_crds::resources::Envelope;
use seal_crds::{Reason, SealedTo};

use super::FoundNative;
use super::counterpart::{Counterpart, Listing, word};

/// The decision about an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Take(Envelope),
    Current,
    Left(Left),
}

/// The reason why an object stays as it is, though it may need a rotation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Left {
    #[error("no object of the cluster has these envelopes; is the file applied, and to this cluster?")]
    NotThere,
    #[error(
        "you may not list the SealedSecrets of its namespace; an object without one needs the right for all, or -n"
    )]
    NotListed,
    #[error("{0} has no offer yet; try again in a moment")]
    NoneYet(String),
    #[error(
        "{0} is sealed to recipients that this cluster doesn't know, so there is no offer; start the controller with \
         --extra-recipients or --former-recipients, or rotate with -i"
    )]
    Foreign(String),
    #[error("{0} would be too large with an offer, so there is none; rotate it with -i")]
    TooLarge(String),
    #[error("{place} has no offer: {reason}; kubectl describe says more")]
    Other { place: String, reason: String },
    #[error("the offer of {place} can't be taken: {error}{}", try_pins(.error))]
    Refused { place: String, error: OfferError },
    #[error("{place} counts as sealed to the current recipients, and isn't: not pinned are {}", listed(.recipients))]
    NotPinned { place: String, recipients: Vec<SealedTo> },
    #[error(
        "{place} counts as sealed to the current recipients, and isn't sealed to {}, which are pinned{}", listed(.recipients),
        TRY_LACKING
    )]
    Lacking { place: String, recipients: Vec<SealedTo> },
}

/// What to try if a pinned recipient is missing.
const TRY_LACKING: &str =
    "; start the controller with them, or take them out of the pins if nothing is to be sealed to them";

fn try_pins(error: &OfferError) -> &'static str {
    match error {
        OfferError::Lacking(_) => TRY_LACKING,
        OfferError::NotPinned(_) => "; if they are right, bring the pins up to date: seal keys fetch -o FILE",
        _ => "; nobody but the cluster's controller should write a status",
    }
}

fn listed(recipients: &[SealedTo]) -> String {
    recipients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Decides about an object. `found` are the objects of the listing with its envelopes, or with an offer for them.
/// `is_covered` says that none can have been overlooked.
pub(crate) fn decide(
    native: &FoundNative,
    found: &[&Counterpart],
    listing: &Listing,
    is_covered: bool,
    pins: &OfferPins,
) -> Decision {
    let source = native.sealed.source();
    let mut refused = None;
    for live in found {
        let Some(offer) = live.rewrap.as_ref().filter(|offer| offer.source == source) else { continue };
        match native.sealed.accept(offer, pins) {
            Ok(envelope) => return Decision::Take(envelope),
            Err(error) => refused = Some(Left::Refused { place: live.place.clone(), error }),
        }
    }
    if let Some(refused) = refused {
        return Decision::Left(refused);
    }
    match found.iter().find(|live| live.source() == Some(&source)) {
        Some(live) => without_offer(native, live, &source, pins),
        None if is_rotated(native, listing, pins) => Decision::Current,
        None if is_covered => Decision::Left(Left::NotThere),
        None => Decision::Left(Left::NotListed),
    }
}

/// Whether a file that the cluster doesn't have was rotated before, and only isn't applied yet: it is sealed to the pins,
/// or to those of them that the cluster offers others.
fn is_rotated(native: &FoundNative, listing: &Listing, pins: &OfferPins) -> bool {
    let is_one = native.sealed.sealed_to().count() == 1;
    let as_offered = || listing.offers_to(native.recipients().into_keys());
    native.is_sealed_to(&pins.required) || (is_one && compare(native, pins).is_none() && as_offered())
}

fn compare(native: &FoundNative, pins: &OfferPins) -> Difference {
    pins.compare(native.sealed.sealed_to())
}

/// Decides about an object that the cluster has, and makes no offer for.
fn without_offer(native: &FoundNative, live: &Counterpart, source: &str, pins: &OfferPins) -> Decision {
    if native.is_sealed_to(&pins.required) {
        return Decision::Current;
    }
    let Difference { not_pinned, lacking } = compare(native, pins);
    let place = live.place.clone();
    let left = match live.offer_reason() {
        Some(reason) if reason == Reason::ForeignRecipients.as_str() => Left::Foreign(place),
        Some(reason) if reason == Reason::OfferTooLarge.as_str() => Left::TooLarge(place),
        // The offer is for envelopes that the object had before.
        Some(reason) if reason == Reason::Offered.as_str() => Left::NoneYet(place),
        Some(reason) => Left::Other { place, reason: word(reason) },
        None if !live.is_examined(source) => Left::NoneYet(place),
        // The controller has nothing to say against the recipients.
        None if !not_pinned.is_empty() => Left::NotPinned { place, recipients: not_pinned },
        None if !lacking.is_empty() => Left::Lacking { place, recipients: lacking },
        None => return Decision::Current,
    };
    Decision::Left(left)
}

#[cfg(test)]
mod tests;
