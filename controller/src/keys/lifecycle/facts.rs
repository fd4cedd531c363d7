//! The loaded keys, and the claims that SealingKeys make about them.
//!
//! [`super`] decides what to do. Invariants: only Secrets make a key. A key's floor only rises, and a person
//! who can write SealingKeys, but no Secrets, can't lower it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use seal_crds::keys::stored::{Note, Recovery};
use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::{KeyState, PublishedState, SealingKey, SealingKeyStatus};

use crate::keys::holder::Holder;
use crate::keys::loaded::Loaded;
use crate::keys::server_time::ServerTime;
use crate::keys::settings::Settings;

/// The facts to decide on.
pub(super) struct Facts<'a> {
    pub(super) holders: &'a [Holder],
    /// As [`Loaded::later`].
    pub(super) later: &'a [Option<Fingerprint>],
    pub(super) time: &'a ServerTime,
    pub(super) claims: Claims<'a>,
    /// The keys whose private halves are loaded, the oldest first.
    pub(super) keys: Vec<Key<'a>>,
}

/// All SealingKeys.
///
/// The threat: everybody who may write SealingKeys can make any number of them. So each is visited a fixed
/// number of times, whatever their number is; a test counts the visits.
pub(super) struct Claims<'a>(Vec<Claim<'a>>);

#[cfg(test)]
thread_local! {
    /// How many more visits this thread may make.
    pub(super) static VISITS_LEFT: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

impl<'a> Claims<'a> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Claim<'a>> {
        let claims = self.0.iter();
        #[cfg(test)]
        let claims = claims.inspect(|_| {
            VISITS_LEFT
                .set(VISITS_LEFT.get().checked_sub(1).expect("a SealingKey costs a fixed number of visits"));
        });
        claims
    }
}

/// A SealingKey, which claims to be about a key. Whatever is computed from it is computed once, since there
/// may be any number of them.
pub(super) struct Claim<'a> {
    pub(super) object: &'a SealingKey,
    pub(super) name: &'a str,
    pub(super) fingerprint: Fingerprint,
    /// The controller had the private half and recorded that.
    pub(super) is_recorded: bool,
    /// The spec or the flag says that the key is Revoked.
    is_revoked: bool,
}

/// A key whose private half is loaded.
pub(super) struct Key<'a> {
    pub(super) fingerprint: Fingerprint,
    /// The Secrets that hold the key, at least one; the first decides on sequence and date.
    pub(super) holders: Vec<&'a Holder>,
    /// The lowest state that the key can have. A person who may only write SealingKeys can't lower it.
    pub(super) floor: KeyState,
    /// The name of a Secret whose note can't be read.
    pub(super) unreadable: Option<&'a str>,
    /// The highest state that a SealingKey of this key asks for.
    pub(super) asked: KeyState,
    /// The name of the SealingKey that speaks for the key: the first recorded one, or else the first. It is
    /// looked up once, since there may be any number of SealingKeys.
    pub(super) published: Option<&'a str>,
    /// The recovery set that the key was made with, if one of its Secrets has it.
    pub(super) recovery: Option<&'a Recovery>,
    /// The recovery recipients that the controller recorded of the key. A Secret that comes from a backup has no set, and
    /// whoever has one of these recipients opens that backup all the same.
    pub(super) recorded_recovery: BTreeSet<Fingerprint>,
    /// The key has no recovery set, or its backup is published.
    pub(super) is_backed_up: bool,
    /// The controller has said that Secrets are sealed to the key.
    was_primary: bool,
    /// Somebody has deleted every Secret of the key; finalizers hold them.
    pub(super) is_deleting: bool,
    /// When the key was made: its own date, or the API server's if that is still to come.
    pub(super) made_at: Timestamp,
    /// The key's own date is still to come.
    pub(super) is_dated_ahead: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn new(loaded: &'a Loaded, published: &'a [SealingKey], settings: &Settings) -> Self {
        let Loaded { holders, later, time, backups, .. } = loaded;
        let claims = Claims(published.iter().map(|object| Claim::new(object, settings)).collect());
        let mut keys = held(holders, time);
        for key in &mut keys {
            key.hear(&claims);
            key.is_backed_up = key.recovery.is_none() || backups.is_published(&key.fingerprint);
            if settings.revoked.contains(&key.fingerprint) {
                key.asked = KeyState::Revoked;
            }
        }
        succeed(&mut keys);
        Self { holders, later, time, claims, keys }
    }

    /// Whether the claim is about a key that the controller had, and whose private half is gone: it is neither loaded
    /// nor in a Secret of a later version.
    pub(super) fn is_lost(&self, claim: &Claim<'_>) -> bool {
        claim.is_recorded
            && !self.keys.iter().any(|key| key.fingerprint == claim.fingerprint)
            && !self.later.contains(&Some(claim.fingerprint))
    }
}

