//! A SealedSecret of either group as the watch delivers it, perhaps malformed.
//!
//! Not [`SealedSecret`]: an object that doesn't fit that type would make the whole list fail, and then one
//! malformed object would stop all the others. Nor kube's `DeserializeGuard`, which keeps only metadata: the
//! last status is needed to see that a malformed object was reported already. Invariant: whatever the
//! apiserver stores under this kind deserializes, however deep it is.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use seal_crds::Format;
use seal_crds::bitnami::scope_annotations;
use seal_crds::resources::{SealedSecret, SealedSecretStatus, bitnami};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::metadata;
use super::text::Text;

/// Flux's request to look at an object now.
pub(super) const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// In bytes. What this controller writes is far shorter; what is longer is somebody's who wants memory.
const MAX_STATUS: usize = 256 << 10;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    /// The apiserver writes it into every object, also into those of a list.
    #[serde(default)]
    api_version: String,
    #[serde(default, deserialize_with = "kept")]
    pub(super) metadata: ObjectMeta,
    /// Ciphertext and public text; decoded when it is needed.
    #[serde(default)]
    pub(super) spec: Text,
    #[serde(default, deserialize_with = "readable")]
    pub(super) status: Option<SealedSecretStatus>,
}

impl Object {
    /// By its group.
    pub(super) fn format(&self) -> Format {
        match self.api_version.split_once('/') {
            Some((bitnami::GROUP, _)) => Format::Bitnami,
            _ => Format::Native,
        }
    }
}

/// A status that can't be read is none: it is written anew. One that the peer left is such, because its conditions
/// have no reasons.
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SealedSecretStatus>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(Some(text.get())
        .filter(|text| text.len() <= MAX_STATUS)
        .and_then(|text| serde_json::from_str(text).ok()))
}

/// Metadata with the annotations of a SealedSecret that are read, and no others.
fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let annotations: Vec<_> = scope_annotations().chain([REQUESTED_AT]).collect();
    metadata::of_object(deserializer, &annotations)
}

impl Resource for Object {
    type DynamicType = Format;
    type Scope = DynamicResourceScope;

    fn kind(format: &Format) -> Cow<'_, str> {
        match format {
            Format::Native => SealedSecret::kind(&()),
            Format::Bitnami => bitnami::SealedSecret::kind(&()),
        }
    }

    fn group(format: &Format) -> Cow<'_, str> {
        match format {
            Format::Native => SealedSecret::group(&()),
            Format::Bitnami => bitnami::SealedSecret::group(&()),
        }
    }

    fn version(format: &Format) -> Cow<'_, str> {
        match format {
            Format::Native => SealedSecret::version(&()),
            Format::Bitnami => bitnami::SealedSecret::version(&()),
        }
    }

    fn plural(format: &Format) -> Cow<'_, str> {
        match format {
            Format::Native => SealedSecret::plural(&()),
            Format::Bitnami => bitnami::SealedSecret::plural(&()),
        }
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_stored_deserializes() {
        for object in [
            json!({}),
            json!({"metadata": {"name": "db"}, "spec": 7, "status": "x"}),
            json!({"metadata": {}, "spec": {"scope": []}, "status": {"conditions": [{"type": 1}]}}),
            // As the peer leaves it.
            json!({"status": {"observedGeneration": 1, "conditions": [
                {"type": "Synced", "status": "True", "lastUpdateTime": "2026-01-01T00:00:00Z",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ]}}),
        ] {
            let object: Object = serde_json::from_value(object).unwrap();
            assert!(object.status.is_none());
        }
        let status = json!({"status": {"observedGeneration": 4}});
        let object: Object = serde_json::from_value(status).unwrap();
        assert_eq!(object.status.unwrap().observed_generation, 4);
    }

    #[test]
    fn the_group_says_the_format() {
        for format in [Format::Native, Format::Bitnami] {
            let api_version = Object::api_version(&format);
            let object: Object = serde_json::from_value(json!({"apiVersion": api_version})).unwrap();
            assert_eq!(object.format(), format);
        }
    }
}
