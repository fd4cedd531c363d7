//! `seal resolve FILE --take LABEL [ITEM…]`

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Args)]
#[command(after_help = "\
A conflict of SealedSecrets holds both lines of an item, and the envelopes of both. This command \
keeps one line, and drops the envelopes that no item needs then. No key is needed.

In a rebase, git calls the branch that the commits go onto ours, and your commit theirs.

Exit code 1 means that conflicts are left, or that an object wouldn't open.

Example:
  seal resolve prod/db.yaml --take feature password && git add prod/db.yaml")]
pub(crate) struct ResolveArgs {
    /// The file with conflict markers
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Only these items; without any, every conflict of the file
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,

    /// The SealedSecret whose conflicts to settle, if the file has several
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) object: Option<String>,

    /// The side to keep: the label after its marker, or the first word of it
    #[arg(long, value_name = "LABEL", required = true)]
    pub(crate) take: String,
}
