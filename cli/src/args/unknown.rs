//! A mistyped command: `seal chekc` is no wish to seal a file of that name.

use std::path::{Path, PathBuf};

use crate::{
    exit::Exit,
    failure::{Explain, Failure},
};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum WordError {
    #[error("unknown command {word}{}", meant.as_ref().map(|m| format!(", did you mean {m}?")).unwrap_or_default())]
    Unknown { word: String, meant: Option<String> },
    #[error("the command {0} has to come first")]
    NotFirst(String),
}

impl Explain for WordError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { word, .. } => format!("a file of that name is ./{word}"),
            Self::NotFirst(word) => {
                format!("options go after it: seal {word} …; a file of that name is ./{word}")
            }
        })
    }
}

/// Refuses a first argument that is a plain word: where a command stands,
/// another word can only be a command. A file there has a dot or a slash in
/// its name, or gets a `./`, also if a later version adds a command. A command
/// behind options or files is refused too; clap takes it for a file.
pub(super) fn check(command: &clap::Command, files: &[PathBuf]) -> Result<(), Failure> {
    let is_command = |word: &&str| command.find_subcommand(word).is_some();
    if let Some(word) = files.iter().filter_map(|file| is_word(file)).find(is_command) {
        return Err(WordError::NotFirst(word.to_owned()).into());
    }
    match files.first().and_then(|first| is_word(first)) {
        Some(word) => Err(unknown(command, word).into()),
        None => Ok(()),
    }
}

fn is_word(first: &Path) -> Option<&str> {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let word = first.to_str()?;
    (word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.bytes().all(inside)).then_some(word)
}

fn unknown(command: &clap::Command, word: &str) -> WordError {
    let likeness = |name: &str| strsim::damerau_levenshtein(name, &word.to_lowercase());
    let names = command.get_subcommands().map(clap::Command::get_name);
    let meant = names.min_by_key(|name| likeness(name)).filter(|name| likeness(name) <= 2);
    WordError::Unknown { word: word.to_owned(), meant: meant.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_commands_and_paths_are_files() {
        for word in ["chekc", "secret", "db-prod", "Makefile"] {
            assert!(is_word(Path::new(word)).is_some(), "{word}");
        }
        for file in ["a.yaml", "./secret", "dir/secret", "-", "/x", "..", "ünï"] {
            assert!(is_word(Path::new(file)).is_none(), "{file}");
        }
    }

    #[test]
    fn a_command_behind_options_or_files_is_no_file() {
        let command = super::super::command();
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let refused = |names: &[&str]| check(&command, &files(names)).unwrap_err().facts[0].clone();
        assert_eq!(refused(&["create", "db"]), "the command create has to come first");
        assert_eq!(refused(&["a.yaml", "keys"]), "the command keys has to come first");
        assert!(check(&command, &files(&["a.yaml", "./keys"])).is_ok());
    }

    #[test]
    fn the_nearest_command_is_named() {
        let command = super::super::command();
        assert_eq!(unknown(&command, "craete").to_string(), "unknown command craete, did you mean create?");
        assert_eq!(unknown(&command, "zzz").to_string(), "unknown command zzz");
    }
}
