//! The seam between formats: what a reconciler, or `seal unseal`, may ask of any sealed object.
//!
//! Not a registry: who has the manifest knows its format and parses it with that format's module; from
//! then on nobody needs to know which it was. Invariant: everything except [`Sealed::unseal`] is known
//! from public text, so whether a Secret is in sync can be decided without opening anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;
use crate::keys::{Fingerprint, Keyring};
use crate::names::{ItemName, NameError};
use crate::plaintext::Plaintext;
use crate::reason::{About, Reason};
use crate::scope::{Place, Scope};
use crate::secret::{LeftOut, Metadata, SecretError};
use crate::template::TemplateError;
use seal_go::template::GoTemplateError;

/// Which format an object is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `sealing.dev/v1alpha1`.
    #[default]
    Native,
    /// `bitnami.com/v1alpha1`.
    Bitnami,
}

/// A parsed sealed object of whichever format.
pub trait Sealed: Send + Sync {
    /// The format it is in.
    fn format(&self) -> Format;

    /// Where the object was found.
    fn place(&self) -> &Place;

    /// The scope it claims; [`Sealed::unseal`] checks the claim.
    fn scope(&self) -> Scope;

    /// The Secret it becomes, without the values. Only where the object [is revealed](Sealed::is_revealed).
    fn shape(&self) -> &Shape;

    /// Of ciphertext and template: equal digests make equal Secrets.
    fn digest(&self) -> Digest;

    /// Whether the shape is known. Not in the peer's deprecated `data`, where it is sealed in.
    fn is_revealed(&self) -> bool {
        true
    }

    /// The same object with its shape known; `None` where it was known before.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`].
    fn reveal(&self, _keys: &Keyring) -> Result<Option<Arc<dyn Sealed>>, UnsealError> {
        Ok(None)
    }

    /// Opens everything or nothing.
    ///
    /// # Expected Flow
    ///
    /// Envelopes in order, for each the hinted identities first; then what the envelopes say is compared
    /// with what the object says; then every item; then `template.data`.
    ///
    /// # Guarantees
    ///
    /// On an error no plaintext has left the call.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`].
    fn unseal(&self, keys: &Keyring) -> Result<Unsealed, UnsealError>;
}

/// A Secret without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The Secret's type.
    pub type_: String,
    /// Whether it may not change.
    pub immutable: Option<bool>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, without the controller's own.
    pub annotations: BTreeMap<String, String>,
    /// Labels and annotations of the template that it doesn't get.
    pub left_out: Vec<LeftOut>,
    /// The keys of its `data`: items and `template.data` together.
    pub keys: BTreeSet<ItemName>,
    /// Whether its SealedSecret owns it, so that it goes when that goes.
    pub owned: bool,
}

impl Shape {
    /// An opaque Secret without values, with these labels and annotations.
    pub(crate) fn of(metadata: Metadata) -> Self {
        let Metadata { labels, annotations, left_out } = metadata;
        Self { labels, annotations, left_out, ..Self::default() }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            type_: crate::secret::OPAQUE.to_owned(),
            immutable: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            left_out: Vec::new(),
            keys: BTreeSet::new(),
            owned: true,
        }
    }
}

/// An opened object. No `Debug`: it holds plaintext.
pub struct Unsealed {
    /// The Secret's `data`, complete: exactly [`Shape::keys`].
    pub data: BTreeMap<ItemName, Plaintext>,
    /// Which sealing key opened each envelope, in their order.
    pub opened_by: Vec<Fingerprint>,
}

