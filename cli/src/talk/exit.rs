//! The exit codes of `seal`. Scripts depend on them.

use std::process::ExitCode;

/// An exit code. The codes are part of the program's interface, because scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did what the user asked for.
    Done = 0,
    /// The command did its work, and found something that the user has to look at.
    Findings = 1,
    /// The arguments make no sense; the command did nothing.
    Usage = 2,
    /// The command failed and wrote nothing.
    Failure = 3,
}

impl Exit {
    pub(crate) const ALL: [Self; 4] = [Self::Done, Self::Findings, Self::Usage, Self::Failure];

    /// The line about the exit code in `--help`.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Findings => "findings: it was done, and there is something to look at",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        assert_eq!(Exit::ALL.map(|exit| exit as u8), [0, 1, 2, 3]);
    }
}
