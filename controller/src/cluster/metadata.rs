//! The metadata of a watched object, reduced to the parts that the controller uses.
//!
//! The threat: a person who may write objects in one namespace stops, or fills the memory of, a controller
//! that serves all namespaces. A list is read as one text, so metadata that can't be read would make every
//! object of its kind fail. And labels, which only the object's size bounds, and trees of managedFields take
//! up many times their text.
//!
//! [`super::secret`] knows the meaning of metadata, and [`super::rows`] keeps what is kept of it. Invariants: every
//! metadata that the API server stores can be read. What is kept is text, from which a tree is made only while
//! somebody looks at it; all else is dropped as soon as the object's text is read, before the rest of its page.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference, Time};
use kube::Resource;
use seal_crds::resources::{SealedSecret, SealingKey};
use seal_documents::values;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::secret;

/// The most that the tree of managedFields may weigh. The tree of a Secret with as many items as fit weighs
/// less.
const MAX_WEIGHT: usize = 16 << 20;

/// A kind of which only metadata is watched.
pub(crate) trait Kept: Resource<DynamicType = (), Scope = NamespaceResourceScope> {
    /// The part of an object's metadata that is kept.
    fn keep(found: Fields<'_>) -> Row;
}

impl Kept for Secret {
    fn keep(found: Fields<'_>) -> Row {
        let metadata = found.without_managed(&secret::ANNOTATIONS);
        let managed_fields = found.managed_fields.filter(|text| secret::may_have_part(&metadata, text.get()));
        let annotations = metadata.annotations.map(|kept| to_raw_value(&kept).expect("texts are JSON"));
        Row::of(Fields { annotations: annotations.as_deref(), managed_fields, ..found })
    }
}

/// The controller only asks whether the object is there.
impl Kept for SealedSecret {
    fn keep(found: Fields<'_>) -> Row {
        Row::of(Fields { owner_references: None, annotations: None, managed_fields: None, ..found })
    }
}

/// The watch only tells that the object changed; the controller then reads it anew.
impl Kept for SealingKey {
    fn keep(found: Fields<'_>) -> Row {
        SealedSecret::keep(found)
    }
}

/// As for a SealingKey.
impl Kept for ConfigMap {
    fn keep(found: Fields<'_>) -> Row {
        SealedSecret::keep(found)
    }
}

/// What is kept of an object's metadata: its own JSON text, without the parts that nobody looks at. It names no
/// object, because it is kept under its name.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    text: Box<str>,
    is_whole: bool,
}

impl Row {
    fn of(kept: Fields<'_>) -> Self {
        let kept = Fields { name: None, namespace: None, generation: None, ..kept };
        let text = serde_json::to_string(&kept).expect("texts and numbers are JSON");
        Self { text: text.into(), is_whole: true }
    }

    /// The metadata, as far as the controller looks at it; `None` if the row is cut.
    pub(super) fn read(&self) -> Option<ObjectMeta> {
        let fields = self.is_whole.then(|| self.fields())?;
        let managed_fields = fields.managed_fields.and_then(managed_fields);
        Some(ObjectMeta { managed_fields, ..fields.without_managed(&secret::ANNOTATIONS) })
    }

    /// The object's uid and resourceVersion, which a cut row has too; `None` for metadata that no API server returns.
    pub(super) fn version(&self) -> Option<(String, String)> {
        let Fields { uid, resource_version, .. } = self.fields();
        Some((uid?, resource_version?))
    }

    /// The row without anything but uid and resourceVersion.
    pub(super) fn cut(&self) -> Self {
        let Fields { uid, resource_version, .. } = self.fields();
        Self { is_whole: false, ..Self::of(Fields { uid, resource_version, ..Fields::default() }) }
    }

    /// The bytes of the text.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether both are of the same version of the same object.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        if self.is_whole && other.is_whole {
            return self.text == other.text;
        }
        self.version().is_some() && self.version() == other.version()
    }

    fn fields(&self) -> Fields<'_> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// An object of this kind by its metadata; the controller asks the API server for nothing else.
pub(crate) struct Metadata<K> {
    /// Names, versions and dates.
    pub(super) metadata: ObjectMeta,
    pub(super) row: Row,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Metadata<K> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), row: self.row.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Metadata<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metadata.fmt(f)
    }
}

impl<'de, K: Kept> Deserialize<'de> for Metadata<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Whole {
            #[serde(default)]
            metadata: Box<RawValue>,
        }
        let whole = Whole::deserialize(deserializer)?;
        let fields = Fields::of(&whole.metadata);
        Ok(Self { metadata: fields.head(), row: K::keep(fields), kind: PhantomData })
    }
}

impl<K: Kept> Resource for Metadata<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn metadata_api() -> bool {
        true
    }

    fn kind(_: &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group(_: &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version(_: &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural(_: &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Reads the metadata of a SealedSecret that is watched as a whole, and of its annotations only these.
pub(super) fn of_object(metadata: &RawValue, annotations: &[&str]) -> ObjectMeta {
    ObjectMeta { owner_references: None, ..Fields::of(metadata).without_managed(annotations) }
}

/// The fields that the controller uses; all others are skipped, however deep they are. Fields that may be
/// large or deep stay text here.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Fields<'t> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_timestamp: Option<Time>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    owner_references: Option<&'t RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    annotations: Option<&'t RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    managed_fields: Option<&'t RawValue>,
}

impl<'t> Fields<'t> {
    fn of(metadata: &'t RawValue) -> Self {
        serde_json::from_str(metadata.get()).unwrap_or_default()
    }

    /// Names, versions and dates.
    fn head(&self) -> ObjectMeta {
        ObjectMeta {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            generation: self.generation,
            deletion_timestamp: self.deletion_timestamp.clone(),
            ..ObjectMeta::default()
        }
    }

    fn without_managed(&self, annotations: &[&str]) -> ObjectMeta {
        ObjectMeta {
            owner_references: self.owner_references.and_then(part::<Vec<OwnerReference>>),
            annotations: self.annotations.and_then(|text| these(annotations, text)),
            ..self.head()
        }
    }
}

/// Reads a field; one that can't be read counts as absent.
fn part<T: DeserializeOwned>(text: &RawValue) -> Option<T> {
    serde_json::from_str(text.get()).ok()
}

fn managed_fields(text: &RawValue) -> Option<Vec<ManagedFieldsEntry>> {
    let tree = values::read_json(text.get().as_bytes(), MAX_WEIGHT).into_iter().next()?;
    serde_json::from_value(tree.ok()?).ok()
}

/// The annotations with one of these keys.
fn these(keys: &[&str], text: &RawValue) -> Option<BTreeMap<String, String>> {
    let found = These(keys).deserialize(&mut serde_json::Deserializer::from_str(text.get())).ok()?;
    (!found.is_empty()).then_some(found)
}

struct These<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for These<'_> {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for These<'_> {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if self.0.contains(&key.as_str()) {
                found.insert(key, entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
