//! Which keys to restore, and as what: decided on what was found, what the user trusts, and what the cluster has.
//!
//! Invariants: only a key that a trusted list names is restored, whatever a file says. At most one key becomes Active:
//! the one that the pins seal to, if the user asked for that. What is revoked anywhere stays revoked.

use std::collections::BTreeSet;

use seal_crds::keys::pins::{Mark, Pins};
use seal_crds::keys::stored::{MAX_SEQUENCE, Note};
use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::KeyState;

use crate::keys::cluster::ClusterKeys;

/// The keys that the user says are his own.
#[derive(Default)]
pub(super) struct Trusted {
    pub(super) pins: Pins,
    /// The keys that `seal keys fetch` wrote into the pins as the ones to seal to.
    pub(super) sealing_keys: BTreeSet<Fingerprint>,
    /// The recipients that the pins call recovery recipients, as `seal keys fetch` does.
    pub(super) recovery: Vec<Recipient>,
    /// The fingerprints that were typed.
    pub(super) accepted: BTreeSet<Fingerprint>,
}

/// The public facts about a key that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) fingerprint: Fingerprint,
    pub(super) sequence: i64,
    /// The Secret that it comes from notes Revoked.
    pub(super) is_revoked: bool,
}

/// What to do about a key that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Restore {
        sequence: i64,
        state: KeyState,
    },
    /// The cluster has it.
    There,
    /// The cluster has it, as this, and a state only rises.
    ThereInAnotherState(Note),
    /// It was found before.
    Again,
    Untrusted,
}

/// Why there is no key to seal to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPrimary {
    #[error("the pins name no sealing key that is still sealed to")]
    Unnamed,
    #[error("key {0}, which the pins seal to, isn't among those that can be restored")]
    NotFound(String),
    #[error("the pins seal to several sealing keys: {}", .0.join(", "))]
    Several(Vec<String>),
}

impl Trusted {
    pub(super) fn names(&self, fingerprint: &Fingerprint) -> bool {
        self.pins.lists(fingerprint) || self.accepted.contains(fingerprint)
    }

    fn has_revoked(&self, fingerprint: &Fingerprint) -> bool {
        self.pins.marked(fingerprint).is_some_and(|marked| marked.mark == Mark::Revoked)
    }
}

/// The key to seal to from now on: the only sealing key that the pins name without a mark. It has to be among those that
/// were found.
///
/// The threats: an older key in the place of a newer one, because the newer one's backup is missing or can't be opened;
/// the key of a person in the place of a sealing key. The pins list a person's recipient as they list sealing keys, and
/// anybody can make a backup of their own key. So a key that is missing is replaced by none, and of the recipients only
/// those count that a fetch wrote as sealing keys.
pub(super) fn primary(found: &[Found], trusted: &Trusted) -> Result<Fingerprint, NoPrimary> {
    let revoked = noted_as_revoked(found);
    let is_current = |key: &&Fingerprint| trusted.pins.marked(key).is_none() && !revoked.contains(key);
    match trusted.sealing_keys.iter().filter(is_current).collect::<Vec<_>>()[..] {
        [one] if found.iter().any(|key| key.fingerprint == *one) => Ok(*one),
        [one] => Err(NoPrimary::NotFound(one.short())),
        [] => Err(NoPrimary::Unnamed),
        ref several => Err(NoPrimary::Several(several.iter().map(|key| key.short()).collect())),
    }
}

/// The keys that any Secret notes as revoked: the same key may be found elsewhere without the note.
fn noted_as_revoked(found: &[Found]) -> BTreeSet<Fingerprint> {
    found.iter().filter(|key| key.is_revoked).map(|key| key.fingerprint).collect()
}

/// Decides on each key that was found, in the order of `found`.
pub(super) fn decide(
    found: &[Found],
    trusted: &Trusted,
    primary: Option<Fingerprint>,
    cluster: &ClusterKeys,
) -> Vec<Decision> {
    let revoked = noted_as_revoked(found);
    let mut seen = BTreeSet::new();
    let decide = |key: &Found| {
        if !trusted.names(&key.fingerprint) {
            return Decision::Untrusted;
        }
        if !seen.insert(key.fingerprint) {
            return Decision::Again;
        }
        let state = if trusted.has_revoked(&key.fingerprint) || revoked.contains(&key.fingerprint) {
            KeyState::Revoked
        } else if primary == Some(key.fingerprint) {
            KeyState::Active
        } else {
            KeyState::Retiring
        };
        // A Secret whose deletion was asked for doesn't keep the key: restoring takes the deletion back.
        let mut held = cluster.held.iter();
        match held.find(|held| held.fingerprint == key.fingerprint && !held.is_deleting) {
            Some(held) if is_as_asked(held.note, state) => Decision::There,
            Some(held) => Decision::ThereInAnotherState(held.note),
            None => {
                let is_primary = state == KeyState::Active;
                Decision::Restore { sequence: sequence(key, is_primary, found, trusted, cluster), state }
            }
        }
    };
    found.iter().map(decide).collect()
}

