//! The files that a rules file names as recipients: pins of age recipients, or a certificate for bitnami.com.
//!
//! Invariants: a file is read through [`ReadFiles`], so it lies beneath the repository and no symbolic link leads to it;
//! of all files of one rules file at most [`MAX_TOGETHER`] bytes are read; a key that any of them calls revoked isn't sealed
//! to under any rule.

use std::collections::BTreeMap;

use seal_crds::keys::{Certificate, Fingerprint, without_byte_order_mark};
use seal_foreign::word;

use super::file::{RecipientEntry, RulesFile};
use super::reader::{Entry, ReadFiles};
use crate::keys::certificate::ReadCertificateError;
use crate::keys::recipients::{self, Given};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

/// The most bytes of one file of pins.
const MAX_FILE: u64 = 1024 * 1024;
/// The most bytes of all files of pins of a rules file.
const MAX_TOGETHER: u64 = 8 * 1024 * 1024;

/// The reason why a recipient of a rules file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("recipient {recipient}: {} {problem}", word(file))]
struct PinError {
    recipient: String,
    file: String,
    problem: PinProblem,
}

/// What is wrong with a file of pins, as the rest of a sentence about it.
#[derive(Debug, thiserror::Error)]
enum PinProblem {
    #[error("is above the repository")]
    Outside,
    #[error("isn't there")]
    Absent,
    #[error("is behind a symbolic link")]
    Link,
    #[error("isn't a file")]
    NoFile,
    #[error("is too large for a file of pins")]
    TooLarge,
    #[error("isn't text in UTF-8")]
    NotText,
}

impl Explain for PinError {
    fn rule(&self) -> Rule {
        Rule::BadRules
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self.problem {
            PinProblem::Outside => {
                "a recipient is a file of the repository, so that a review sees its changes".to_owned()
            }
            PinProblem::Absent => format!("fill it: seal keys fetch -o {}", word(&self.file)),
            PinProblem::Link => {
                "commit the file itself: what a link leads to can be changed without a review".to_owned()
            }
            PinProblem::NoFile | PinProblem::TooLarge | PinProblem::NotText => return None,
        })
    }
}

/// The file of one recipient, read.
#[derive(Clone)]
pub(crate) struct PinFile {
    /// The path from the top of the repository.
    pub(crate) path: String,
    pub(crate) keys: PinnedKeys,
}

/// The keys of a file of pins.
#[derive(Clone)]
pub(crate) enum PinnedKeys {
    /// Recipients and marks, for the native format.
    Recipients(Given),
    /// A certificate, for the format of bitnami.com. It may have expired.
    Certificate { pem: Vec<u8>, fingerprint: Fingerprint },
}

impl PinnedKeys {
    /// Reads the text of a file of pins, or of a certificate; `name` is the file's name for people.
    ///
    /// # Errors
    ///
    /// The text is neither.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, Failure> {
        if !is_certificate(text) {
            return recipients::from_text(name, text).map(Self::Recipients);
        }
        let certificate = Certificate::from_pem(text.as_bytes())
            .map_err(|source| ReadCertificateError::Malformed { from: name.to_owned(), source })?;
        let fingerprint = certificate.public_key().fingerprint();
        Ok(Self::Certificate { pem: text.as_bytes().to_vec(), fingerprint })
    }
}

impl PinFile {
    /// The fingerprints of all keys that are sealed to, with the names that the file gives them.
    pub(crate) fn keys(&self) -> Vec<(Fingerprint, Option<&str>)> {
        match &self.keys {
            PinnedKeys::Recipients(given) => {
                let recipients = given.recipients.iter();
                recipients.map(|named| (named.recipient.fingerprint(), named.name.as_deref())).collect()
            }
            PinnedKeys::Certificate { fingerprint, .. } => vec![(*fingerprint, None)],
        }
    }
}

/// Reads the files of all recipients of the rules file in a directory.
///
/// # Errors
///
/// The first recipient whose file can't be used, with the spot of its entry or of its bad line.
pub(super) fn load(
    reader: &dyn ReadFiles,
    directory: &str,
    rules: &RulesFile,
    rules_name: &str,
) -> Result<BTreeMap<String, PinFile>, Failure> {
    let mut left = MAX_TOGETHER;
    let mut pins = BTreeMap::new();
    for (name, entry) in &rules.recipients {
        let pin = read(reader, directory, name, entry, &mut left, rules_name)?;
        pins.insert(name.clone(), pin);
    }
    Ok(pins)
}

fn read(
    reader: &dyn ReadFiles,
    directory: &str,
    name: &str,
    entry: &RecipientEntry,
    left: &mut u64,
    rules_name: &str,
) -> Result<PinFile, Failure> {
    let refuse = |file: &str, problem| {
        let error = PinError { recipient: name.to_owned(), file: file.to_owned(), problem };
        Failure::from(error).at(entry.at.spot(rules_name))
    };
    let Some(path) = join(directory, &entry.file) else {
        return Err(refuse(&entry.file, PinProblem::Outside));
    };
    let bytes = match reader.read(&path, MAX_FILE.min(*left))? {
        Entry::File(bytes) => bytes,
        Entry::Absent => return Err(refuse(&path, PinProblem::Absent)),
        Entry::Link => return Err(refuse(&path, PinProblem::Link)),
        Entry::NoFile => return Err(refuse(&path, PinProblem::NoFile)),
        Entry::TooLarge => return Err(refuse(&path, PinProblem::TooLarge)),
    };
    *left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let text = String::from_utf8(bytes).map_err(|_| refuse(&path, PinProblem::NotText))?;
    let keys = PinnedKeys::read(&reader.name(&path), &text)?;
    Ok(PinFile { path, keys })
}

fn is_certificate(text: &str) -> bool {
    without_byte_order_mark(text).lines().any(|line| line.trim() == "-----BEGIN CERTIFICATE-----")
}

/// The path of a file from the top; `None` if it is above the top. Only the start of `file` may have `..` in it, and no
/// symbolic link is followed, so the names alone decide.
fn join(directory: &str, file: &str) -> Option<String> {
    let mut names: Vec<&str> = directory.split('/').filter(|name| !name.is_empty()).collect();
    for name in file.split('/') {
        if name == ".." {
            names.pop()?;
        } else {
            names.push(name);
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_above_the_repository() {
        assert_eq!(join("", "keys/prod.pub").as_deref(), Some("keys/prod.pub"));
        assert_eq!(join("teams/pay", "../../keys/prod.pub").as_deref(), Some("keys/prod.pub"));
        assert_eq!(join("teams/pay", "prod.pub").as_deref(), Some("teams/pay/prod.pub"));
        assert_eq!(join("teams/pay", "../../../prod.pub"), None);
        assert_eq!(join("", "../prod.pub"), None);
    }
}
