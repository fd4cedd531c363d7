//! The recipients to seal to: those of flags and files, else those of the cluster.
//!
//! Invariant: no message repeats a private key that stands in a recipient's place.

use std::collections::HashMap;
use std::path::PathBuf;

use seal_crds::keys::{
    Recipient, RecipientError, RecipientsFileError, parse_recipients, without_byte_order_mark,
};
use seal_crds::native::NamedRecipient;
use seal_documents::source::Spot;

use crate::args::intent::RecipientChoice;
use crate::files::input::Input;
use crate::keys::cluster::{self, FetchError};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum RecipientsError {
    #[error("{given} is neither a recipient nor a file")]
    Neither { given: String },
    #[error("this isn't a recipient")]
    NotRecipient(#[source] RecipientError),
    #[error("{file} has no recipients")]
    EmptyFile { file: String },
    #[error("{file} is a certificate, and no recipient of the native format")]
    Certificate { file: String },
}

impl Explain for RecipientsError {
    fn rule(&self) -> Rule {
        Rule::BadRecipient
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Neither { .. } | Self::Certificate { .. } => Exit::Usage,
            Self::NotRecipient(_) | Self::EmptyFile { .. } => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Neither { .. } => {
                "a recipient starts with age1 or ssh-ed25519; a file has one a line (seal keys fetch > prod.pub)".to_owned()
            }
            Self::EmptyFile { .. } => "fill it: seal keys fetch > prod.pub".to_owned(),
            Self::Certificate { .. } => {
                "with --seal-format bitnami it is sealed to; for the native format: seal keys fetch > prod.pub".to_owned()
            }
            Self::NotRecipient(error) => return hint(error),
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("-r {given} can't be used")]
struct BadFlag {
    given: String,
    source: RecipientError,
}

impl Explain for BadFlag {
    fn rule(&self) -> Rule {
        Rule::BadRecipient
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        hint(&self.source)
    }
}

fn hint(error: &RecipientError) -> Option<String> {
    match error {
        RecipientError::Identity => Some(
            "its recipient is the public key line in the identity file; keep the identity itself to yourself"
                .to_owned(),
        ),
        _ => None,
    }
}

impl BadFlag {
    /// The error repeats the argument, unless it may be a private key.
    fn new(given: &str, source: RecipientError) -> Self {
        let is_public = given.starts_with("age1") || given.starts_with("ssh-");
        Self { given: if is_public { shortened(given) } else { "…".to_owned() }, source }
    }
}

/// Reads the recipients to seal to; there is always at least one.
pub(crate) fn resolve(choice: &RecipientChoice) -> Result<Vec<NamedRecipient>, Failure> {
    match choice {
        RecipientChoice::Given(given) => {
            let mut recipients = Vec::new();
            for given in given {
                recipients.extend(from_flag(given)?);
            }
            Ok(recipients)
        }
        RecipientChoice::Cluster(args) => {
            let fetched = cluster::fetch(args).map_err(FetchError::or_give_recipients)?;
            terminal::note(&format!("sealing to {}", fetched.summary()));
            Ok(fetched.recipients())
        }
    }
}

fn from_flag(given: &str) -> Result<Vec<NamedRecipient>, Failure> {
    if looks_like_recipient(given) {
        let recipient: Recipient = given.parse().map_err(|error| BadFlag::new(given, error))?;
        return Ok(vec![NamedRecipient { recipient, name: None }]);
    }
    let input = Input::File(PathBuf::from(given));
    if !PathBuf::from(given).exists() {
        return Err(RecipientsError::Neither { given: shortened(given) }.into());
    }
    let source = input.read()?;
    let text = without_byte_order_mark(source.text());
    if text.lines().any(|line| line.trim() == "-----BEGIN CERTIFICATE-----") {
        return Err(RecipientsError::Certificate { file: input.name() }.into());
    }
    let recipients = parse_recipients(text).map_err(|error| match error {
        RecipientsFileError::NoneFound => Failure::from(RecipientsError::EmptyFile { file: input.name() }),
        RecipientsFileError::Line { line, source } => {
            // The error doesn't show the line, which may be an identity that was put here by mistake.
            Failure::from(RecipientsError::NotRecipient(source)).at(Spot::unseen(&input.name(), line, 1))
        }
    })?;
    let names = names_in(text);
    Ok(recipients
        .into_iter()
        .map(|recipient| NamedRecipient { name: names.get(recipient.as_str()).cloned(), recipient })
        .collect())
}

/// Whether an argument is meant as a recipient, and not as a file.
pub(crate) fn looks_like_recipient(given: &str) -> bool {
    let lower = given.trim_start().to_ascii_lowercase();
    // An identity counts as a recipient, so that it is refused without being repeated.
    ["age1", "age-", "ssh-", "-----begin"].iter().any(|start| lower.starts_with(start))
}

/// The names of the recipients of a file. A comment `# name: prod-2026`, as `seal keys fetch` writes it,
/// names the next recipient.
fn names_in(text: &str) -> HashMap<String, String> {
    let mut names = HashMap::new();
    let mut name = None;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            let named = comment.trim().strip_prefix("name:").map(str::trim);
            name = named.filter(|n| !n.is_empty() && n.len() <= 253).map(str::to_owned).or(name);
        } else if let (Ok(recipient), Some(name)) = (line.parse::<Recipient>(), name.take()) {
            names.insert(recipient.to_string(), name);
        }
    }
    names
}

/// The start of an argument, enough to recognise it: a whole recipient would fill a screen.
pub(crate) fn shortened(given: &str) -> String {
    if given.chars().count() <= 40 {
        given.to_owned()
    } else {
        given.chars().take(37).chain("...".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::keys::Identity;

    #[test]
    fn a_name_comment_names_the_next_recipient_only() {
        let (one, two) =
            (Identity::generate().recipient().to_string(), Identity::generate().recipient().to_string());
        let names = names_in(&format!("# name: prod\n# created: x\n{one}\n{two}\n"));
        assert_eq!(names.get(&one).map(String::as_str), Some("prod"));
        assert_eq!(names.get(&two), None);
    }

    #[test]
    fn a_byte_order_mark_hides_neither_recipients_nor_names_nor_certificates() {
        let recipient = Identity::generate().recipient().clone();
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: String| {
            std::fs::write(file.path(), text).unwrap();
            from_flag(file.path().to_str().unwrap())
        };
        let found = read(format!("\u{feff}# name: prod\r\n{recipient}\r\n")).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].recipient, found[0].name.as_deref()), (&recipient, Some("prod")));
        let failure = read("\u{feff}-----BEGIN CERTIFICATE-----\nMIIE\n".to_owned()).unwrap_err();
        assert!(failure.facts[0].contains("is a certificate"), "{failure:?}");
    }

    #[test]
    fn a_file_that_holds_no_recipient_says_where_and_shows_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let secret = Identity::generate().to_secret_string();
        std::fs::write(file.path(), format!("# x\n{}\n", *secret)).unwrap();
        let failure = from_flag(file.path().to_str().unwrap()).unwrap_err();
        assert!(failure.spot.as_ref().unwrap().label().ends_with(":2:1"));
        let said = format!("{failure:?}").to_ascii_uppercase();
        assert!(!said.contains(secret.strip_prefix("AGE-SECRET-KEY-PQ-1").unwrap()));
    }

    #[test]
    fn what_is_neither_recipient_nor_file_is_a_usage_error() {
        assert_eq!(from_flag("no-such-file").unwrap_err().exit, Exit::Usage);
        assert_eq!(from_flag("age1nonsense").unwrap_err().exit, Exit::Usage);
    }
}
