//! Public keys that an envelope can be sealed to, and the files that list them.
//!
//! Three kinds: age's hybrid post-quantum type (the default), age's classic X25519, and ssh-ed25519. Not
//! passphrases, plugins or ssh-rsa, and not the certificates of the Bitnami format. Whether a recipient may
//! be used is policy, and elsewhere.
//!
//! Invariant: a [`Recipient`] is a usable public key and knows its canonical text. One that everybody could
//! open (a point of low order) can't be built.

mod parse;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, mlkem768x25519};

pub use parse::RecipientError;

/// A public key to seal to. Two are equal where their canonical text is.
///
/// | kind | canonical text | characters |
/// | --- | --- | --- |
/// | [`Hybrid`](RecipientKind::Hybrid) | `age1pq1…` | 1,959 |
/// | [`X25519`](RecipientKind::X25519) | `age1…` | 62 |
/// | [`SshEd25519`](RecipientKind::SshEd25519) | `ssh-ed25519 <base64>` | 80 |
///
/// `FromStr` and serde also take white space around it, upper-case Bech32, and an ssh comment; `Display`
/// gives the canonical text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient {
    key: Key,
    canonical: String,
    fingerprint: Fingerprint,
}

#[derive(Clone)]
enum Key {
    Hybrid(mlkem768x25519::Recipient),
    X25519(age::x25519::Recipient),
    SshEd25519(age::ssh::Recipient),
}

/// The kinds of recipient and identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecipientKind {
    /// ML-KEM-768 and X25519 together: the only kind that is safe from quantum computers.
    Hybrid,
    /// age's classic kind.
    X25519,
    /// An existing SSH key.
    SshEd25519,
}

/// Why a recipients file can't be used. Permanent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientsFileError {
    /// Comments and blank lines only.
    #[error("no recipients found")]
    NoneFound,
    /// A line that is no recipient.
    #[error("line {line}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: RecipientError,
    },
}

/// Reads a recipients file: one recipient a line; blank lines and lines that begin with `#` don't count, a
/// recipient that comes again is dropped.
///
/// # Errors
/// The first line that isn't a recipient, or [`RecipientsFileError::NoneFound`]: a file without any is a
/// mistake, not the wish to seal to nobody.
pub fn parse_recipients(text: &str) -> Result<Vec<Recipient>, RecipientsFileError> {
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut seen = HashSet::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
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

impl Recipient {
    fn new(key: Key) -> Self {
        let canonical = match &key {
            Key::Hybrid(key) => key.to_string(),
            Key::X25519(key) => key.to_string(),
            Key::SshEd25519(key) => key.to_string(),
        };
        let fingerprint = Fingerprint::of(&canonical);
        Self { key, canonical, fingerprint }
    }

    /// SHA-256 of the canonical text.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// Which kind of key it is.
    pub fn kind(&self) -> RecipientKind {
        match self.key {
            Key::Hybrid(_) => RecipientKind::Hybrid,
            Key::X25519(_) => RecipientKind::X25519,
            Key::SshEd25519(_) => RecipientKind::SshEd25519,
        }
    }

    /// Whether what is sealed to it stays closed to a quantum computer. age refuses to mix recipients of
    /// which that is true with others in one file.
    pub fn is_post_quantum(&self) -> bool {
        self.kind() == RecipientKind::Hybrid
    }

    /// For [`age::Encryptor::with_recipients`].
    pub fn as_age(&self) -> &dyn age::Recipient {
        match &self.key {
            Key::Hybrid(key) => key,
            Key::X25519(key) => key,
            Key::SshEd25519(key) => key,
        }
    }
}

impl From<mlkem768x25519::Recipient> for Recipient {
    fn from(key: mlkem768x25519::Recipient) -> Self {
        Self::new(Key::Hybrid(key))
    }
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        parse::parse(text).map(Self::new)
    }
}

impl TryFrom<String> for Recipient {
    type Error = RecipientError;

    fn try_from(text: String) -> Result<Self, RecipientError> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.canonical
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

impl fmt::Debug for Recipient {
    /// By fingerprint: the text of a hybrid recipient fills a screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({:?}, {})", self.kind(), self.fingerprint.short())
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Recipient {}

impl Hash for Recipient {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

impl JsonSchema for Recipient {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Recipient".into()
    }

    /// The canonical text's shape; RE2, which the apiserver uses, allows no repetition above 1,000.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 1959,
            "pattern": "^(age1pq1[02-9ac-hj-np-z]+|age1[02-9ac-hj-np-z]{58}|ssh-ed25519 [0-9A-Za-z+/]{68})$",
        })
    }
}

impl fmt::Display for RecipientKind {
    /// As in age's stanzas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hybrid => "mlkem768x25519",
            Self::X25519 => "X25519",
            Self::SshEd25519 => "ssh-ed25519",
        })
    }
}
