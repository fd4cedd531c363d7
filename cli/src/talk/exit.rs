//! Exit codes, and the one place where an outcome becomes one.

use std::process::ExitCode;

use crate::talk::{failure::Failure, terminal};

/// How the program ends. Part of its interface: scripts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It looked, and found what it was asked to look for.
    Findings = 1,
    /// It was asked for something that makes no sense; nothing was done.
    Usage = 2,
    /// It tried and couldn't; nothing was written.
    Failure = 3,
}

impl Exit {
    pub(crate) const ALL: [Self; 4] = [Self::Done, Self::Findings, Self::Usage, Self::Failure];

    /// The line about it in `--help`.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Findings => "findings: what was looked for is there",
            Self::Usage => "usage: the command makes no sense as typed",
            Self::Failure => "failure: it could not be done, and nothing was written",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

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
    fn codes_are_the_documented_ones() {
        assert_eq!(Exit::ALL.map(|exit| exit as u8), [0, 1, 2, 3]);
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let closed = Failure::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(settle(Err(closed)), Exit::Done);
    }
}
