//! The seam between formats: the questions that a reconciler, or `seal unseal`, may ask of any sealed object.
//!
//! The reader of a manifest sees its format and parses it with the module of that format. No later code needs to know
//! which format it was. Invariant: every answer but those of [`Sealed::unseal`], [`Sealed::reveal`],
//! [`Sealed::examine`] and [`Sealed::offer`] follows from
//! public text, so a program can tell if a Secret is in sync without opening anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;
use crate::keys::{Fingerprint, Keyring};
use crate::names::{ItemName, NameError};
use crate::native::{NamedRecipient, RewrapError};
use crate::plaintext::Plaintext;
use crate::reason::{About, Reason};
use crate::resources::Envelope;
use crate::scope::{Place, Scope};
use crate::secret::{LeftOut, Metadata, SecretError};
use crate::template::TemplateError;
use seal_go::template::GoTemplateError;

/// The format of a sealed object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `sealing.dev/v1alpha1`.
    #[default]
    Native,
    /// `bitnami.com/v1alpha1`.
    Bitnami,
}

/// A parsed sealed object, in either format.
pub trait Sealed: Send + Sync {
    /// The format of the object.
    fn format(&self) -> Format;

    /// The namespace and name under which the object was found.
    fn place(&self) -> &Place;

    /// The scope that the object claims; [`Sealed::unseal`] checks the claim.
    fn scope(&self) -> Scope;

    /// The Secret that the object becomes, without its values. It is meaningful only if the object
    /// [is revealed](Sealed::is_revealed).
    fn shape(&self) -> &Shape;

    /// The digest of ciphertext and template. Objects with equal digests make equal Secrets.
    fn digest(&self) -> Digest;

    /// `true` if the shape is known. In the deprecated `data` of the Bitnami format the shape is sealed in.
    fn is_revealed(&self) -> bool {
        true
    }

    /// Opens the object to learn its shape. Gives the same object with its shape known; `None` if it was known before.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`].
    fn reveal(&self, _keys: &Keyring) -> Result<Option<Arc<dyn Sealed>>, UnsealError> {
        Ok(None)
    }

    /// Opens the object, as a whole or not at all.
    ///
    /// # Expected Flow
    ///
    /// In the native format: the envelopes are opened in their order, each with the hinted identities first. Then the
    /// claims inside of the envelopes are compared with the object. Then every item is opened, and last
    /// `template.data` is rendered. In the Bitnami format: every item is opened, and then `template.data` is
    /// rendered.
    ///
    /// # Guarantees
    ///
    /// If it fails, no plaintext has left the call.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`].
    fn unseal(&self, keys: &Keyring) -> Result<Unsealed, UnsealError>;

    /// A name of what the object is sealed to: 64 hex digits. While it and [`Sealed::assignment`] stay, an examination of the
    /// object finds the same with the same keys.
    fn source(&self) -> String;

    /// A name of which data key each item uses: 64 hex digits; `None` in the Bitnami format, which has none.
    fn assignment(&self) -> Option<String> {
        None
    }

    /// The recipients of each envelope, as its public list has them; empty in the Bitnami format, which has no
    /// envelopes. [`Sealed::unseal`] refuses an object whose public lists aren't the sealed ones, so they are true of
    /// an object that opened.
    fn sealed_to(&self) -> Vec<BTreeSet<Fingerprint>> {
        Vec::new()
    }

    /// The keys of a keyring that are tried on objects of this format.
    fn tried(&self, keys: &Keyring) -> BTreeSet<Fingerprint>;

    /// Opens the object as [`Sealed::unseal`] does, and also finds out which keys it needs and which items are exposed:
    /// those whose data key one of `exposing` has seen.
    ///
    /// # Guarantees
    ///
    /// The needed keys are found by trying keys. No public list and no hint decides anything. `Err` if and only if
    /// [`Sealed::unseal`] gives the same error.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`].
    fn examine(&self, keys: &Keyring, exposing: &BTreeSet<Fingerprint>) -> Result<Examined, UnsealError>;

    /// How many tries of a key [`Sealed::examine`] takes beyond those of [`Sealed::unseal`], at most.
    fn more_tries(&self, keys: &Keyring) -> usize;

    /// Makes one envelope that takes the place of all envelopes of the object; `None` in the Bitnami format, which has
    /// no envelopes.
    fn offer(
        &self,
        _keys: &Keyring,
        _recipients: &[NamedRecipient],
    ) -> Option<Result<Envelope, RewrapError>> {
        None
    }
}

