//! How the program ends: the exit codes, which scripts depend on.

use std::process::ExitCode;

/// How the program ends. Part of its interface: scripts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It looked, and found what it was asked to look for. Reserved: no command looks for anything yet, and none may use
    /// the number for something else.
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
            Self::Findings => "reserved for findings; no command ends with it yet",
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