/// The keys that these Secrets hold, the oldest first.
fn held<'a>(holders: &'a [Holder], time: &ServerTime) -> Vec<Key<'a>> {
    let mut keys: Vec<Key<'_>> = Vec::new();
    let mut holders: Vec<&Holder> = holders.iter().collect();
    holders.sort_by(|one, other| other.order().cmp(&one.order()).then_with(|| one.secret.cmp(&other.secret)));
    for holder in holders {
        let fingerprint = holder.recipient.fingerprint();
        match keys.iter_mut().find(|key| key.fingerprint == fingerprint) {
            Some(key) => {
                key.holders.push(holder);
                key.recovery = key.recovery.or(holder.recovery.as_ref());
                key.is_deleting &= holder.is_deleting();
            }
            None => {
                let (made_at, is_dated_ahead) = holder.made_at(time);
                keys.push(Key {
                    fingerprint,
                    holders: vec![holder],
                    floor: KeyState::Retiring,
                    unreadable: None,
                    asked: KeyState::Active,
                    published: None,
                    recovery: holder.recovery.as_ref(),
                    recorded_recovery: BTreeSet::new(),
                    is_backed_up: false,
                    was_primary: false,
                    is_deleting: holder.is_deleting(),
                    made_at,
                    is_dated_ahead,
                });
            }
        }
    }
    keys.reverse();
    keys
}

/// The lowest state that a key can have: the highest one that was noted beside the private half, or that the
/// controller recorded on the SealingKey; without either, Retiring.
///
/// A note that raises the state counts, whoever wrote it. The note `Active` counts only if the controller
/// wrote it: every backup has it, and a restored Secret must not become the primary by that.
fn floor(holders: &[&Holder], recorded: Option<KeyState>) -> KeyState {
    let believed = |holder: &&&Holder| holder.is_noted_by_us || holder.note != Note::Says(KeyState::Active);
    let noted = holders.iter().filter(believed).filter_map(|holder| match holder.note {
        Note::Says(state) => Some(state),
        Note::Absent | Note::Unreadable => None,
    });
    noted.chain(recorded).max().unwrap_or(KeyState::Retiring)
}

/// Raises floors as far as the keys' order and their SealingKeys demand.
///
/// The newest Active key that is complete is the one to seal to. All older keys retire, and stay so if the newest is
/// retired, revoked, deleted or lost later: so nobody makes an older key the primary again. A newer key that isn't
/// published yet, or whose backup isn't, retires no other: whatever keeps it from being published must not stop those
/// who seal. Retiring the newest key takes effect only when there is a newer one; Revoked takes effect at once.
fn succeed(keys: &mut [Key<'_>]) {
    let mut is_succeeded = false;
    for key in keys.iter_mut().rev() {
        // A key whose note can't be read counts too: once the note is corrected, the key is Active again.
        if key.floor == KeyState::Active {
            if is_succeeded {
                key.floor = KeyState::Retiring;
            }
            is_succeeded |= key.is_complete();
        }
        if key.asked == KeyState::Revoked {
            key.floor = KeyState::Revoked;
        }
    }
}

impl<'a> Key<'a> {
    /// Takes in the notes beside the private half, and the claims of SealingKeys.
    fn hear(&mut self, claims: &Claims<'a>) {
        let unreadable = self.holders.iter().find(|holder| holder.note == Note::Unreadable);
        self.unreadable = unreadable.map(|holder| holder.secret.as_str());
        let about = || claims.iter().filter(|claim| self.is_meant_by(claim));
        let recorded: Vec<&Claim<'_>> = about().filter(|claim| claim.is_recorded).collect();
        let recovery = recorded.iter().flat_map(|claim| claim.recorded_recovery());
        let recovery = recovery.map(|recipient| recipient.fingerprint()).collect();
        let asked = about().map(|claim| claim.object.spec.state).max();
        let speaker = about().min_by_key(|claim| (!claim.is_recorded, claim.name));
        self.floor = floor(&self.holders, recorded.iter().map(|claim| claim.floor()).max());
        self.recorded_recovery = recovery;
        self.asked = asked.unwrap_or(KeyState::Active);
        self.published = speaker.map(|claim| claim.name);
        self.was_primary = speaker.is_some_and(|claim| claim.object.is_primary());
    }

    /// Whether a SealingKey is about this key: the controller recorded it as such, or its recipient, sequence
    /// and date are those of the key. Otherwise somebody wrote our recipient beside a sequence or date of
    /// their own.
    pub(super) fn is_meant_by(&self, claim: &Claim<'_>) -> bool {
        let spec = &claim.object.spec;
        let is_right =
            |holder: &&Holder| (holder.sequence, &holder.created_at) == (spec.sequence, &spec.created_at);
        claim.fingerprint == self.fingerprint && (claim.is_recorded || self.holders.iter().any(is_right))
    }

    /// Whether everything that a primary needs is there: the Secret, a SealingKey, and, to become the primary, a backup
    /// if it has a recovery set. The threat to one that is the primary already: whoever may write ConfigMaps puts an
    /// immutable one in the place of its backup, and nobody could seal until somebody deletes that.
    pub(super) fn is_complete(&self) -> bool {
        self.published.is_some() && (self.is_backed_up || self.was_primary)
    }

    /// Whether nothing speaks against sealing to this key, once it is complete and the newest.
    fn is_usable(&self) -> bool {
        self.floor == KeyState::Active && self.unreadable.is_none() && !self.is_deleting
    }

    /// Whether the key is sealed to, if it is the newest of its kind.
    pub(super) fn is_sealed_to(&self) -> bool {
        self.is_usable() && self.is_complete()
    }

    /// Whether the key is a new one that isn't published yet.
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_usable() && !self.is_complete()
    }
}

