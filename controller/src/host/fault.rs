//! Points at which a test may let the disk fill up or the machine die.
//!
//! Not a simulation: outside of tests [`point`] is an empty inline function. Every step that changes what is
//! on disk calls it first. So tests can go through the steps one by one without naming them, and a new step
//! is covered the day it is written.

#[cfg(not(test))]
use std::io;

/// Marks a step that is about to be taken.
#[cfg(not(test))]
#[inline]
pub(super) fn point(_step: &'static str) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use injected::point;

#[cfg(test)]
pub(super) mod injected {
    use std::cell::Cell;
    use std::io;

    use rustix::io::Errno;

    /// The fault of the chosen step.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) enum Fault {
        /// This step fails with the error, and none after it does.
        Fails(Errno),
        /// The process dies at once: no destructor, no clean-up, as under `kill -9`.
        Dies,
    }

    thread_local! {
        static PLAN: Cell<Option<(usize, Fault)>> = const { Cell::new(None) };
        static REACHED: Cell<usize> = const { Cell::new(0) };
    }

    /// Plans `fault` for step number `at` (from 0) of this thread, and starts to count.
    pub(in super::super) fn plan(at: usize, fault: Fault) {
        PLAN.set(Some((at, fault)));
        REACHED.set(0);
    }

    /// Takes the plan back; returns how many steps were reached since it was made.
    pub(in super::super) fn clear() -> usize {
        PLAN.set(None);
        REACHED.get()
    }

    pub(in super::super) fn point(_step: &'static str) -> io::Result<()> {
        let reached = REACHED.replace(REACHED.get() + 1);
        match PLAN.get() {
            Some((at, Fault::Fails(errno))) if reached == at => Err(errno.into()),
            Some((at, Fault::Dies)) if reached == at => std::process::abort(),
            _ => Ok(()),
        }
    }
}
