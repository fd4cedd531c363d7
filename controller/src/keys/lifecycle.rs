//! The life cycle of sealing keys: decides the next step, and the state of each key.
//!
//! The decision is a function of the loaded keys, the SealingKeys, the time and the settings; [`super`]
//! carries it out. After each [`Step`], [`super`] reads everything again and asks for the next decision. So a
//! controller that ended between two steps, or another controller beside it, goes on at the right step.
//! [`facts`] has the keys and the claims that SealingKeys make about them; [`renewal`] says whether a newer key is
//! due; [`verdict`] judges each SealingKey.
//!
//! Invariants. A key is its fingerprint: Secrets and SealingKeys belong to a key by its fingerprint, whatever
//! their names. A key's state only rises. At most one key may be sealed to, and never an older one in place
//! of a newer one: before a key is sealed to, every older one is noted as Retiring. A key is made together with
//! its backup, and isn't sealed to before it can be looked up and its backup is published. A SealingKey that
//! somebody else wrote can raise the state of a key, and do nothing else. Nothing here knows the words of a status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::stored::{MAX_SEQUENCE, Note};
use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::{KeyState, SealingKey, SealingKeySpec};

use super::backups::PublishBackup;
use super::holder::Holder;
use super::loaded::Loaded;
use super::settings::Settings;
use crate::recipients::RecordedKey;
use facts::{Facts, Key};
use renewal::{Outlook, Renewal};
use verdict::{Judged, judge};

mod facts;
pub(super) mod renewal;
#[cfg(test)]
pub(super) mod tests;
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
    /// The time of the primary's renewal by age.
    pub(super) renewal_at: Option<Timestamp>,
    /// All keys that are loaded or recorded, with their recovery sets.
    pub(super) recorded: Vec<RecordedKey>,
    /// The keys among them that are revoked.
    pub(super) revoked: Vec<Fingerprint>,
    /// The verdict on each SealingKey, in the order in which to write the statuses ([`Rank`](verdict::Rank)).
    pub(super) verdicts: Vec<Judged<'a>>,
}

/// The next step.
#[derive(Debug)]
pub(super) enum Step {
    /// Make a key.
    Make(Make),
    /// Note states beside private halves, in this order.
    Raise(Vec<Raise>),
    /// Publish backups, and then keys.
    Publish(Vec<PublishBackup>, Vec<Publish>),
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
    /// The recovery set, fixed from now on.
    pub(super) recovery: Vec<Recipient>,
}

/// A state to note on a Secret, if that still has the version that the decision was made on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raise {
    pub(super) secret: String,
    pub(super) resource_version: String,
    pub(super) floor: KeyState,
    /// The Secret has the finalizer of sealing keys, or may still get it. One that is being deleted takes no new one.
    pub(super) is_held: bool,
}

/// A SealingKey to create.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) key: SealingKey,
    pub(super) fingerprint: Fingerprint,
}

/// Decides on the loaded keys and the SealingKeys.
pub(super) fn decide<'a>(
    loaded: &'a Loaded,
    published: &'a [SealingKey],
    settings: &Settings,
) -> Decision<'a> {
    let facts = Facts::new(loaded, published, settings);
    let judgement = judge(&facts, settings);
    Decision {
        step: next(&facts, loaded, &judgement.outlook, settings),
        primary: judgement.primary,
        keyless: judgement.keyless,
        renewal_at: judgement.outlook.at,
        recorded: recorded(&facts),
        revoked: revoked(&facts),
        verdicts: judgement.verdicts,
    }
}

fn next(facts: &Facts<'_>, loaded: &Loaded, outlook: &Outlook, settings: &Settings) -> Step {
    if leaves_no_trace(facts)
        && let Some(key) = make(facts, settings)
    {
        return Step::Make(key);
    }
    let raised = raise(&facts.keys);
    if !raised.is_empty() {
        return Step::Raise(raised);
    }
    if outlook.renewal.and_then(Renewal::due_now).is_some()
        && let Some(key) = make(facts, settings)
    {
        return Step::Make(key);
    }
    let (backups, keys) = (loaded.backups.missing(), publish(facts));
    if !(backups.is_empty() && keys.is_empty()) {
        return Step::Publish(backups, keys);
    }
    Step::Say
}

/// All keys that are loaded or recorded. A planted SealingKey adds no key, and no recipient to one.
///
/// The threat: a recovery recipient leaked, and the key that it opens is deleted and restored from a backup, without its
/// set. What was sealed to that key is still exposed, so what was recorded of the key counts on.
fn recorded(facts: &Facts<'_>) -> Vec<RecordedKey> {
    let held = facts.keys.iter().map(|key| {
        let own = key.recovery.iter().flat_map(|it| it.recipients()).map(Recipient::fingerprint);
        let recovery = own.chain(key.recorded_recovery.iter().copied()).collect();
        RecordedKey { fingerprint: key.fingerprint, recovery }
    });
    let others = facts.claims.iter().filter(|claim| is_gone(facts, claim)).map(|claim| RecordedKey {
        fingerprint: claim.fingerprint,
        recovery: claim.recorded_recovery().map(|recipient| recipient.fingerprint()).collect(),
    });
    held.chain(others).collect()
}

