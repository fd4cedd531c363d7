//! The waits of objects that keep failing, and a limit on the writes of a Secret that somebody keeps
//! changing.
//!
//! A wait grows exponentially, with a cap and jitter, and the tries never end. [`crate::reconcile`] asks for
//! the wait. Invariants: one object's failures never delay another object, and a success forgets them; the
//! counts of an object that is gone go by themselves.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore};
use seal_crds::Place;

const FIRST: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(300);

/// The longest wait for an API server that is away or busy. That says nothing about the object, so it is tried soon after
/// the API server is back. The requests in flight are bounded elsewhere, and nothing is tried while it can't be reached.
const BRIEF: Duration = Duration::from_secs(4);

/// The most writes for one generation of an object within [`WRITE_WINDOW`]. People and scripts change a Secret now and
/// then; two programs that disagree change it as fast as the API allows. The first write for a newer generation doesn't
/// count: somebody changed the object itself and waits for that, and each such change cost them a request.
const WRITES: u32 = 30;
const WRITE_WINDOW: Duration = Duration::from_secs(60);

/// The time for which failures are remembered: twelve times [`CAP`]. An object that is still there fails again within
/// [`CAP`] or succeeds, unless more objects fail than the workers get through; then its next try comes later, and must
/// still find its count.
const FAILURES_WINDOW: Duration = CAP.saturating_mul(12);

/// For each object, its failures in a row and its recent writes.
pub(crate) struct Backoff {
    failures: Mutex<Recent<Option<Place>, u32>>,
    writes: Mutex<Recent<Place, Writes>>,
}

/// Whose failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It has to do with the object, or may have.
    Objects,
    /// The API server is away or busy, for every object.
    ApiServers,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            failures: Mutex::new(Recent::new(FAILURES_WINDOW)),
            writes: Mutex::new(Recent::new(WRITE_WINDOW)),
        }
    }
}

