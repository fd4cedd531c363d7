//! How long an object that keeps failing waits: exponentially longer, with a cap and jitter, for ever; and how
//! often one whose Secret keeps being changed is written.
//!
//! Not a queue; whoever schedules asks for the delay. Invariant: one object's failures never delay
//! another's, and a success forgets them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore};
use seal_crds::Place;

const FIRST: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(300);

/// Writes of one Secret that are allowed within [`WRITE_WINDOW`]. People and scripts change a Secret now and
/// then; two programs that disagree do so at the speed of the API.
const WRITES: u32 = 30;
const WRITE_WINDOW: Duration = Duration::from_secs(60);

/// Failures in a row, and writes within a while, by object.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: Mutex<HashMap<Option<Place>, u32>>,
    writes: Mutex<HashMap<Place, (Instant, u32)>>,
}

impl Backoff {
    /// Counts a failure and says how long to wait: between half and all of `FIRST · 2ⁿ`, at most [`CAP`].
    /// The jitter keeps objects that failed together from coming back together.
    pub(crate) fn failed(&self, key: Option<Place>) -> Duration {
        let mut failures = lock(&self.failures);
        let count = failures.entry(key).or_default();
        let full = FIRST.saturating_mul(1 << (*count).min(20)).min(CAP);
        *count = count.saturating_add(1);
        full.mul_f64(0.5 + f64::from(OsRng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }

    /// Forgets the object's failures.
    pub(crate) fn passed(&self, key: Option<&Place>) {
        lock(&self.failures).remove(&key.cloned());
    }

    /// Counts a write, and says whether it may be made, or is one too many for now.
    pub(crate) fn may_write(&self, key: &Place, now: Instant) -> bool {
        let mut writes = lock(&self.writes);
        let is_past = |since: &Instant| now.duration_since(*since) >= WRITE_WINDOW;
        // Now and then, so that deleted objects are forgotten and ten thousand others cost nothing.
        if writes.len().is_power_of_two() {
            writes.retain(|_, (since, _)| !is_past(since));
        }
        let (since, count) = writes.entry(key.clone()).or_insert((now, 0));
        if is_past(since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= WRITES
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic elsewhere leaves counts that are still counts.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Option<Place> {
        Some(Place { namespace: "prod".parse().unwrap(), name: name.parse().unwrap() })
    }

    #[test]
    fn waits_grow_to_a_cap_with_jitter() {
        let backoff = Backoff::default();
        let waits: Vec<Duration> = (0..40).map(|_| backoff.failed(place("db"))).collect();
        for (n, wait) in waits.iter().enumerate() {
            let full = FIRST.saturating_mul(1 << n.min(20)).min(CAP);
            assert!((full / 2..=full).contains(wait), "{n}: {wait:?}");
        }
    }

    #[test]
    fn a_secret_that_keeps_being_changed_is_written_only_so_often() {
        let backoff = Backoff::default();
        let (db, start) = (place("db").unwrap(), Instant::now());
        let written = (0..100).filter(|_| backoff.may_write(&db, start)).count();
        assert_eq!(written, WRITES as usize);
        assert!(backoff.may_write(&place("cache").unwrap(), start));
        assert!(backoff.may_write(&db, start + WRITE_WINDOW));
    }

    #[test]
    fn a_success_forgets_and_others_are_not_delayed() {
        let backoff = Backoff::default();
        (0..9).for_each(|_| assert!(!backoff.failed(place("db")).is_zero()));
        assert!(backoff.failed(place("cache")) <= FIRST);
        backoff.passed(place("db").as_ref());
        assert!(backoff.failed(place("db")) <= FIRST);
    }
}
