//! The shape of the Secret that a SealedSecret of the Bitnami format becomes: from the template or, for the deprecated
//! `spec.data`, from the sealed Secret itself.
//!
//! The template's `data` is in [`super::template`]. sealed-secrets copies every label and annotation; this leaves out
//! [`Mark`](crate::secret::Mark)s. Invariant: the rules for types, labels and annotations are those of the native
//! format.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::claim::scope_of_annotation;
use crate::format::{Shape, UnsealError};
use crate::names::{ItemName, Name};
use crate::plaintext::{Plaintext, WipedString};
use crate::resources::bitnami::{MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES};
use crate::secret::{self, Metadata};

/// The annotations that sealed-secrets writes on Secrets or reads there, beside those of scopes.
const OWN: [&str; 3] = [MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES];
/// The most bytes of the value of such an annotation; "true" has four.
const MAX_OWN: usize = 63;

/// Checks these parts of a Secret and makes its shape.
///
/// # Errors
///
/// [`UnsealError::Secret`].
pub(super) fn shape(
    type_: Option<&str>,
    immutable: Option<bool>,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    keys: BTreeSet<ItemName>,
    allowed_types: &BTreeSet<String>,
) -> Result<Shape, UnsealError> {
    let type_ = type_.filter(|type_| !type_.is_empty()).unwrap_or(secret::OPAQUE);
    secret::check_type(type_, allowed_types)?;
    secret::check_keys(type_, &keys)?;
    // The annotations that sealed-secrets knows stay. On the Secret they permit adoption by the very object that put
    // them there.
    let is_own = |key: &str, value: &str| {
        (OWN.contains(&key) || scope_of_annotation(key).is_some()) && value.len() <= MAX_OWN
    };
    let metadata = Metadata::sort(labels, annotations, is_own)?;
    Ok(Shape { type_: type_.to_owned(), immutable, keys, ..Shape::of(metadata) })
}

/// A whole Secret in the form that sealed-secrets sealed: `v1` JSON, in which `null` means absent. No `Debug`: it holds
/// plaintext.
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
    data: Option<BTreeMap<String, WipedString>>,
    #[serde(default)]
    string_data: Option<BTreeMap<String, WipedString>>,
}

#[derive(Default, Deserialize)]
struct SecretMetadata {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// The shape and the items of a whole Secret.
///
/// # Errors
///
/// One error for every problem of the plaintext. The threat: the plaintext needn't be a Secret. An attacker who
/// writes to Git may move the ciphertext of an item into `data`. Different errors would then tell something about its
/// value: that it is JSON, that it is a Secret, and of which type and names.
pub(super) fn parse(
    plaintext: &Plaintext,
    name: &Name,
    allowed_types: &BTreeSet<String>,
) -> Result<(Shape, BTreeMap<ItemName, Plaintext>), UnsealError> {
    read(plaintext, name, allowed_types).ok_or_else(|| UnsealError::Malformed {
        path: "data".to_owned(),
        problem: "doesn't hold, as JSON, a Secret that may be made; this field is deprecated: seal it again with kubeseal"
            .to_owned(),
    })
}

fn read(
    plaintext: &Plaintext,
    name: &Name,
    allowed_types: &BTreeSet<String>,
) -> Option<(Shape, BTreeMap<ItemName, Plaintext>)> {
    let whole: Secret = serde_json::from_slice(plaintext.expose()).ok()?;
    if whole.api_version != "v1" || whole.kind != "Secret" {
        return None;
    }
    let mut items = BTreeMap::new();
    for (name, value) in whole.data.unwrap_or_default() {
        items.insert(name.parse().ok()?, value.decode()?);
    }
    for (name, value) in whole.string_data.unwrap_or_default() {
        items.insert(name.parse().ok()?, value.into());
    }
    let size = items.values().map(Plaintext::len).sum::<usize>();
    if size > secret::MAX_SECRET_SIZE {
        return None;
    }
    let metadata = whole.metadata.unwrap_or_default();
    let labels = metadata.labels.unwrap_or_default();
    let annotations = metadata.annotations.unwrap_or_default();
    let keys = items.keys().cloned().collect();
    let type_ = whole.type_.as_deref();
    let shape = shape(type_, whole.immutable, &labels, &annotations, keys, allowed_types).ok()?;
    secret::check_release(name, &shape.labels, allowed_types).ok()?;
    secret::check_stored_size(&shape, size).ok()?;
    // Labels and annotations that are left out aren't named, because here their keys are decrypted text.
    Some((Shape { left_out: Vec::new(), ..shape }, items))
}
