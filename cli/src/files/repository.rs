//! What every command over a repository does alike: it finds files, works on all cores, collects problems, and reports
//! in the order of files.
//!
//! Not what is done to a file, and not the writing, which is [`output`](super::output)'s. A command reads and decides
//! everything before it writes anything, so that one problem leaves every file as it was. Invariant: every problem is
//! told, not the first alone.

mod problems;
mod report;
mod walk;
mod work;

pub(crate) use problems::Problems;
pub(crate) use report::{Line, Lines};
pub(crate) use walk::{FileFound, FilesFound, Interest, files};
pub(crate) use work::on_all_cores;
