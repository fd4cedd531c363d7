//! Identity files: age's, with one private key a line, or one OpenSSH private key.
//!
//! The caller reads the file; this code neither opens nor decrypts one. Invariant: a result is complete (the first
//! bad line refuses the whole file), not empty, without duplicates, and in the order of the file; errors consist of
//! fixed text and line numbers alone.

use super::{Identity, IdentityError};
use crate::keys::without_byte_order_mark;

/// The reason why an identity file can't be used. Permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentitiesError {
    /// The file has only comments and blank lines.
    #[error("no identities found")]
    NoneFound,
    /// A line isn't an identity.
    #[error("line {line}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The problem of the line.
        source: IdentityError,
    },
    /// The file as a whole is something else, or its PEM key can't be used.
    #[error("unusable identity file")]
    File {
        /// The problem of the file.
        source: IdentityError,
    },
}

/// Reads an identity file: age's (one identity a line; blank lines and lines that begin with `#` are skipped; a
/// repeated identity is dropped), or one OpenSSH private key in PEM. Takes bytes, because a file that `age -p`
/// made isn't text.
///
/// # Errors
/// The first line that isn't an identity, a file that is something else altogether, or
/// [`IdentitiesError::NoneFound`].
pub fn parse_identities(file: impl AsRef<[u8]>) -> Result<Vec<Identity>, IdentitiesError> {
    let refuse = |source| IdentitiesError::File { source };
    let file = file.as_ref();
    let start = file.trim_ascii_start();
    if start.starts_with(b"age-encryption.org/") {
        return Err(refuse(IdentityError::EncryptedAge));
    }
    let text = str::from_utf8(file).map_err(|_| refuse(IdentityError::Unknown))?;
    let text = without_byte_order_mark(text);
    if text.trim_ascii_start().starts_with("-----BEGIN ") {
        return Ok(vec![Identity::parse(text).map_err(refuse)?]);
    }

    let mut identities: Vec<Identity> = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let identity = Identity::parse(text).map_err(|source| IdentitiesError::Line { line, source })?;
        if identities.iter().all(|known| known.fingerprint() != identity.fingerprint()) {
            identities.push(identity);
        }
    }
    if identities.is_empty() { Err(IdentitiesError::NoneFound) } else { Ok(identities) }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::keys::RecipientKind;
    use crate::keys::tests::{SSH, X25519, X25519_RECIPIENT, hybrid};

    fn file_error(file: impl AsRef<[u8]>) -> IdentitiesError {
        parse_identities(file).err().unwrap()
    }

    #[test]
    fn an_identity_file_has_comments_several_identities_and_no_duplicates() {
        let file = format!("# created: today\r\n\r\n{X25519}\r\n{}\n{X25519}\n", hybrid());
        let kinds: Vec<_> = parse_identities(file).unwrap().iter().map(Identity::kind).collect();
        assert_eq!(kinds, [RecipientKind::X25519, RecipientKind::Hybrid]);
    }

    #[test]
    fn an_identity_file_can_be_one_ssh_key() {
        let identities = parse_identities(format!("\n{SSH}\n")).unwrap();
        assert_eq!(identities.len(), 1);
        assert_eq!(identities[0].kind(), RecipientKind::SshEd25519);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_file() {
        for file in [format!("# created: today\n{X25519}\n"), format!("{X25519}\r\n"), SSH.to_owned()] {
            assert_eq!(parse_identities(format!("\u{feff}{file}")).unwrap().len(), 1);
        }
        // A second mark is text, and so is a mark in a later line.
        let again = format!("\u{feff}\u{feff}{X25519}\n");
        assert!(matches!(file_error(again), IdentitiesError::Line { line: 1, .. }));
        assert!(matches!(file_error(format!("\n\u{feff}{X25519}")), IdentitiesError::Line { line: 2, .. }));
        assert_eq!(file_error("\u{feff}"), IdentitiesError::NoneFound);
    }

    #[test]
    fn an_identity_file_without_identities_is_refused() {
        for file in ["", "\n", "# public key: age1…\n"] {
            assert_eq!(file_error(file), IdentitiesError::NoneFound);
        }
    }

    #[test]
    fn a_bad_line_in_an_identity_file_is_named() {
        let file = format!("\n{X25519}\n{X25519_RECIPIENT}\n");
        assert_eq!(file_error(file), IdentitiesError::Line { line: 3, source: IdentityError::Recipient });
    }

    #[test]
    fn a_file_that_is_something_else_is_named() {
        for (file, source) in [
            (&b"age-encryption.org/v1\n-> scrypt \xff\xfe"[..], IdentityError::EncryptedAge),
            (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", IdentityError::EncryptedAge),
            (include_bytes!("../testdata/ssh-rsa"), IdentityError::UnsupportedSsh),
            (b"\x7fELF\xff", IdentityError::Unknown),
        ] {
            assert_eq!(file_error(file), IdentitiesError::File { source });
        }
    }

    #[test]
    fn no_error_repeats_what_it_was_given() {
        for text in ["hunter2", "AGE-SECRET-KEY-1hunter2", "AGE-SECRET-KEY-PQ-1hunter2", "age1hunter2"] {
            let error = file_error(text);
            let source = error.source().unwrap();
            assert!(!format!("{error} {error:?} {source} {source:?}").contains("hunter2"), "{source}");
        }
    }
}
