//! The examination of an object: which keys it needs, which of its items are exposed, and an envelope for the current
//! recipients.
//!
//! [`crate::reconcile`] carries it out, [`crate::pace`] says when, and [`crate::status`] words the findings. Everything
//! here is a pure function of public text, the keys at hand and [`Recipients`]. The status remembers what was examined
//! and with what, so an unchanged object isn't examined again, also after a restart.
//!
//! An offer is for the file with the same envelopes, so it goes only to objects that are this cluster's own: one that is
//! sealed to somebody who isn't known here may belong to two clusters, and an offer would shut the other one out.
//! Whoever may write the status can forge an offer. `seal rotate` takes none whose recipients it doesn't know, so a
//! forged one costs availability only, and Git has the old envelopes.
//!
//! Invariant: an offer is built from loaded identities and flags only; nothing that a person wrote into the API adds a
//! recipient.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::native::RewrapError;
use seal_crds::resources::{MAX_EXPOSED_TO, Rewrap, Usage};
use seal_crds::{ItemName, Sealed, UnsealError, Unsealed};

use crate::plan::is_ready;
use crate::recipients::Recipients;
use crate::store::Last;

/// The most bytes of the names of exposed items in a status.
const MAX_EXPOSED: usize = 64 << 10;

/// The most tries of keys beyond those of an opening for which an examination comes along with it: they take about as long
/// as an opening does.
const ALONG: usize = 8;

/// The question that an examination answers: what is examined, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// As [`Usage::source`].
    pub(crate) source: String,
    /// As [`Usage::items`].
    items: Option<String>,
    /// As [`Usage::keyring`].
    keyring: String,
    /// As [`Usage::revoked`].
    revoked: Option<String>,
    /// Whether an offer is due.
    pub(crate) comparison: Comparison,
}

/// An object's own recipients beside the current ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// There is no primary, so nobody knows what the object should be sealed to; or the format has no envelopes.
    Unknown,
    /// Every envelope is sealed to exactly the current recipients.
    Current,
    /// The object is sealed to recipients that aren't this cluster's. Holds them.
    Foreign(BTreeSet<Fingerprint>),
    /// The object isn't sealed to exactly the current recipients, whose set has this name.
    Behind { target: String },
}

/// The findings of an examination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) usage: Usage,
    pub(crate) exposed: Exposed,
    /// Whom the items were compared with.
    pub(crate) exposing: BTreeSet<Fingerprint>,
    pub(crate) offer: Offer,
}

/// The exposed items of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// The number of all exposed items.
    pub(crate) count: usize,
    /// The names of the first ones, as many as there is room for.
    pub(crate) names: Vec<String>,
    /// The first of the recipients that have seen their data keys.
    pub(crate) to: Vec<Fingerprint>,
}

/// What an examination found about an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// No offer is due.
    NotDue,
    /// The object is sealed to these, who aren't this cluster's.
    Foreign(BTreeSet<Fingerprint>),
    /// The offer. Boxed, because it is many times as large as the others.
    Made(Box<Rewrap>),
    /// No envelope can be made; the reason as a sentence for people.
    Unsupported(String),
}

impl Question {
    pub(crate) fn new(sealed: &dyn Sealed, keys: &Keyring, recipients: &Recipients) -> Self {
        let exposing = recipients.exposing();
        Self {
            source: sealed.source(),
            items: sealed.assignment(),
            keyring: Fingerprint::of_set(sealed.tried(keys)),
            revoked: (!exposing.is_empty()).then(|| Fingerprint::of_set(exposing.iter().copied())),
            comparison: Comparison::new(&sealed.sealed_to(), recipients),
        }
    }

    /// Whether the status doesn't have the answer yet. The definition of sealed-secrets prunes every answer from the
    /// status, so under it nothing is ever due.
    pub(crate) fn is_due(&self, last: &Last) -> bool {
        if is_ready(last) && last.status.as_ref().is_some_and(|status| status.items.is_none()) {
            return false;
        }
        let Some(usage) = last.status.as_ref().and_then(|status| status.usage.as_ref()) else { return true };
        let is_of_these = (&usage.source, &usage.items) == (&self.source, &self.items);
        let is_answered = is_of_these && (&usage.keyring, &usage.revoked) == (&self.keyring, &self.revoked);
        let is_offered = match &self.comparison {
            Comparison::Behind { target } => usage.target.as_ref() == Some(target),
            // Public text answers it.
            Comparison::Unknown | Comparison::Current | Comparison::Foreign(_) => true,
        };
        !(is_answered && is_offered)
    }