impl<'a> Claim<'a> {
    fn new(object: &'a SealingKey, settings: &Settings) -> Self {
        let fingerprint = object.fingerprint();
        Self {
            object,
            name: object.metadata.name.as_deref().unwrap_or_default(),
            fingerprint,
            is_recorded: object.is_recorded(),
            is_revoked: object.spec.state == KeyState::Revoked || settings.revoked.contains(&fingerprint),
        }
    }

    /// The floor that the controller recorded. The first version of the controller recorded neither floor nor
    /// state, and used the state in the spec. In all other cases the spec's state is only a wish: a person
    /// who may write SealingKeys can make one again with Active.
    fn floor(&self) -> KeyState {
        let status = self.object.status.as_ref();
        match status.map(|status| (status.floor, status.state)) {
            Some((Some(floor), _)) => floor,
            Some((None, None)) => self.object.spec.state,
            Some((None, Some(_))) | None => KeyState::Retiring,
        }
    }

    /// Whether the loss of the key is no loss: it was deleted after nothing needed it, or somebody has acknowledged that
    /// it is gone. It means something only of a recorded key without a Secret.
    ///
    /// The threat is a mistake: a key was lost, its loss acknowledged, the key restored after all, and lost again a year
    /// later. The old acknowledgement says nothing of that loss, which nobody may have noticed.
    pub(super) fn is_destroyed(&self) -> bool {
        let said = self.object.status.as_ref().and_then(|status| status.state);
        said == Some(PublishedState::Destroyed)
            || self.object.status.as_ref().is_some_and(SealingKeyStatus::is_let_go)
            || (self.object.spec.loss_acknowledged && !self.object.is_acknowledgement_void())
    }

    /// The recipients that the controller recorded a backup of the key to be encrypted to.
    pub(super) fn recorded_recovery(&self) -> impl Iterator<Item = Recipient> {
        self.object.status.iter().flat_map(SealingKeyStatus::backup_recipients)
    }

    /// The floor of a recorded key whose Secret is missing or can't be read: the recorded one, since a wish for Active
    /// doesn't count at all. A revocation does: a copy of the private half may be in wrong hands, in a snapshot of etcd
    /// for one, whatever became of the Secret.
    pub(super) fn floor_without_secret(&self) -> KeyState {
        if self.is_revoked {
            return KeyState::Revoked;
        }
        let recorded = self.object.status.as_ref().and_then(|status| status.floor);
        recorded.unwrap_or_else(|| self.floor().max(KeyState::Retiring))
    }
}

impl Holder {
    /// The value that orders keys by age. The date decides between equal sequences, and the fingerprint
    /// between equal dates, so that every controller decides alike.
    pub(super) fn order(&self) -> (i64, &str, Fingerprint) {
        (self.sequence, &self.created_at, self.recipient.fingerprint())
    }

    /// When the key was made, and whether its own date is still to come. Then the API server's date of the Secret
    /// counts: otherwise a key with a wrong date would never be renewed.
    fn made_at(&self, time: &ServerTime) -> (Timestamp, bool) {
        let own: Option<Timestamp> = self.created_at.parse().ok();
        match own.filter(|own| !time.is_ahead(*own)) {
            Some(own) => (own, false),
            None => (self.stored_at.parse().unwrap_or(time.now()), true),
        }
    }
}
