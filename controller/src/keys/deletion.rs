//! The deletion of a key: which Secrets are to go, which keys would be left, and what is said of it.
//!
//! A finalizer holds the Secret of a key that somebody deletes. The controller takes it away once a
//! [`Proof`](crate::proof::Proof) has shown that every object opens without the key: [`super::Keys::lead`] asks, and
//! writes the answer into the key's status first, so that whoever finds the Secret gone knows why. Everything here is a
//! pure function.
//!
//! The threat is also a mistake: a deletion that waits, because the key is needed, and objects that go for a moment,
//! because a GitOps tool or a definition deletes them and makes them anew. So a key goes at the first proof only if the
//! deletion is young and no proof has failed; else a proof must hold again after [`SETTLING`]. The age of the deletion
//! counts, because what a SealingKey says goes with it, and with the definition.
//!
//! Invariants: a proof counts only while the keys that it relied on are there, and not themselves being deleted; so of
//! two keys that are deleted at once, none stands in for the other. A key of which another Secret holds a copy needs no
//! proof. If no key would be left, nothing is let go: a namespace that is being deleted looks like that. No key goes in
//! the moment in which its last object does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use seal_crds::Reason;
use seal_crds::keys::{Fingerprint, Identity, Keyring};
use seal_crds::resources::{Condition, ConditionStatus, DELETABLE, SealingKey, find_condition};

use super::holder::Holder;
use super::lifecycle::verdict::Standing;
use super::loaded::Loaded;
use super::status::Statement;
use crate::conditions::Conditions;
use crate::proof::{Needing, Opened};
use crate::store::Notice;

/// The time for which nothing may need a key before it goes, if something needed it or the deletion has waited. Whoever
/// deletes objects and makes them anew is done by then.
const SETTLING: SignedDuration = SignedDuration::from_mins(10);

/// The time after a proof that let no key go in which the same isn't asked again: it opens every object.
const REST: SignedDuration = SignedDuration::from_mins(4);

/// A Secret whose finalizer goes, if it still has the version that the decision was made on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(super) secret: String,
    pub(super) resource_version: String,
    pub(super) fingerprint: Fingerprint,
}

/// The Secrets that are to go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deletions {
    /// Those of keys that another Secret holds too.
    pub(super) copied: Vec<Release>,
    /// Those that hold the only copy of a key.
    pub(super) only: Vec<Release>,
}

/// The answer to a proof, and what it relied on.
pub(super) struct Proven {
    pub(super) needing: Needing,
    /// The keys that every object was opened with.
    survivors: BTreeSet<Fingerprint>,
}

/// What a proof is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    survivors: BTreeSet<Fingerprint>,
    deleted: BTreeSet<Fingerprint>,
    /// The keys that may go as soon as a proof holds.
    settled: BTreeSet<Fingerprint>,
    /// The number of objects that need each key, as their statuses say: a hint that the answer may be another one.
    objects: BTreeMap<Fingerprint, i64>,
}

/// The last proof that let no key go, and its time.
#[derive(Default)]
pub(crate) struct Rest(Mutex<Option<(Asked, Timestamp)>>);

impl Asked {
    pub(super) fn new(
        holders: &[Holder],
        statements: &[Statement<'_>],
        objects: BTreeMap<Fingerprint, i64>,
        now: Timestamp,
    ) -> Self {
        let deleted: BTreeSet<Fingerprint> =
            Deletions::of(holders).only.into_iter().map(|release| release.fingerprint).collect();
        // What is said at the end of this look: the next one begins with it.
        let has_waited = |statement: &&Statement<'_>| {
            find_condition(&statement.status.conditions, DELETABLE).is_some_and(|said| has_settled(said, now))
        };
        let settled = statements.iter().filter(has_waited).map(|it| it.key.fingerprint()).collect();
        Self { survivors: survivors(holders), deleted, settled, objects }
    }
}

impl Rest {
    /// Whether this was asked a short while ago.
    pub(super) fn lasts(&self, asked: &Asked, now: Timestamp) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|(last, at)| last == asked && now.duration_since(*at).abs() < REST)
    }

    pub(super) fn begin(&self, asked: Asked, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, now));
    }
}

impl Deletions {
    pub(super) fn of(holders: &[Holder]) -> Self {
        let survivors = survivors(holders);
        let mut deletions = Self::default();
        for holder in holders.iter().filter(|holder| holder.is_deleting() && holder.is_held) {
            let fingerprint = holder.recipient.fingerprint();
            let (secret, resource_version) = (holder.secret.clone(), holder.resource_version.clone());
            let release = Release { secret, resource_version, fingerprint };
            let is_copied = survivors.contains(&fingerprint);
            let deletions = if is_copied { &mut deletions.copied } else { &mut deletions.only };
            deletions.push(release);
        }
        deletions
    }
}

/// The keys that stay if everything that is being deleted goes.
fn survivors(holders: &[Holder]) -> BTreeSet<Fingerprint> {
    holders
        .iter()
        .filter(|holder| !holder.is_deleting())
        .map(|holder| holder.recipient.fingerprint())
        .collect()
}

/// The keyring of the keys that stay, to prove with; `None` if no key would be left.
pub(super) fn rest(loaded: Loaded) -> Option<(Keyring, BTreeSet<Fingerprint>)> {
    let survivors = survivors(&loaded.holders);
    let stays = |identity: &Identity| survivors.contains(&identity.fingerprint());
    let keyring: Keyring = loaded.identities.into_iter().filter(stays).collect();
    (!keyring.is_empty()).then_some((keyring, survivors))
}

