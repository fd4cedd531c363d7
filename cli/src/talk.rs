//! Talking to people: failures and where they are, exit codes, warnings, prompts, progress.
//!
//! Invariants: everything here goes to standard error or to the terminal, and results never do; an outcome becomes an
//! exit code in [`settle`] alone.

pub(crate) mod documents;
pub(crate) mod exit;
pub(crate) mod failure;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod rule;
pub(crate) mod signals;
pub(crate) mod terminal;

use self::{exit::Exit, failure::Failure};

/// Prints a failure, if it is one, and says how the program ends.
///
/// A reader that went away (`seal … | head`) took all it wanted: success.
pub(crate) fn settle(outcome: Result<Exit, Failure>) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(failure) if failure.is_closed_pipe() => Exit::Done,
        Err(failure) => {
            terminal::print_failure(&failure);
            failure.exit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_closed_pipe_is_success() {
        let closed = Failure::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(settle(Err(closed)), Exit::Done);
    }
}
