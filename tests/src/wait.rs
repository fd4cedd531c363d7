//! Waiting for something that happens by itself.
//!
//! Not for something that must *not* happen: that has no deadline, so such a test waits for another event that
//! comes after it. Invariant: nothing here waits longer than it must, and nothing waits for ever.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait. Generous: a machine that compiles at the same time takes many times as long.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// The most that one try counts. The time of a machine that sleeps, or of a process that is stopped, isn't waited away.
const TRY: Duration = Duration::from_secs(10);

/// Calls `attempt` until it succeeds, and returns what it found.
///
/// # Panics
/// When it hasn't succeeded within a minute, with its last error.
#[track_caller]
pub fn eventually<T, E: Display>(what: &str, attempt: impl FnMut() -> Result<T, E>) -> T {
    within(PATIENCE, what, attempt)
}

/// As [`eventually`], for what takes longer than a minute where many things have to happen.
///
/// # Panics
/// When it hasn't succeeded by then, with its last error.
#[track_caller]
pub fn within<T, E: Display>(patience: Duration, what: &str, mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let mut waited = Duration::ZERO;
    loop {
        let begun = Instant::now();
        match attempt() {
            Ok(found) => return found,
            Err(why) if waited > patience => panic!("{what}: not within {patience:?}: {why}"),
            Err(_) => thread::sleep(POLL),
        }
        waited += begun.elapsed().min(TRY);
    }
}

/// Waits until `holds` returns true.
///
/// # Panics
/// When it hasn't within a minute.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || if holds() { Ok(()) } else { Err("it doesn't hold") });
}
