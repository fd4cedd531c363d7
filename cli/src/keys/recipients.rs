//! The recipients to seal to: those of flags and files, else those of the cluster.
//!
//! The files of `-r` are pins ([`seal_crds::keys::pins`]), and all of them count together: a key that one file calls
//! revoked isn't sealed to, in whichever file its recipient stands, whatever a cluster says of it.
//!
//! Invariant: no message repeats a private key that stands in a recipient's place.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use seal_crds::keys::pins::{Mark, MarkError, Marked, PinsError};
use seal_crds::keys::{Fingerprint, Pins, Recipient, RecipientError, without_byte_order_mark};
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
    #[error("this isn't a mark of a key")]
    NotMark(#[source] MarkError),
    #[error("none of the files given with -r has a recipient")]
    MarksOnly,
    #[error("recipient {key} is {} since {}", .marked.mark, .marked.since)]
    Marked { key: String, marked: Marked },
}

impl Explain for RecipientsError {
    fn rule(&self) -> Rule {
        Rule::BadRecipient
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Neither { .. } | Self::Certificate { .. } | Self::MarksOnly => Exit::Usage,
            Self::NotRecipient(_) | Self::EmptyFile { .. } | Self::NotMark(_) | Self::Marked { .. } => {
                Exit::Failure
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Neither { .. } => {
                "a recipient starts with age1 or ssh-ed25519; a file has one a line (seal keys fetch -o prod.pub)".to_owned()
            }
            Self::EmptyFile { file } => format!("fill it: seal keys fetch -o {file}"),
            Self::Certificate { .. } => {
                "with --seal-format bitnami it is sealed to; for the native format: seal keys fetch -o prod.pub".to_owned()
            }
            Self::NotRecipient(error) => return hint(error),
            Self::NotMark(_) => {
                "mend the line; skipped as a comment, it would leave a key in use that isn't to be used".to_owned()
            }
            Self::MarksOnly => "give the recipients to seal to as well: seal keys fetch -o prod.pub".to_owned(),
            Self::Marked { marked: Marked { mark: Mark::Destroyed, .. }, .. } => {
                "nothing opens what is sealed to it; seal keys fetch -o FILE brings the recipients of now".to_owned()
            }
            Self::Marked { .. } => {
                "take its line out of the file; seal keys fetch -o FILE brings the recipients of now".to_owned()
            }
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
        RecipientChoice::Given(given) => load(given)?.into_usable(),
        RecipientChoice::Cluster(args) => {
            let fetched = cluster::fetch(args).map_err(FetchError::or_give_recipients)?;
            terminal::note(&format!("sealing to {}", fetched.summary()));
            Ok(fetched.recipients())
        }
    }
}

/// What all arguments of `-r`, or the files of several recipients, say together.
#[derive(Clone, Default)]
pub(crate) struct Given {
    /// The recipients in the order of the arguments, each once, with the name that its file gives it.
    pub(crate) recipients: Vec<NamedRecipient>,
    /// The same recipients, and the marks of all files.
    pub(crate) pins: Pins,
    /// Those among them that a fetch wrote as sealing keys of a cluster.
    pub(crate) sealing_keys: BTreeSet<Fingerprint>,
}

/// Reads all arguments of `-r`: recipients, and files of pins, which may have marks and no recipient.
///
/// No recipient is refused here for its mark ([`Given::into_usable`]).
pub(crate) fn load(given: &[String]) -> Result<Given, Failure> {
    let mut all = Given::default();
    for given in given {
        let Given { recipients, pins, sealing_keys } = read(given)?;
        for named in recipients {
            if !all.recipients.iter().any(|known| known.recipient == named.recipient) {
                all.recipients.push(named);
            }
        }
        all.pins.extend([pins]);
        all.sealing_keys.extend(sealing_keys);
    }
    Ok(all)
}

impl Given {
    /// The recipients, if all may be sealed to; there is at least one. Warns of those that are retiring: on the day of
    /// a renewal, nobody has to wait for new pins.
    ///
    /// # Errors
    ///
    /// A recipient is revoked or destroyed, or there is none.
    pub(crate) fn into_usable(self) -> Result<Vec<NamedRecipient>, Failure> {
        if self.recipients.is_empty() {
            return Err(RecipientsError::MarksOnly.into());
        }
        for named in &self.recipients {
            let fingerprint = named.recipient.fingerprint();
            let Some(marked) = self.pins.marked(&fingerprint) else { continue };
            let key = label(named.name.as_deref().unwrap_or(marked.name.as_str()), &fingerprint);
            match marked.mark {
                Mark::Retiring => terminal::warn(
                    &format!(
                        "recipient {key} is retiring since {}: a newer key took its place; seal keys fetch -o FILE \
                         brings it",
                        marked.since
                    ),
                    None,
                ),
                Mark::Destroyed | Mark::Revoked => {
                    return Err(RecipientsError::Marked { key, marked: marked.clone() }.into());
                }
            }
        }
        Ok(self.recipients)
    }
}

/// A key in messages: its name and the start of its fingerprint.
pub(crate) fn label(name: &str, fingerprint: &Fingerprint) -> String {
    format!("{name} ({})", fingerprint.short())
}

fn read(given: &str) -> Result<Given, Failure> {
    if looks_like_recipient(given) {
        let recipient: Recipient = given.parse().map_err(|error| BadFlag::new(given, error))?;
        let mut pins = Pins::default();
        pins.add(recipient.clone());
        let recipients = vec![NamedRecipient { recipient, name: None }];
        return Ok(Given { recipients, pins, ..Given::default() });
    }
    if !PathBuf::from(given).exists() {
        return Err(RecipientsError::Neither { given: shortened(given) }.into());
    }
    let input = Input::File(PathBuf::from(given));
    from_text(&input.name(), input.read()?.text())
}

/// The recipients and marks in the text of a file of pins; `file` is its name in messages.
///
/// # Errors
///
/// The bad line, with its spot; or there is neither a recipient nor a mark.
pub(crate) fn from_text(file: &str, text: &str) -> Result<Given, Failure> {
    let pins = parse(file, text)?;
    if pins.recipients().is_empty() && pins.marks().next().is_none() {
        return Err(RecipientsError::EmptyFile { file: file.to_owned() }.into());
    }
    let sealing_keys = cluster::sealing_keys(text);
    Ok(Given { recipients: named(&pins, text), pins, sealing_keys })
}

/// The recipients of a file of pins with the names that its text gives them.
pub(crate) fn named(pins: &Pins, text: &str) -> Vec<NamedRecipient> {
    let names = names_in(text);
    let named = |recipient: &Recipient| NamedRecipient {
        name: names.get(recipient.as_str()).cloned(),
        recipient: recipient.clone(),
    };
    pins.recipients().iter().map(named).collect()
}

/// Parses the text of a file of pins.
///
/// # Errors
///
/// The bad line, with its spot. The error doesn't show the line, which may be an identity that was put here by
/// mistake.
pub(crate) fn parse(file: &str, text: &str) -> Result<Pins, Failure> {
    if without_byte_order_mark(text).lines().any(|line| line.trim() == "-----BEGIN CERTIFICATE-----") {
        return Err(RecipientsError::Certificate { file: file.to_owned() }.into());
    }
    Pins::parse(text).map_err(|error| {
        let (line, failure) = match error {
            PinsError::Recipient { line, source } => (line, RecipientsError::NotRecipient(source)),
            PinsError::Mark { line, source } => (line, RecipientsError::NotMark(source)),
        };
        Failure::from(failure).at(Spot::unseen(file, line, 1))
    })
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
    for line in without_byte_order_mark(text).lines().map(str::trim) {
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
            load(&[file.path().to_str().unwrap().to_owned()]).map(|given| given.recipients)
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
        let failure = load(&[file.path().to_str().unwrap().to_owned()]).err().unwrap();
        assert!(failure.spot.as_ref().unwrap().label().ends_with(":2:1"));
        let said = format!("{failure:?}").to_ascii_uppercase();
        assert!(!said.contains(secret.strip_prefix("AGE-SECRET-KEY-PQ-1").unwrap()));
    }

    #[test]
    fn what_is_neither_recipient_nor_file_is_a_usage_error() {
        for given in ["no-such-file", "age1nonsense"] {
            assert_eq!(load(&[given.to_owned()]).err().unwrap().exit, Exit::Usage);
        }
    }

    /// Writes each text into a file, and loads all files together.
    fn load_files(texts: &[String]) -> Result<Given, Failure> {
        let files: Vec<_> = texts.iter().map(|_| tempfile::NamedTempFile::new().unwrap()).collect();
        let paths = files.iter().zip(texts).map(|(file, text)| {
            std::fs::write(file.path(), text).unwrap();
            file.path().to_str().unwrap().to_owned()
        });
        load(&paths.collect::<Vec<_>>())
    }

    #[test]
    fn a_revoked_key_is_not_sealed_to_in_whichever_file_its_recipient_stands() {
        let (leaked, good) =
            (Identity::generate().recipient().clone(), Identity::generate().recipient().clone());
        let mark = |mark| format!("# {mark}: {} 2026-11-27 Anna's laptop\n", leaked.fingerprint());
        for refused in ["revoked", "destroyed"] {
            for files in [
                vec![format!("{leaked}\n{good}\n"), mark(refused)],
                vec![mark(refused), format!("# name: laptop\n{leaked}\n")],
                vec![format!("{leaked}\n{}{}", mark("retiring"), mark(refused))],
            ] {
                let failure = load_files(&files).unwrap().into_usable().unwrap_err();
                let (short, said) = (leaked.fingerprint().short(), failure.facts.join(": "));
                assert!(
                    said.contains(&short) && said.contains(&format!("is {refused} since 2026-11-27")),
                    "{said}"
                );
                assert_eq!(failure.exit, Exit::Failure);
            }
        }
        let others = load_files(&[format!("{good}\n{}", mark("revoked"))]).unwrap().into_usable().unwrap();
        assert_eq!(others.len(), 1);
    }

    #[test]
    fn a_retiring_key_is_still_sealed_to() {
        let key = Identity::generate().recipient().clone();
        let text = format!("{key}\n# retiring: {} 2026-11-27 sealing-key-first\n", key.fingerprint());
        assert_eq!(load_files(&[text]).unwrap().into_usable().unwrap()[0].recipient, key);
    }

    #[test]
    fn marks_alone_are_nothing_to_seal_to_and_a_bad_mark_is_named_by_its_line() {
        let mark = format!("# revoked: {} 2026-11-27 k\n", Identity::generate().fingerprint());
        let failure = load_files(std::slice::from_ref(&mark)).unwrap().into_usable().unwrap_err();
        assert!(failure.facts[0].contains("none of the files"), "{failure:?}");
        let failure = load_files(&[mark.replace("2026-11-27", "today")]).err().unwrap();
        assert!(failure.spot.as_ref().unwrap().label().ends_with(":1:1"), "{failure:?}");
        assert!(failure.facts[1].contains("date"), "{failure:?}");
    }

    #[test]
    fn a_recipient_that_is_given_twice_is_sealed_to_once() {
        let key = Identity::generate().recipient().clone();
        let given = load(&[key.to_string(), key.to_string()]).unwrap();
        assert_eq!(given.into_usable().unwrap().len(), 1);
    }
}
