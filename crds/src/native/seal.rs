//! The verb seal: values into the spec of a SealedSecret.
//!
//! Not the choice of recipients, names or scope; those come from the command line and its policy. Needs
//! public keys only. Invariant: what this returns has passed the same checks that every reader makes, and
//! every call uses fresh data keys, so a value that changes never shares a key with its past.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::data_key::DataKey;
use super::document::{self, KnownKey, PastFull};
use super::item::seal_item;
use super::object::NativeSealed;
use super::{MAX_PAST, MAX_RECIPIENTS, envelope};
use crate::format::UnsealError;
use crate::keys::{Fingerprint, Recipient};
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use crate::resources::{Envelope, RecipientHint, SealedSecretSpec, Template};
use crate::scope::{Binding, Place, Scope};
use crate::secret::MAX_SECRET_SIZE;

/// A value to seal.
pub struct Item {
    /// The value.
    pub value: Plaintext,
    /// Whether it may be substituted into `template.data`. Whoever may edit the manifest then chooses
    /// where the value appears in the Secret.
    pub template: bool,
}

/// A recipient, and what people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecipient {
    /// The recipient.
    pub recipient: Recipient,
    /// A name for people; published beside the fingerprint, means nothing.
    pub name: Option<String>,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nobody could open it.
    #[error("no recipient")]
    NoRecipients,
    /// More recipients than an envelope may have.
    #[error("{0} recipients; at most {MAX_RECIPIENTS} are allowed")]
    TooManyRecipients(usize),
    /// age forbids mixing: one classic recipient would undo what the post-quantum ones are for.
    #[error(
        "post-quantum and classic recipients can't share an envelope: {post_quantum} is post-quantum, {classic} is not"
    )]
    MixedRecipients {
        /// Short fingerprint of a post-quantum recipient.
        post_quantum: String,
        /// Short fingerprint of a classic one.
        classic: String,
    },
    /// A Secret without values is nothing to seal.
    #[error("no items")]
    NoItems,
    /// All values together, those of `template.data` included, are larger than a Secret may be.
    #[error("the values are {0} bytes together; a Secret may have {MAX_SECRET_SIZE}")]
    TooLarge(usize),
    /// The template refers to an item that isn't meant for templates.
    #[error("template.data refers to item {0}, which is not sealed for use in templates")]
    NotForTemplates(ItemName),
    /// The result would be refused by every reader.
    #[error(transparent)]
    Refused(UnsealError),
    /// More past recipients than an envelope remembers. None is dropped for room.
    #[error(
        "its data keys have {0} past recipients; at most {MAX_PAST} are remembered: seal the values again, under \
         fresh data keys"
    )]
    PastFull(usize),
    /// A recipient couldn't be encrypted to.
    #[error("the recipients could not be encrypted to")]
    Encrypt(#[source] age::EncryptError),
}

/// Seals values for a place: one envelope, one line for each item.
///
/// Recipients that are named twice count once. Items for templates get a data key of their own.
///
/// # Errors
///
/// Any [`SealError`].
pub fn seal(
    place: &Place,
    scope: Scope,
    recipients: &[NamedRecipient],
    items: &BTreeMap<ItemName, Item>,
    template: Template,
    allowed_types: &BTreeSet<String>,
) -> Result<SealedSecretSpec, SealError> {
    let recipients = distinct(recipients)?;
    // Counted before anything is encrypted: readers would refuse the result, after as many encryptions as there are items.
    let (found, limit) = (items.len(), super::MAX_ITEMS);
    if found > limit {
        let path = "encryptedData".to_owned();
        return Err(SealError::Refused(UnsealError::TooLarge { path, found, limit, unit: "items" }));
    }
    let size = items.values().map(|item| item.value.len()).sum();
    if size > MAX_SECRET_SIZE {
        return Err(SealError::TooLarge(size));
    }
    let binding = Binding::new(scope, place);
    let uses: BTreeSet<bool> = items.values().map(|item| item.template).collect();
    if uses.is_empty() {
        return Err(SealError::NoItems);
    }
    let keys: Vec<KnownKey> = uses.into_iter().map(DataKey::generate).map(KnownKey::fresh).collect();
    let ids: Vec<_> = keys.iter().map(|known| known.key.id(&binding)).collect();

    let mut encrypted_data = BTreeMap::new();
    for (name, item) in items {
        let index = keys.iter().position(|known| known.key.template == item.template);
        let index = index.expect("a key was made for each use that an item has");
        let line = seal_item(&keys[index].key, &ids[index], name, item.value.expose())
            .expect("a value of at most 1 MiB can be padded and encrypted");
        encrypted_data.insert(name.to_string(), line);
    }
    let envelopes = vec![wrap(&binding, &recipients, &keys)?];
    let spec = SealedSecretSpec { scope, envelopes, encrypted_data, template };
    let sealed = NativeSealed::parse(place.clone(), &spec, allowed_types).map_err(SealError::Refused)?;
    let template = sealed.template_data();
    if let Some(name) = template.references().find(|name| !items[*name].template) {
        return Err(SealError::NotForTemplates(name.clone()));
    }
    Ok(spec)
}

/// An envelope that holds these data keys.
pub(super) fn wrap(
    binding: &Binding,
    recipients: &[&NamedRecipient],
    keys: &[KnownKey],
) -> Result<Envelope, SealError> {
    let plain: Vec<&Recipient> = recipients.iter().map(|named| &named.recipient).collect();
    let fingerprints: Vec<Fingerprint> = plain.iter().map(|recipient| recipient.fingerprint()).collect();
    let document = document::write(binding, &fingerprints, keys)
        .map_err(|PastFull(found)| SealError::PastFull(found))?;
    let age = envelope::wrap(&document, &plain).map_err(SealError::Encrypt)?;
    let hints = recipients.iter().zip(&fingerprints).map(|(named, fingerprint)| RecipientHint {
        name: named.name.clone(),
        fingerprint: fingerprint.to_string(),
    });
    Ok(Envelope {
        keys: keys.iter().map(|known| known.key.id(binding).to_string()).collect(),
        recipients: hints.collect(),
        age: BASE64.encode(age),
    })
}

/// The recipients in their order, each once, checked to fit one envelope.
pub(super) fn distinct(recipients: &[NamedRecipient]) -> Result<Vec<&NamedRecipient>, SealError> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<&NamedRecipient> =
        recipients.iter().filter(|named| seen.insert(named.recipient.fingerprint())).collect();
    match distinct.len() {
        0 => return Err(SealError::NoRecipients),
        1..=MAX_RECIPIENTS => {}
        found => return Err(SealError::TooManyRecipients(found)),
    }
    let of_kind = |post_quantum: bool| {
        let named = distinct.iter().find(|named| named.recipient.is_post_quantum() == post_quantum)?;
        Some(named.recipient.fingerprint().short().to_string())
    };
    match (of_kind(true), of_kind(false)) {
        (Some(post_quantum), Some(classic)) => Err(SealError::MixedRecipients { post_quantum, classic }),
        _ => Ok(distinct),
    }
}