    /// Whether an opening that happens anyway is the time to examine the object, too: that takes little more. A status
    /// that had to be written again for the findings would cost far more.
    pub(crate) fn comes_along(&self, sealed: &dyn Sealed, keys: &Keyring) -> bool {
        !matches!(self.comparison, Comparison::Behind { .. }) && sealed.more_tries(keys) <= ALONG
    }

    /// Examines the object. May take many key operations.
    ///
    /// # Errors
    ///
    /// Any error of opening it.
    pub(crate) fn answer(
        self,
        sealed: &dyn Sealed,
        keys: &Keyring,
        recipients: &Recipients,
    ) -> Result<(Unsealed, Findings), UnsealError> {
        let Self { source, items, keyring, revoked, comparison } = self;
        let examined = sealed.examine(keys, recipients.exposing())?;
        let (target, offer) = match comparison {
            Comparison::Unknown | Comparison::Current => (None, Offer::NotDue),
            Comparison::Foreign(strangers) => (None, Offer::Foreign(strangers)),
            Comparison::Behind { target } => {
                let offer = match sealed.offer(keys, recipients.current()) {
                    None => Offer::NotDue,
                    Some(Ok(envelope)) => Offer::Made(Box::new(Rewrap {
                        source: source.clone(),
                        target: target.clone(),
                        envelope,
                    })),
                    Some(Err(RewrapError::Unseal(error))) => return Err(error),
                    Some(Err(RewrapError::Seal(error))) => Offer::Unsupported(error.to_string()),
                };
                (Some(target), offer)
            }
        };
        let only = examined.only.iter().map(ToString::to_string).collect();
        let findings = Findings {
            usage: Usage { source, items, keyring, only, revoked, target },
            exposed: Exposed::new(&examined.exposed),
            exposing: recipients.exposing().clone(),
            offer,
        };
        Ok((examined.unsealed, findings))
    }
}

impl Comparison {
    fn new(sealed_to: &[BTreeSet<Fingerprint>], recipients: &Recipients) -> Self {
        let (Some(target), false) = (recipients.target(), sealed_to.is_empty()) else { return Self::Unknown };
        let strangers = sealed_to.iter().flatten().filter(|recipient| !recipients.is_known(recipient));
        let strangers: BTreeSet<Fingerprint> = strangers.copied().collect();
        let current = recipients.current_fingerprints();
        if !strangers.is_empty() {
            Self::Foreign(strangers)
        } else if sealed_to.iter().all(|envelope| *envelope == current) {
            Self::Current
        } else {
            Self::Behind { target }
        }
    }
}

impl Exposed {
    fn new(exposed: &BTreeMap<ItemName, BTreeSet<Fingerprint>>) -> Self {
        let fits = |used: &mut usize, name: &ItemName| {
            *used += name.as_str().len();
            (*used <= MAX_EXPOSED).then(|| name.to_string())
        };
        let to: BTreeSet<Fingerprint> = exposed.values().flatten().copied().collect();
        Self {
            count: exposed.len(),
            names: exposed.keys().scan(0, fits).collect(),
            to: to.into_iter().take(MAX_EXPOSED_TO).collect(),
        }
    }
}

/// The keys that opened the object, as its status says, and that are at hand no more. This decides without opening
/// anything: the keys of a whole cluster may be gone, and then there is nothing to open with.
pub(crate) fn missing(last: &Last, tried: &BTreeSet<Fingerprint>) -> Vec<Fingerprint> {
    let opened_by = last.status.iter().flat_map(|status| &status.opened_by);
    opened_by.filter_map(|key| key.parse().ok()).filter(|key| !tried.contains(key)).collect()
}
