//! Files: input that is read into wiped buffers, and output that appears whole or not at all.
//!
//! Invariant: a command that fails leaves every file as it was.

pub(crate) mod env_file;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod repository;
