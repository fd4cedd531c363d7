//! The Kubernetes API as a store.
//!
//! Not a decision: [`super::secret`] and [`super::fields`] say what metadata means, [`crate::plan`] what to
//! do. Invariant: a Secret is created by POST, which can't overwrite, or applied under the resourceVersion
//! at which it was seen to be ours or adoptable.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Api, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::reflector::{self, ObjectRef};
use kube::{Client, Resource as _, ResourceExt as _};
use seal_crds::native::NativeSealed;
use seal_crds::resources::{SealedSecretSpec, SealedSecretStatus};
use seal_crds::{ItemName, Place, Plaintext, Sealed};
use serde_json::json;

use super::api::{conflicting_fields, failure, is_code, send_secret, write_failure};
use super::fields::{FIELD_MANAGER, other_appliers, settled, with_owner_claimed};
use super::object::Object;
use super::secret::{Body, Owner};
use crate::failure::Failure;
use crate::plan::foreign;
use crate::policy::Policy;
use crate::store::{Last, Notice, Store, Target, Write};

/// Flux's request to look at an object now.
const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

pub(super) struct ClusterStore {
    pub(super) client: Client,
    /// Metadata of all Secrets.
    pub(super) secrets: reflector::Store<PartialObjectMeta<Secret>>,
    pub(super) events: Recorder,
}

impl Store for ClusterStore {
    type Object = Object;

    fn place(&self, object: &Object) -> Result<Place, Failure> {
        let name = |error: seal_crds::NameError| Failure::permanent("InvalidName", error.to_string());
        let metadata = object.meta();
        Ok(Place {
            namespace: metadata.namespace.clone().unwrap_or_default().try_into().map_err(name)?,
            name: metadata.name.clone().unwrap_or_default().try_into().map_err(name)?,
        })
    }

