//! `seal unseal FILE -i IDENTITY`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::{ItemName, Namespace};

#[derive(Args)]
#[command(after_help = "\
The result holds plaintext, so it isn't written to a terminal unless --show is given.

Examples:
  seal unseal sealed.yaml -i recovery.key --item password | xclip
  seal unseal ./deploy -i recovery.key -o secrets.yaml")]
pub(crate) struct UnsealArgs {
    /// Manifests with SealedSecrets, or directories of some; - (or none) is
    /// standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// A file of identities, as seal keys new or age-keygen makes them, also
    /// behind a passphrase or of age plugins; for SealedSecrets of bitnami.com
    /// an RSA key in PEM, or a backup of the keys (kubectl get secret -o yaml);
    /// - is standard input. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// The namespace of SealedSecrets that don't name one
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// Print the bytes of this item alone, exactly
    #[arg(long)]
    pub(crate) item: Option<ItemName>,

    /// Print plaintext to a terminal
    #[arg(long)]
    pub(crate) show: bool,

    /// Write to this file, readable by its owner alone
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}
