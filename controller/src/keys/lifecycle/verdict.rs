//! Judges the keys: which one is the primary, and what each SealingKey is.
//!
//! [`crate::keys::status`] has the words for it. Invariants: at most one key is the primary, and never an
//! older one in place of a newer one; a key without a SealingKey is never the primary, because nobody could
//! look it up.

use jiff::Timestamp;
use seal_crds::keys::{Fingerprint, Recipient, backup};
use seal_crds::resources::{KeyState, SealingKey};

use super::facts::{Claim, Facts, Key};
use super::renewal::{Obstacle, Outlook, Renewal, Why, outlook};
use crate::keys::server_time::ClockFault;
use crate::keys::settings::Settings;

/// The judgement of all keys.
pub(super) struct Judgement<'a> {
    /// The key that Secrets are sealed to.
    pub(super) primary: Option<Fingerprint>,
    /// Why there is no such key, as a sentence for people.
    pub(super) keyless: Option<String>,
    /// What is to come of the newest key.
    pub(super) outlook: Outlook,
    /// The verdict on each SealingKey, in the order in which to write the statuses ([`Rank`]).
    pub(super) verdicts: Vec<Judged<'a>>,
}

/// A SealingKey, as it was read, and the judgement of it.
pub(in crate::keys) struct Judged<'a> {
    pub(in crate::keys) key: &'a SealingKey,
    pub(in crate::keys) verdict: Verdict,
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
    /// The renewal of this key, if it is the newest.
    pub(in crate::keys) renewal: Option<Renewal>,
    /// The time of the primary's renewal by age.
    pub(in crate::keys) renewal_at: Option<Timestamp>,
    /// The recovery set in the key's Secrets, sorted, empty if they have none; `None` if the private half isn't loaded.
    pub(in crate::keys) recovery: Option<Vec<Recipient>>,
    /// The ConfigMap that should hold the backup, and doesn't.
    pub(in crate::keys) missing_backup: Option<String>,
    /// The Secret with the private half; `None` if that isn't loaded.
    pub(in crate::keys) secret: Option<String>,
    /// The dates can't be relied on.
    pub(in crate::keys) dates: Option<DateFault>,
    /// The loss of the key was acknowledged while the controller had it, so that counts for no loss.
    pub(in crate::keys) is_acknowledgement_void: bool,
}

/// What is wrong with the dates of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keys) enum DateFault {
    /// The time isn't known, so the newest key isn't renewed.
    Clock(ClockFault),
    /// The key's own date is still to come.
    Ahead,
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
    /// Somebody has deleted the Secret with the private half, and a finalizer holds it.
    Deleting,
    /// The private half is in a Secret of a later version.
    LaterVersion,
    /// The controller had the private half, and it is gone.
    Lost,
    /// The controller had the private half, and it is gone for good: nothing needed it, or somebody has acknowledged the
    /// loss.
    Destroyed,
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
pub(super) fn judge<'a>(facts: &Facts<'a>, settings: &Settings) -> Judgement<'a> {
    let primary = facts.keys.iter().rfind(|key| key.is_sealed_to());
    let outlook = outlook(facts, primary, settings);
    let verdict = |claim: &Claim<'a>| {
        let standing = standing(facts, claim);
        let is_own = !matches!(standing, Standing::Duplicate { .. } | Standing::Planted);
        let key = facts.keys.iter().find(|key| key.fingerprint == claim.fingerprint);
        let is_head = is_own && outlook.head.as_ref().is_some_and(|it| it.fingerprint == claim.fingerprint);
        let is_primary = is_own && primary.is_some_and(|key| key.fingerprint == claim.fingerprint);
        let floor = match standing {
            Standing::Planted => None,
            // Whoever brings the private half back, when the key that took its place is revoked or lost in turn, must not
            // make an older key the primary again. Nothing else could say so then: the key isn't loaded, so no floor is
            // noted beside it.
            Standing::Destroyed => Some(claim.floor_without_secret().max(KeyState::Retiring)),
            Standing::Lost if primary.is_some() => Some(claim.floor_without_secret().max(KeyState::Retiring)),
            Standing::Lost | Standing::LaterVersion => Some(claim.floor_without_secret()),
            _ => key.map(|key| key.floor),
        };
        let verdict = Verdict {
            floor,
            is_primary,
            renewal: outlook.renewal.filter(|_| is_head),
            renewal_at: outlook.at.filter(|_| is_primary),
            recovery: key.filter(|_| is_own).map(recovery),
            missing_backup: key.filter(|key| is_own && !key.is_backed_up).map(config_map_name),
            secret: key.filter(|_| is_own).map(|key| key.holders[0].secret.clone()),
            dates: dates(facts, key.filter(|_| is_own), is_head),
            is_acknowledgement_void: is_acknowledgement_void(claim.object, &standing),
            standing,
        };
        Judged { key: claim.object, verdict }
    };
    let mut verdicts: Vec<_> = facts.claims.iter().map(verdict).collect();
    verdicts.sort_by_key(|judged| judged.verdict.rank());
    let keyless = primary.is_none().then(|| keyless(&outlook));
    Judgement { primary: primary.map(|key| key.fingerprint), keyless, outlook, verdicts }
}

