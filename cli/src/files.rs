//! Files: input that is read into wiped buffers, output that appears whole or not at all, and revisions of a Git
//! repository.
//!
//! Invariant: a command that fails leaves every file as it was.

pub(crate) mod dotenv;
pub(crate) mod editor;
pub(crate) mod env_file;
pub(crate) mod git;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod program;
pub(crate) mod repository;
pub(crate) mod scratch;
pub(crate) mod text;
