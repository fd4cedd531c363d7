//! The progress of long work, on one line of a terminal.
//!
//! If standard error isn't a terminal, it prints nothing. Invariant: the line is erased when the work ends,
//! in every case.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::talk::terminal;

/// The least time between two updates, since nobody can read faster ones. Shorter work shows no line at all.
const INTERVAL: Duration = Duration::from_millis(200);

/// The progress of one piece of work. Several threads may report to it.
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    done: AtomicUsize,
    /// The time of the last update (at first that of the start), and whether the line was ever written.
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

    /// Counts one more job as done.
    pub(crate) fn step(&self) {
        self.show(self.done.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn show(&self, done: usize) {
        if !self.is_watched {
            return;
        }
        // If another thread holds the lock, it is writing the line, so this thread doesn't.
        let Ok(mut shown) = self.shown.try_lock() else { return };
        if shown.0.elapsed() >= INTERVAL {
            terminal::status_line(&self.line(done));
            *shown = (Instant::now(), true);
        }
    }

    /// Says how many jobs are done now. They may have become fewer.
    pub(crate) fn set(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.show(done);
    }

    fn line(&self, done: usize) -> String {
        format!("{}: {done} of {}", self.what, self.total)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.get_mut().is_ok_and(|shown| shown.1) {
            // The last line is the widest.
            terminal::erase_status_line(self.line(self.total).len());
        }
    }
}
