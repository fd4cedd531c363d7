//! Signals that ask the program to end, held back while a file is half written, and in a run over many files until the file
//! in hand is done.
//!
//! A handler that removes files would be the alternative, and would race the rename. A file without a name
//! (`O_TMPFILE`) would be another: it needs a name again to replace a file, and not every file system has it.
//!
//! The handlers are installed once, with the first hold. They note a signal, and end the program only while nothing holds
//! the signal. Invariant: the holds are counted, so a signal ends the program when the last of them is given up, however
//! many there were before and however often the signal comes.
//!
//! `SIGKILL` can't be held back. `SIGQUIT` is held only while an editor runs, so that it can end a write that hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

use crate::talk::terminal;

/// The signals that can be held back. [`SIGQUIT`] is the last one, because most holds leave it out.
static SIGNALS: LazyLock<[HeldSignal; 4]> =
    LazyLock::new(|| [SIGINT, SIGTERM, SIGHUP, SIGQUIT].map(HeldSignal::install));

/// A signal, and how many hold it back.
struct HeldSignal {
    number: i32,
    /// Whether it arrived while it was held.
    caught: Arc<AtomicBool>,
    /// Whether it ends the program at once: nothing holds it.
    is_free: Arc<AtomicBool>,
    holds: Mutex<usize>,
}

impl HeldSignal {
    fn install(number: i32) -> Self {
        let (caught, is_free) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        // The handlers run in this order. So a signal that comes while the last hold is given up is either seen there, or
        // finds that nothing holds it.
        flag::register(number, Arc::clone(&caught))
            .and_then(|_| flag::register_conditional_default(number, Arc::clone(&is_free)))
            .expect("these signals may be handled");
        Self { number, caught, is_free, holds: Mutex::new(0) }
    }

    fn holds(&self) -> MutexGuard<'_, usize> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self) {
        let mut holds = self.holds();
        *holds += 1;
        self.is_free.store(false, Ordering::SeqCst);
    }

    fn release(&self) {
        let mut holds = self.holds();
        *holds -= 1;
        if *holds == 0 {
            self.is_free.store(true, Ordering::SeqCst);
        }
    }

    fn is_caught(&self) -> bool {
        self.caught.load(Ordering::SeqCst)
    }
}

/// While this exists, `SIGINT`, `SIGTERM` and `SIGHUP` don't end the program. If one arrives meanwhile, it
/// ends the program when this is dropped, unless another hold is left.
pub(crate) struct Held {
    signals: &'static [HeldSignal],
    is_outermost: bool,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self::of(&SIGNALS[..3])
    }

    /// As [`Held::new`], and `SIGQUIT` too: for a wait that a person ends in another program.
    pub(crate) fn with_quit() -> Self {
        Self::of(&SIGNALS[..])
    }

    fn of(signals: &'static [HeldSignal]) -> Self {
        let is_outermost = *signals[0].holds() == 0;
        signals.iter().for_each(HeldSignal::hold);
        Self { signals, is_outermost }
    }

    /// Whether a signal arrived, so that the caller should stop before it renames a file or begins another. Within another
    /// hold it never should: what is around it decides, and this part is brought to its end.
    pub(crate) fn asks_to_stop(&self) -> bool {
        self.is_outermost && self.is_caught_but(&[])
    }

    /// Whether a signal arrived other than these.
    pub(crate) fn is_caught_but(&self, signals: &[i32]) -> bool {
        self.signals.iter().any(|signal| signal.is_caught() && !signals.contains(&signal.number))
    }

    /// Forgets these signals, which were meant for another program of the same terminal.
    pub(crate) fn forget(&self, signals: &[i32]) {
        let forgotten = self.signals.iter().filter(|signal| signals.contains(&signal.number));
        forgotten.for_each(|signal| signal.caught.store(false, Ordering::SeqCst));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.signals.iter().for_each(HeldSignal::release);
        let ends = |signal: &&HeldSignal| signal.is_caught() && signal.is_free.load(Ordering::SeqCst);
        if let Some(signal) = self.signals.iter().find(ends) {
            // This call fails only for a signal that can't be raised, and this one was raised before.
            let _ = emulate_default_handler(signal.number);
        }
    }
}

/// A run over many files. A signal ends it between two of them, with a message that says how far it came.
pub(crate) struct Run {
    held: Held,
    noun: &'static str,
    total: usize,
}

impl Run {
    /// A run over `total` things that are called `noun`, such as `file`.
    pub(crate) fn new(noun: &'static str, total: usize) -> Self {
        Self { held: Held::new(), noun, total }
    }

    /// Whether a signal asks the run to stop after what is in hand.
    pub(crate) fn is_stopped(&self) -> bool {
        self.held.asks_to_stop()
    }

    /// Ends the program if a signal asks for it. `done` says how many are done; the others are as they were.
    pub(crate) fn settle(self, done: usize) {
        if self.is_stopped() {
            terminal::erase_echo();
            terminal::note(&self.told(done));
        }
        // The signal ends the program when the hold is dropped here.
    }

    fn told(&self, done: usize) -> String {
        let (total, noun) = (self.total, self.noun);
        format!("interrupted: {done} of {total} {noun}{} done", if total == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_how_many_are_done() {
        assert_eq!(Run::new("file", 30).told(12), "interrupted: 12 of 30 files done");
        assert_eq!(Run::new("file", 1).told(0), "interrupted: 0 of 1 file done");
    }

    /// The signals of this process are left alone: a signal of its own is held, and never raised while it is free.
    #[test]
    fn a_signal_is_free_only_after_the_last_of_its_holds() {
        let signal = HeldSignal::install(signal_hook::consts::SIGUSR1);
        let is_free = || signal.is_free.load(Ordering::SeqCst);
        for _ in 0..3 {
            signal.hold();
            signal.hold();
            signal.release();
            assert!(!is_free());
            signal_hook::low_level::raise(signal.number).unwrap();
            signal_hook::low_level::raise(signal.number).unwrap();
            assert!(signal.is_caught());
            signal.release();
            assert!(is_free());
        }
    }
}
