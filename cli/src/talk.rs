//! Messages to people: failures and their spots, exit codes, warnings, prompts, progress.
//!
//! Invariants: every message goes to standard error or to the terminal, and no result does; only [`settle`]
//! turns an outcome into an exit code.

pub(crate) mod documents;
pub(crate) mod exit;
pub(crate) mod failure;
pub(crate) mod meant;
pub(crate) mod pasted;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod rule;
pub(crate) mod signals;
pub(crate) mod terminal;

use self::exit::Exit;
use self::failure::Failure;

/// Prints a failure, and returns the exit code of the program.
///
/// A closed pipe is a success: the reader (`seal … | head`) took all it wanted.
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
