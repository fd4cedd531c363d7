//! `seal rm FILE ITEM…`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::{ItemName, Namespace};

#[derive(Args)]
#[command(after_help = "\
No key is needed. Every byte of the file stays but those of the items, and of envelopes that no other item \
uses. The values stay readable in Git's history to whoever could open them.

Example:
  seal rm db.yaml old-token")]
pub(crate) struct RmArgs {
    /// A file with a SealedSecret
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// The items to remove
    #[arg(value_name = "ITEM", required = true)]
    pub(crate) items: Vec<ItemName>,

    /// The SealedSecret to change, if the file has several
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) object: Option<String>,

    /// The namespace of a SealedSecret that doesn't name one, if no rule in
    /// .seal.yaml takes it from the path
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,
}
