//! Judges the keys: which one is the primary, and what each SealingKey is.
//!
//! [`crate::keys::status`] has the words for it. Invariants: at most one key is the primary, and never an
//! older one in place of a newer one; a key without a SealingKey is never the primary, because nobody could
//! look it up.

use seal_crds::keys::Fingerprint;
use seal_crds::resources::{KeyState, SealingKey};

use super::facts::{Claim, Facts};

/// The judgement of all keys.
pub(super) struct Judgement<'a> {
    /// The key that Secrets are sealed to.
    pub(super) primary: Option<Fingerprint>,
    /// Why there is no such key, as a sentence for people.
    pub(super) keyless: Option<String>,
    /// The verdict on each SealingKey, in the order in which to write the statuses ([`Rank`]).
    pub(super) verdicts: Vec<(&'a SealingKey, Verdict)>,
}

/// The judgement of one SealingKey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::keys) struct Verdict {
    /// The kind of SealingKey that it is.
    pub(in crate::keys) standing: Standing,
    /// The lowest state that its key can have. It is recorded even if the key isn't loaded; `None` for a key
    /// that the controller never had.
    pub(in crate::keys) floor: Option<KeyState>,
    /// Secrets are sealed to its key.
    pub(in crate::keys) is_primary: bool,
    /// A newer key is due in place of this one.
    pub(in crate::keys) is_renewal_due: bool,
}

/// The order in which statuses are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::keys) enum Rank {
    /// The controller's own SealingKeys. They come before the primary, so that two are never called that.
    Own,
    /// The primary.
    Primary,
    /// SealingKeys of others. They come last: there may be any number of them, and they change nothing.
    Planted,
}

/// The kinds of SealingKeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::keys) enum Standing {
    /// The public half of a key whose private half is loaded.
    Held(KeyState),
    /// The private half is loaded, but the note of its state can't be read; the key is treated as Revoked.
    Unreadable { secret: String },
    /// The private half is in a Secret of a later version.
    LaterVersion,
    /// The controller had the private half, and it is gone.
    Lost,
    /// The controller never had the private half.
    Planted,
    /// There is another SealingKey of the same key.
    Duplicate { of: String, is_recorded: bool },
}

impl Verdict {
    pub(in crate::keys) fn rank(&self) -> Rank {
        match self.standing {
            _ if self.is_primary => Rank::Primary,
            Standing::Planted | Standing::Duplicate { is_recorded: false, .. } => Rank::Planted,
            _ => Rank::Own,
        }
    }
}

/// Judges the keys as they are, before the next step.
pub(super) fn judge<'a>(facts: &Facts<'a>) -> Judgement<'a> {
    let due = due(facts);
    let primary = facts.keys.iter().rfind(|key| key.is_active()).filter(|key| key.published.is_some());
    let renewed = match primary {
        Some(key) => Some(key.fingerprint).filter(|_| key.asked == KeyState::Retiring),
        None => due.as_ref().map(|due| due.fingerprint),
    };
    let verdict = |claim: &Claim<'a>| {
        let standing = standing(facts, claim);
        let is_own = !matches!(standing, Standing::Duplicate { .. } | Standing::Planted);
        let is = |fingerprint: Option<Fingerprint>| is_own && fingerprint == Some(claim.fingerprint);
        let (is_primary, is_renewal_due) = (is(primary.map(|key| key.fingerprint)), is(renewed));
        let floor = match standing {
            Standing::Planted => None,
            Standing::Lost | Standing::LaterVersion => Some(claim.floor_without_secret()),
            _ => facts.keys.iter().find(|key| key.fingerprint == claim.fingerprint).map(|key| key.floor),
        };
        (claim.object, Verdict { standing, floor, is_primary, is_renewal_due })
    };
    let mut verdicts: Vec<_> = facts.claims.iter().map(verdict).collect();
    verdicts.sort_by_key(|(_, verdict)| verdict.rank());
    let keyless = primary.is_none().then(|| keyless(due));
    Judgement { primary: primary.map(|key| key.fingerprint), keyless, verdicts }
}

/// The key in whose place a newer one is due, if there is no primary.
struct Due {
    fingerprint: Fingerprint,
    name: String,
    why: &'static str,
}

/// Finds the newest key that isn't Retiring: it was the primary, or would be.
fn due(facts: &Facts<'_>) -> Option<Due> {
    let is_candidate = |floor| floor != KeyState::Retiring;
    let held = facts.keys.iter().filter(|key| is_candidate(key.floor) || key.unreadable.is_some());
    let held = held.map(|key| {
        let why = match key.floor {
            _ if key.unreadable.is_some() => "what is noted of its state can't be read",
            KeyState::Revoked => "it is revoked",
            KeyState::Active | KeyState::Retiring => {
                "it isn't published: other SealingKeys have its names, or the API server refuses it"
            }
        };
        let due = Due { fingerprint: key.fingerprint, name: key.holders[0].secret.clone(), why };
        (key.holders[0].order(), due)
    });
    let lost = facts.claims.iter().filter(|claim| {
        standing(facts, claim) == Standing::Lost && is_candidate(claim.floor_without_secret())
    });
    let lost = lost.map(|Claim { object, name, fingerprint, .. }| {
        let order = (object.spec.sequence, object.spec.created_at.as_str(), *fingerprint);
        let (name, why) = ((*name).to_owned(), "its private half is missing");
        (order, Due { fingerprint: *fingerprint, name, why })
    });
    held.chain(lost).max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, due)| due)
}

fn keyless(due: Option<Due>) -> String {
    match due {
        Some(Due { name, why, .. }) => {
            format!(
                "Secrets are sealed to no key: the newest is {name}, and {why}; no other key takes its place"
            )
        }
        None => "Secrets are sealed to no key: all that there are are retiring, lost, or of a later version"
            .to_owned(),
    }
}

fn standing(facts: &Facts<'_>, claim: &Claim<'_>) -> Standing {
    if let Some(key) = facts.keys.iter().find(|key| key.is_meant_by(claim)) {
        return match (key.published, key.unreadable) {
            (Some(first), _) if first != claim.name => {
                Standing::Duplicate { of: first.to_owned(), is_recorded: claim.is_recorded }
            }
            (_, Some(secret)) => Standing::Unreadable { secret: secret.to_owned() },
            (_, None) => Standing::Held(key.floor),
        };
    }
    if !claim.is_recorded {
        Standing::Planted
    } else if facts.later.contains(&Some(claim.fingerprint)) {
        Standing::LaterVersion
    } else {
        Standing::Lost
    }
}
