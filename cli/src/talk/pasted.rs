//! Commands that people paste from a message.
//!
//! The threat is the name of a branch or a file with `;` or `$(…)` in it. Invariant: a word of others is one word to a shell,
//! and the path of a file is no option of the command.

use std::borrow::Cow;

/// A word of a command.
pub(crate) fn word(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/@+".contains(&byte);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', "'\\''")).into()
}

/// The path of a file. A name that begins like an option gets its directory in front.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    if path.starts_with('-') { word(&format!("./{path}")).into_owned().into() } else { word(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_command_line_is_one_word_to_a_shell() {
        assert_eq!(word("feature/db-2"), "feature/db-2");
        assert_eq!(word("x;rm"), "'x;rm'");
        assert_eq!(word("it's $(x)"), "'it'\\''s $(x)'");
        assert_eq!(word("-x"), "'-x'");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn a_path_is_no_option() {
        assert_eq!(path("-x.yaml"), "./-x.yaml");
        assert_eq!(path("--object a.yaml"), "'./--object a.yaml'");
        assert_eq!(path("prod/db.yaml"), "prod/db.yaml");
    }
}
