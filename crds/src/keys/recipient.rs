//! Public keys that an envelope can be sealed to.
//!
//! There are five kinds: age's hybrid post-quantum type (the default), age's classic X25519, ssh-ed25519, and age's two
//! types for keys in hardware, of which one is post-quantum. Passphrases, plugins of other types, ssh-rsa and the
//! certificates of the Bitnami format are refused. Callers decide if a recipient may be used.
//!
//! Invariant: a [`Recipient`] is a usable public key and knows its canonical text. A key that everybody could
//! open (a point of low order) can't become one.

mod file;
mod parse;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use age_core::format::Stanza;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, mlkem768x25519, tagged};

pub use file::{RecipientsFileError, parse_recipients};
pub use parse::RecipientError;

/// A public key to seal to. Two recipients are equal if their canonical texts are.
///
/// | kind | canonical text | characters |
/// | --- | --- | --- |
/// | [`Hybrid`](RecipientKind::Hybrid) | `age1pq1…` | 1,959 |
/// | [`TaggedHybrid`](RecipientKind::TaggedHybrid) | `age1tagpq1…` | 2,015 |
/// | [`X25519`](RecipientKind::X25519) | `age1…` | 62 |
/// | [`Tagged`](RecipientKind::Tagged) | `age1tag1…` | 67 |
/// | [`SshEd25519`](RecipientKind::SshEd25519) | `ssh-ed25519 <base64>` | 80 |
///
/// `FromStr` and serde also take white space around the text, upper-case Bech32, and an ssh comment; `Display`
/// gives the canonical text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient {
    key: RecipientKey,
    canonical: String,
    fingerprint: Fingerprint,
}

#[derive(Clone)]
enum RecipientKey {
    Hybrid(mlkem768x25519::Recipient),
    X25519(age::x25519::Recipient),
    SshEd25519(age::ssh::Recipient),
    Tagged(tagged::Recipient),
}

/// The kinds of recipient and identity. The tagged kinds have no identity here: theirs are in hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecipientKind {
    /// ML-KEM-768 and X25519 together: safe from quantum computers.
    Hybrid,
    /// age's classic kind.
    X25519,
    /// ssh-ed25519: an existing SSH key.
    SshEd25519,
    /// ML-KEM-768 and P-256 together, for a key in hardware: safe from quantum computers.
    TaggedHybrid,
    /// P-256, for a key in hardware.
    Tagged,
}

impl Recipient {
    fn new(key: RecipientKey) -> Self {
        let canonical = match &key {
            RecipientKey::Hybrid(key) => key.to_string(),
            RecipientKey::X25519(key) => key.to_string(),
            RecipientKey::SshEd25519(key) => key.to_string(),
            RecipientKey::Tagged(key) => key.to_string(),
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

    /// The kind of the key.
    pub fn kind(&self) -> RecipientKind {
        match &self.key {
            RecipientKey::Hybrid(_) => RecipientKind::Hybrid,
            RecipientKey::X25519(_) => RecipientKind::X25519,
            RecipientKey::SshEd25519(_) => RecipientKind::SshEd25519,
            RecipientKey::Tagged(key) if key.is_hybrid() => RecipientKind::TaggedHybrid,
            RecipientKey::Tagged(_) => RecipientKind::Tagged,
        }
    }

    /// `true` if data sealed to this recipient stays closed to a quantum computer. age refuses to mix
    /// post-quantum recipients with others in one file.
    pub fn is_post_quantum(&self) -> bool {
        matches!(self.kind(), RecipientKind::Hybrid | RecipientKind::TaggedHybrid)
    }

    /// `false` if the stanza can't be for this recipient: it is of another kind, or names another recipient. Only a tagged
    /// kind's stanza names one; for the other kinds, the identity has to try.
    pub fn may_be_meant_by(&self, stanza: &Stanza) -> bool {
        match &self.key {
            RecipientKey::Tagged(key) => key.is_named_by(stanza),
            RecipientKey::Hybrid(_) | RecipientKey::X25519(_) | RecipientKey::SshEd25519(_) => {
                stanza.tag == self.kind().to_string()
            }
        }
    }

    /// The recipient, for [`age::Encryptor::with_recipients`].
    pub fn as_age(&self) -> &dyn age::Recipient {
        match &self.key {
            RecipientKey::Hybrid(key) => key,
            RecipientKey::X25519(key) => key,
            RecipientKey::SshEd25519(key) => key,
            RecipientKey::Tagged(key) => key,
        }
    }
}

impl From<mlkem768x25519::Recipient> for Recipient {
    fn from(key: mlkem768x25519::Recipient) -> Self {
        Self::new(RecipientKey::Hybrid(key))
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
    /// Prints the fingerprint, because the text of a hybrid recipient fills a screen.
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

    /// The shape of the canonical text. RE2, which the apiserver uses, allows no repetition above 1,000.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 2015,
            "pattern": "^(age1(pq|tagpq|tag)1[02-9ac-hj-np-z]+|age1[02-9ac-hj-np-z]{58}|ssh-ed25519 [0-9A-Za-z+/]{68})$",
        })
    }
}

