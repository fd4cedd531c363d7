//! The lints themselves, in two sorts: those that need nothing but a file, and those that need the whole tree.
//!
//! Invariant: a lint reads no file, and what it finds depends on its arguments alone.

use super::context::Context;
use super::finding::Finding;
use super::scanned::Scanned;

/// What is wrong with one file, whatever else is in the repository. It runs on many threads, for each file of interest and
/// for each content that a range brought in.
pub(crate) fn of_file(_file: &Scanned<'_>, _found: &mut Vec<Finding>) {}

/// What is wrong with the files together.
pub(crate) fn of_tree(_context: &Context<'_>, _found: &mut Vec<Finding>) {}
