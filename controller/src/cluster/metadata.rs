//! The metadata of a watched object, reduced to the parts that the controller uses.
//!
//! The threat: a person who may write objects in one namespace stops, or fills the memory of, a controller
//! that serves all namespaces. A list is read as one text, so metadata that can't be read would make every
//! object of its kind fail. And labels, which only the object's size bounds, and trees of managedFields take
//! up many times their text.
//!
//! [`super::secret`] knows the meaning of metadata. Invariants: every metadata that the API server stores can
//! be read. The unused parts stay text, and are dropped as soon as the object's text is read, before the rest
//! of its page.

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
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::secret;

/// The most that the tree of managedFields may weigh. The tree of a Secret with as many items as fit weighs
/// less.
const MAX_WEIGHT: usize = 16 << 20;

/// A kind of which only metadata is watched.
pub(crate) trait Kept: Resource<DynamicType = (), Scope = NamespaceResourceScope> {
    /// The parts of an object's metadata that are kept.
    fn keep(metadata: &RawValue) -> ObjectMeta;
}

impl Kept for Secret {
    fn keep(metadata: &RawValue) -> ObjectMeta {
        let fields = Fields::of(metadata);
        let managed_fields = fields.managed_fields.as_deref().and_then(managed_fields);
        let mut kept = ObjectMeta { managed_fields, ..fields.without_managed(&secret::ANNOTATIONS) };
        secret::trim(&mut kept);
        kept
    }
}

/// The controller only asks whether the object is there.
impl Kept for SealedSecret {
    fn keep(metadata: &RawValue) -> ObjectMeta {
        ObjectMeta { owner_references: None, ..Fields::of(metadata).without_managed(&[]) }
    }
}

/// The watch only tells that the object changed; the controller then reads it anew.
impl Kept for SealingKey {
    fn keep(metadata: &RawValue) -> ObjectMeta {
        SealedSecret::keep(metadata)
    }
}

/// As for a SealingKey.
impl Kept for ConfigMap {
    fn keep(metadata: &RawValue) -> ObjectMeta {
        SealedSecret::keep(metadata)
    }
}

/// An object of this kind by its metadata; the controller asks the API server for nothing else.
pub(crate) struct Metadata<K> {
    pub(super) metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

impl<K> From<ObjectMeta> for Metadata<K> {
    fn from(metadata: ObjectMeta) -> Self {
        Self { metadata, kind: PhantomData }
    }
}

impl<K> Clone for Metadata<K> {
    fn clone(&self) -> Self {
        self.metadata.clone().into()
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
        Whole::deserialize(deserializer).map(|whole| K::keep(&whole.metadata).into())
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
    Fields::of(metadata).without_managed(annotations)
}

/// The fields that the controller uses; all others are skipped, however deep they are. Fields that may be
/// large or deep are kept as text here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    deletion_timestamp: Option<Time>,
    owner_references: Option<Box<RawValue>>,
    annotations: Option<Box<RawValue>>,
    managed_fields: Option<Box<RawValue>>,
}

impl Fields {
    fn of(metadata: &RawValue) -> Self {
        part(metadata).unwrap_or_default()
    }

    fn without_managed(&self, annotations: &[&str]) -> ObjectMeta {
        ObjectMeta {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            generation: self.generation,
            deletion_timestamp: self.deletion_timestamp.clone(),
            owner_references: self.owner_references.as_deref().and_then(part::<Vec<OwnerReference>>),
            annotations: self.annotations.as_deref().and_then(|text| these(annotations, text)),
            ..ObjectMeta::default()
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
