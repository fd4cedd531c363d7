//! A SealedSecret of either group as the watch delivers it, perhaps malformed.
//!
//! The type [`SealedSecret`](seal_crds::resources::SealedSecret) doesn't serve here: an object that doesn't
//! fit it would make the whole list fail, so one malformed object would stop all others. kube's
//! `DeserializeGuard` doesn't serve either: it keeps only metadata, and the last status is needed to see that
//! a malformed object was reported already. Invariant: every object that the API server stores under this
//! kind deserializes, however deep it is.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use seal_crds::bitnami::scope_annotations;
use seal_crds::resources::{FLUX_REQUEST_ANNOTATION, Group, REQUEST_ANNOTATION, SealedSecretStatus};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json_text::JsonText;
use super::metadata;
use crate::store::Requests;

/// The most characters of a request that are read: the status repeats them.
const MAX_REQUEST: usize = 253;
/// The most bytes of a status. This controller writes far shorter ones; a longer one is an attempt to fill
/// memory.
const MAX_STATUS: usize = 512 << 10;

#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Whole")]
pub(crate) struct Object {
    api_version: String,
    kind: String,
    pub(super) metadata: ObjectMeta,
    /// The bytes of the whole metadata, of which only a part is kept.
    metadata_len: usize,
    /// Ciphertext and public text, which each reconcile decodes.
    pub(super) spec: JsonText,
    /// In a place of its own, because an object that waits to be looked at for the first time has none.
    pub(super) status: Option<Box<SealedSecretStatus>>,
}

/// An object as the API server sends it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Whole {
    /// The API server writes it into every object, also into the objects of a list.
    api_version: String,
    kind: String,
    metadata: Box<RawValue>,
    spec: JsonText,
    #[serde(deserialize_with = "readable")]
    status: Option<SealedSecretStatus>,
}

impl Object {
    /// The object's group and kind.
    pub(super) fn group(&self) -> Group {
        // Only groups of SealedSecrets are watched.
        Group::find(&self.api_version, &self.kind).unwrap_or(Group::NATIVE)
    }

    /// Namespace and name, for people. The API server has validated them.
    pub(super) fn name(&self) -> String {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{}/{}", part(&self.metadata.namespace), part(&self.metadata.name))
    }

    /// The requests to look at the object now. Anybody may write any text into them.
    pub(super) fn requests(&self) -> Requests {
        let cut = |annotation: &str| {
            let text = self.metadata.annotations.as_ref()?.get(annotation)?;
            Some(text.chars().take(MAX_REQUEST).collect())
        };
        Requests { flux: cut(FLUX_REQUEST_ANNOTATION), own: cut(REQUEST_ANNOTATION) }
    }

    /// The bytes of the object without its status.
    pub(super) fn weight(&self) -> usize {
        self.metadata_len + self.spec.len()
    }
}

impl From<Whole> for Object {
    /// Keeps of the annotations only those that the controller uses.
    fn from(Whole { api_version, kind, metadata, spec, status }: Whole) -> Self {
        let annotations: Vec<_> =
            scope_annotations().chain([REQUEST_ANNOTATION, FLUX_REQUEST_ANNOTATION]).collect();
        let metadata_len = metadata.get().len();
        let metadata = metadata::of_object(&metadata, &annotations);
        Self { api_version, kind, metadata, metadata_len, spec, status: status.map(Box::new) }
    }
}

/// Reads a status; one that can't be read counts as none, and is written anew. The statuses of sealed-secrets
/// count as none, because their conditions have no reasons.
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SealedSecretStatus>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(Some(text.get())
        .filter(|text| text.len() <= MAX_STATUS)
        .and_then(|text| serde_json::from_str(text).ok()))
}

impl Resource for Object {
    type DynamicType = Group;
    type Scope = DynamicResourceScope;

    fn kind(group: &Group) -> Cow<'_, str> {
        group.kind.into()
    }

    fn group(group: &Group) -> Cow<'_, str> {
        group.name.into()
    }

    fn version(group: &Group) -> Cow<'_, str> {
        group.version.into()
    }

    fn plural(group: &Group) -> Cow<'_, str> {
        group.plural.into()
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
            // The status that the peer writes.
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
    fn a_request_of_any_length_is_read_up_to_what_a_status_repeats() {
        let annotations = json!({"sealing.dev/reconcile-requested-at": "é".repeat(100_000), "x": "y"});
        let object: Object =
            serde_json::from_value(json!({"metadata": {"annotations": annotations}})).unwrap();
        assert_eq!(object.requests(), Requests { flux: None, own: Some("é".repeat(MAX_REQUEST)) });
    }

    #[test]
    fn an_object_says_itself_which_group_it_is_of() {
        for group in Group::ALL {
            let object = json!({"apiVersion": Object::api_version(&group), "kind": Object::kind(&group)});
            let object: Object = serde_json::from_value(object).unwrap();
            assert_eq!(object.group(), group);
        }
    }
}