/// Whether the acknowledgement of a loss, if there is one, came before any loss. The private half shows that, and once it
/// is gone, the condition that was written while it was there. An acknowledgement that is taken back is forgotten, so the
/// next one counts.
fn is_acknowledgement_void(object: &SealingKey, standing: &Standing) -> bool {
    let is_void = match standing {
        Standing::Held(_) | Standing::Unreadable { .. } | Standing::LaterVersion => true,
        Standing::Duplicate { is_recorded, .. } => *is_recorded,
        // A deletion that waits is no loss yet. But somebody has asked for it, so people may acknowledge it meanwhile.
        Standing::Deleting | Standing::Lost => object.is_acknowledgement_void(),
        Standing::Destroyed | Standing::Planted => false,
    };
    is_void && object.spec.loss_acknowledged
}

fn config_map_name(key: &Key<'_>) -> String {
    backup::config_map_name(&key.fingerprint)
}

fn recovery(key: &Key<'_>) -> Vec<Recipient> {
    key.recovery.map(|recovery| recovery.recipients().to_vec()).unwrap_or_default()
}

fn dates(facts: &Facts<'_>, key: Option<&Key<'_>>, is_head: bool) -> Option<DateFault> {
    let clock = facts.time.fault().filter(|_| is_head).map(DateFault::Clock);
    clock.or_else(|| key.filter(|key| key.is_dated_ahead).map(|_| DateFault::Ahead))
}

/// Why Secrets are sealed to no key, and what has to happen.
fn keyless(outlook: &Outlook) -> String {
    let (why, obstacle) = match outlook.renewal {
        Some(Renewal::Due { why, obstacle }) => (why, obstacle),
        Some(Renewal::Soon) | None => (Why::NoneActive, None),
    };
    let newest = outlook.head.as_ref().map(|head| head.name.as_str()).unwrap_or_default();
    let why = match why {
        Why::Unreadable => "what is noted of its state can't be read",
        Why::Revoked => "it is revoked",
        Why::Deleted => "somebody has deleted its Secret",
        Why::Lost => "its private half is missing",
        Why::Unpublished => {
            "it isn't published with its backup: the API server refuses it, or an immutable ConfigMap has its backup's name"
        }
        Why::Age | Why::Asked | Why::NoneActive => {
            let none =
                "Secrets are sealed to no key: all that there are are retiring, lost, or of a later version";
            return format!("{none}{}", hindrance(obstacle));
        }
    };
    format!(
        "Secrets are sealed to no key: the newest is {newest}, and {why}; no older key takes its place{}",
        hindrance(obstacle)
    )
}

/// What keeps a newer key from being made, as the end of a sentence.
pub(in crate::keys) fn hindrance(obstacle: Option<Obstacle>) -> String {
    let Some(obstacle) = obstacle else { return String::new() };
    let what = match obstacle {
        Obstacle::Unfinished => "; a newer key takes its place as soon as it is published",
        Obstacle::LaterVersion => {
            "; no newer key is made, because a Secret is of a later version: update the controller"
        }
        Obstacle::Loss => {
            "; no newer key is made before the Secret is restored from a backup, or the loss is acknowledged (seal keys \
             delete --force)"
        }
        Obstacle::Clock(ClockFault::Differs) => {
            "; no newer key is made, because the clocks of the controller and the API server differ by more than five \
             minutes: correct them"
        }
        Obstacle::Clock(ClockFault::NoDate) => {
            "; no newer key is made, because the API server's answers have no date: find out what drops the header"
        }
        Obstacle::TooManyKeys => {
            "; no newer key is made, because there are 32: delete keys that nothing needs"
        }
        Obstacle::TooManyRecent => {
            "; no newer key is made, because 8 are less than a day old: find out who asks for new ones"
        }
    };
    what.to_owned()
}

fn standing(facts: &Facts<'_>, claim: &Claim<'_>) -> Standing {
    if let Some(key) = facts.keys.iter().find(|key| key.is_meant_by(claim)) {
        return match (key.published, key.unreadable) {
            (Some(first), _) if first != claim.name => {
                Standing::Duplicate { of: first.to_owned(), is_recorded: claim.is_recorded }
            }
            _ if key.is_deleting => Standing::Deleting,
            (_, Some(secret)) => Standing::Unreadable { secret: secret.to_owned() },
            (_, None) => Standing::Held(key.floor),
        };
    }
    if !claim.is_recorded {
        Standing::Planted
    } else if facts.later.contains(&Some(claim.fingerprint)) {
        Standing::LaterVersion
    } else if claim.is_destroyed() {
        Standing::Destroyed
    } else {
        Standing::Lost
    }
}
