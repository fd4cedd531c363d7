//! `seal tidy PATH…`

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Args)]
#[command(after_help = "\
No key is needed. Only envelopes go: those that no item uses, and second copies of one, as a merge leaves \
them. Every other byte stays.

Example:
  seal tidy db.yaml")]
pub(crate) struct TidyArgs {
    /// Manifests, or directories in which all of *.yaml, *.yml and *.json are
    /// looked at
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
}
