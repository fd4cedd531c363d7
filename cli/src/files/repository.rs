//! The steps that all commands over a repository share: find files, work on all cores, collect problems, and
//! report in the order of files.
//!
//! Each command decides by itself what to do to a file; [`output`](super::output) writes. `migrate` reads and
//! decides everything before it writes anything, so that one problem leaves every file as it was. `rotate` writes each
//! file as soon as it is ready, since what is left can be done later. Invariant: every problem is printed, and not only
//! the first.

mod manifests;
mod problems;
mod report;
mod walk;
mod work;

pub(crate) use manifests::{ManifestFile, NothingSealed, manifests};
pub(crate) use problems::Problems;
pub(crate) use report::{Line, Lines};
pub(crate) use walk::{FileFound, FilesFound, Interest, files, is_manifest};
pub(crate) use work::{Task, as_they_come, on_all_cores};
