//! How long an object that keeps failing waits: exponentially longer, with a cap and jitter, for ever.
//!
//! Not a queue; whoever schedules asks for the delay. Invariant: one object's failures never delay
//! another's, and a success forgets them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use seal_crds::Place;

const FIRST: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(300);

/// Failures in a row, by object.
#[derive(Default)]
pub struct Backoff(Mutex<HashMap<Option<Place>, u32>>);

impl Backoff {
    /// Counts a failure and says how long to wait: between half and all of `FIRST · 2ⁿ`, at most [`CAP`].
    /// The jitter keeps objects that failed together from coming back together.
    pub fn failed(&self, key: Option<Place>) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(key).or_default();
        let full = FIRST.saturating_mul(1 << (*count).min(20)).min(CAP);
        *count = count.saturating_add(1);
        full.mul_f64(0.5 + f64::from(OsRng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }

    /// Forgets the object's failures.
    pub fn passed(&self, key: Option<&Place>) {
        self.lock().remove(&key.cloned());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Option<Place>, u32>> {
        // A panic elsewhere leaves counts that are still counts.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
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
    fn a_success_forgets_and_others_are_not_delayed() {
        let backoff = Backoff::default();
        (0..9).for_each(|_| assert!(!backoff.failed(place("db")).is_zero()));
        assert!(backoff.failed(place("cache")) <= FIRST);
        backoff.passed(place("db").as_ref());
        assert!(backoff.failed(place("db")) <= FIRST);
    }
}
