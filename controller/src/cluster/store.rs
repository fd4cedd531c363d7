//! The Kubernetes API as a store.
//!
//! Not a decision: [`super::secret`] and [`super::fields`] say what metadata means, [`crate::plan`] what to
//! do. How a Secret is written is in [`super::write`]. Invariant: whether a Secret is ours and right is told from
//! the cache of metadata, without a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::reflector::{self, ObjectRef};
use kube::{Client, Resource as _, ResourceExt as _};
use seal_crds::resources::{ConditionStatus, SealedSecret, SealedSecretStatus, find_condition};
use seal_crds::{Format, ItemName, Place, Plaintext, Sealed};
use serde_json::{Value, json};

use super::api::{failure, is_code};
use super::fields::FIELD_MANAGER;
use super::metadata::Metadata;
use super::object::{Object, REQUESTED_AT};
use super::secret::Owner;
use crate::decode::{Manifest, decode};
use crate::failure::Failure;
use crate::policy::Policy;
use crate::store::{Last, Notice, Observed, Store, Successor, Write, Written};

#[derive(Clone)]
pub(super) struct ClusterStore {
    pub(super) client: Client,
    /// Metadata of all Secrets.
    pub(super) secrets: reflector::Store<Metadata<Secret>>,
    /// Metadata of all SealedSecrets of the native format: what the others of their names step back for.
    pub(super) natives: reflector::Store<Metadata<SealedSecret>>,
    pub(super) events: Recorder,
    /// Whether Secrets of the peer's format outlive their SealedSecrets.
    pub(super) orphans: bool,
}

impl Store for ClusterStore {
    type Object = Arc<Object>;

    fn place(&self, object: &Arc<Object>) -> Result<Place, Failure> {
        place(object)
    }

    async fn successor(&self, object: &Arc<Object>) -> Result<Option<Successor>, Failure> {
        match object.format() {
            Format::Native => Ok(None),
            Format::Bitnami => self.native_beside(&place(object)?).await,
        }
    }

    async fn share(&self, object: &Arc<Object>) -> Result<(), Failure> {
        self.share_with_native(&place(object)?, object).await
    }

