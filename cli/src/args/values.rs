//! The flags that give values: of `seal create` and of `seal set`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use seal_crds::ItemName;

use super::generate::Generate;

#[derive(Args)]
pub(crate) struct ValueArgs {
    /// An item from a file, named after it unless said; a directory gives one
    /// item for each of its files; - is standard input
    #[arg(long = "file", visible_alias = "from-file", value_name = "[ITEM=]PATH", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<String>,

    /// Items from lines KEY=VALUE, taken literally, as kubectl does
    #[arg(long = "env-file", visible_alias = "from-env-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) env_files: Vec<PathBuf>,

    /// An item asked for on the terminal, without echo
    #[arg(long = "prompt", value_name = "ITEM")]
    pub(crate) prompts: Vec<ItemName>,

    /// An item with a random value that nobody sees: LENGTH characters of alnum
    /// (the default), letters, digits, hex, base64url or ascii
    #[arg(long = "generate", value_name = "ITEM=LENGTH[:ALPHABET]")]
    pub(crate) generates: Vec<Generate>,

    /// Leave out one line break at the end of a value from a file or standard
    /// input
    #[arg(long)]
    pub(crate) chomp: bool,
}

impl ValueArgs {
    /// Whether a flag gives a value, or a file of values.
    pub(crate) fn is_given(&self) -> bool {
        !self.files.is_empty()
            || !self.env_files.is_empty()
            || !self.prompts.is_empty()
            || !self.generates.is_empty()
    }

    /// The items whose names stand in the flags themselves, and not in a file.
    pub(crate) fn named(&self) -> impl Iterator<Item = &ItemName> {
        self.prompts.iter().chain(self.generates.iter().map(|generate| &generate.item))
    }
}