/// Why an object was refused. `Display` is a lower-case fragment made of fixed words, validated names and
/// public values; never of plaintext, and never of a library's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// A namespace, name or item name that may not be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A type, label or annotation that the Secret may not have.
    ///
    /// No `source()`: the fragment says it all, and who walks the chain would print it twice.
    #[error("template: {0}")]
    Secret(SecretError),
    /// A template that can't be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A Go template of the peer's format that can't be used.
    ///
    /// No `source()`: the fragment says it all, and who walks the chain would print it twice.
    #[error("template.data.{key}: {error}")]
    GoTemplate {
        /// The key of `template.data`.
        key: ItemName,
        /// What is wrong with it; apart, so that errors which are not this one stay small.
        error: Box<GoTemplateError>,
    },
    /// Public text that isn't in the format at all.
    #[error("{path} {problem}")]
    Malformed {
        /// Where, as a field path: `envelopes[0].age`.
        path: String,
        /// What is wrong, as the rest of a sentence.
        problem: String,
    },
    /// More of something than the format allows.
    #[error("{path} has {found} {unit}; at most {limit} are allowed")]
    TooLarge {
        /// Where, as a field path.
        path: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The document inside an envelope is of a version this program doesn't know.
    #[error("envelopes[{envelope}] is of version {found}; this program knows version 1: update it")]
    UnknownVersion {
        /// The envelope's index.
        envelope: usize,
        /// The version it says.
        found: u64,
    },
    /// No identity at hand opens the envelope.
    #[error(
        "no identity at hand opens envelopes[{envelope}]; it says it is sealed to {}{}",
        list(sealed_to.iter().map(ToString::to_string)),
        tried_list(tried)
    )]
    NoMatchingKey {
        /// The envelope's index.
        envelope: usize,
        /// Whom it says it is sealed to; a hint nobody authenticated.
        sealed_to: Vec<SealedTo>,
        /// The identities that were tried.
        tried: Vec<Fingerprint>,
    },
    /// No RSA key at hand opens an item of the peer's format. Which of key, label and bytes is wrong is not told
    /// apart: the answer would be an oracle for whoever can submit ciphertexts (Manger 2001). So it says everything
    /// that was tried, for people to compare.
    #[error(
        "{what} can't be opened as {binding} (scope {scope}) with the RSA keys at hand, {}: it was sealed with another \
         certificate, or for another namespace, name or scope, or was changed since; compare them, or seal it again",
        short_list(candidates)
    )]
    CannotOpen {
        /// What: `item password`, or `data`.
        what: Box<str>,
        /// The scope whose label was tried.
        scope: Scope,
        /// What that scope binds, as text.
        binding: Box<str>,
        /// The keys that were tried: those at hand of the size it was sealed to.
        candidates: Vec<Fingerprint>,
    },
    /// No RSA key at hand can have been the one an item of the peer's format is sealed to: none has its size, which
    /// everybody sees, or there is none at all.
    #[error(
        "{what} is sealed to an RSA key of {bits} bits, and {}: load the key that belongs to the certificate it was \
         sealed with",
        if at_hand.is_empty() { "no RSA key is at hand".to_owned() } else {
            format!("those at hand have other sizes ({})", short_list(at_hand))
        }
    )]
    NoRsaKey {
        /// What: `item password`, or `data`.
        what: Box<str>,
        /// Bits of the key it is sealed to.
        bits: usize,
        /// The keys at hand.
        at_hand: Vec<Fingerprint>,
    },
    /// Opening an object of the peer's format would take too many private operations. Permanent: a smaller keyring
    /// might open it, but keys are not taken away to open an object.
    #[error(
        "its items are sealed to so many different RSA keys that finding them takes more than {limit} failed trials: \
         seal it again with one certificate, or split it"
    )]
    TooManyTrials {
        /// Trials that may fail.
        limit: usize,
    },
    /// An identity opens the envelope's header, but the file was changed.
    #[error("envelopes[{envelope}] was changed after it was sealed")]
    EnvelopeAltered {
        /// The envelope's index.
        envelope: usize,
    },
    /// What is inside the envelope isn't a valid document.
    #[error("envelopes[{envelope}] holds {problem}")]
    MalformedEnvelope {
        /// The envelope's index.
        envelope: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// Sealed with another scope than the object says.
    #[error("sealed with scope {sealed}, found with scope {found}")]
    WrongScope {
        /// The authenticated scope.
        sealed: Scope,
        /// The object's scope.
        found: Scope,
    },
    /// Sealed for another place.
    #[error("sealed for {sealed}, found in {found}")]
    WrongPlace {
        /// The authenticated binding, as text.
        sealed: String,
        /// Where the object is.
        found: String,
    },
    /// The public list of an envelope's recipients isn't the sealed one.
    #[error("envelopes[{envelope}] is sealed to {}, but says {}", short_list(sealed), short_list(found))]
    WrongRecipients {
        /// The envelope's index.
        envelope: usize,
        /// The authenticated list.
        sealed: Vec<Fingerprint>,
        /// The public list.
        found: Vec<Fingerprint>,
    },
    /// The public list of an envelope's data keys isn't the sealed one.
    #[error("envelopes[{envelope}].keys does not match the data keys inside")]
    WrongKeys {
        /// The envelope's index.
        envelope: usize,
    },
    /// One data key in two envelopes, or twice in one.
    #[error("data key {id} is listed more than once")]
    DuplicateKey {
        /// The data key's id.
        id: String,
    },
    /// An item whose data key is in no envelope: an envelope was dropped, or the item is from elsewhere.
    #[error("item {item} needs data key {id}, which no envelope holds")]
    MissingKey {
        /// The item.
        item: ItemName,
        /// The id it refers to.
        id: String,
    },
    /// An envelope that no item needs.
    #[error("envelopes[{envelope}] holds no data key that an item needs: remove it")]
    UnusedEnvelope {
        /// The envelope's index.
        envelope: usize,
    },
    /// An item's ciphertext was changed, or belongs to another item.
    #[error("item {item} was changed after it was sealed, or was sealed as another item")]
    ItemAltered {
        /// The item.
        item: ItemName,
    },
    /// A template refers to an item whose sealer didn't allow it.
    #[error("template.data refers to item {item}, which was not sealed for use in templates")]
    NotForTemplates {
        /// The item.
        item: ItemName,
    },
    /// All values together could be larger than a Secret may be, by their padded lengths.
    #[error("the Secret would be larger than {limit} bytes")]
    SecretTooLarge {
        /// What Kubernetes takes.
        limit: usize,
    },
}

