//! Mistyped commands: `seal chekc` doesn't ask to seal a file of that name.

use std::path::{Path, PathBuf};

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::meant::meant;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum WordError {
    #[error("unknown command {word}{}", meant.as_ref().map(|m| format!(", did you mean {m}?")).unwrap_or_default())]
    Unknown { word: String, meant: Option<String> },
    #[error("the command {0} has to come first")]
    NotFirst(String),
}

impl Explain for WordError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        let file = |word: &str| format!("if you meant a file, write ./{word}");
        Some(match self {
            Self::Unknown { word, .. } if Path::new(word).exists() => file(word),
            Self::Unknown { word, .. } => hint_for(word).unwrap_or_else(|| file(word)),
            Self::NotFirst(word) => format!("options go after it: seal {word} …; {}", file(word)),
        })
    }
}

/// Words that are commands of other programs, and so are meant as a command here, each with the hint to
/// print.
const WORDS_OF_OTHERS: [(&[&str], &str); 9] = [
    (&["version"], "seal --version prints the version"),
    (&["encrypt", "seal"], "without a command, Secrets are sealed: seal secret.yaml"),
    (&["decrypt", "open"], "seal unseal turns SealedSecrets back into Secrets"),
    (&["fetch", "fetch-cert"], "seal keys fetch prints the recipients of a cluster"),
    (&["get", "list", "view"], "seal show says what SealedSecrets hold, without a key"),
    (&["lint", "validate"], "seal check finds what is wrong in a repository"),
    (&["keygen"], "seal keys new makes an identity"),
    (&["completion"], "seal completions prints them for a shell"),
    (&["update"], "seal --help lists the commands"),
];

fn hint_for(word: &str) -> Option<String> {
    let found = WORDS_OF_OTHERS.iter().find(|(words, _)| words.contains(&word));
    found.map(|(_, hint)| (*hint).to_owned())
}

/// Refuses a first argument that is a plain word, because a plain word in the place of a command is meant as
/// a command.
///
/// A file in that place needs a dot or a slash in its name, or a `./` before it; so a later version can add a
/// command without changing what such an argument means. A command behind options or files is refused too,
/// because clap takes it for a file.
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

/// The argument if it is a plain word: a letter, then letters, digits, `-` and `_`.
fn is_word(first: &Path) -> Option<&str> {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let word = first.to_str()?;
    (word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.bytes().all(inside)).then_some(word)
}

fn unknown(command: &clap::Command, word: &str) -> WordError {
    let meant = meant(word, command.get_subcommands().map(clap::Command::get_name));
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
    fn a_word_of_others_is_no_command_here_and_no_file() {
        let command = super::super::command();
        for (words, hint) in WORDS_OF_OTHERS {
            for word in words {
                assert!(command.find_subcommand(word).is_none(), "{word}");
                assert_eq!(unknown(&command, word).hint().as_deref(), Some(hint), "{word}");
            }
        }
        assert_eq!(unknown(&command, "crate").hint().unwrap(), "if you meant a file, write ./crate");
    }

    #[test]
    fn the_nearest_command_is_named() {
        let command = super::super::command();
        assert_eq!(unknown(&command, "craete").to_string(), "unknown command craete, did you mean create?");
        assert_eq!(unknown(&command, "zzz").to_string(), "unknown command zzz");
    }
}