/// The keys that are revoked. One whose note can't be read isn't among them: a slip of the pen must not mark everything
/// that was ever sealed to it as exposed.
fn revoked(facts: &Facts<'_>) -> Vec<Fingerprint> {
    let held = facts.keys.iter().filter(|key| key.floor == KeyState::Revoked).map(|key| key.fingerprint);
    let is_revoked = |claim: &&facts::Claim<'_>| claim.floor_without_secret() == KeyState::Revoked;
    let gone = facts.claims.iter().filter(|claim| is_gone(facts, claim)).filter(is_revoked);
    held.chain(gone.map(|claim| claim.fingerprint)).collect()
}

/// Whether the controller recorded this key, and its private half isn't loaded.
fn is_gone(facts: &Facts<'_>, claim: &facts::Claim<'_>) -> bool {
    claim.is_recorded && !facts.keys.iter().any(|key| key.fingerprint == claim.fingerprint)
}

/// Whether no controller has ever kept keys here. Then the first key is made, and none of the limits on renewals
/// counts: people can't wait for a clock to be corrected to seal at all. A key that was restored from a backup before the
/// controller started isn't a trace of a controller, nor is a SealingKey that somebody wrote. A key that the controller
/// made is a trace, even without a note: the first version of the controller wrote none.
fn leaves_no_trace(facts: &Facts<'_>) -> bool {
    facts.later.is_empty()
        && !facts.holders.iter().any(|holder| holder.is_noted_by_us || holder.is_made_by_us)
        && !facts.claims.iter().any(|claim| claim.is_recorded)
}

/// The key to make: its sequence follows the highest one of any key that there is or was, below the maximum. A
/// restored key may have the maximum, and must not keep the next key from being made. `None` if all names are
/// taken.
///
/// The name follows from the sequence, and a Secret is only ever created. So of several controllers that renew at
/// the same time, one makes the key.
fn make(facts: &Facts<'_>, settings: &Settings) -> Option<Make> {
    let held = facts.holders.iter().map(|holder| holder.sequence);
    let recorded = facts.claims.iter().filter(|claim| claim.is_recorded);
    let sequences = held.chain(recorded.map(|claim| claim.object.spec.sequence));
    let last = sequences.filter(|sequence| *sequence < MAX_SEQUENCE).max().unwrap_or_default();
    let name = |sequence| match sequence {
        1 => FIRST_KEY.to_owned(),
        _ => format!("sealing-key-{sequence}"),
    };
    let is_free = |name: &String| facts.holders.iter().all(|holder| holder.secret != *name);
    let mut free = (last + 1..=MAX_SEQUENCE).filter(|sequence| is_free(&name(*sequence)));
    free.next().map(|sequence| Make {
        name: name(sequence),
        sequence,
        created_at: facts.time.now(),
        recovery: settings.recovery().cloned().collect(),
    })
}

/// The missing notes and finalizers, those of older keys first: if writing them is cut short, an older key must not be the
/// newest Active one.
fn raise(keys: &[Key<'_>]) -> Vec<Raise> {
    // A note that can't be read is left to its writer.
    let readable = keys.iter().filter(|key| key.unreadable.is_none());
    let holders = readable.flat_map(|key| key.holders.iter().map(|holder| (key.floor, *holder)));
    let is_held = |holder: &Holder| holder.is_held || !holder.is_deleting();
    holders
        .filter(|(floor, holder)| {
            let is_noted = holder.note == Note::Says(*floor) && holder.is_noted_by_us;
            !is_noted || is_held(holder) != holder.is_held
        })
        .map(|(floor, holder)| Raise {
            secret: holder.secret.clone(),
            resource_version: holder.resource_version.clone(),
            floor,
            is_held: is_held(holder),
        })
        .collect()
}

/// The keys without a SealingKey, as SealingKeys to create. If somebody has taken a key's name for another
/// recipient, the key is published under its second name; and if that is taken too, under one that nobody can take, since
/// the API server chooses its end.
fn publish(facts: &Facts<'_>) -> Vec<Publish> {
    let is_free = |name: &String| facts.claims.iter().all(|claim| claim.name != name);
    let publish = |key: &Key<'_>| {
        let holder = key.holders[0];
        let name = names(holder).into_iter().find(is_free);
        let generated = || Some(format!("sealing-key-{}-", key.fingerprint.short()));
        let spec = SealingKeySpec {
            recipient: holder.recipient.to_string(),
            sequence: holder.sequence,
            created_at: holder.created_at.clone(),
            state: key.floor,
            loss_acknowledged: false,
        };
        let metadata = ObjectMeta {
            generate_name: if name.is_none() { generated() } else { None },
            name,
            ..ObjectMeta::default()
        };
        Publish { key: SealingKey { metadata, spec, status: None }, fingerprint: key.fingerprint }
    };
    facts.keys.iter().filter(|key| key.published.is_none()).map(publish).collect()
}

/// The two names that a key is published under; it takes the first that is free.
pub(super) fn names(holder: &Holder) -> [String; 2] {
    [holder.secret.clone(), format!("sealing-key-{}", holder.recipient.fingerprint().short())]
}