    fn decode(object: &Arc<Object>, last: &Last, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure> {
        let spec = object.spec.to_value()?;
        let manifest = Manifest {
            format: object.format(),
            place: place(object)?,
            annotations: object.annotations(),
            spec: &spec,
            status: last.status.as_ref(),
        };
        decode(manifest, policy)
    }

    fn last(&self, object: &Arc<Object>) -> Last {
        Last {
            format: object.format(),
            generation: object.meta().generation.unwrap_or_default(),
            status: object.status.clone(),
            requested_at: object.annotations().get(REQUESTED_AT).map(|at| at.chars().take(253).collect()),
        }
    }

    async fn observe(&self, object: &Arc<Object>, sealed: &dyn Sealed) -> Result<Observed, Failure> {
        let place = sealed.place();
        let key = ObjectRef::new(place.name.as_str()).within(place.namespace.as_str());
        let found = self.secrets.get(&key);
        Ok(self.owner(object, sealed)?.observe(found.as_deref().map(|found| &found.metadata)))
    }

    async fn write(
        &self,
        object: &Arc<Object>,
        sealed: &dyn Sealed,
        write: Write,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<Written, Failure> {
        let owner = self.owner(object, sealed)?;
        if write == Write::Create
            && let Some(created) = self.create(&owner, data).await?
        {
            return Ok(owner.written(None, &created.metadata));
        }
        self.overwrite(&owner, data).await
    }

    async fn report(&self, object: &Arc<Object>, status: &SealedSecretStatus) -> Result<(), Failure> {
        let place = self.place(object)?;
        let api: Api<Object> =
            Api::namespaced_with(self.client.clone(), place.namespace.as_str(), &object.format());
        // With the uid, a status about an object that is gone can't land on its successor.
        let fields = status_patch(object.status.as_ref(), status);
        let patch = json!({ "metadata": { "uid": object.uid() }, "status": fields });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match api.patch_status(place.name.as_str(), &params, &Patch::Merge(&patch)).await {
            Ok(_) => Ok(()),
            Err(error) if is_code(&error, 404) => Ok(()),
            Err(error) => Err(failure("writing the status", &error)),
        }
    }

    async fn notify(&self, object: &Arc<Object>, notice: &Notice) {
        let event = Event {
            type_: if notice.warning { EventType::Warning } else { EventType::Normal },
            reason: notice.reason.to_owned(),
            note: Some(notice.message.clone()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let regarding: ObjectReference = object.object_ref(&object.format());
        if let Err(error) = self.events.publish(&event, &regarding).await {
            let failure = failure("publishing an Event", &error);
            tracing::debug!(reason = failure.reason, "an Event was lost");
        }
    }
}

fn place(object: &Object) -> Result<Place, Failure> {
    let name = |error: seal_crds::NameError| Failure::permanent("InvalidName", error.to_string());
    let metadata = object.meta();
    Ok(Place {
        namespace: metadata.namespace.clone().unwrap_or_default().try_into().map_err(name)?,
        name: metadata.name.clone().unwrap_or_default().try_into().map_err(name)?,
    })
}

/// A merge patch from one status to the next: it removes what is null, and leaves alone what is absent.
///
/// The Secret that is remembered is left alone, unless it was just written: the last status comes from a cache, and one
/// that lags behind must not take back what a reconcile a moment ago has remembered.
fn status_patch(last: Option<&SealedSecretStatus>, next: &SealedSecretStatus) -> Value {
    let mut patch = json!({ "items": null, "key": null, "openedBy": null, "lastHandledReconcileAt": null });
    let fields = serde_json::to_value(next).expect("a status is plain data");
    let patch_fields = patch.as_object_mut().expect("it was made an object above");
    patch_fields.extend(fields.as_object().cloned().unwrap_or_default());
    if last.is_some_and(|last| last.secret == next.secret) {
        patch_fields.remove("secret");
    }
    patch
}

impl ClusterStore {
    fn owner<'a>(&self, object: &'a Object, sealed: &'a dyn Sealed) -> Result<Owner<'a>, Failure> {
        let uid = object.meta().uid.as_deref();
        let uid = uid.ok_or_else(|| Failure::permanent("Malformed", "the object has no uid"))?;
        let remembered = object.status.as_ref().and_then(|status| status.secret.as_ref());
        let is_said = object.status.as_ref().is_some_and(|status| {
            Some(status.observed_generation) == object.meta().generation
                && ["Ready", "Synced"].iter().any(|type_| {
                    find_condition(&status.conditions, type_)
                        .is_some_and(|it| it.status == ConditionStatus::True)
                })
        });
        Ok(Owner { sealed, uid, orphans: self.orphans, remembered, is_said, now: Timestamp::now() })
    }
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::SecretVersion;

    use super::*;

    fn status(version: Option<&str>) -> SealedSecretStatus {
        let secret = version.map(|version| SecretVersion {
            uid: "s-1".into(),
            resource_version: version.into(),
            applied: None,
        });
        SealedSecretStatus { secret, ..SealedSecretStatus::default() }
    }

    #[test]
    fn what_is_remembered_is_sent_when_it_was_just_written_and_never_taken_back() {
        let written = status_patch(Some(&status(Some("1"))), &status(Some("2")));
        let version = json!({ "uid": "s-1", "resourceVersion": "2", "applied": null });
        assert_eq!(written["secret"], version, "a time that is gone goes from the status, too");
        // As a cache that lags behind has it: nothing yet, or an older version.
        for last in [None, Some("1")] {
            let patch = status_patch(Some(&status(last)), &status(last));
            assert!(patch.get("secret").is_none(), "{patch}");
        }
        assert!(status_patch(None, &status(None)).get("secret").is_none());
        assert_eq!(status_patch(None, &status(None))["items"], Value::Null);
    }
}
