//! Reasons why a rules file isn't understood.
//!
//! Invariant: every one ends the program with exit code 2, since nothing is done by rules that are half understood.

use seal_documents::manifest::FieldError;
use seal_documents::yaml::tree::ParseError;

use crate::rules::pattern::PatternError;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RulesError {
    #[error("the rules file is empty")]
    Empty,
    #[error("a rules file is one document, and there are more")]
    SeveralDocuments,
    #[error("the rules file can't be read: {0}")]
    Unread(ParseError),
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("{field} isn't a field of {of}{}", meant.map(|meant| format!(", did you mean {meant}?")).unwrap_or_default())]
    UnknownField {
        field: String,
        of: &'static str,
        meant: Option<&'static str>,
        known: &'static [&'static str],
    },
    #[error("{of} needs {field}")]
    Missing { field: &'static str, of: &'static str },
    #[error("version {0} isn't known")]
    Version(String),
    #[error("{0} must be a list")]
    NotList(&'static str),
    #[error("{0} must be true or false")]
    NotBool(&'static str),
    #[error("{what} has more than {most} entries")]
    TooMany { what: &'static str, most: usize },
    #[error("the path {} can't be used", told(path))]
    Path { path: String, source: PatternError },
    #[error("{} is the path of no file beneath the repository", told(.0))]
    FilePath(String),
    #[error("file must be the path of a file, and this is a key")]
    Key,
    #[error("{} is a URL, and a recipient is a file of the repository", told(.0))]
    Url(String),
    #[error("\"{}\" can't be the name of a recipient", told(.0))]
    RecipientName(String),
    #[error("to must be none, or a list of recipients")]
    To,
    #[error("to has no recipients")]
    ToNobody,
    #[error("there is no recipient {}{}", told(name), meant.as_ref().map(|meant| format!(", did you mean {meant}?")).unwrap_or_default())]
    UnknownRecipient { name: String, meant: Option<String>, known: String },
    #[error("{} is named twice", told(.0))]
    Twice(String),
    #[error("no recipient of this rule is a recovery recipient, and require-recovery asks for one")]
    NoRecovery,
    #[error("scope {}: it is one of {}", told(.0), seal_crds::Scope::list())]
    Scope(String),
    #[error("{} is no type of a Secret", told(.0))]
    Type(String),
    #[error("{0} is empty: leave it out to allow every one")]
    EmptyList(&'static str),
    #[error("max-age must be whole days, such as 365d")]
    MaxAge,
    #[error("until must be a day, written YYYY-MM-DD")]
    Until,
    #[error("{} can't be the name of a rule", told(.0))]
    RuleName(String),
    #[error("the reason must be 1 to 200 printable characters")]
    Reason,
    #[error("in ignore, {{namespace}} has no meaning")]
    IgnoredNamespace,
}

impl Explain for RulesError {
    fn rule(&self) -> Rule {
        Rule::BadRules
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "begin it with version: 1; seal init writes a first one".to_owned(),
            Self::SeveralDocuments => "take the line --- out".to_owned(),
            Self::Unread(error) => return error.hint().filter(|_| !matches!(error, ParseError::NotYaml(_))),
            Self::Field(error) => return error.hint(),
            Self::UnknownField { known, .. } => format!("the fields are {}", known.join(", ")),
            Self::Missing { field: "version", .. } => "write version: 1".to_owned(),
            Self::Missing { field: "to", .. } => {
                "to: [prod] seals to prod, to: none forbids to seal here".to_owned()
            }
            Self::Missing { .. }
            | Self::NotBool(_)
            | Self::TooMany { .. }
            | Self::Type(_)
            | Self::EmptyList(_) => {
                return None;
            }
            Self::Version(_) => "this seal knows version 1; is there a newer seal?".to_owned(),
            Self::NotList(what) => format!("write {what}: […]"),
            Self::Path { source, .. } => return source.hint(),
            Self::FilePath(_) => {
                "write it as it is seen from the rules file, such as keys/prod.pub".to_owned()
            }
            Self::Url(_) => "fetch it once, and commit the file: seal keys fetch -o keys/prod.pub".to_owned(),
            Self::Key => "put the recipient into a file of the repository, and name that".to_owned(),
            Self::RecipientName(_) => "a name is 1 to 63 letters, digits, - and ., and isn't none".to_owned(),
            Self::To => "write to: [prod, recovery], or to: none".to_owned(),
            Self::ToNobody => "to: none forbids to seal here".to_owned(),
            Self::UnknownRecipient { known, .. } if known.is_empty() => {
                "define it: recipients: {prod: {file: keys/prod.pub}}".to_owned()
            }
            Self::UnknownRecipient { known, .. } => format!("the recipients are {known}"),
            Self::Twice(_) => "remove one of the two".to_owned(),
            Self::NoRecovery => {
                "add one that is marked recovery: true; seal keys new makes an identity for it".to_owned()
            }
            Self::Scope(_) => return None,
            Self::MaxAge => "a year is 365d".to_owned(),
            Self::Until => "the last day on which it is ignored, such as 2027-01-31".to_owned(),
            Self::RuleName(_) => "it is a word such as plaintext; seal check --help lists them".to_owned(),
            Self::Reason => "say why it may stay: reason: fixture".to_owned(),
            Self::IgnoredNamespace => "write * for any directory".to_owned(),
        })
    }
}

/// A word of the file for a message: escaped, cut, and left out if a private key may be in it.
fn told(word: &str) -> String {
    let is_key = word.to_ascii_uppercase().contains("AGE-SECRET-KEY-");
    if is_key { "…".to_owned() } else { seal_foreign::word(word) }
}
