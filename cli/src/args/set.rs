//! `seal set FILE ITEM`, `seal set FILE… --prompt ITEM …`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::{ItemName, Namespace};

use super::{AcceptArgs, ClusterArgs, ValueArgs};

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

    /// The SealedSecret to change, if a file has several
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) object: Option<String>,

    #[command(flatten)]
    pub(crate) values: ValueArgs,

    /// With --generate and several files: the same value in all of them
    #[arg(long, requires = "generates")]
    pub(crate) same: bool,

    /// Let template.data use this item, one that is set. Whoever may edit the
    /// SealedSecret then decides where in the Secret its value appears.
    /// Repeatable
    #[arg(long = "template-item", value_name = "ITEM")]
    pub(crate) template_items: Vec<ItemName>,

    /// Seal to this recipient: age1…, 'ssh-ed25519 …', or a file of recipients
    /// (one a line). Repeatable; without it, to those of the rule in .seal.yaml
    /// for the file, else to the cluster's sealing key
    #[arg(short, long = "recipient", value_name = "RECIPIENT|FILE")]
    pub(crate) recipients: Vec<String>,

    /// For SealedSecrets of bitnami.com: the certificate to seal to, in PEM;
    /// without it, that of the rule in .seal.yaml, else the one that the
    /// cluster's controller gives
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::AnyPath)]
    pub(crate) cert: Option<String>,

    /// The namespace of SealedSecrets that don't name one
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// For SealedSecrets of bitnami.com: the Service of the controller [default:
    /// sealed-secrets-controller]
    #[arg(long, value_name = "NAME")]
    pub(crate) controller_name: Option<String>,

    #[command(flatten)]
    pub(crate) accept: AcceptArgs,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
