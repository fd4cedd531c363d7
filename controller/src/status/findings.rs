//! The part of a status that speaks of the keys of an object: the findings of its last examination, and keys that are
//! gone.
//!
//! [`crate::examination`] has the findings. The conditions are present only while there is something to say: `Exposed` while
//! an item is, and afterwards, as False, that the items were sealed afresh; `RewrapOffered` while the object isn't sealed to the current recipients, and once it was examined,
//! `KeyMissing` while a key that opened it is at hand no more.
//!
//! Invariant: what was found stays until the next examination, whatever happens in between, except that an offer goes
//! if the object has no room for it.

use jiff::Timestamp;
use seal_crds::Reason;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{Condition, ConditionStatus, SealedSecretStatus, find_condition};

use super::remarks::listed;
use super::{READY, before, following};
use crate::conditions::Conditions;
use crate::examination::{Comparison, Findings, Offer};
use crate::store::{Last, Notice};

pub(super) const EXPOSED: &str = "Exposed";
pub(super) const REWRAP_OFFERED: &str = "RewrapOffered";
pub(super) const KEY_MISSING: &str = "KeyMissing";

/// The most bytes of an object with an offer. etcd takes 1.5 MiB; people's tools and other writers need the rest.
const MAX_WITH_OFFER: usize = 1 << 20;

/// The most bytes of an object with the names of all exposed items.
const MAX_WITH_NAMES: usize = 5 << 18;

/// What a look at an object shows without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// As [`Usage::source`](seal_crds::resources::Usage::source).
    pub(crate) source: String,
    pub(crate) comparison: Comparison,
    /// The keys that opened the object and are at hand no more.
    pub(crate) missing: Vec<Fingerprint>,
    /// No key of the object's format is at hand at all.
    pub(crate) is_keyless: bool,
}

impl Look {
    /// Whether a key that the object needs may be gone. Its Secret says nothing of that.
    pub(crate) fn is_key_missing(&self) -> bool {
        self.is_keyless || !self.missing.is_empty()
    }
}

/// Puts the findings of the last examination into the status.
pub(super) fn carry(status: &mut SealedSecretStatus, last: &Last) {
    let Some(said) = &last.status else { return };
    status.usage.clone_from(&said.usage);
    status.rewrap.clone_from(&said.rewrap);
    status.exposed.clone_from(&said.exposed);
    status.exposed_count = said.exposed_count;
    status.exposed_to.clone_from(&said.exposed_to);
    status
        .conditions
        .extend([EXPOSED, REWRAP_OFFERED].iter().filter_map(|type_| before(last, type_).cloned()));
}

/// Puts new findings into the status.
pub(super) fn put(
    status: &mut SealedSecretStatus,
    findings: &Findings,
    last: &Last,
    following: &Conditions<'_>,
) {
    let Findings { usage, exposed, offer, .. } = findings;
    status.usage = Some(usage.clone());
    status.exposed.clone_from(&exposed.names);
    status.exposed_count = Some(exposed.count as i64).filter(|count| *count > 0);
    status.exposed_to = exposed.to.iter().map(ToString::to_string).collect();
    status.conditions.extend(condition_of_exposed(findings, last, following));
    status.rewrap = None;
    match offer {
        Offer::NotDue => {}
        Offer::Foreign(strangers) => status.conditions.push(foreign(strangers.iter(), following)),
        Offer::Made(rewrap) => {
            status.rewrap = Some((**rewrap).clone());
            let message = "status.rewrap seals it to the current recipients; `seal rotate --from-cluster` writes that \
                           into the file";
            status.conditions.push(following.next(REWRAP_OFFERED, true, Reason::Offered, message));
        }
        Offer::Unsupported(why) => {
            let message = format!("no envelope can be made for the current recipients: {why}");
            let message = seal_foreign::message(&message);
            status.conditions.push(following.next(REWRAP_OFFERED, false, Reason::Unsupported, &message));
        }
    }
}

/// Brings the status in line with what a look shows, without opening the object.
pub(super) fn look(status: &mut SealedSecretStatus, look: &Look, following: &Conditions<'_>) {
    if let Some(usage) = &status.usage {
        let is_of_these = usage.source == look.source;
        match &look.comparison {
            Comparison::Unknown => {}
            Comparison::Current => withdraw(status),
            Comparison::Foreign(strangers) => {
                withdraw(status);
                status.conditions.push(foreign(strangers.iter(), following));
            }
            Comparison::Behind { .. } if is_of_these => {}
            // The condition is about envelopes that the object had before. An offer says itself what it is for.
            Comparison::Behind { .. } => status.conditions.retain(|it| it.type_ != REWRAP_OFFERED),
        }
    }
    status.conditions.retain(|condition| condition.type_ != KEY_MISSING);
    if look.is_key_missing() {
        let keys: Vec<String> = look.missing.iter().map(Fingerprint::short).collect();
        let which = match keys.as_slice() {
            [] => "no sealing key is at hand that could open it".to_owned(),
            keys => format!("a sealing key that opened it is at hand no more: {}", listed(keys)),
        };
        let message = format!(
            "{which}; the Secret stays as it is; restore the key with `seal keys restore`, or seal the values again"
        );
        status.conditions.push(following.next(KEY_MISSING, true, Reason::KeyMissing, &message));
    }
    // `kubectl get` shows the reason of Ready. The Secret is still what the object says, so Ready stays True.
    let reason = if look.is_key_missing() { Reason::KeyMissing } else { Reason::InSync };
    let ready = status.conditions.iter_mut().find(|condition| condition.type_ == READY);
    if let Some(ready) = ready.filter(|ready| ready.status == ConditionStatus::True) {
        reason.as_str().clone_into(&mut ready.reason);
    }
}

