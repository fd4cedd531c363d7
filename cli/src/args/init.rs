//! `seal init`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::ClusterArgs;

#[derive(Args)]
#[command(after_help = "\
It looks at the Secrets and SealedSecrets that are there, proposes a rule for each directory of \
them, and writes .seal.yaml at the top of the repository, the keys that it names, and the schema by \
which editors complete it and underline slips (.seal.schema.json). Only new files are written, and all \
of them or none.

Examples:
  seal init --context prod                         with the recipients of a cluster
  seal init -r keys/prod.pub --recovery keys/recovery.pub
  seal init -r prod=age1… --dry-run")]
pub(crate) struct InitArgs {
    /// The directory of the repository; without it, the current one
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,

    /// A recipient of the rules: a file of the repository, else a file or an
    /// age1… that is written to keys/NAME.pub. Repeatable; without it, the
    /// recipients of the cluster
    #[arg(short, long = "recipient", value_name = "[NAME=]FILE|RECIPIENT")]
    pub(crate) recipients: Vec<String>,

    /// A recovery recipient, which every rule then needs, as with -r. Repeatable
    #[arg(long, value_name = "[NAME=]FILE|RECIPIENT")]
    pub(crate) recovery: Vec<String>,

    /// The name of the cluster's recipients in the rules [default: that of the
    /// context]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Print what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print the JSON Schema of .seal.yaml for editors, such as into a newer
    /// .seal.schema.json
    #[arg(long)]
    pub(crate) schema: bool,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
