//! The life cycle of sealing keys: decides the next step, and the state of each key.
//!
//! The decision is a function of the loaded keys, the SealingKeys, the time and the settings; [`super`]
//! carries it out. After each [`Step`], [`super`] reads everything again and asks for the next decision. So a
//! controller that ended between two steps, or another controller beside it, goes on at the right step.
//! [`facts`] has the keys and the claims that SealingKeys make about them; [`verdict`] judges each
//! SealingKey.
//!
//! Invariants. A key is its fingerprint: Secrets and SealingKeys belong to a key by its fingerprint, whatever
//! their names. A key's state only rises. At most one key may be sealed to, and never an older one in place
//! of a newer one: every key that is older than an Active one, or one that was Active, is Retiring. A
//! SealingKey that somebody else wrote can raise the state of a key, and do nothing else.

use jiff::Timestamp;
use seal_crds::Reason;
use seal_crds::keys::Fingerprint;
use seal_crds::keys::stored::{MAX_SEQUENCE, Note};
use seal_crds::resources::{KeyState, SealingKey, SealingKeySpec};

use super::loaded::{Holder, Loaded};
use super::settings::Settings;
use super::status::Statement;
use crate::store::Notice;
use facts::{Facts, Key};
use verdict::judge;

mod facts;
#[cfg(test)]
mod tests;
pub(super) mod verdict;

/// The name of the first key. It is fixed, so only one controller can create it. Later names carry the key's
/// sequence.
const FIRST_KEY: &str = "sealing-key-first";

/// The decision of one look.
pub(super) struct Decision<'a> {
    /// The next step.
    pub(super) step: Step,
    /// The key that Secrets are sealed to.
    pub(super) primary: Option<Fingerprint>,
    /// Why there is no such key, as a sentence for people.
    pub(super) keyless: Option<String>,
    /// The status of each SealingKey, in the order in which to write them ([`Rank`](verdict::Rank)).
    pub(super) statements: Vec<Statement<'a>>,
}

/// The next step.
#[derive(Debug)]
pub(super) enum Step {
    /// Make a key.
    Make(Make),
    /// Note states beside private halves, in this order.
    Raise(Vec<Raise>),
    /// Publish keys.
    Publish(Vec<Publish>),
    /// Write the statuses, because nothing else is missing.
    Say,
}

/// A key to make, with the state Active.
#[derive(Debug)]
pub(super) struct Make {
    /// The name of the key's Secret.
    pub(super) name: String,
    pub(super) sequence: i64,
    pub(super) created_at: Timestamp,
}

/// A state to note on a Secret, if that still has the version that the decision was made on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raise {
    pub(super) secret: String,
    pub(super) resource_version: String,
    pub(super) floor: KeyState,
}

/// A SealingKey to create.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) key: SealingKey,
    pub(super) fingerprint: Fingerprint,
    /// The notice to people if the controller didn't make the key. A person who may create Secrets beside the
    /// keys can add a key, and then open every SealedSecret for it; so this never happens in silence.
    pub(super) notice: Option<Notice>,
}

/// Decides on the loaded keys and the SealingKeys.
pub(super) fn decide<'a>(
    loaded: &'a Loaded,
    published: &'a [SealingKey],
    now: Timestamp,
    settings: &Settings,
) -> Decision<'a> {
    let facts = Facts::new(loaded, published);
    let judgement = judge(&facts);
    let say = |(key, verdict)| Statement::new(key, verdict, settings, now);
    Decision {
        step: next(&facts, now),
        primary: judgement.primary,
        keyless: judgement.keyless,
        statements: judgement.verdicts.into_iter().map(say).collect(),
    }
}

/// Whether a key is missing that the controller had: it is neither loaded nor in a Secret of a later version.
pub(super) fn misses_one(loaded: &Loaded, published: &[SealingKey]) -> bool {
    Facts::new(loaded, published).misses_one()
}

