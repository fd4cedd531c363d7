//! The verb seal: makes the spec of a SealedSecret from values.
//!
//! The caller chooses recipients, names and scope. Sealing needs public keys only. Invariants: every result has
//! passed the same checks that a reader makes. And every call uses fresh data keys, so a changed value never shares a
//! key with its past.

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
    /// `true` if the item may be substituted into `template.data`. Then every editor of the manifest can choose where
    /// the value appears in the Secret.
    pub template: bool,
    /// Everybody who was ever able to open this very value: the recipients of its earlier data keys, or the RSA keys
    /// that it was sealed to. They stay on record with the new data key. Empty for a new value.
    pub seen: BTreeSet<Fingerprint>,
}

impl Item {
    /// A value that was never sealed to anybody.
    pub fn new(value: Plaintext, template: bool) -> Self {
        Self { value, template, seen: BTreeSet::new() }
    }
}

/// A recipient, and the name that people give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecipient {
    /// The recipient.
    pub recipient: Recipient,
    /// A name for people. It is published beside the fingerprint; programs ignore it.
    pub name: Option<String>,
}

/// The reason why the values weren't sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// There is no recipient, so nobody could open the object.
    #[error("no recipient")]
    NoRecipients,
    /// More recipients than an envelope may have. Holds their number.
    #[error("{0} recipients; at most {MAX_RECIPIENTS} are allowed")]
    TooManyRecipients(usize),
    /// Post-quantum and classic recipients together. age forbids that: one classic recipient would undo the
    /// protection of the others.
    #[error(
        "post-quantum and classic recipients can't share an envelope: {post_quantum} is post-quantum, {classic} is not"
    )]
    MixedRecipients {
        /// The short fingerprint of a post-quantum recipient.
        post_quantum: String,
        /// The short fingerprint of a classic recipient.
        classic: String,
    },
    /// There is no value to seal.
    #[error("no items")]
    NoItems,
    /// The values together are larger than a Secret may be. Holds their size in bytes.
    #[error("the values are {0} bytes together; a Secret may have {MAX_SECRET_SIZE}")]
    TooLarge(usize),
    /// The template refers to an item that isn't sealed for use in templates.
    #[error("template.data refers to item {0}, which is not sealed for use in templates")]
    NotForTemplates(ItemName),
    /// Every reader would refuse the result.
    #[error(transparent)]
    Refused(UnsealError),
    /// More past recipients than an envelope remembers. Holds their number. No past recipient is dropped to make room,
    /// and a fresh data key for an old value has the past of that value; so only a new value helps.
    #[error(
        "its values were sealed to {0} recipients in the past; at most {MAX_PAST} are remembered: change the values at \
         their source, and seal the new ones"
    )]
    PastFull(usize),
    /// age couldn't encrypt to the recipients.
    #[error("the recipients could not be encrypted to")]
    Encrypt(#[source] age::EncryptError),
}

/// Seals values for a place: one envelope, one line for each item.
///
/// A repeated recipient counts once. Items for templates get a data key of their own, and so do items that other people
/// have seen.
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
    // Checked before the first encryption: readers would refuse the result, but only after one encryption for each
    // item.
    let (found, limit) = (items.len(), super::MAX_ITEMS);
    if found > limit {
        let path = "encryptedData".to_owned();
        return Err(SealError::Refused(UnsealError::TooLarge { path, found, limit, unit: "items" }));
    }
    let size = items.values().map(|item| item.value.len()).sum();
    if size > MAX_SECRET_SIZE {
        return Err(SealError::TooLarge(size));
    }
    if items.is_empty() {
        return Err(SealError::NoItems);
    }
    let (envelope, encrypted_data) = seal_items(&Binding::new(scope, place), &recipients, items)?;
    let spec = SealedSecretSpec { scope, envelopes: vec![envelope], encrypted_data, template };
    let sealed = NativeSealed::parse(place.clone(), &spec, allowed_types).map_err(SealError::Refused)?;
    let template = sealed.template_data();
    if let Some(name) = template.references().find(|name| !items[*name].template) {
        return Err(SealError::NotForTemplates(name.clone()));
    }
    Ok(spec)
}

/// Seals values under fresh data keys: one for each pair of a use in templates and the people who have seen a value. So
/// nobody is on record with a value that they couldn't open.
///
/// The caller has checked that the values are at most 1 MiB together.
pub(super) fn seal_items(
    binding: &Binding,
    recipients: &[&NamedRecipient],
    items: &BTreeMap<ItemName, Item>,
) -> Result<(Envelope, BTreeMap<String, String>), SealError> {
    let uses: BTreeSet<(bool, &BTreeSet<Fingerprint>)> =
        items.values().map(|item| (item.template, &item.seen)).collect();
    let keys: Vec<KnownKey> = uses
        .iter()
        .map(|&(template, seen)| KnownKey { key: DataKey::generate(template), seen: seen.clone() })
        .collect();
    let ids: Vec<_> = keys.iter().map(|known| known.key.id(binding)).collect();
    let indices: BTreeMap<_, usize> = uses.into_iter().zip(0..).collect();
    let line = |(name, item): (&ItemName, &Item)| {
        let index = indices[&(item.template, &item.seen)];
        let line = seal_item(&keys[index].key, &ids[index], name, item.value.expose())
            .expect("a value of at most 1 MiB can be padded and encrypted");
        (name.to_string(), line)
    };
    let encrypted_data = items.iter().map(line).collect();
    Ok((wrap(binding, recipients, &keys)?, encrypted_data))
}

/// Makes an envelope that holds these data keys.
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

/// The recipients in their order, without duplicates, checked to fit into one envelope.
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