    fn decode(&self, object: &Object, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure> {
        let place = self.place(object)?;
        let spec = SealedSecretSpec::from_json(&object.spec)?;
        Ok(Arc::new(NativeSealed::parse(place, &spec, &policy.types)?))
    }

    fn last(&self, object: &Object) -> Last {
        Last {
            generation: object.meta().generation.unwrap_or_default(),
            status: object.status.clone(),
            requested_at: object.annotations().get(REQUESTED_AT).map(|at| at.chars().take(253).collect()),
        }
    }

    async fn observe(&self, object: &Object, sealed: &dyn Sealed) -> Result<Target, Failure> {
        let place = sealed.place();
        let key = ObjectRef::new(place.name.as_str()).within(place.namespace.as_str());
        let found = self.secrets.get(&key);
        Ok(owner(object, sealed)?.classify(found.as_deref().map(|found| &found.metadata)))
    }

    async fn write(
        &self,
        object: &Object,
        sealed: &dyn Sealed,
        write: Write,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<bool, Failure> {
        let owner = owner(object, sealed)?;
        if write == Write::Create
            && let Some(created) = self.create(&owner, data).await?
        {
            self.settle(&owner, &created).await?;
            return Ok(true);
        }
        self.apply(&owner, data).await
    }

    async fn report(&self, object: &Object, status: &SealedSecretStatus) -> Result<(), Failure> {
        let place = self.place(object)?;
        let api: Api<Object> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        // A merge patch removes what is null, and leaves alone what is absent.
        let mut body =
            json!({ "items": null, "key": null, "openedBy": null, "lastHandledReconcileAt": null });
        let fields = serde_json::to_value(status).expect("a status is plain data");
        body.as_object_mut()
            .expect("it was made an object above")
            .extend(fields.as_object().cloned().unwrap_or_default());
        // With the uid, a status about an object that is gone can't land on its successor.
        let patch = json!({ "metadata": { "uid": object.uid() }, "status": body });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match api.patch_status(place.name.as_str(), &params, &Patch::Merge(&patch)).await {
            Ok(_) => Ok(()),
            Err(error) if is_code(&error, 404) => Ok(()),
            Err(error) => Err(failure("writing the status", &error)),
        }
    }

    async fn notify(&self, object: &Object, notice: &Notice) {
        let event = Event {
            type_: if notice.warning { EventType::Warning } else { EventType::Normal },
            reason: notice.reason.to_owned(),
            note: Some(notice.message.chars().take(1000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let regarding: ObjectReference = object.object_ref(&());
        if let Err(error) = self.events.publish(&event, &regarding).await {
            let failure = failure("publishing an Event", &error);
            tracing::debug!(reason = failure.reason, "an Event was lost");
        }
    }
}

impl ClusterStore {
    /// Creates the Secret; `None` where there is one already.
    async fn create(
        &self,
        owner: &Owner<'_>,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<Option<PartialObjectMeta<Secret>>, Failure> {
        let place = owner.sealed.place();
        let body = Body::new(owner, data, None).to_json();
        let query = format!("fieldManager={FIELD_MANAGER}");
        match send_secret(&self.client, Method::POST, place, &query, "application/json", body).await {
            Ok(created) => Ok(Some(created)),
            Err(error) if is_code(&error, 409) => Ok(None),
            Err(error) => Err(write_failure(place, owner.sealed.shape(), &error)),
        }
    }

    /// Applies to a Secret that is ours, or adoptable; `false` where it was right already.
    async fn apply(&self, owner: &Owner<'_>, data: &BTreeMap<ItemName, Plaintext>) -> Result<bool, Failure> {
        let place = owner.sealed.place();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        // The cache may lag behind; what is written over is looked at live.
        let live = api
            .get_metadata_opt(place.name.as_str())
            .await
            .map_err(|error| failure("reading the Secret's metadata", &error))?
            .ok_or_else(|| {
                Failure::transient("Conflict", "the Secret was deleted while it was being written")
            })?;
        match owner.classify(Some(&live.metadata)) {
            Target::Ours { in_sync: true } => return Ok(false),
            Target::Foreign { adoptable: false } => return Err(foreign(place)),
            Target::Ours { in_sync: false } | Target::Foreign { adoptable: true } | Target::Absent => {}
        }
        let live = self.claim_owner(owner, live).await?;
        let managed = live.metadata.managed_fields.as_deref().unwrap_or_default();
        let rivals = other_appliers(managed, &owner.fields());
        let mut result = self.send_apply(owner, data, &live, rivals.is_empty()).await;
        if let Err(error) = &result
            && let Some(fields) = conflicting_fields(error)
        {
            // Of the managers that want another value, an applier is left alone; the others have drifted.
            if let Some((rival, _)) = rivals.iter().find(|(_, field)| fields.contains(field)) {
                return Err(Failure::permanent(
                    "FieldConflict",
                    format!(
                        "\"{}\" applies a field of Secret {place} that this SealedSecret sets; remove it from one of them",
                        rival.escape_debug()
                    ),
                ));
            }
            result = self.send_apply(owner, data, &live, true).await;
        }
        let applied = result.map_err(|error| write_failure(place, owner.sealed.shape(), &error))?;
        self.settle(owner, &applied).await.map(|()| true)
    }

    async fn send_apply(
        &self,
        owner: &Owner<'_>,
        data: &BTreeMap<ItemName, Plaintext>,
        over: &PartialObjectMeta<Secret>,
        force: bool,
    ) -> Result<PartialObjectMeta<Secret>, kube::Error> {
        let body = Body::new(owner, data, over.metadata.resource_version.as_deref()).to_json();
        let query = format!("fieldManager={FIELD_MANAGER}&force={force}");
        let content_type = "application/apply-patch+yaml";
        send_secret(&self.client, Method::PATCH, owner.sealed.place(), &query, content_type, body).await
    }

    /// Makes the owner reference of a SealedSecret that was made again, or is in the other group, ours to
    /// remove; somebody may have put it there with an update (a restored backup, the peer).
    async fn claim_owner(
        &self,
        owner: &Owner<'_>,
        live: PartialObjectMeta<Secret>,
    ) -> Result<PartialObjectMeta<Secret>, Failure> {
        let managed = live.metadata.managed_fields.as_deref().unwrap_or_default();
        let claimed = owner.replaced_uid(&live.metadata).and_then(|uid| with_owner_claimed(managed, uid));
        match claimed {
            Some(claimed) => self.move_fields(owner, &live, claimed).await,
            None => Ok(live),
        }
    }

    /// Makes us the only owner of our fields, so that an item that is removed later really goes.
    async fn settle(&self, owner: &Owner<'_>, written: &PartialObjectMeta<Secret>) -> Result<(), Failure> {
        let managed = written.metadata.managed_fields.as_deref().unwrap_or_default();
        match settled(managed, &owner.fields()) {
            Some(settled) => self.move_fields(owner, written, settled).await.map(drop),
            None => Ok(()),
        }
    }

    /// Says who owns which field, of the Secret as it was seen.
    async fn move_fields(
        &self,
        owner: &Owner<'_>,
        seen: &PartialObjectMeta<Secret>,
        managed: Vec<ManagedFieldsEntry>,
    ) -> Result<PartialObjectMeta<Secret>, Failure> {
        let place = owner.sealed.place();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        let patch = json!({ "metadata": {
            "resourceVersion": seen.metadata.resource_version,
            "managedFields": managed,
        } });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        api.patch_metadata(place.name.as_str(), &params, &Patch::Merge(&patch))
            .await
            .map_err(|error| failure("settling the Secret's field ownership", &error))
    }
}

fn owner<'a>(object: &'a Object, sealed: &'a dyn Sealed) -> Result<Owner<'a>, Failure> {
    let uid = object.meta().uid.as_deref();
    let uid = uid.ok_or_else(|| Failure::permanent("Malformed", "the object has no uid"))?;
    Ok(Owner { sealed, uid })
}