impl RecipientKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Hybrid, Self::X25519, Self::SshEd25519, Self::TaggedHybrid, Self::Tagged];
}

impl fmt::Display for RecipientKind {
    /// The name of the kind in age's stanzas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hybrid => "mlkem768x25519",
            Self::X25519 => "X25519",
            Self::SshEd25519 => "ssh-ed25519",
            Self::TaggedHybrid => "mlkem768p256tag",
            Self::Tagged => "p256tag",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::{SSH_RECIPIENT, X25519_RECIPIENT, hybrid_recipient, tagged_recipients};

    #[test]
    fn a_recipients_text_is_canonical() {
        let ssh = SSH_RECIPIENT.rsplit_once(" protects nothing").unwrap().0;
        for (text, canonical) in [
            (hybrid_recipient().to_owned(), hybrid_recipient()),
            (hybrid_recipient().to_uppercase(), hybrid_recipient()),
            (format!("\t{X25519_RECIPIENT} \r\n"), X25519_RECIPIENT),
            (X25519_RECIPIENT.to_uppercase(), X25519_RECIPIENT),
            (SSH_RECIPIENT.to_owned(), ssh),
            (SSH_RECIPIENT.replace(' ', "\t  "), ssh),
            (ssh.to_owned(), ssh),
            (tagged_recipients()[0].to_uppercase(), tagged_recipients()[0]),
            (format!(" {}\n", tagged_recipients()[1].to_uppercase()), tagged_recipients()[1]),
        ] {
            let recipient: Recipient = text.parse().unwrap();
            assert_eq!(recipient.to_string(), canonical);
            assert_eq!(recipient.as_str(), canonical);
            assert_eq!(recipient, canonical.parse().unwrap());
        }
    }

    #[test]
    fn fingerprints_never_change() {
        // sha256sum over the canonical text.
        for (text, fingerprint) in [
            (hybrid_recipient(), "a091dd7e0ee9d62b75173dcc98441a0424baa941e66a8776e570a4ae60ff61ea"),
            (X25519_RECIPIENT, "6a804773982840fa7eae3847079a53b0b140d678130dc68f1c7f72b5e5080d4f"),
            (SSH_RECIPIENT, "e09a6b1729206e269575a52bbbe3f152d2246bd3d8a7debcb5c8bcf0319c19b7"),
            (tagged_recipients()[0], "4b3d7fcf6421840c4385ae3ed219cabd6c4811fd95ea0d5bb63a2207527d51b1"),
            (tagged_recipients()[1], "aef0fd646d9fd8966cfbb1c50eaa52d009307a9ab2d413698a6fb7162967022f"),
        ] {
            let recipient: Recipient = text.parse().unwrap();
            assert_eq!(recipient.fingerprint().to_string(), fingerprint);
        }
    }

    #[test]
    fn only_the_hybrid_kinds_are_post_quantum() {
        for (text, kind) in [
            (hybrid_recipient(), RecipientKind::Hybrid),
            (X25519_RECIPIENT, RecipientKind::X25519),
            (SSH_RECIPIENT, RecipientKind::SshEd25519),
            (tagged_recipients()[0], RecipientKind::TaggedHybrid),
            (tagged_recipients()[1], RecipientKind::Tagged),
        ] {
            let recipient: Recipient = text.parse().unwrap();
            assert_eq!(recipient.kind(), kind);
            let hybrid = [RecipientKind::Hybrid, RecipientKind::TaggedHybrid];
            assert_eq!(recipient.is_post_quantum(), hybrid.contains(&kind));
        }
    }

    #[test]
    fn a_recipient_is_a_string_to_serde() {
        let recipient: Recipient = X25519_RECIPIENT.parse().unwrap();
        assert_eq!(serde_json::to_value(&recipient).unwrap(), X25519_RECIPIENT);
        assert_eq!(serde_json::from_value::<Recipient>(X25519_RECIPIENT.into()).unwrap(), recipient);
        let error = serde_json::from_value::<Recipient>("age1".into()).unwrap_err();
        assert_eq!(error.to_string(), "X25519 recipient is malformed");
    }

    #[test]
    fn debug_output_fits_on_a_line() {
        let recipient: Recipient = hybrid_recipient().parse().unwrap();
        assert_eq!(format!("{recipient:?}"), "Recipient(Hybrid, a091dd7e0ee9d62b)");
    }
}
