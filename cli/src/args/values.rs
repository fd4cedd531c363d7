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

    /// Items from a file of the dotenv dialect: export, quotes, escapes,
    /// comments, values over several lines; no variable is expanded
    #[arg(long = "dotenv", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) dotenv_files: Vec<PathBuf>,

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
            || !self.dotenv_files.is_empty()
            || !self.prompts.is_empty()
            || !self.generates.is_empty()
    }

    /// How many of the flags read standard input.
    pub(crate) fn stdin_uses(&self) -> usize {
        let files = self.files.iter().filter(|file| *file == "-" || file.ends_with("=-"));
        let env_files =
            self.env_files.iter().chain(&self.dotenv_files).filter(|file| file.as_os_str() == "-");
        files.count() + env_files.count()
    }

    /// The items whose names stand in the flags themselves, and not in a file.
    pub(crate) fn named(&self) -> impl Iterator<Item = &ItemName> {
        self.prompts.iter().chain(self.generates.iter().map(|generate| &generate.item))
    }
}
