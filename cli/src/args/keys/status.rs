//! `seal keys status`

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::args::ClusterArgs;

#[derive(Args)]
#[command(after_help = "\
The cluster is asked if --context names it, or if a person is watching. Files and \
revisions are counted by what their envelopes claim. Objects of bitnami.com claim \
no key, so each of them may need any key of sealed-secrets.

Examples:
  seal keys status . --context prod
  seal keys status --rev origin/main --offline")]
pub(crate) struct StatusArgs {
    /// Count the SealedSecrets in these files, and beneath these directories
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Count the SealedSecrets in this Git revision, beneath the paths if there
    /// are any. Repeatable
    #[arg(long = "rev", value_name = "REV")]
    pub(crate) revisions: Vec<String>,

    /// The form of the result
    #[arg(long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) format: StatusFormat,

    /// Don't ask the cluster
    #[arg(long, conflicts_with_all = ["context", "kubeconfig", "controller_namespace"])]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// The forms of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// A table for people
    Text,
    /// JSON for programs
    Json,
}
