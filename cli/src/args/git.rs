//! `seal git …`: the programs that git runs, and the configuration that makes it run them

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Subcommand)]
pub(crate) enum GitCommand {
    /// Merge a file of SealedSecrets, as git's merge driver
    Merge(MergeArgs),
    /// Show a file with short names in the place of ciphertext, as git's textconv
    Textconv(TextconvArgs),
    /// Say in words how a file changed, as git's external diff
    Diff(ExternalDiffArgs),
    /// Print the lines for .git/config
    #[command(after_help = "\
Example:
  seal git config >> .git/config

The lines do no harm where seal isn't installed: git then merges and shows the files as text.")]
    Config,
    /// Print the lines for .gitattributes
    #[command(after_help = "\
Example:
  seal git attributes >> .gitattributes

The file is committed, and seal git config is run in every clone: without it, git ignores the lines.")]
    Attributes,
}

#[derive(Args)]
#[command(after_help = "\
Git runs this command; seal git config prints the lines that make it do so. Words that an older \
git passes as they stand, such as %S, count as absent.

Exit code 1 means that there is a conflict: markers stand in OURS, and seal resolve settles them.

Example:
  seal git config >> .git/config")]
pub(crate) struct MergeArgs {
    /// The version of the common ancestor (%O)
    #[arg(value_name = "BASE", value_hint = ValueHint::FilePath)]
    pub(crate) base: PathBuf,

    /// Our version, which becomes the result (%A)
    #[arg(value_name = "OURS", value_hint = ValueHint::FilePath)]
    pub(crate) ours: PathBuf,

    /// Their version (%B)
    #[arg(value_name = "THEIRS", value_hint = ValueHint::FilePath)]
    pub(crate) theirs: PathBuf,

    /// The length of conflict markers (%L)
    #[arg(value_name = "SIZE")]
    pub(crate) size: Option<OsString>,

    /// The path of the file, for messages (%P)
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<OsString>,

    /// The label of the base (%S)
    #[arg(value_name = "BASE_LABEL")]
    pub(crate) base_label: Option<OsString>,

    /// The label of our version (%X)
    #[arg(value_name = "OUR_LABEL")]
    pub(crate) ours_label: Option<OsString>,

    /// The label of their version (%Y)
    #[arg(value_name = "THEIR_LABEL")]
    pub(crate) theirs_label: Option<OsString>,

    /// An identity to compare values with: an item that both sides set to the
    /// same value, for the same recipients, is no conflict. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", env = "SEAL_IDENTITY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Each item becomes the first characters of its data key and of the hash of its line; each age \
file its hash. All other text stays as it is, and so does a file that can't be read.

Example:
  seal git textconv prod/db.yaml")]
pub(crate) struct TextconvArgs {
    /// The file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Git passes these arguments (GIT_EXTERNAL_DIFF, or diff.<driver>.command): path, old file, old \
object, old mode, new file, new object, new mode, and for a renamed file its new name.

Example:
  GIT_EXTERNAL_DIFF='seal git diff --' git diff HEAD~1 -- prod/db.yaml")]
pub(crate) struct ExternalDiffArgs {
    /// What git passes
    #[arg(value_name = "ARGUMENT", required = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}