impl UnsealError {
    /// The reason of the condition this becomes.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Name(_) => Reason::InvalidName,
            Self::Secret(_) | Self::Template(_) | Self::GoTemplate { .. } => Reason::InvalidTemplate,
            Self::Malformed { .. } | Self::TooLarge { .. } => Reason::Malformed,
            Self::UnknownVersion { .. } => Reason::UnknownVersion,
            Self::NoMatchingKey { .. } | Self::NoRsaKey { .. } => Reason::NoMatchingKey,
            Self::CannotOpen { .. } => Reason::CannotOpen,
            Self::TooManyTrials { .. } => Reason::TooManyTrials,
            Self::EnvelopeAltered { .. } => Reason::EnvelopeAltered,
            Self::MalformedEnvelope { .. } => Reason::MalformedEnvelope,
            Self::WrongScope { .. } => Reason::WrongScope,
            Self::WrongPlace { .. } => Reason::WrongPlace,
            Self::WrongRecipients { .. } => Reason::WrongRecipients,
            Self::WrongKeys { .. } => Reason::WrongKeys,
            Self::DuplicateKey { .. } => Reason::DuplicateKey,
            Self::MissingKey { .. } => Reason::MissingKey,
            Self::UnusedEnvelope { .. } => Reason::UnusedEnvelope,
            Self::ItemAltered { .. } => Reason::ItemAltered,
            Self::NotForTemplates { .. } => Reason::NotForTemplates,
            Self::SecretTooLarge { .. } => Reason::SecretTooLarge,
        }
    }

    /// Whether another set of identities could make a difference. Everything else waits for a change of
    /// the object itself.
    pub fn may_pass_with_other_keys(&self) -> bool {
        self.reason().about() == About::Key
    }
}

impl From<SecretError> for UnsealError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

/// Whom an envelope says it is sealed to. Nobody authenticated it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTo {
    /// Of the recipient.
    pub fingerprint: Fingerprint,
    /// What people call it, where that can be shown.
    name: Option<String>,
}

impl SealedTo {
    /// A name that would be no word in a message, by its length or its characters, is left out: whoever wrote the
    /// manifest chose it, and it goes into logs, Events and terminals.
    pub fn new(fingerprint: Fingerprint, name: Option<&str>) -> Self {
        const MAX_NAME: usize = 80;
        let is_word = |name: &&str| {
            (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        Self { fingerprint, name: name.filter(is_word).map(str::to_owned) }
    }
}

impl fmt::Display for SealedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.fingerprint.short();
        match &self.name {
            Some(name) => write!(f, "{short} ({name})"),
            None => f.write_str(&short),
        }
    }
}

fn short_list(fingerprints: &[Fingerprint]) -> String {
    list(fingerprints.iter().map(Fingerprint::short))
}

fn list(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
}

/// The rest of the sentence; a keyring may hold more than anybody wants to read.
fn tried_list(tried: &[Fingerprint]) -> String {
    const SHOWN: usize = 8;
    match tried.len() {
        0 => "; there is no identity to try".to_owned(),
        1..=SHOWN => format!("; tried: {}", short_list(tried)),
        all => format!("; tried: {} and {} more", short_list(&tried[..SHOWN]), all - SHOWN),
    }
}

#[cfg(test)]
mod tests;
