//! The meaning of the words of `seal set`: which are files, which is the item, and where its value comes from.
//!
//! Invariant: a value is never taken from the command line, where others see it, and a word that may be one is never
//! repeated.

use std::path::PathBuf;

use seal_crds::{ItemName, Plaintext};

use crate::args::SetArgs;
use crate::args::intent;
use crate::commands::values;
use crate::files::input::Input;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
pub(super) enum SetError {
    #[error("a file is missing")]
    NoFile,
    #[error("an item is missing")]
    NoItem,
    #[error("there are more words than FILE and ITEM")]
    TooManyWords,
    #[error("a value isn't taken from the command line, where others see it")]
    TypedValue,
    #[error("the second word is the item, and it {0}")]
    BadItem(&'static str),
    #[error("standard input can't be changed in place")]
    StdinFile,
    #[error("{0} is a directory, and a value is set only in files that are named")]
    Directory(String),
    #[error("nothing came in on standard input")]
    NothingCameIn(ItemName),
    #[error("--template-item {0} isn't one of the items that are set")]
    NotSet(ItemName, String),
    #[error("the files of values have no item")]
    NoItems,
}

impl Explain for SetError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        let in_general = "seal set FILE ITEM reads it from standard input, or asks for it; several come by --prompt, \
                          --file, --env-file and --generate";
        Some(match self {
            Self::NoFile | Self::NoItem | Self::TooManyWords | Self::TypedValue => in_general.to_owned(),
            Self::NothingCameIn(item) => format!("if it is meant to be empty: --file {item}=/dev/null"),
            Self::NotSet(_, items) => format!("the items are: {items}"),
            Self::StdinFile => "name the file; what comes in on standard input is the value".to_owned(),
            Self::Directory(name) => {
                format!("name the files, such as {}/*.yaml", name.trim_end_matches('/'))
            }
            Self::BadItem(_) | Self::NoItems => return None,
        })
    }
}

/// The words, understood.
pub(super) struct Plan {
    pub(super) files: Vec<PathBuf>,
    /// The one item that comes from standard input or a prompt; `None` if flags give the values.
    pub(super) item: Option<ItemName>,
}

impl Plan {
    pub(super) fn of(args: &SetArgs) -> Result<Self, Failure> {
        let (files, item) = match &args.words[..] {
            [] => return Err(SetError::NoFile.into()),
            words if args.values.is_given() => (words, None),
            [_] => return Err(SetError::NoItem.into()),
            [file, item] => (std::slice::from_ref(file), Some(item)),
            _ => return Err(SetError::TooManyWords.into()),
        };
        let may_be_value = |word: &PathBuf| word.to_string_lossy().contains('=') && !word.exists();
        if files.iter().chain(item).any(may_be_value) {
            return Err(SetError::TypedValue.into());
        }
        let inputs = intent::inputs(files)?;
        if inputs.contains(&Input::Stdin) {
            return Err(SetError::StdinFile.into());
        }
        // Of all the SealedSecrets beneath a directory, few want the same value, and a wrong one is lost for good.
        if let Some(directory) = files.iter().find(|file| file.is_dir()) {
            return Err(SetError::Directory(directory.display().to_string()).into());
        }
        let item = item.map(|item| item.to_string_lossy().parse::<ItemName>());
        let item = item.transpose().map_err(|error| SetError::BadItem(error.rule))?;
        Ok(Self { files: files.to_vec(), item })
    }
}

impl Plan {
    /// Whether a person types the value of the one item, because standard input is the terminal.
    pub(super) fn asks(&self) -> bool {
        self.item.is_some() && terminal::stdin_is_terminal()
    }

    /// The one item, if a person is asked for it.
    pub(super) fn asked(&self) -> impl Iterator<Item = &ItemName> {
        self.item.iter().filter(|_| self.asks())
    }
}

/// The value of the one item: everything that comes in on standard input.
pub(super) fn from_stdin(item: &ItemName, chomp: bool) -> Result<Plaintext, Failure> {
    let value = values::from_input(&Input::Stdin, chomp)?;
    // `pass show db | seal set …` shouldn't seal nothing because `pass` failed.
    if value.is_empty() { Err(SetError::NothingCameIn(item.clone()).into()) } else { Ok(value) }
}
