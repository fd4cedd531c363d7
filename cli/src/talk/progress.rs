//! How far long work is, on one line of a terminal.
//!
//! Nothing where standard error isn't one, and nothing that stays. Invariant: the line is gone when the work ends,
//! however it ends.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::talk::terminal;

/// Work that takes less shows nothing; more often than this nobody can read.
const INTERVAL: Duration = Duration::from_millis(200);

/// Several threads may report to it.
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    done: AtomicUsize,
    /// When the line was last written, and whether it ever was.
    shown: Mutex<(Instant, bool)>,
    is_watched: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        Self {
            what,
            total,
            done: AtomicUsize::new(0),
            shown: Mutex::new((Instant::now(), false)),
            is_watched: terminal::stderr_is_terminal(),
        }
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.is_watched {
            return;
        }
        // Who finds it locked leaves the line to whoever writes it.
        let Ok(mut shown) = self.shown.try_lock() else { return };
        if shown.0.elapsed() >= INTERVAL {
            terminal::status_line(&self.line(done));
            *shown = (Instant::now(), true);
        }
    }

    fn line(&self, done: usize) -> String {
        format!("{}: {done} of {}", self.what, self.total)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.get_mut().is_ok_and(|shown| shown.1) {
            // No line was wider.
            terminal::erase_status_line(self.line(self.total).len());
        }
    }
}
