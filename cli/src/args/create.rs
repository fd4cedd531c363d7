//! `seal create NAME …`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::Name;

use super::{KeepArgs, SealingArgs, ValueArgs};

#[derive(Args)]
#[command(after_help = "\
A value in --literal can be seen by others in the list of processes and stays in \
the shell's history. Better: --prompt password, or --file password=- to read it \
from standard input.

Examples:
  seal create db -n prod -r prod.pub --prompt password -o db.yaml
  seal create app -n prod -r prod.pub --dotenv .env -o app.yaml
  seal create tls -n prod -r prod.pub --type kubernetes.io/tls --file tls.crt --file tls.key")]
pub(crate) struct CreateArgs {
    /// The name of the Secret
    pub(crate) name: Name,

    /// An item from the command line (others may see it there)
    #[arg(long = "literal", visible_alias = "from-literal", value_name = "ITEM=VALUE")]
    pub(crate) literals: Vec<String>,

    #[command(flatten)]
    pub(crate) values: ValueArgs,

    /// The type of the Secret, such as kubernetes.io/tls
    #[arg(long = "type", value_name = "TYPE", default_value = "Opaque")]
    pub(crate) type_: String,

    /// A label of the Secret. Repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,

    /// An annotation of the Secret. Repeatable
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<String>,

    /// Make a Secret that can't be changed
    #[arg(long)]
    pub(crate) immutable: bool,

    /// Write JSON instead of YAML
    #[arg(long)]
    pub(crate) json: bool,

    /// Write to this file, whole or not at all
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Take the rule of .seal.yaml for this file, which isn't written. Without
    /// it, the rule is that for the file of -o
    #[arg(long = "for", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) destined: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) sealing: SealingArgs,
}
