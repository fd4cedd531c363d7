//! `seal keys fetch`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::args::ClusterArgs;

#[derive(Args)]
#[command(after_help = "\
With -o an existing file is brought up to date: recipients that the cluster no \
longer has leave it, recipients that people put there stay, and so does every \
line that marks a key as retiring, revoked or destroyed. Without -o the whole \
file goes to standard output.

Example:
  seal keys fetch --context prod -o prod.pub")]
pub(crate) struct FetchArgs {
    /// Bring this file up to date, or make it
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Write nothing, and exit with 1 if this file is behind the cluster
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "output")]
    pub(crate) check: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
