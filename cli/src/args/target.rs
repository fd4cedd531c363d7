//! The flags about one SealedSecret in a file, and whom to seal to: of `seal set`, `seal edit` and `seal move`.

use clap::{Args, ValueHint};

use super::{AcceptArgs, ClusterArgs};

#[derive(Args)]
pub(crate) struct TargetArgs {
    /// The SealedSecret to change, if a file has several
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) object: Option<String>,

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