fn next(facts: &Facts<'_>, now: Timestamp) -> Step {
    if leaves_no_trace(facts)
        && let Some(key) = make(facts, now)
    {
        return Step::Make(key);
    }
    let raised = raise(&facts.keys);
    if !raised.is_empty() {
        return Step::Raise(raised);
    }
    let unpublished = publish(facts);
    if !unpublished.is_empty() {
        return Step::Publish(unpublished);
    }
    Step::Say
}

/// Whether no controller has ever kept keys here; only then the first key is made. A key that was restored
/// from a backup before the controller started isn't a trace of a controller, nor is a SealingKey that
/// somebody wrote. A key that the controller made is a trace, even without a note: the first version of the
/// controller wrote none.
///
/// If there is a trace, no key is made, even if none is Active: a key that is lost or revoked isn't replaced
/// in silence.
fn leaves_no_trace(facts: &Facts<'_>) -> bool {
    facts.later.is_empty()
        && !facts.holders.iter().any(|holder| holder.is_noted_by_us || holder.is_made_by_us)
        && !facts.claims.iter().any(|claim| claim.is_recorded)
}

/// The key to make: its sequence follows the highest one below the maximum. A restored key may have the
/// maximum, and must not keep the next key from being made. `None` if all names are taken.
fn make(facts: &Facts<'_>, created_at: Timestamp) -> Option<Make> {
    let sequences = facts.holders.iter().map(|holder| holder.sequence);
    let last = sequences.filter(|sequence| *sequence < MAX_SEQUENCE).max().unwrap_or_default();
    let name = |sequence| match sequence {
        1 => FIRST_KEY.to_owned(),
        _ => format!("sealing-key-{sequence}"),
    };
    let is_free = |name: &String| facts.holders.iter().all(|holder| holder.secret != *name);
    let mut free = (last + 1..=MAX_SEQUENCE).filter(|sequence| is_free(&name(*sequence)));
    free.next().map(|sequence| Make { name: name(sequence), sequence, created_at })
}

/// The missing notes, those of older keys first: if writing them is cut short, an older key must not be the
/// newest Active one.
fn raise(keys: &[Key<'_>]) -> Vec<Raise> {
    // A note that can't be read is left to its writer.
    let readable = keys.iter().filter(|key| key.unreadable.is_none());
    let holders = readable.flat_map(|key| key.holders.iter().map(|holder| (key.floor, *holder)));
    holders
        .filter(|(floor, holder)| holder.note != Note::Says(*floor) || !holder.is_noted_by_us)
        .map(|(floor, holder)| Raise {
            secret: holder.secret.clone(),
            resource_version: holder.resource_version.clone(),
            floor,
        })
        .collect()
}

/// The keys without a SealingKey, as SealingKeys to create. If somebody has taken a key's name for another
/// recipient, the key is published under its second name.
fn publish(facts: &Facts<'_>) -> Vec<Publish> {
    let is_free = |name: &String| facts.claims.iter().all(|claim| claim.name != name);
    let publish = |key: &Key<'_>| {
        let holder = key.holders[0];
        let name = names(holder).into_iter().find(is_free)?;
        let spec = SealingKeySpec {
            recipient: holder.recipient.to_string(),
            sequence: holder.sequence,
            created_at: holder.created_at.clone(),
            state: key.floor,
            loss_acknowledged: false,
        };
        Some(Publish {
            key: SealingKey::new(&name, spec),
            fingerprint: key.fingerprint,
            notice: (!holder.is_made_by_us).then(|| added(&holder.secret)),
        })
    };
    facts.keys.iter().filter(|key| key.published.is_none()).filter_map(publish).collect()
}

/// The two names that a key may be published under; it takes the first that is free.
pub(super) fn names(holder: &Holder) -> [String; 2] {
    [holder.secret.clone(), format!("sealing-key-{}", holder.recipient.fingerprint().short())]
}

fn added(secret: &str) -> Notice {
    let message = format!(
        "Secret {secret} holds a private half that this controller didn't make: it was restored, or somebody added it"
    );
    Notice { warning: true, reason: Reason::KeyAdded.as_str(), message }
}
