//! `seal migrate [PATH…]`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::Namespace;

use super::ClusterArgs;

#[derive(Args)]
#[command(after_help = "\
Without --write nothing is written: what would be done is printed, and everything \
that stands against it. The scope of an object is that under which it opens, \
whatever its annotations say.

Example:
  seal migrate deploy -i backup.yaml -r prod.pub --write")]
pub(crate) struct MigrateArgs {
    /// Manifests, or directories in which all of *.yaml, *.yml and *.json are
    /// looked at; without any, the current directory
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// An RSA key in PEM, or a backup of the keys of sealed-secrets (kubectl
    /// get secret -o yaml); - is standard input. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// Seal to this recipient: age1…, 'ssh-ed25519 …', or a file of recipients
    /// (one a line). Repeatable; without it, to the cluster's sealing key
    #[arg(short, long = "recipient", value_name = "RECIPIENT|FILE")]
    pub(crate) recipients: Vec<String>,

    /// The namespace of SealedSecrets that don't name one
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// Seal what a Go template renders to now, where it does more than
    /// substitute items. A later change of an item then no longer changes it
    #[arg(long)]
    pub(crate) render_templates: bool,

    /// Write the files; all of them, or none
    #[arg(short, long)]
    pub(crate) write: bool,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
