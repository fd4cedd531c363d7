//! The life cycle of sealing keys: from what there is to what is to be done, and what is so.
//!
//! A function of what was loaded, what is published, the time and the settings; nothing is done here ([`super`] does it).
//! A [`Step`] is taken, and then everything is read and decided afresh; so a controller that ends between two steps, or
//! another one beside it, resumes at the right one. [`facts`] are the keys and what SealingKeys claim of them; [`verdict`]
//! is what is so of each SealingKey.
//!
//! Invariants. A key is its fingerprint: Secrets and SealingKeys belong to it by that, whatever their names. Its state
//! only rises. At most one key may be sealed to, and never an older one in place of a newer one: what is older than a
//! key that was Active is Retiring. A SealingKey that somebody else wrote can raise the state of a key, and do nothing
//! else.

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

/// The name of the first key: fixed, so that creating it is a race with one winner. Later ones carry their sequence.
const FIRST_KEY: &str = "sealing-key-first";

/// What is decided at one look.
pub(super) struct Decision<'a> {
    /// What is to be done next.
    pub(super) step: Step,
    /// The key that Secrets are sealed to.
    pub(super) primary: Option<Fingerprint>,
    /// Why there is no such key, as a sentence for people.
    pub(super) keyless: Option<String>,
    /// What is so of each SealingKey, in the order in which to say it ([`Rank`]).
    pub(super) statements: Vec<Statement<'a>>,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Make a key.
    Make(Make),
    /// Note states beside private halves, in this order.
    Raise(Vec<Raise>),
    /// Publish keys.
    Publish(Vec<Publish>),
    /// Nothing is missing: say what is so.
    Say,
}

/// A key to make, which is Active.
#[derive(Debug)]
pub(super) struct Make {
    /// The name of its Secret.
    pub(super) name: String,
    pub(super) sequence: i64,
    pub(super) created_at: Timestamp,
}

/// A state to note on a Secret, if that is still the one that it was decided on.
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
    /// Whoever may create Secrets beside the keys can add one, and opens what is sealed to it; so nobody does in silence.
    pub(super) notice: Option<Notice>,
}

/// Decides on what was loaded and is published.
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

/// Whether a key that was had is neither at hand nor in a Secret of a later version.
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

/// Whether no controller has ever kept keys here: then the first is made. A key that was restored from a backup before
/// the controller started isn't a trace of one, nor is a SealingKey that somebody wrote. One that the controller made is,
/// also without a note: the first version wrote none.
///
/// Otherwise none is made, also where none is Active: a key that is lost, or revoked, isn't replaced in silence.
fn leaves_no_trace(facts: &Facts<'_>) -> bool {
    facts.later.is_empty()
        && !facts.holders.iter().any(|holder| holder.is_noted_by_us || holder.is_made_by_us)
        && !facts.claims.iter().any(|claim| claim.is_recorded)
}

/// The key after the newest that has room for a next one: otherwise a key could be restored after which none can be
/// made. None where all names are taken.
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

/// The notes that are missing. The older keys come first: should this be cut short, an older key mustn't be the newest
/// Active one.
fn raise(keys: &[Key<'_>]) -> Vec<Raise> {
    // What can't be read is left to whoever wrote it.
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

/// The keys without a SealingKey. Somebody may have taken a key's name for another recipient; then the key has a second
/// name that it is published under.
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
        };
        Some(Publish {
            key: SealingKey::new(&name, spec),
            fingerprint: key.fingerprint,
            notice: (!holder.is_made_by_us).then(|| added(&holder.secret)),
        })
    };
    facts.keys.iter().filter(|key| key.published.is_none()).filter_map(publish).collect()
}

/// The names that a key is published under, the first that is free.
pub(super) fn names(holder: &Holder) -> [String; 2] {
    [holder.secret.clone(), format!("sealing-key-{}", holder.recipient.fingerprint().short())]
}

fn added(secret: &str) -> Notice {
    let message = format!(
        "Secret {secret} holds a private half that this controller didn't make: it was restored, or somebody added it"
    );
    Notice { warning: true, reason: Reason::KeyAdded.as_str(), message }
}