/// Whether a key that is there is at least what it would be restored as.
fn is_as_asked(note: Note, state: KeyState) -> bool {
    match state {
        KeyState::Active => note == Note::Says(KeyState::Active),
        KeyState::Retiring => true,
        KeyState::Revoked => note == Note::Says(KeyState::Revoked),
    }
}

/// The number of a restored key: what the cluster recorded, else its own. A key to seal to has to be newer than all
/// others.
fn sequence(key: &Found, is_primary: bool, found: &[Found], trusted: &Trusted, cluster: &ClusterKeys) -> i64 {
    if let Some(recorded) = cluster.recorded.get(&key.fingerprint) {
        return recorded.sequence;
    }
    if !is_primary {
        return key.sequence;
    }
    let held = cluster.held.iter().map(|held| (held.fingerprint, held.sequence));
    let recorded = cluster.recorded.iter().map(|(fingerprint, key)| (*fingerprint, key.sequence));
    let beside = found.iter().filter(|other| trusted.names(&other.fingerprint));
    let beside = beside.map(|other| (other.fingerprint, other.sequence));
    let others = held.chain(recorded).chain(beside).filter(|(other, _)| *other != key.fingerprint);
    let highest = others.map(|(_, sequence)| sequence).filter(|sequence| *sequence < MAX_SEQUENCE).max();
    key.sequence.max(highest.unwrap_or_default() + 1)
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::pins::Marked;

    use super::*;
    use crate::keys::cluster::{HeldKey, RecordedKey, sealing_keys};

    fn recipients<const N: usize>() -> [Recipient; N] {
        std::array::from_fn(|_| seal_crds::keys::Identity::generate().recipient().clone())
    }

    fn found(recipient: &Recipient, sequence: i64) -> Found {
        Found { fingerprint: recipient.fingerprint(), sequence, is_revoked: false }
    }

    /// Pins with these sealing keys, as a fetch writes them, of which some are marked.
    fn trusted(recipients: &[&Recipient], marks: &[(&Recipient, Mark)]) -> Trusted {
        let pinned = |recipient: &&Recipient| {
            let fingerprint = recipient.fingerprint();
            format!("# name: k\n# created: 2026-01-02\n# fingerprint: {fingerprint}\n{recipient}\n")
        };
        let text: String = recipients.iter().map(pinned).collect();
        let mut pins = Pins::parse(&text).unwrap();
        for (recipient, mark) in marks {
            let marked =
                Marked { mark: *mark, since: "2026-01-02".parse().unwrap(), name: "k".parse().unwrap() };
            pins.mark(recipient.fingerprint(), marked);
        }
        Trusted { pins, sealing_keys: sealing_keys(&text), ..Trusted::default() }
    }

    fn held(recipient: &Recipient, sequence: i64, note: KeyState) -> HeldKey {
        HeldKey {
            secret: format!("s{sequence}"),
            fingerprint: recipient.fingerprint(),
            sequence,
            note: Note::Says(note),
            is_deleting: false,
        }
    }

    fn cluster(held: Vec<HeldKey>) -> ClusterKeys {
        ClusterKeys { held, ..ClusterKeys::default() }
    }

    fn restore(sequence: i64, state: KeyState) -> Decision {
        Decision::Restore { sequence, state }
    }

    #[test]
    fn only_what_a_trusted_list_names_is_restored() {
        let [pinned, typed, forged] = recipients();
        let mut trusted = trusted(&[&pinned], &[]);
        trusted.accepted.insert(typed.fingerprint());
        let all = [found(&pinned, 1), found(&typed, 2), found(&forged, 3), found(&pinned, 1)];
        assert_eq!(
            decide(&all, &trusted, None, &cluster(vec![])),
            [
                restore(1, KeyState::Retiring),
                restore(2, KeyState::Retiring),
                Decision::Untrusted,
                Decision::Again
            ]
        );
    }

    #[test]
    fn what_the_pins_or_the_secret_call_revoked_stays_revoked() {
        let [old, leaked, gone, noted] = recipients();
        let marks = [(&old, Mark::Retiring), (&leaked, Mark::Revoked), (&gone, Mark::Destroyed)];
        let trusted = trusted(&[&noted, &leaked], &marks);
        let noted = Found { is_revoked: true, ..found(&noted, 4) };
        let all = [found(&old, 1), found(&leaked, 2), found(&gone, 3), noted.clone()];
        // Not even as the primary.
        let decided = decide(&all, &trusted, Some(noted.fingerprint), &cluster(vec![]));
        let states = [KeyState::Retiring, KeyState::Revoked, KeyState::Retiring, KeyState::Revoked];
        let expected: Vec<_> = (1..).zip(states).map(|(sequence, state)| restore(sequence, state)).collect();
        assert_eq!(decided, expected);
        assert_eq!(primary(&all, &trusted), Err(NoPrimary::Unnamed));
        // A backup of the same key, found before the Secret, doesn't say that it is revoked.
        let backup_first = [Found { is_revoked: false, ..noted.clone() }, noted];
        let decided = decide(&backup_first, &trusted, Some(backup_first[0].fingerprint), &cluster(vec![]));
        assert_eq!(decided, [restore(4, KeyState::Revoked), Decision::Again]);
        assert_eq!(primary(&backup_first, &trusted), Err(NoPrimary::Unnamed));
    }

    #[test]
    fn the_key_to_seal_to_is_the_one_that_the_pins_seal_to_and_never_an_older_one() {
        let [old, new, person] = recipients();
        let marked = trusted(&[&new, &old], &[(&old, Mark::Retiring)]);
        let both = [found(&old, 1), found(&new, 2)];
        assert_eq!(primary(&both, &marked), Ok(new.fingerprint()));
        // The newer one's backup is missing.
        assert_eq!(primary(&both[..1], &marked), Err(NoPrimary::NotFound(new.fingerprint().short())));
        let unmarked = trusted(&[&new, &old], &[]);
        assert!(matches!(primary(&both, &unmarked), Err(NoPrimary::Several(_))));
        // A typed fingerprint makes no primary.
        let typed = Trusted { accepted: [new.fingerprint()].into(), ..Trusted::default() };
        assert_eq!(primary(&both, &typed), Err(NoPrimary::Unnamed));
        // A person's recipient is pinned too, and the person has made a backup of the key: it is never sealed to, though
        // the sealing key's own backup is missing.
        let mut with_person = marked;
        with_person.pins.add(person.clone());
        let theirs = [found(&old, 1), found(&person, 9)];
        assert!(with_person.names(&person.fingerprint()));
        assert!(matches!(primary(&theirs, &with_person), Err(NoPrimary::NotFound(_))));
        with_person.sealing_keys.clear();
        assert_eq!(primary(&theirs, &with_person), Err(NoPrimary::Unnamed));
    }

    #[test]
    fn a_restored_primary_is_newer_than_every_other_key() {
        let [old, new, own] = recipients();
        let trusted = trusted(&[&new], &[(&old, Mark::Retiring)]);
        let both = [found(&old, 1), found(&new, 2)];
        let decided = |cluster: &ClusterKeys| decide(&both, &trusted, Some(new.fingerprint()), cluster);
        // In an empty cluster it keeps its number.
        let empty = [restore(1, KeyState::Retiring), restore(2, KeyState::Active)];
        assert_eq!(decided(&cluster(vec![])), empty);
        // The controller has made keys of its own.
        let started = cluster(vec![held(&own, 7, KeyState::Active)]);
        assert_eq!(decided(&started)[1], restore(8, KeyState::Active));
        // A number that leaves no room is passed over.
        let full = cluster(vec![held(&own, MAX_SEQUENCE, KeyState::Active)]);
        assert_eq!(decided(&full)[1], restore(2, KeyState::Active));
        // The cluster knows the key, and has lost it.
        let mut lost = started;
        lost.recorded.insert(new.fingerprint(), RecordedKey { sequence: 5, ..RecordedKey::default() });
        assert_eq!(decided(&lost)[1], restore(5, KeyState::Active));
    }

    #[test]
    fn a_key_that_is_there_stays_as_it_is() {
        let [key] = recipients();
        let trusted = trusted(&[&key], &[]);
        let one = [found(&key, 1)];
        let decided =
            |held: HeldKey, primary| decide(&one, &trusted, primary, &cluster(vec![held]))[0].clone();
        let active = held(&key, 1, KeyState::Active);
        assert_eq!(decided(active.clone(), Some(key.fingerprint())), Decision::There);
        assert_eq!(decided(held(&key, 1, KeyState::Revoked), None), Decision::There);
        let retiring = held(&key, 1, KeyState::Retiring);
        assert_eq!(
            decided(retiring, Some(key.fingerprint())),
            Decision::ThereInAnotherState(Note::Says(KeyState::Retiring))
        );
        // A deletion that was asked for is taken back.
        let deleting = HeldKey { is_deleting: true, ..active };
        assert_eq!(decided(deleting, None), restore(1, KeyState::Retiring));
    }
}
