//! `seal keys backup`, `seal keys restore` and `seal keys drill`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::Namespace;
use seal_crds::keys::Fingerprint;

use crate::args::ClusterArgs;

#[derive(Args)]
#[command(after_help = "\
A backup is a key's private half, encrypted to the key's recovery recipients, so it \
may be committed. Files that are there stay as they are. Exit code 1: a backup of \
the cluster differs from its file, or can't be used.

Example:
  seal keys backup --context prod -o backups")]
pub(crate) struct BackupArgs {
    /// The directory for the backups, one file a key; it is made if it isn't
    /// there
    #[arg(short, long, value_name = "DIR", required = true, value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Args)]
#[command(after_help = "\
A key is restored only if its fingerprint is one of the pins of -r, or the one that \
--accept names: anybody can encrypt a key to a recovery recipient. It opens what was \
sealed to it and isn't sealed to, unless --keep-primary says so; what the pins call \
revoked stays revoked. It asks before it sends a private half anywhere; where nobody \
is asked, --context and --yes say what to do. No private half is printed. Exit code \
1: something was skipped.

Example:
  seal keys restore backups -i recovery.key -r prod.pub --context prod --yes")]
pub(crate) struct RestoreArgs {
    /// Backups, directories of backups, or files of the keys' Secrets (kubectl
    /// get secret -o yaml)
    #[arg(value_name = "DIR|FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) sources: Vec<PathBuf>,

    /// A file of identities that opens the backups; - is standard input.
    /// Repeatable
    #[arg(short, long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// The pins of the repository: a file of recipients, and of the keys that
    /// were. Repeatable
    #[arg(short, long = "recipient", value_name = "FILE")]
    pub(crate) recipients: Vec<String>,

    /// Restore the key of this fingerprint (64 digits) though no pins list it.
    /// Repeatable
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) accept: Vec<Fingerprint>,

    /// Seal to the key that seal keys fetch wrote into the pins as the sealing key:
    /// for a cluster that was rebuilt
    #[arg(long)]
    pub(crate) keep_primary: bool,

    /// Don't ask before it is done; --context names the cluster
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Args)]
#[command(after_help = "\
Nothing is written, and no cluster is asked. Exit code 1: a backup or a SealedSecret \
doesn't open. With --public nothing is opened: every recipient that the SealedSecrets \
name has to be listed in the pins, and the keys among them need a backup.

Examples:
  seal keys drill backups deploy -i recovery.key
  seal keys drill backups deploy --public -r prod.pub")]
pub(crate) struct DrillArgs {
    /// The directory of the backups
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) backups: PathBuf,

    /// Manifests, or directories in which all of *.yaml, *.yml and *.json are
    /// looked at; without any, the current directory
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// A file of identities that opens the backups; keys of sealed-secrets open
    /// SealedSecrets of bitnami.com. - is standard input. Repeatable
    #[arg(
        short,
        long = "identity",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        required_unless_present = "public"
    )]
    pub(crate) identities: Vec<PathBuf>,

    /// Check what needs no identity, for CI
    #[arg(long, conflicts_with = "identities", requires = "recipients")]
    pub(crate) public: bool,

    /// The pins of the repository, which list every key. Repeatable
    #[arg(short, long = "recipient", value_name = "FILE")]
    pub(crate) recipients: Vec<String>,

    /// The namespace of SealedSecrets that don't name one
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,
}
