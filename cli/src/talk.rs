//! Talking to people: failures and where they are, exit codes, warnings, prompts, progress.
//!
//! Invariant: everything here goes to standard error or to the terminal; results never do.

pub(crate) mod exit;
pub(crate) mod failure;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod signals;
pub(crate) mod terminal;
