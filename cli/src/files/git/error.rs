//! Reasons why a repository can't be read.
//!
//! Invariant: a name that the user typed wrongly is an error of usage; everything else is an unreadable revision.

use std::io;
use std::path::PathBuf;

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// Reasons why revisions can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("the program git can't be started")]
    NotStarted(#[source] io::Error),
    #[error("{} isn't in a Git repository: {words}", .dir.display())]
    NoRepository { dir: PathBuf, words: String },
    #[error("there is no revision {0}")]
    NoRevision(String),
    #[error("{revision} is ambiguous: {}", .names.join(", "))]
    Ambiguous { revision: String, names: Vec<String> },
    #[error("{0} isn't a range of revisions")]
    NoRange(String),
    #[error("this repository has no work tree")]
    NoWorkTree,
    #[error("{path} isn't in the Git repository of {}", .dir.display())]
    Outside { path: String, dir: PathBuf },
    #[error("git {command} failed: {words}")]
    Failed { command: &'static str, words: String },
    #[error("git {0} gave an answer that isn't understood")]
    Unexpected(&'static str),
}

impl Explain for GitError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoRevision(_) | Self::Ambiguous { .. } | Self::NoRange(_) | Self::Outside { .. } => {
                Rule::Usage
            }
            _ => Rule::UnreadableRevision,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoRevision(_) | Self::Ambiguous { .. } | Self::NoRange(_) | Self::Outside { .. } => {
                Exit::Usage
            }
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotStarted(_) => Some("revisions are read by git; install it".to_owned()),
            Self::NoRepository { .. } => Some("run it in the repository".to_owned()),
            Self::NoRevision(_) => Some("git branch --all and git tag list the names; a shallow clone lacks older commits (fetch-depth: 0)".to_owned()),
            Self::Ambiguous { .. } => Some("write the whole name of the one that is meant".to_owned()),
            Self::NoRange(_) => Some("write OLD..NEW, such as origin/main..HEAD".to_owned()),
            Self::NoWorkTree => Some("run it in a work tree, or name a range: OLD..NEW".to_owned()),
            Self::Outside { .. } => Some("run it in that repository".to_owned()),
            Self::Failed { .. } | Self::Unexpected(_) => None,
        }
    }
}
