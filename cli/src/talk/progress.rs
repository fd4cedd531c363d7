//! The progress of long work, on one line of a terminal.
//!
//! If standard error isn't a terminal, it prints nothing. Invariants: the line is erased when the work ends, also if a
//! signal ends it; it never takes more than one row, because only one can be written over.

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
    shown: Mutex<Shown>,
    is_watched: bool,
}

/// What stands on the terminal.
struct Shown {
    /// The time of the last update; at first that of the start.
    at: Instant,
    /// The columns that the line took; 0 if it was never written.
    width: usize,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        Self {
            what,
            total,
            done: AtomicUsize::new(0),
            shown: Mutex::new(Shown { at: Instant::now(), width: 0 }),
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
        if shown.at.elapsed() >= INTERVAL {
            let line = self.line(done, terminal::stderr_columns());
            // A shorter line leaves nothing of the one before.
            let width = shown.width;
            terminal::status_line(&format!("{line:width$}"));
            *shown = Shown { at: Instant::now(), width: width.max(line.len()) };
        }
    }

    /// Says how many jobs are done now. They may have become fewer.
    pub(crate) fn set(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.show(done);
    }

    /// The line for a terminal of so many columns: the numbers alone if there is no room for the words.
    fn line(&self, done: usize, columns: Option<usize>) -> String {
        let numbers = format!("{done} of {}", self.total);
        let line = format!("{}: {numbers}", self.what);
        // A terminal that echoes an interrupt writes `^C` behind the line.
        if columns.is_some_and(|columns| line.len() + terminal::ECHO >= columns) { numbers } else { line }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Ok(shown) = self.shown.get_mut()
            && shown.width > 0
        {
            terminal::erase_status_line(shown.width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_one_row_of_a_narrow_terminal() {
        let progress = Progress::new("waiting until all are Ready", 9000);
        let whole = "waiting until all are Ready: 1200 of 9000";
        assert_eq!(progress.line(1200, None), whole);
        assert_eq!(progress.line(1200, Some(80)), whole);
        assert_eq!(progress.line(1200, Some(whole.len() + 3)), whole);
        assert_eq!(progress.line(1200, Some(whole.len() + 2)), "1200 of 9000");
        assert_eq!(progress.line(1200, Some(40)), "1200 of 9000");
    }
}
