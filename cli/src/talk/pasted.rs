//! Commands that people paste from a message.
//!
//! The threat is the name of a branch or a file with `;` or `$(…)` in it. Invariant: a word of others is one word to a shell.

use std::borrow::Cow;

/// A word of a command.
pub(crate) fn word(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/@+".contains(&byte);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', "'\\''")).into()
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
}
