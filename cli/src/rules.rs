//! The rules of a repository: `.seal.yaml`, which says for each path whom to seal to, and how.
//!
//! ```text
//! site ──► the repository around a file, and its path there
//! reader ─► files of the disk, of a commit, of the index: one trait
//! book ───► the rules that count for a path: rules file, pins
//!            file     what a rules file says      pattern   which paths a rule is for
//!            kinds    which recipients go together
//! differences, unreachable ─► what a reviewer wants to know about them
//! ```
//!
//! `seal`, `create`, `set`, `rotate` and `check` obey the same rules, read by the same code. This room doesn't seal, and asks
//! nobody: [`commands`](crate::commands) puts rules and flags together.
//!
//! The threat is a repository that somebody else may write to. So a rules file names no program and no URL, its pins are
//! files beneath the repository that no symbolic link leads to, and a rules file in a directory counts only if the one
//! above names that directory. Whoever may change the rules themselves may change whom is sealed to: that is what a
//! review of `.seal.yaml` and `check --policy` are for.
//!
//! Invariants: a rules file that isn't understood completely is refused, and says nothing; there is one meaning of a rules
//! file, in whichever tree it stands.

pub(crate) mod book;
pub(crate) mod differences;
pub(crate) mod file;
pub(crate) mod kinds;
pub(crate) mod pattern;
pub(crate) mod pins;
pub(crate) mod reader;
pub(crate) mod site;
pub(crate) mod unreachable;

/// The name of a rules file.
pub(crate) const FILE_NAME: &str = ".seal.yaml";