fn withdraw(status: &mut SealedSecretStatus) {
    status.rewrap = None;
    if let Some(usage) = &mut status.usage {
        usage.target = None;
    }
    status.conditions.retain(|condition| condition.type_ != REWRAP_OFFERED);
}

/// The condition `Exposed`: True while an item is exposed. A mark that is gone leaves the condition behind as False, and it
/// says that the items were sealed afresh. It never says that they are safe: somebody may have sealed the old values.
///
/// The threat is a mistake: a recipient is lost from the controller's list of revoked ones. Then its mark is gone although
/// nothing was sealed, and so is the condition.
fn condition_of_exposed(
    Findings { usage, exposed, exposing, .. }: &Findings,
    last: &Last,
    following: &Conditions<'_>,
) -> Option<Condition> {
    if exposed.count == 0 {
        let before = before(last, EXPOSED)?;
        let had = last.status.as_ref().map(|status| status.exposed_to.as_slice()).unwrap_or_default();
        let is_still_exposing = |had: &String| had.parse().is_ok_and(|had| exposing.contains(&had));
        let is_afresh = match before.status {
            // A controller that didn't say to whom leaves it open.
            ConditionStatus::True => !had.is_empty() && had.iter().all(is_still_exposing),
            _ => usage.revoked.is_some(),
        };
        let message = "no data key of now was seen by a revoked recipient: what one had seen was sealed afresh, or is gone; \
                       only whoever changed the values at their source knows if they are new";
        return is_afresh.then(|| following.next(EXPOSED, false, Reason::SealedAfresh, message));
    }
    let message = format!(
        "a revoked recipient ({}) has had the data key of at least these items, {} in all: {}; change their values at the \
         source, and seal them",
        listed(exposed.to.iter().map(Fingerprint::short)),
        exposed.count,
        listed(&exposed.names)
    );
    Some(following.next(EXPOSED, true, Reason::RevokedRecipient, &message))
}

fn foreign<'a>(
    strangers: impl ExactSizeIterator<Item = &'a Fingerprint>,
    following: &Conditions<'_>,
) -> Condition {
    let strangers: Vec<String> = strangers.map(Fingerprint::short).collect();
    let message = format!(
        "it is sealed to recipients that aren't this cluster's ({}), so it is left alone; name them with \
         --extra-recipients or --former-recipients, or rotate the file with an identity",
        listed(&strangers)
    );
    following.next(REWRAP_OFFERED, false, Reason::ForeignRecipients, &message)
}

/// The status in a form that fits beside the rest of the object, which has `weight` bytes: without the offer, and if
/// need be without the names of exposed items, whose number stays.
pub(crate) fn fitting(
    mut status: SealedSecretStatus,
    weight: usize,
    last: &Last,
    now: Timestamp,
) -> SealedSecretStatus {
    let size = |status: &SealedSecretStatus| {
        weight + serde_json::to_vec(status).expect("plain data always serializes").len()
    };
    if status.rewrap.is_some() && size(&status) > MAX_WITH_OFFER {
        status.rewrap = None;
        if let Some(offered) = status.conditions.iter_mut().find(|it| it.type_ == REWRAP_OFFERED) {
            let message = "with an offer the object would be larger than 1 MiB; rotate the file with an identity, or \
                           split it";
            *offered = following(last, now).next(REWRAP_OFFERED, false, Reason::OfferTooLarge, message);
        }
    }
    if !status.exposed.is_empty() && size(&status) > MAX_WITH_NAMES {
        status.exposed.clear();
    }
    status
}

/// The notices about what wasn't so before.
pub(super) fn news(last: &Last, next: &SealedSecretStatus) -> impl Iterator<Item = Notice> {
    [(EXPOSED, Reason::RevokedRecipient), (KEY_MISSING, Reason::KeyMissing)].into_iter().filter_map(
        |(type_, reason)| {
            let is_so = |condition: &&Condition| condition.status == ConditionStatus::True;
            let now = find_condition(&next.conditions, type_).filter(is_so)?;
            let is_said = before(last, type_).filter(is_so).is_some();
            (!is_said).then(|| Notice {
                warning: true,
                reason: reason.as_str(),
                message: now.message.clone(),
            })
        },
    )
}

#[cfg(test)]
mod tests;
