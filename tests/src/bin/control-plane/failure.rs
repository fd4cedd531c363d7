//! The reasons why a control plane doesn't start, or ends.
//!
//! Not a chain of causes: each failure carries the end of the log that explains it, since the log itself is
//! removed with the directory. Invariant: the reader of a failure needs no other file.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use seal_tests::toolchain;

use crate::PATIENCE;

const LOG_TAIL: usize = 4000;

/// The reason why a control plane doesn't start, or ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The supervisor was asked to stop: its exit code says success.
    Stopped,
    Missing(toolchain::Missing),
    Died {
        name: &'static str,
        status: ExitStatus,
        log: String,
    },
    Slow {
        name: &'static str,
        log: String,
    },
    Refused {
        file: PathBuf,
        message: String,
    },
    Io {
        doing: &'static str,
        error: io::Error,
    },
}

impl Failure {
    pub(crate) fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io { doing, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => write!(f, "stopped"),
            Self::Missing(missing) => write!(f, "{missing}"),
            Self::Died { name, status, log } => write!(f, "{name} ended ({status}); its log ends:\n{log}"),
            Self::Slow { name, log } => {
                write!(f, "{name} isn't ready after {PATIENCE:?}; its log ends:\n{log}")
            }
            Self::Refused { file, message } => write!(f, "{} is refused: {message}", file.display()),
            Self::Io { doing, error } => write!(f, "cannot {doing}: {error}"),
        }
    }
}

/// The end of a log, from the start of a line.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_else(|error| error.to_string().into_bytes());
    let text = String::from_utf8_lossy(&text);
    let skip = text.len().saturating_sub(LOG_TAIL);
    match text.char_indices().find(|&(at, c)| at >= skip && (skip == 0 || c == '\n')) {
        Some((at, _)) => text[at..].trim().to_owned(),
        None => text.into_owned(),
    }
}