/// The shape of a Secret: everything about it but its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The type of the Secret.
    pub type_: String,
    /// `true` if the values may not change any more; `None` if the template doesn't say.
    pub immutable: Option<bool>,
    /// The labels of the Secret.
    pub labels: BTreeMap<String, String>,
    /// The annotations of the Secret, without those that the controller adds.
    pub annotations: BTreeMap<String, String>,
    /// The labels and annotations of the template that the Secret doesn't get.
    pub left_out: Vec<LeftOut>,
    /// The keys of the Secret's `data`: items and `template.data` together.
    pub keys: BTreeSet<ItemName>,
    /// `true` if the SealedSecret owns the Secret, so that Kubernetes deletes the Secret with it. Default: true.
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
    /// The sealing keys that opened the object: one for each envelope, in their order. In the Bitnami format: each
    /// key that opened an item, once, in the order of first use.
    pub opened_by: Vec<Fingerprint>,
}

/// An object that was examined. No `Debug`: it holds plaintext.
pub struct Examined {
    /// The opened object.
    pub unsealed: Unsealed,
    /// The keys without which the object doesn't open: it opens with all others of the keyring, and not without one of
    /// these.
    pub only: BTreeSet<Fingerprint>,
    /// The items whose data key a recipient in question has seen, with the recipients that have. Always empty in the
    /// Bitnami format, which can't tell.
    pub exposed: BTreeMap<ItemName, BTreeSet<Fingerprint>>,
}