impl Proven {
    pub(super) fn new(needing: Needing, survivors: BTreeSet<Fingerprint>) -> Self {
        Self { needing, survivors }
    }

    /// The objects that opened.
    pub(super) fn into_opened(self) -> Opened {
        match self.needing {
            Needing::Nobody(opened) => opened,
            Needing::Objects(_) | Needing::Unknown(_) => Opened::default(),
        }
    }

    /// The answer if no key would be left.
    pub(super) fn nothing_left() -> Self {
        let why = "no other key would be left, as if the namespace were being deleted; restore this key, or remove the \
                   finalizer if all keys are to go";
        Self::new(Needing::Unknown(why.to_owned()), BTreeSet::new())
    }

    /// Whether the answer still counts: every key that it relied on is there and stays.
    pub(super) fn counts(&self, holders: &[Holder]) -> bool {
        self.survivors.is_subset(&survivors(holders))
    }
}

/// Adds to each statement about a key that is being deleted what a proof has shown. Without one, what was said before
/// stays.
pub(super) fn word(
    statements: &mut [Statement<'_>],
    proven: Option<&Proven>,
    holders: &[Holder],
    now: Timestamp,
) {
    let is_deleting = |statement: &Statement<'_>| statement.verdict.standing == Standing::Deleting;
    let keys = match statements.iter().filter(|statement| is_deleting(statement)).count() {
        ..=1 => "it",
        _ => "it and the other keys that are being deleted",
    };
    for statement in statements.iter_mut().filter(|statement| is_deleting(statement)) {
        let before =
            statement.key.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let following = Conditions { before, generation: statement.key.metadata.generation, now };
        let condition = match proven {
            Some(proven) => {
                statement.needing = proven.needing.names();
                let settled = is_settled(statement.key, holders, now);
                Some(condition(&proven.needing, keys, settled, &following))
            }
            None => find_condition(before, DELETABLE).cloned(),
        };
        statement.status.conditions.extend(condition);
    }
}

/// Whether the key may go as soon as a proof holds.
fn is_settled(key: &SealingKey, holders: &[Holder], now: Timestamp) -> bool {
    let said = key.status.as_ref().and_then(|status| find_condition(&status.conditions, DELETABLE));
    let Some(said) = said else {
        let of_key = holders.iter().filter(|holder| holder.recipient.fingerprint() == key.fingerprint());
        return of_key.filter_map(|holder| holder.deleted_at).all(|since| is_young(since, now));
    };
    has_settled(said, now)
}

/// Whether the key of which this was said may go as soon as a proof holds.
fn has_settled(said: &Condition, now: Timestamp) -> bool {
    let since: Option<Timestamp> = said.last_transition_time.parse().ok();
    match said.status {
        ConditionStatus::False => false,
        ConditionStatus::Unknown => since.is_some_and(|since| !is_young(since, now)),
        // It was to go, and still can't have been let go.
        ConditionStatus::True => since.is_some_and(|since| is_young(since, now)),
    }
}

fn is_young(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) < SETTLING
}

fn condition(needing: &Needing, keys: &str, is_settled: bool, following: &Conditions<'_>) -> Condition {
    let (status, reason, then) = match needing {
        Needing::Nobody(_) if is_settled => {
            (ConditionStatus::True, Reason::NothingNeedsIt, "its Secret goes")
        }
        Needing::Nobody(_) => (
            ConditionStatus::Unknown,
            Reason::NotNeededNow,
            "its Secret goes once that has held for ten minutes; to take the deletion back, restore the key (seal keys \
             restore)",
        ),
        Needing::Objects(_) => (
            ConditionStatus::False,
            Reason::KeyInUse,
            "its Secret stays until they are sealed to other keys; to take the deletion back, restore the key (seal keys \
             restore)",
        ),
        Needing::Unknown(_) => (ConditionStatus::False, Reason::NotProven, "its Secret stays"),
    };
    following.next(DELETABLE, status, reason, &format!("{}; {then}", needing.sentence(keys)))
}

/// The Secrets of these that may go, once these statements are said: those whose SealingKeys say why. Otherwise nobody
/// could tell a key that was let go from one that is lost.
pub(super) fn told<'a>(
    only: &'a [Release],
    statements: &'a [Statement<'_>],
) -> impl Iterator<Item = &'a Release> {
    only.iter().filter(|release| {
        let is_about = |it: &&Statement<'_>| it.key.fingerprint() == release.fingerprint;
        statements.iter().filter(is_about).any(|it| it.status.is_let_go())
    })
}

/// The notice to people if something new keeps a key from being deleted.
pub(super) fn news(statement: &Statement<'_>) -> Option<Notice> {
    let now = find_condition(&statement.status.conditions, DELETABLE)?;
    let before =
        statement.key.status.as_ref().and_then(|status| find_condition(&status.conditions, DELETABLE));
    let is_said = before.is_some_and(|before| before.reason == now.reason);
    let reason = [Reason::KeyInUse, Reason::NotProven, Reason::NotNeededNow, Reason::NothingNeedsIt]
        .into_iter()
        .find(|reason| reason.as_str() == now.reason)?;
    let they_are = if statement.needing.is_empty() { "" } else { "; they are: " };
    (!is_said).then(|| Notice {
        warning: !matches!(reason, Reason::NothingNeedsIt | Reason::NotNeededNow),
        reason: reason.as_str(),
        message: format!("{}{they_are}{}", now.message, statement.needing),
    })
}

#[cfg(test)]
mod tests;
