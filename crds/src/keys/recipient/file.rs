//! Recipients files: age's, with one public key a line.
//!
//! It is no policy, and the caller reads the file. Invariant: a result is complete (the first bad line
//! refuses the whole file), not empty, without duplicates, and in the order of the file.

use std::collections::HashSet;

use super::{Recipient, RecipientError};
use crate::keys::without_byte_order_mark;

/// The reason why a recipients file can't be used. Permanent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientsFileError {
    /// The file has only comments and blank lines.
    #[error("no recipients found")]
    NoneFound,
    /// A line isn't a recipient.
    #[error("line {line}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The problem of the line.
        source: RecipientError,
    },
}

/// Reads a recipients file: one recipient a line. Blank lines, lines that begin with `#`, repeated recipients
/// and a byte order mark before the first line are dropped.
///
/// # Errors
/// The first line that isn't a recipient, or [`RecipientsFileError::NoneFound`]: a file without recipients is a
/// mistake, not the wish to seal to nobody.
pub fn parse_recipients(text: &str) -> Result<Vec<Recipient>, RecipientsFileError> {
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut seen = HashSet::new();
    for (line, text) in (1..).zip(without_byte_order_mark(text).lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let recipient: Recipient =
            text.parse().map_err(|source| RecipientsFileError::Line { line, source })?;
        if seen.insert(recipient.fingerprint) {
            recipients.push(recipient);
        }
    }
    if recipients.is_empty() { Err(RecipientsFileError::NoneFound) } else { Ok(recipients) }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::keys::tests::{SSH_RECIPIENT, X25519_RECIPIENT};

    #[test]
    fn a_recipients_file_has_comments_blank_lines_and_no_duplicates() {
        let file = format!(
            "# ours\r\n\r\n{X25519_RECIPIENT}\r\n  {SSH_RECIPIENT}\n#{X25519_RECIPIENT}\n{}\n",
            X25519_RECIPIENT.to_uppercase()
        );
        let recipients = parse_recipients(&file).unwrap();
        assert_eq!(recipients, [X25519_RECIPIENT.parse().unwrap(), SSH_RECIPIENT.parse().unwrap()]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        for first in ["# ours", X25519_RECIPIENT] {
            let file = format!("\u{feff}{first}\r\n{X25519_RECIPIENT}\r\n");
            assert_eq!(parse_recipients(&file).unwrap(), [X25519_RECIPIENT.parse().unwrap()]);
        }
        assert!(parse_recipients(&format!("\n\u{feff}{X25519_RECIPIENT}")).is_err(), "not in a later line");
    }

    #[test]
    fn a_recipients_file_without_recipients_is_refused() {
        for file in ["", "\n\n", "# nobody\n"] {
            assert_eq!(parse_recipients(file), Err(RecipientsFileError::NoneFound));
        }
    }

    #[test]
    fn a_bad_line_in_a_recipients_file_is_named() {
        let error = parse_recipients(&format!("{X25519_RECIPIENT}\n# next\nssh-rsa AAAA\n")).unwrap_err();
        let source = RecipientError::UnsupportedSsh("ssh-rsa");
        assert_eq!(error, RecipientsFileError::Line { line: 3, source: source.clone() });
        assert_eq!(error.to_string(), "line 3");
        assert_eq!(error.source().unwrap().to_string(), source.to_string());
    }
}
