//! `seal rotate [PATH…]`

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueHint};
use seal_crds::{Namespace, duration};

use super::{AcceptArgs, ClusterArgs};

#[derive(Args)]
#[command(
    override_usage = "seal rotate -i FILE [OPTIONS] [PATH]...\n       seal rotate --from-cluster [OPTIONS] [PATH]...\n       seal rotate --verify [OPTIONS] [PATH]...",
    group = ArgGroup::new("way").args(["identities", "from_cluster", "verify"]),
    after_help = "\
Only SealedSecrets that need it are changed. Each file is written whole or not at all, and one \
that can't be rotated doesn't stop the others: run it again for what is left.

Rotating takes nothing back. Whoever could open a SealedSecret before still can, from Git's \
history; and an item stays marked with everybody who has seen its value, with --reseal too. \
SealedSecrets of bitnami.com have no place for such marks. Only a value that is changed at its \
source is new.

Exit code 1 means that some SealedSecrets are left; each is named.

Examples:
  seal rotate deploy -i prod.key -r next.pub       with an identity at hand
  seal rotate deploy --from-cluster -r prod.pub    with what the cluster offers, without a key
  seal rotate deploy --verify --context prod       the cluster has it all, and it is Ready"
)]
pub(crate) struct RotateArgs {
    /// Manifests, or directories in which all of *.yaml, *.yml and *.json are
    /// looked at; without any, the current directory
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Open with the identities in this file, without a cluster; SealedSecrets
    /// of bitnami.com with the RSA keys in it, such as a backup of the keys.
    /// - is standard input. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// Take the envelopes that the cluster's controller offers. No private key
    /// is needed. SealedSecrets of bitnami.com stay as they are
    #[arg(long)]
    pub(crate) from_cluster: bool,

    /// Change nothing, and wait until the cluster has every SealedSecret of
    /// these files as it stands there, and it is Ready
    #[arg(long)]
    pub(crate) verify: bool,

    /// The recipients: age1…, 'ssh-ed25519 …', or a file of recipients (one a
    /// line). Repeatable. With -i, the new recipients; with --from-cluster and
    /// --verify, those that an offer or a SealedSecret has to have, and no
    /// others; those that retire may be missing. Without -r, those of the rule in .seal.yaml for each file;
    /// with -i and without a rule, the cluster's
    #[arg(short, long = "recipient", value_name = "RECIPIENT|FILE")]
    pub(crate) recipients: Vec<String>,

    /// With -i: the certificate to seal the SealedSecrets of bitnami.com to, in
    /// PEM
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::AnyPath, conflicts_with_all = ["from_cluster", "verify"])]
    pub(crate) cert: Option<String>,

    /// With -i: seal every value again, under fresh data keys
    #[arg(long, conflicts_with_all = ["from_cluster", "verify"])]
    pub(crate) reseal: bool,

    /// The namespace of SealedSecrets that don't name one
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// Say what would be done, and write nothing
    #[arg(long, conflicts_with = "verify")]
    pub(crate) dry_run: bool,

    /// With --verify: how long to wait, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) accept: AcceptArgs,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
