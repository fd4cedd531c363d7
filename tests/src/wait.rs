//! Waiting for what happens by itself.
//!
//! Not for what must *not* happen: that has no deadline, so such a test waits for something else that comes
//! after it. Invariant: nothing here waits longer than it must, and nothing for ever.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// Generous: a machine that compiles at the same time takes many times as long.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// What `attempt` finds, as soon as it finds it.
///
/// # Panics
/// When it didn't within a minute, with the last reason it gave.
#[track_caller]
pub fn eventually<T, E: Display>(what: &str, mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(why) if Instant::now() > deadline => panic!("{what}: not within {PATIENCE:?}: {why}"),
            Err(_) => thread::sleep(POLL),
        }
    }
}

/// Waits until `holds` does.
///
/// # Panics
/// When it didn't within a minute.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || if holds() { Ok(()) } else { Err("it doesn't hold") });
}
