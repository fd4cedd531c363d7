//! Signals that ask the program to end, held back while a file is half written.
//!
//! Held back, not answered by removing files: a handler would race the rename, and a file without a name
//! (`O_TMPFILE`) needs one again to replace another, and isn't everywhere.
//!
//! Not for `SIGKILL`, nor for `SIGQUIT`, which ends a write that hangs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    low_level::emulate_default_handler,
};

/// Until it is dropped, no signal but `SIGKILL` and the like ends the program. Then, one that came does.
pub(crate) struct Held {
    caught: Arc<AtomicUsize>,
    released: Arc<AtomicBool>,
}

impl Held {
    pub(crate) fn new() -> Self {
        let held = Self { caught: Arc::default(), released: Arc::default() };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // What a handler replaced doesn't come back by itself; this one lets it through once released.
            flag::register_conditional_default(signal, Arc::clone(&held.released))
                .and_then(|_| flag::register_usize(signal, Arc::clone(&held.caught), signal as usize))
                .expect("these signals may be handled");
        }
        held
    }

    /// Whether there is still time to write nothing.
    pub(crate) fn is_caught(&self) -> bool {
        self.caught.load(Ordering::SeqCst) != 0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.released.store(true, Ordering::SeqCst);
        if let Ok(signal @ 1..) = i32::try_from(self.caught.load(Ordering::SeqCst)) {
            // Fails only for signals that can't be raised, and these were.
            let _ = emulate_default_handler(signal);
        }
    }
}