/// The reason why a sealed object was refused, for either format.
///
/// `Display` is a lower-case fragment. It consists of fixed words, validated names and public values, never of
/// plaintext or of a library's message. [`UnsealError::reason`] is the stable word for programs. No error has a
/// `source()`: its fragment is complete, and a printer that walks the chain would print the source twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// A namespace, name or item name that isn't valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A type, label or annotation that the Secret may not have.
    #[error("template: {0}")]
    Secret(SecretError),
    /// A template of the native format that can't be used, or one of either format with a value that Kubernetes would
    /// check.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A Go template of the Bitnami format that can't be used.
    #[error("template.data.{key}: {}", with_flag(error))]
    GoTemplate {
        /// The key of `template.data`.
        key: ItemName,
        /// The problem with the template. Boxed, so that all other errors stay small.
        error: Box<GoTemplateError>,
    },
    /// A public field whose text isn't in the format.
    #[error("{path} {problem}")]
    Malformed {
        /// The path of the field, for example `envelopes[0].age`.
        path: String,
        /// The problem, as the rest of a sentence about the field.
        problem: String,
    },
    /// A field with more parts than the format allows.
    #[error("{path} has {found} {unit}; at most {limit} are allowed")]
    TooLarge {
        /// The path of the field.
        path: String,
        /// The number of parts in the object.
        found: usize,
        /// The largest number of parts that is allowed.
        limit: usize,
        /// The name of the parts, in the plural: `items`, for example.
        unit: &'static str,
    },
    /// The document inside an envelope has a version that this program doesn't know.
    #[error("envelopes[{envelope}] is of version {found}; this program knows version 1: update it")]
    UnknownVersion {
        /// The envelope's index.
        envelope: usize,
        /// The version in the document.
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
        /// The recipients in the public list of the envelope. They are a hint: the list isn't authenticated.
        sealed_to: Vec<SealedTo>,
        /// The identities that were tried, in their order.
        tried: Vec<Fingerprint>,
    },
    /// No RSA key at hand opens an item of the Bitnami format. A wrong key, a wrong label and changed bytes give the
    /// same error: an attacker who can submit ciphertexts could use the difference as an oracle (Manger 2001).
    /// Instead the message names everything that was tried, for people to compare.
    #[error(
        "{what} can't be opened as {binding} (scope {scope}) with the RSA keys at hand, {}: it was sealed with another \
         certificate, or for another namespace, name or scope, or was changed since; compare them, or seal it again",
        short_list(candidates)
    )]
    CannotOpen {
        /// The part that doesn't open: `item password`, for example, or `data`.
        what: Box<str>,
        /// The scope whose label was tried.
        scope: Scope,
        /// The binding of that scope, as text.
        binding: Box<str>,
        /// The keys that were tried: those at hand of the right size.
        candidates: Vec<Fingerprint>,
    },
    /// No RSA key at hand has the size of the key to which an item of the Bitnami format is sealed, or no RSA key is
    /// at hand. The ciphertext shows that size to everybody, so this error is no oracle.
    #[error(
        "{what} is sealed to an RSA key of {bits} bits, and {}: load the key that belongs to the certificate it was \
         sealed with",
        if at_hand.is_empty() { "no RSA key is at hand".to_owned() } else {
            format!("those at hand have other sizes ({})", short_list(at_hand))
        }
    )]
    NoRsaKey {
        /// The part that doesn't open: `item password`, for example, or `data`.
        what: Box<str>,
        /// The size of the key to which it is sealed, in bits.
        bits: usize,
        /// The RSA keys at hand.
        at_hand: Vec<Fingerprint>,
    },
    /// Opening an object of the Bitnami format would take too many private operations. Permanent: a smaller keyring
    /// might open the object, but people don't remove keys to open one object.
    #[error(
        "its items are sealed to so many different RSA keys that finding them takes more than {limit} failed trials: \
         seal it again with one certificate, or split it"
    )]
    TooManyTrials {
        /// The number of trials that may fail.
        limit: usize,
    },
    /// An identity opens the envelope's header, but the file was changed.
    #[error("envelopes[{envelope}] was changed after it was sealed")]
    EnvelopeAltered {
        /// The envelope's index.
        envelope: usize,
    },
    /// The plaintext of the envelope isn't a valid document.
    #[error("envelopes[{envelope}] holds {problem}")]
    MalformedEnvelope {
        /// The envelope's index.
        envelope: usize,
        /// The problem, as the object of "holds".
        problem: &'static str,
    },
    /// The object was sealed with another scope than it claims.
    #[error("sealed with scope {sealed}, found with scope {found}")]
    WrongScope {
        /// The scope that is sealed in.
        sealed: Scope,
        /// The scope that the object claims.
        found: Scope,
    },
    /// The object was sealed for another place.
    #[error("sealed for {sealed}, found in {found}")]
    WrongPlace {
        /// The binding that is sealed in, as text.
        sealed: String,
        /// The binding of the place where the object was found, as text.
        found: String,
    },
    /// The public list of an envelope's recipients differs from the sealed list.
    #[error("envelopes[{envelope}] is sealed to {}, but says {}", short_list(sealed), short_list(found))]
    WrongRecipients {
        /// The envelope's index.
        envelope: usize,
        /// The sealed list.
        sealed: Vec<Fingerprint>,
        /// The public list.
        found: Vec<Fingerprint>,
    },
    /// The public list of an envelope's data keys differs from the sealed list.
    #[error("envelopes[{envelope}].keys does not match the data keys inside")]
    WrongKeys {
        /// The envelope's index.
        envelope: usize,
    },
    /// A data key is in two envelopes, or twice in one.
    #[error("data key {id} is listed more than once")]
    DuplicateKey {
        /// The data key's id.
        id: String,
    },
    /// The data key of an item is in no envelope: an envelope was removed, or the item comes from another object.
    #[error("item {item} needs data key {id}, which no envelope holds")]
    MissingKey {
        /// The item.
        item: ItemName,
        /// The id of the data key that the item needs.
        id: String,
    },
    /// An envelope that no item needs.
    #[error("envelopes[{envelope}] holds no data key that an item needs: remove it")]
    UnusedEnvelope {
        /// The envelope's index.
        envelope: usize,
    },
    /// The ciphertext of an item was changed, or belongs to another item.
    #[error("item {item} was changed after it was sealed, or was sealed as another item")]
    ItemAltered {
        /// The item.
        item: ItemName,
    },
    /// A template refers to an item that was not sealed for use in templates.
    #[error("template.data refers to item {item}, which was not sealed for use in templates")]
    NotForTemplates {
        /// The item.
        item: ItemName,
    },
    /// The values together could be larger than a Secret may be. Only public lengths are compared, such as padded ones.
    #[error("the Secret would be larger than {limit} bytes")]
    SecretTooLarge {
        /// The most bytes that are allowed.
        limit: usize,
    },
}

impl UnsealError {
    /// The stable word for this error, as a condition shows it.
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

    /// `true` if another set of keys could make a difference. Every other error waits for a change of the object
    /// itself.
    pub fn may_pass_with_other_keys(&self) -> bool {
        self.reason().about() == About::Key
    }
}

impl From<SecretError> for UnsealError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

/// A recipient in the public list of an envelope. The list isn't authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTo {
    /// The fingerprint of the recipient.
    pub fingerprint: Fingerprint,
    /// The name that people gave the recipient, if it can be shown.
    name: Option<String>,
}

impl SealedTo {
    /// Makes an entry. A name that is empty, longer than 80 bytes or not printable ASCII is left out: the author of the
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

/// The error of a Go template; if a flag of the controller would allow that template, with the name of the flag.
fn with_flag(error: &GoTemplateError) -> String {
    match error {
        GoTemplateError::Branching { .. } | GoTemplateError::SizeFromValue { .. } => {
            format!("{error}, which the controller allows with --allow-template-branching only")
        }
        _ => error.to_string(),
    }
}

/// The list of tried identities as the end of a sentence, cut to 8: a keyring may hold more than people want to read.
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
