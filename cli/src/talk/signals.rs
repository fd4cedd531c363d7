//! Signals that ask the program to end, held back while a file is half written.
//!
//! A handler that removes files would be the alternative, and would race the rename. A file without a name
//! (`O_TMPFILE`) would be another: it needs a name again to replace a file, and not every file system has it.
//!
//! `SIGKILL` can't be held back. `SIGQUIT` isn't, so that it can end a write that hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

/// While this exists, `SIGINT`, `SIGTERM` and `SIGHUP` don't end the program. If one arrives meanwhile, it
/// ends the program when this is dropped.
pub(crate) struct Held {
    caught: Arc<AtomicUsize>,
    released: Arc<AtomicBool>,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self::of(&[SIGINT, SIGTERM, SIGHUP])
    }

    /// As [`Held::new`], and `SIGQUIT` too: for a wait that a person ends in another program.
    pub(crate) fn with_quit() -> Self {
        Self::of(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT])
    }

    fn of(signals: &[i32]) -> Self {
        let held = Self { caught: Arc::default(), released: Arc::default() };
        for &signal in signals {
            // The default action that a handler replaced doesn't come back by itself. This handler takes it
            // once released.
            flag::register_conditional_default(signal, Arc::clone(&held.released))
                .and_then(|_| flag::register_usize(signal, Arc::clone(&held.caught), signal as usize))
                .expect("these signals may be handled");
        }
        held
    }

    /// Whether a signal arrived, so that the caller should stop before it renames a file.
    pub(crate) fn is_caught(&self) -> bool {
        self.caught.load(Ordering::SeqCst) != 0
    }

    /// Whether a signal arrived other than these.
    pub(crate) fn is_caught_but(&self, signals: &[i32]) -> bool {
        let caught = self.caught.load(Ordering::SeqCst);
        caught != 0 && !signals.iter().any(|signal| *signal as usize == caught)
    }

    /// Forgets these signals, which were meant for another program of the same terminal.
    pub(crate) fn forget(&self, signals: &[i32]) {
        for &signal in signals {
            let _ = self.caught.compare_exchange(signal as usize, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.released.store(true, Ordering::SeqCst);
        if let Ok(signal @ 1..) = i32::try_from(self.caught.load(Ordering::SeqCst)) {
            // This call fails only for a signal that can't be raised, and this one was raised before.
            let _ = emulate_default_handler(signal);
        }
    }
}
