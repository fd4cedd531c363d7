//! The Secret that a SealedSecret of the peer's becomes: its shape, from the template or, for the deprecated
//! `spec.data`, from the sealed Secret itself.
//!
//! Not the template's `data`. Where the peer copies everything, this drops marks by which other tools know their own
//! objects, which the SealedSecret's author seldom meant for the Secret; and refuses what would speak for this
//! product's controller. Invariant: the rules for types, labels and annotations are those of the native format.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::format::{Shape, UnsealError};
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use crate::resources::bitnami::{PREFIX, SKIP_SET_OWNER_REFERENCES};
use crate::secret;

/// Labels and annotations.
type Metadata<'a> = (&'a BTreeMap<String, String>, &'a BTreeMap<String, String>);

/// The shape these parts give.
///
/// # Errors
///
/// [`UnsealError::Secret`].
pub(super) fn shape(
    type_: Option<&str>,
    immutable: Option<bool>,
    (labels, annotations): Metadata<'_>,
    keys: BTreeSet<ItemName>,
    allowed_types: &BTreeSet<String>,
) -> Result<Shape, UnsealError> {
    let type_ = type_.filter(|type_| !type_.is_empty()).unwrap_or(secret::OPAQUE);
    secret::check_type(type_, allowed_types)?;
    secret::check_keys(type_, &keys)?;
    let kept = |entries: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let kept = entries.iter().filter(|(key, _)| is_kept(key));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (labels, annotations) = (kept(labels), kept(annotations));
    // The peer's own annotations speak to its controller, and now to ours: on the Secret they permit it to be
    // adopted, by the object that put them there.
    let (own, foreign): (BTreeMap<_, _>, BTreeMap<_, _>) =
        annotations.clone().into_iter().partition(|(key, _)| key.starts_with(PREFIX));
    labels.iter().try_for_each(|(key, value)| secret::check_label(key, value))?;
    secret::check_annotations(&foreign)?;
    let owned = own.get(SKIP_SET_OWNER_REFERENCES).is_none_or(|value| value != "true");
    Ok(Shape { type_: type_.to_owned(), immutable, labels, annotations, keys, owned })
}

/// Marks of other tools are dropped; what begins with `sealing.dev/` is kept here, and refused by the checks.
fn is_kept(key: &str) -> bool {
    !secret::is_tracking_mark(key) || key.starts_with(PREFIX) || key.starts_with("sealing.dev/")
}

/// A whole Secret as the peer sealed it: `v1` JSON. No `Debug`: it holds plaintext.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    #[serde(default)]
    metadata: SecretMetadata,
    #[serde(rename = "type", default)]
    type_: Option<String>,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default)]
    data: Option<BTreeMap<String, Text>>,
    #[serde(default)]
    string_data: Option<BTreeMap<String, Text>>,
}

/// Text, wiped on drop.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Text(Zeroizing<String>);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

#[derive(Default, Deserialize)]
struct SecretMetadata {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Shape and items of a whole Secret.
///
/// # Errors
///
/// [`UnsealError::Malformed`], [`UnsealError::Name`], [`UnsealError::Secret`]; nothing of the Secret's values is in
/// them.
pub(super) fn parse(
    plaintext: &Plaintext,
    allowed_types: &BTreeSet<String>,
) -> Result<(Shape, BTreeMap<ItemName, Plaintext>), UnsealError> {
    let malformed =
        |problem: &str| UnsealError::Malformed { path: "data".to_owned(), problem: problem.to_owned() };
    let secret: Secret =
        serde_json::from_slice(plaintext.expose()).map_err(|_| malformed("holds no Secret as JSON"))?;
    let mut items = BTreeMap::new();
    for (name, value) in secret.data.unwrap_or_default() {
        let value = BASE64.decode(&*value.0).map_err(|_| malformed("holds a value that is not base64"))?;
        items.insert(name.parse()?, Plaintext::from(value));
    }
    for (name, value) in secret.string_data.unwrap_or_default() {
        items.insert(name.parse()?, Plaintext::from(value.0.as_bytes().to_vec()));
    }
    let labels = secret.metadata.labels.unwrap_or_default();
    let annotations = secret.metadata.annotations.unwrap_or_default();
    let keys = items.keys().cloned().collect();
    let shape =
        shape(secret.type_.as_deref(), secret.immutable, (&labels, &annotations), keys, allowed_types)?;
    Ok((shape, items))
}
