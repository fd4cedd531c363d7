//! Decides whether a newer key is due, and what keeps it from being made.
//!
//! [`super`] makes the key, and [`crate::keys::status`] has the words. Invariants: no key is made while an earlier step
//! of a renewal isn't done, so that a renewal that was cut short goes on instead of beginning again. A key that is lost
//! isn't replaced before somebody knows of the loss, since its Secret may come back.

use jiff::{SignedDuration, Timestamp};
use seal_crds::keys::Fingerprint;
use seal_crds::resources::KeyState;

use super::facts::{Claim, Facts, Key};
use crate::keys::server_time::ClockFault;
use crate::keys::settings::Settings;

/// The most loaded keys with which another one is made.
pub(in crate::keys) const MAX_KEYS: usize = 32;

/// The most keys that are made within [`RECENT`].
pub(in crate::keys) const MAX_RECENT: usize = 8;

const RECENT: SignedDuration = SignedDuration::from_hours(24);

/// How long before a renewal it is announced.
const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is to come of the newest key.
pub(super) struct Outlook {
    /// The primary; or, if there is none, the newest key that isn't Retiring, which was the primary or would be.
    pub(super) head: Option<Head>,
    /// The time of the primary's renewal, if age is a reason.
    pub(super) at: Option<Timestamp>,
    pub(super) renewal: Option<Renewal>,
}

/// A key by its fingerprint and the name of its Secret or SealingKey.
pub(super) struct Head {
    pub(super) fingerprint: Fingerprint,
    pub(super) name: String,
}

/// A renewal of the newest key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keys) enum Renewal {
    /// It comes within the next month.
    Soon,
    /// It is due.
    Due { why: Why, obstacle: Option<Obstacle> },
}

/// Why a newer key is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keys) enum Why {
    /// The primary is old enough.
    Age,
    /// Somebody asked the primary to retire.
    Asked,
    /// The newest key is revoked.
    Revoked,
    /// Somebody deleted the Secret of the newest key.
    Deleted,
    /// The note of the newest key's state can't be read.
    Unreadable,
    /// The newest key isn't published yet, or its backup isn't.
    Unpublished,
    /// The private half of the newest key is gone.
    Lost,
    /// No key is Active.
    NoneActive,
}

/// What keeps a key from being made although it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keys) enum Obstacle {
    /// A newer key was made, and isn't published yet.
    Unfinished,
    /// A Secret is of a later version, so it isn't known which keys there are.
    LaterVersion,
    /// The would-be primary is lost, and nobody has acknowledged that.
    Loss,
    /// The time isn't known.
    Clock(ClockFault),
    /// There are [`MAX_KEYS`] keys.
    TooManyKeys,
    /// There are [`MAX_RECENT`] keys of the last day.
    TooManyRecent,
}

impl Renewal {
    /// The reason if a key is to be made now.
    pub(super) fn due_now(self) -> Option<Why> {
        match self {
            Self::Due { why, obstacle: None } => Some(why),
            Self::Due { .. } | Self::Soon => None,
        }
    }
}

pub(super) fn outlook(facts: &Facts<'_>, primary: Option<&Key<'_>>, settings: &Settings) -> Outlook {
    let due = |why| Renewal::Due { why, obstacle: obstacle(facts, primary, why) };
    let now = facts.time.now();
    let Some(key) = primary else {
        let newest = newest(facts);
        let why = newest.as_ref().map_or(Why::NoneActive, |newest| newest.why);
        return Outlook { head: newest.map(|newest| newest.head), at: None, renewal: Some(due(why)) };
    };
    let at = settings.renewal.and_then(|period| key.made_at.checked_add(period).ok());
    let within = |time: SignedDuration| at.is_some_and(|at| at.duration_since(now) <= time);
    let renewal = match key.asked {
        KeyState::Retiring | KeyState::Revoked => Some(due(Why::Asked)),
        KeyState::Active if within(SignedDuration::ZERO) => Some(due(Why::Age)),
        KeyState::Active => within(AHEAD).then_some(Renewal::Soon),
    };
    let name = key.holders[0].secret.clone();
    Outlook { head: Some(Head { fingerprint: key.fingerprint, name }), at, renewal }
}

struct Newest {
    head: Head,
    why: Why,
}

/// The newest key that isn't Retiring, if no key is the primary.
fn newest(facts: &Facts<'_>) -> Option<Newest> {
    let is_candidate = |key: &&Key<'_>| key.floor != KeyState::Retiring || key.unreadable.is_some();
    let held = facts.keys.iter().filter(is_candidate).map(|key| {
        let why = match key.floor {
            _ if key.unreadable.is_some() => Why::Unreadable,
            KeyState::Revoked => Why::Revoked,
            _ if key.is_deleting => Why::Deleted,
            KeyState::Active | KeyState::Retiring => Why::Unpublished,
        };
        let head = Head { fingerprint: key.fingerprint, name: key.holders[0].secret.clone() };
        (key.holders[0].order(), Newest { head, why })
    });
    let lost = facts.claims.iter().filter(|claim| is_lost_primary(facts, claim)).map(|claim| {
        let Claim { object, name, fingerprint, .. } = claim;
        let order = (object.spec.sequence, object.spec.created_at.as_str(), *fingerprint);
        let head = Head { fingerprint: *fingerprint, name: (*name).to_owned() };
        (order, Newest { head, why: Why::Lost })
    });
    held.chain(lost).max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, newest)| newest)
}

/// Whether this is a key that would be the primary if its Secret came back, and nobody has acknowledged the loss. A
/// lost key that is Retiring or Revoked keeps nothing from being made.
fn is_lost_primary(facts: &Facts<'_>, claim: &Claim<'_>) -> bool {
    facts.is_lost(claim) && !claim.is_destroyed() && claim.floor_without_secret() == KeyState::Active
}

fn obstacle(facts: &Facts<'_>, primary: Option<&Key<'_>>, why: Why) -> Option<Obstacle> {
    let newest_first = facts.keys.iter().rev();
    let mut newer = newest_first.take_while(|key| primary.is_none_or(|it| it.fingerprint != key.fingerprint));
    let is_recent = |key: &&Key<'_>| facts.time.now().duration_since(key.made_at) < RECENT;
    if newer.any(Key::is_unfinished) {
        Some(Obstacle::Unfinished)
    } else if !facts.later.is_empty() {
        Some(Obstacle::LaterVersion)
    } else if why == Why::Lost {
        Some(Obstacle::Loss)
    } else if let Some(fault) = facts.time.fault() {
        Some(Obstacle::Clock(fault))
    } else if facts.keys.len() >= MAX_KEYS {
        Some(Obstacle::TooManyKeys)
    } else if facts.keys.iter().filter(is_recent).count() >= MAX_RECENT {
        Some(Obstacle::TooManyRecent)
    } else {
        None
    }
}