impl Backoff {
    /// Counts a failure and returns the wait: between half and all of `FIRST · 2ⁿ`, at most [`CAP`], or [`BRIEF`] if the
    /// failure is the API server's alone. The jitter keeps objects that failed together from coming back together.
    pub(crate) fn failed(&self, key: Option<Place>, whose: Whose, now: Instant) -> Duration {
        let cap = match whose {
            Whose::Objects => CAP,
            Whose::ApiServers => BRIEF,
        };
        let mut failures = lock(&self.failures);
        let Entry { since, of: count } = failures.of(key, now);
        let full = FIRST.saturating_mul(1 << (*count).min(20)).min(cap);
        (*since, *count) = (now, count.saturating_add(1));
        full.mul_f64(0.5 + f64::from(OsRng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }

    /// Forgets the object's failures.
    pub(crate) fn passed(&self, key: Option<&Place>) {
        lock(&self.failures).entries.remove(&key.cloned());
    }

    /// Counts a write for a generation of the object, and returns whether it may be made now.
    pub(crate) fn may_write(&self, key: &Place, generation: i64, now: Instant) -> bool {
        let mut writes = lock(&self.writes);
        let Writes { newest, count } = &mut writes.of(key.clone(), now).of;
        if newest.is_some_and(|newest| newest < generation) {
            *newest = Some(generation);
            return true;
        }
        newest.get_or_insert(generation);
        *count = count.saturating_add(1);
        *count <= WRITES
    }
}

/// The writes for an object.
#[derive(Default)]
struct Writes {
    /// The newest generation that was written for.
    newest: Option<i64>,
    /// The writes, without the first for each newer generation.
    count: u32,
}

/// A count for each object, which is forgotten after a window of time.
struct Recent<K, T> {
    window: Duration,
    entries: HashMap<K, Entry<T>>,
    /// The time at which old counts were last removed.
    swept: Option<Instant>,
}

struct Entry<T> {
    since: Instant,
    of: T,
}

impl<K: Eq + Hash, T: Default> Recent<K, T> {
    fn new(window: Duration) -> Self {
        Self { window, entries: HashMap::new(), swept: None }
    }

    /// The count of an object; zero if its window is past. Once a window, this also removes the counts of all
    /// objects whose window is past; so ten thousand objects that stay cost nothing.
    fn of(&mut self, key: K, now: Instant) -> &mut Entry<T> {
        let is_past = |since: Instant| now.duration_since(since) >= self.window;
        if self.swept.is_none_or(is_past) {
            self.entries.retain(|_, entry| !is_past(entry.since));
            self.swept = Some(now);
        }
        let new = || Entry { since: now, of: T::default() };
        let entry = self.entries.entry(key).or_insert_with(new);
        if is_past(entry.since) {
            *entry = new();
        }
        entry
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves counts that are still counts.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Option<Place> {
        Some(Place { namespace: "prod".parse().unwrap(), name: name.parse().unwrap() })
    }

    #[test]
    fn waits_grow_to_a_cap_with_jitter() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        for n in 0..40 {
            let wait = backoff.failed(place("db"), Whose::Objects, now);
            let full = FIRST.saturating_mul(1 << n.min(20)).min(CAP);
            assert!((full / 2..=full).contains(&wait), "{n}: {wait:?}");
            // The longest wait, and some more time for the reconcile.
            now += wait + CAP / 2;
        }
    }

    #[test]
    fn after_an_outage_of_any_length_no_object_waits_for_long() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let waits: Vec<Duration> =
            (0..99).map(|_| backoff.failed(place("db"), Whose::ApiServers, now)).collect();
        assert!(waits.iter().all(|wait| *wait <= BRIEF) && waits[50..].iter().all(|wait| *wait >= BRIEF / 2));
    }

    #[test]
    fn a_secret_that_keeps_being_changed_is_written_only_so_often() {
        let backoff = Backoff::default();
        let (db, start) = (place("db").unwrap(), Instant::now());
        let written = (0..100).filter(|_| backoff.may_write(&db, 1, start)).count();
        assert_eq!(written, WRITES as usize);
        assert!(backoff.may_write(&place("cache").unwrap(), 1, start));
        assert!(backoff.may_write(&db, 1, start + WRITE_WINDOW));
    }

    /// A script that changes an object a hundred times a minute isn't told that somebody changes its Secret back; and who
    /// fights over the Secret gains nothing by changing the object, now and then or back and forth.
    #[test]
    fn a_change_of_the_object_is_always_followed_and_renews_nothing() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let db = place("db").unwrap();
        assert!((1..1000).all(|generation| backoff.may_write(&db, generation, start)));
        let fought = (0..1000).filter(|_| backoff.may_write(&db, 999, start)).count();
        assert_eq!(fought, WRITES as usize - 1, "the first one counted too");
        assert!(
            !backoff.may_write(&db, 1, start),
            "an object that was made anew begins with its first generation"
        );
        assert!(backoff.may_write(&db, 1000, start));
        assert!(!backoff.may_write(&db, 1000, start));
    }

    #[test]
    fn a_success_forgets_and_others_are_not_delayed() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        (0..9).for_each(|_| assert!(!backoff.failed(place("db"), Whose::Objects, now).is_zero()));
        assert!(backoff.failed(place("cache"), Whose::Objects, now) <= FIRST);
        backoff.passed(place("db").as_ref());
        assert!(backoff.failed(place("db"), Whose::Objects, now) <= FIRST);
    }

    /// A person who makes failing objects and deletes them, again and again, fills no memory.
    #[test]
    fn objects_that_are_gone_are_forgotten() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        let kept = || (lock(&backoff.failures).entries.len(), lock(&backoff.writes).entries.len());
        let day = 24 * 60 * 60;
        for second in 0..day {
            let (gone, now) = (place(&format!("gone-{second}")), start + Duration::from_secs(second));
            backoff.may_write(gone.as_ref().unwrap(), 1, now);
            backoff.failed(gone, Whose::Objects, now);
        }
        let (failures, writes) = (2 * FAILURES_WINDOW.as_secs(), 2 * WRITE_WINDOW.as_secs());
        assert!(kept().0 <= failures as usize && kept().1 <= writes as usize, "{:?}", kept());
        let later = start + Duration::from_secs(day) + FAILURES_WINDOW;
        backoff.failed(place("db"), Whose::Objects, later);
        backoff.may_write(&place("db").unwrap(), 1, later);
        assert_eq!(kept(), (1, 1));
    }
}
