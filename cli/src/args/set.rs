//! `seal set FILE ITEM`, `seal set FILE… --prompt ITEM …`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::{ItemName, Namespace};

use super::{TargetArgs, ValueArgs};

#[derive(Args)]
#[command(
    override_usage = "seal set [OPTIONS] FILE ITEM\n       seal set [OPTIONS] FILE... --prompt ITEM | --file ITEM=PATH | \
                      --env-file FILE | --generate ITEM=LENGTH",
    after_help = "\
No private key is needed. The value comes from standard input, byte for byte, or is asked for, without \
echo. Namespace, name and scope come from the file, and every byte of it stays but those of the items and \
their envelope. With several files, all are changed or none.

Whoever could open the former value still can, from Git's history: change it at its source too.

Example:
  seal set db.yaml password -r prod.pub -r recovery.pub"
)]
pub(crate) struct SetArgs {
    /// A file with a SealedSecret and the item to set in it; if a flag gives the
    /// values, any number of files
    #[arg(value_name = "FILE ITEM", value_hint = ValueHint::FilePath)]
    pub(crate) words: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) values: ValueArgs,

    /// With --generate and several files: the same value in all of them
    #[arg(long, requires = "generates")]
    pub(crate) same: bool,

    /// Let template.data use this item, one that is sealed anew. Whoever may edit
    /// the SealedSecret then decides where in the Secret its value appears.
    /// Repeatable
    #[arg(long = "template-item", value_name = "ITEM")]
    pub(crate) template_items: Vec<ItemName>,

    /// The namespace of SealedSecrets that don't name one, if no rule in
    /// .seal.yaml takes it from the path
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}
