//! `seal [FILE…]`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::Name;

use super::{KeepArgs, SealingArgs};

#[derive(Args)]
pub(crate) struct SealArgs {
    /// Manifests, YAML or JSON, or directories of some; - is standard input.
    /// Secrets in them are sealed, everything else passes through untouched
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// The name of the one Secret in the input, where it has none
    #[arg(long)]
    pub(crate) name: Option<Name>,

    /// Write to this file, whole or not at all
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Take the rule of .seal.yaml for this file, which isn't written. Without
    /// it, the rule is that for the file of -o, else for each FILE
    #[arg(long = "for", value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "write")]
    pub(crate) destined: Option<PathBuf>,

    /// Replace each FILE by its result; what is sealed already stays as it is
    #[arg(short, long, conflicts_with = "output")]
    pub(crate) write: bool,

    /// Let a Secret without values pass through where it is all there is, and say nothing of others
    #[arg(long)]
    pub(crate) allow_empty_data: bool,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) sealing: SealingArgs,
}
