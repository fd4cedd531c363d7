//! The steps that all commands over a repository share: find files, work on all cores, collect problems, and
//! report in the order of files.
//!
//! Each command decides by itself what to do to a file; [`output`](super::output) writes. A command reads and
//! decides everything before it writes anything, so that one problem leaves every file as it was. Invariant:
//! every problem is printed, and not only the first.

mod problems;
mod report;
mod walk;
mod work;

pub(crate) use problems::Problems;
pub(crate) use report::{Line, Lines};
pub(crate) use walk::{FileFound, FilesFound, Interest, files, is_manifest};
pub(crate) use work::on_all_cores;
