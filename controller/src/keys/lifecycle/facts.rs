//! The loaded keys, and the claims that SealingKeys make about them.
//!
//! [`super`] decides what to do. Invariants: only Secrets make a key. A key's floor only rises, and a person
//! who can write SealingKeys, but no Secrets, can't lower it.

use std::collections::BTreeSet;

use seal_crds::keys::Fingerprint;
use seal_crds::keys::stored::Note;
use seal_crds::resources::{KeyState, SealingKey};

use crate::keys::loaded::{Holder, Loaded};

/// The facts to decide on.
pub(super) struct Facts<'a> {
    pub(super) holders: &'a [Holder],
    /// As [`Loaded::later`].
    pub(super) later: &'a [Option<Fingerprint>],
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
}

impl<'a> Facts<'a> {
    pub(super) fn new(loaded: &'a Loaded, published: &'a [SealingKey]) -> Self {
        let Loaded { holders, later, .. } = loaded;
        let claims = Claims(published.iter().map(Claim::new).collect());
        let mut keys = held(holders);
        for key in &mut keys {
            key.hear(&claims);
        }
        succeed(&mut keys);
        Self { holders, later, claims, keys }
    }

    /// Whether a key is missing that the controller had: it is neither loaded nor in a Secret of a later
    /// version.
    pub(super) fn misses_one(&self) -> bool {
        let held: BTreeSet<_> = self.keys.iter().map(|key| key.fingerprint).collect();
        self.claims.iter().any(|claim| {
            claim.is_recorded
                && !held.contains(&claim.fingerprint)
                && !self.later.contains(&Some(claim.fingerprint))
        })
    }
}

/// The keys that these Secrets hold, the oldest first.
fn held(holders: &[Holder]) -> Vec<Key<'_>> {
    let mut keys: Vec<Key<'_>> = Vec::new();
    let mut holders: Vec<&Holder> = holders.iter().collect();
    holders.sort_by(|one, other| other.order().cmp(&one.order()).then_with(|| one.secret.cmp(&other.secret)));
    for holder in holders {
        let fingerprint = holder.recipient.fingerprint();
        match keys.iter_mut().find(|key| key.fingerprint == fingerprint) {
            Some(key) => key.holders.push(holder),
            None => keys.push(Key {
                fingerprint,
                holders: vec![holder],
                floor: KeyState::Retiring,
                unreadable: None,
                asked: KeyState::Active,
                published: None,
            }),
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
/// The newest Active key is the one to seal to. All older keys retire, and stay so if the newest is retired
/// or revoked later: so nobody makes an older key the primary again. Retiring the newest key takes effect
/// only when there is a newer one; Revoked takes effect at once.
fn succeed(keys: &mut [Key<'_>]) {
    let mut is_succeeded = false;
    for key in keys.iter_mut().rev() {
        // A key whose note can't be read counts too: once the note is corrected, the key is Active again.
        if key.floor == KeyState::Active {
            if is_succeeded {
                key.floor = KeyState::Retiring;
            }
            is_succeeded = true;
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
        let recorded = about().filter(|claim| claim.is_recorded).map(Claim::floor).max();
        let asked = about().map(|claim| claim.object.spec.state).max();
        let published = about().min_by_key(|claim| (!claim.is_recorded, claim.name)).map(|claim| claim.name);
        self.floor = floor(&self.holders, recorded);
        self.asked = asked.unwrap_or(KeyState::Active);
        self.published = published;
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

    pub(super) fn is_active(&self) -> bool {
        self.floor == KeyState::Active && self.unreadable.is_none()
    }
}

impl<'a> Claim<'a> {
    fn new(object: &'a SealingKey) -> Self {
        Self {
            object,
            name: object.metadata.name.as_deref().unwrap_or_default(),
            fingerprint: object.fingerprint(),
            is_recorded: object.is_recorded(),
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

    /// The recorded floor of a key whose Secret is missing or can't be read: then a wish for Active doesn't
    /// count at all.
    pub(super) fn floor_without_secret(&self) -> KeyState {
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
}
