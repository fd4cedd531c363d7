//! `seal edit FILE`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::{ItemName, Namespace};

use super::TargetArgs;

#[derive(Args)]
#[command(after_help = "\
The editor is $VISUAL, else $EDITOR, else vi; it may have arguments, and has to wait until you close the file \
(EDITOR=\"code --wait\"). It gets the items as lines of YAML. Without an identity each value is <sealed>: replace \
it, add lines, remove lines. Binary values are !!binary, in base64.

The text for the editor stands in a directory in memory, and is wiped when the editor ends. Swap files, backups and \
histories of vim, nvim, vi, nano and emacs are off.

Examples:
  seal edit db.yaml -r prod.pub
  seal edit db.yaml -r prod.pub -i recovery.key   shows the values")]
pub(crate) struct EditArgs {
    /// A file with a SealedSecret
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Show the values, with the identities in this file; for SealedSecrets of
    /// bitnami.com with the RSA keys in it. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// Keep the text for the editor in this directory, even if it is on a disk
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) scratch: Option<PathBuf>,

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
