//! `seal resolve FILE [--take SIDE] [ITEM…]`

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Args)]
#[command(after_help = "\
Where git merged the file by lines, because the merge driver is missing, its items are merged first, \
one by one; that alone may end the conflict. A conflict that is left holds both lines of an item, and \
the envelopes of both. With --take, one line is kept, and the envelopes that no item needs then go. \
No key is needed. What is removed is named.

In a rebase, git calls the branch that the commits go onto ours, and your commit theirs.

Exit code 1 means that conflicts are left, or that an object wouldn't open.

Example:
  seal resolve prod/db.yaml
  seal resolve prod/db.yaml --take theirs password && git add prod/db.yaml")]
pub(crate) struct ResolveArgs {
    /// The file in conflict
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Only these items; without any, every conflict of the file
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,

    /// The SealedSecret whose conflicts to settle, if the file has several
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) object: Option<String>,

    /// The side to keep: ours, theirs, or the label after its marker or the
    /// first word of it
    #[arg(long, value_name = "SIDE")]
    pub(crate) take: Option<String>,

    /// An identity to compare values with: an item that both sides set to the
    /// same value, for the same recipients, is no conflict. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", env = "SEAL_IDENTITY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,
}
