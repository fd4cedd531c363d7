//! `seal show [PATH…]`

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Args)]
#[command(after_help = "\
No key is needed, and nothing shown is authenticated: it is what the file says. Names are those of the repository's \
pins (.seal.yaml); a recipient that isn't pinned is shown by the name that the file gives it.

Examples:
  seal show deploy/db.yaml
  seal show deploy --format json | jq -r '.[].place'")]
pub(crate) struct ShowArgs {
    /// Manifests, or directories in which all of *.yaml, *.yml and *.json are
    /// looked at; - is standard input; without any, the current directory
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// The form of the result
    #[arg(long, value_enum, default_value_t = ShowFormat::Text)]
    pub(crate) format: ShowFormat,
}

/// The forms of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    /// A few lines for each object
    Text,
    /// JSON for programs
    Json,
}
