//! `seal check`: what is wrong in a repository, seen without a private key.
//!
//! ```text
//! tree ──► scan ──► scanned files ──► lints ──► findings ──► silence ──► report
//! which    bytes,   objects and       what is   with their   comments,   text, JSON,
//! files    texts    outlines          wrong     places       baseline    GitHub, SARIF
//! ```
//!
//! The threats: a repository that somebody else may write to, whose files are of any size and form; and a pull request that
//! wants to be found harmless. So no program of the repository runs, no symbolic link is followed, work and memory are
//! bounded, a file that can't be read is told of if it names a Secret, and what silences a finding is told of if it is new.
//!
//! Invariants: no finding holds a value. Each finding has a [`Lint`](lint::Lint). Findings come in the order of files and
//! of places in them, however many cores there are.

pub(crate) mod allow;
pub(crate) mod baseline;
pub(crate) mod context;
pub(crate) mod examine;
pub(crate) mod finding;
pub(crate) mod interest;
pub(crate) mod links;
pub(crate) mod lint;
pub(crate) mod lints;
pub(crate) mod namespace;
pub(crate) mod report;
pub(crate) mod scan;
pub(crate) mod scanned;
mod silence;
pub(crate) mod tree;
