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
use crate::resources::bitnami::{
    CLUSTER_WIDE, MANAGED, NAMESPACE_WIDE, PATCH, SEALING_KEY_LABEL, SKIP_SET_OWNER_REFERENCES,
};
use crate::secret;

/// The annotations that the peer puts on Secrets or reads there.
const OWN: [&str; 5] = [CLUSTER_WIDE, NAMESPACE_WIDE, MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES];
/// Bytes of the value of one of them, at most; "true" has four.
const MAX_OWN: usize = 63;

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
        let kept = entries.iter().filter(|(key, value)| is_kept(key, value));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (labels, annotations) = (kept(labels), kept(annotations));
    labels.iter().try_for_each(|(key, value)| secret::check_label(key, value))?;
    secret::check_annotations(annotations.iter().filter(|(key, _)| !OWN.contains(&key.as_str())))?;
    Ok(Shape { type_: type_.to_owned(), immutable, labels, annotations, keys, owned: true })
}

/// Marks of other tools are dropped; what speaks for a controller is kept here, and refused by the checks, except for
/// the annotations that the peer knows: on the Secret they permit it to be adopted, by the object that put them
/// there.
fn is_kept(key: &str, value: &str) -> bool {
    let is_own = OWN.contains(&key) && value.len() <= MAX_OWN;
    !secret::is_tracking_mark(key) || is_own || key.starts_with("sealing.dev/") || key == SEALING_KEY_LABEL
}

/// A whole Secret as the peer sealed it: `v1` JSON, where `null` is absent. No `Debug`: it holds plaintext.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    api_version: String,
    kind: String,
    #[serde(default)]
    metadata: Option<SecretMetadata>,
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
/// [`UnsealError::Malformed`], [`UnsealError::Name`], [`UnsealError::Secret`], [`UnsealError::SecretTooLarge`];
/// nothing of the Secret's values is in them.
pub(super) fn parse(
    plaintext: &Plaintext,
    allowed_types: &BTreeSet<String>,
) -> Result<(Shape, BTreeMap<ItemName, Plaintext>), UnsealError> {
    let malformed =
        |problem: &str| UnsealError::Malformed { path: "data".to_owned(), problem: problem.to_owned() };
    let whole: Secret = serde_json::from_slice(plaintext.expose())
        .ok()
        .filter(|secret: &Secret| secret.api_version == "v1" && secret.kind == "Secret")
        .ok_or_else(|| malformed("holds no Secret as JSON"))?;
    let mut items = BTreeMap::new();
    for (name, value) in whole.data.unwrap_or_default() {
        let value = BASE64.decode(&*value.0).map_err(|_| malformed("holds a value that is not base64"))?;
        items.insert(name.parse()?, Plaintext::from(value));
    }
    for (name, value) in whole.string_data.unwrap_or_default() {
        items.insert(name.parse()?, Plaintext::from(value.0.as_bytes().to_vec()));
    }
    if items.values().map(Plaintext::len).sum::<usize>() > secret::MAX_SECRET_SIZE {
        return Err(UnsealError::SecretTooLarge { limit: secret::MAX_SECRET_SIZE });
    }
    let metadata = whole.metadata.unwrap_or_default();
    let labels = metadata.labels.unwrap_or_default();
    let annotations = metadata.annotations.unwrap_or_default();
    let keys = items.keys().cloned().collect();
    let shape = shape(whole.type_.as_deref(), whole.immutable, (&labels, &annotations), keys, allowed_types)?;
    Ok((shape, items))
}
