//! `seal diff [REV [REV]|REV..REV] [PATH…]`, `seal diff FILE FILE`

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Args)]
#[command(
    override_usage = "seal diff [OPTIONS] [REV [REV]|REV..REV] [PATH]... [-- PATH...]\n       seal diff [OPTIONS] FILE FILE",
    after_help = "\
Without REV, the files on disk are compared with HEAD; with REV, with that revision; two revisions \
with each other. Of two files, it says which items one of them lacks.

A file that was only laid out anew has no changes. The recipients are those that an envelope \
lists; the list that counts is sealed inside, and seal check compares the two as far as it can. They \
have the names that the earlier state pins them by; any other key is called new.

Example:
  seal diff origin/main..HEAD clusters/prod
  seal diff clusters/prod/db.yaml clusters/staging/db.yaml -i recovery.key"
)]
pub(crate) struct DiffArgs {
    /// A revision, a range of revisions, files, directories
    #[arg(value_name = "REV|PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) words: Vec<String>,

    /// Files and directories, also those that are called like a revision
    #[arg(value_name = "PATH", last = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Open with the identities in this file, to say which values changed.
    /// Repeatable
    #[arg(short, long = "identity", value_name = "FILE", env = "SEAL_IDENTITY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// End with exit code 1 if there are changes
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// The form of the result
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub(crate) format: DiffFormat,
}

/// The forms of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// Words for people
    Text,
    /// JSON for programs
    Json,
}
