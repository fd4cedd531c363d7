//! Writes a Secret: by creating it, applying it, or taking it over.
//!
//! [`super::secret`] says whose it is. Invariant: a Secret is created by POST, which can't overwrite, or
//! written under the resourceVersion at which it was seen to be ours or adoptable.

use std::collections::BTreeMap;

use http::Method;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::api::{Api, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use seal_crds::resources::{NOT_TAKEN_OVER, SealedSecret};
use seal_crds::{Format, ItemName, Plaintext, Reason};
use seal_foreign::word;
use serde_json::json;

use super::api::{conflicting_fields, failure, is_code, send_secret, write_failure};
use super::body::Body;
use super::fields::{FIELD_MANAGER, FieldSet, claimed, other_appliers, settled};
use super::secret::{Owner, is_immutable, native_owner};
use super::store::ClusterStore;
use super::successor::is_there;
use crate::failure::Failure;
use crate::plan::{foreign, immutable, superseded};
use crate::store::{Observed, SecretState, SyncState, Written};

type Values = BTreeMap<ItemName, Plaintext>;
type Seen = PartialObjectMeta<Secret>;

impl ClusterStore {
    /// Creates the Secret; `None` if there is one already.
    ///
    /// The API server records an update of ours, and that may stay until we have cause to apply
    /// ([`claimed`]): a new object costs one request for its Secret.
    pub(super) async fn create(&self, owner: &Owner<'_>, data: &Values) -> Result<Option<Seen>, Failure> {
        let place = owner.sealed.place();
        let body = Body::new(owner, owner.manner(None), data, None).to_json();
        let query = format!("fieldManager={FIELD_MANAGER}");
        match send_secret(&self.client, Method::POST, place, &query, "application/json", body).await {
            Ok(created) => Ok(Some(created)),
            Err(error) if is_code(&error, 409) => Ok(None),
            Err(error) => Err(write_failure(place, owner.sealed.shape(), &error)),
        }
    }

    /// Writes over a Secret that is ours or adoptable, unless it is in sync.
    pub(super) async fn overwrite(&self, owner: &Owner<'_>, data: &Values) -> Result<Written, Failure> {
        let place = owner.sealed.place();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        // The cache may lag behind, so the Secret is read again before the write.
        let live = api
            .get_metadata_opt(place.name.as_str())
            .await
            .map_err(|error| failure("reading the Secret's metadata", &error))?
            .ok_or_else(|| {
                Failure::new(Reason::Conflict, "the Secret was deleted while it was being written")
            })?;
        let Observed { state, extra, .. } = owner.observe(Some(&live.metadata));
        match state {
            SecretState::Ours(SyncState::InSync) => return Ok(Written { extra, ..Written::default() }),
            SecretState::Foreign { adoptable: false } => return Err(foreign(place)),
            SecretState::Immutable => return Err(immutable(place)),
            SecretState::Ours(_) | SecretState::Foreign { adoptable: true } | SecretState::Absent => {}
        }
        let before = live.metadata.clone();
        match self.put(owner, data, live).await {
            Err(failure) if failure.reason == Reason::ImmutableSecret && is_immutable(&before) => {
                self.note_not_taken_over(owner, &before).await?;
                Err(failure)
            }
            written => written,
        }
    }

    /// Notes on an immutable Secret that it holds other values. This comes before anybody is told, so the
    /// controller gives that answer only once.
    async fn note_not_taken_over(&self, owner: &Owner<'_>, seen: &ObjectMeta) -> Result<(), Failure> {
        let place = owner.sealed.place();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        // The uid keeps the patch from another Secret of this name.
        let patch = json!({ "metadata": { "uid": seen.uid, "annotations": { NOT_TAKEN_OVER: "true" } } });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match api.patch_metadata(place.name.as_str(), &params, &Patch::Merge(&patch)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(failure("noting on the Secret that it wasn't taken over", &error)),
        }
    }

    /// Writes over the Secret `live`.
    async fn put(&self, owner: &Owner<'_>, data: &Values, live: Seen) -> Result<Written, Failure> {
        self.step_back(owner, &live).await?;
        let managed = live.metadata.managed_fields.as_deref().unwrap_or_default();
        let manner = owner.manner(Some(&live.metadata));
        let rivals = other_appliers(managed, &owner.fields(manner));
        if rivals.is_empty()
            && let Some(gone) = owner.taken_over(&live.metadata)
        {
            let after = self.take_over(owner, data, &live, &gone).await?;
            return Ok(owner.written(Some(&live.metadata), &after.metadata));
        }
        // Who owns a field is no change of the Secret, and nothing was healed by that alone.
        let live = self.claim(owner, live).await?;
        let after = self.apply(owner, data, &live, &rivals).await?;
        Ok(owner.written(Some(&live.metadata), &after.metadata))
    }

    /// Leaves a Secret to the native SealedSecret that controls it, as long as there is one. This asks the
    /// API server: a cache that lags behind may not have the native object yet, and then the Secret would
    /// change hands twice.
    async fn step_back(&self, owner: &Owner<'_>, live: &Seen) -> Result<(), Failure> {
        let place = owner.sealed.place();
        let Some(native) = native_owner(&live.metadata, place.name.as_str()) else { return Ok(()) };
        if owner.sealed.format() == Format::Native {
            return Ok(());
        }
        let api: Api<SealedSecret> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        match api.get_metadata_opt(place.name.as_str()).await {
            Ok(Some(found)) if is_there(&found.metadata) && found.metadata.uid.as_deref() == Some(native) => {
                Err(superseded(place))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(failure("looking for a native SealedSecret", &error)),
        }
    }

    /// Takes the Secret over in one request.
    async fn take_over(
        &self,
        owner: &Owner<'_>,
        data: &Values,
        live: &Seen,
        gone: &FieldSet,
    ) -> Result<Seen, Failure> {
        let place = owner.sealed.place();
        let body = Body::taking_over(owner, data, &live.metadata, gone).to_json();
        let query = format!("fieldManager={FIELD_MANAGER}");
        let content_type = "application/merge-patch+json";
        let taken = send_secret(&self.client, Method::PATCH, place, &query, content_type, body)
            .await
            .map_err(|error| write_failure(place, owner.sealed.shape(), &error))?;
        // The API server recorded the values that changed as an update's; now they become ours alone.
        self.settle(owner, taken).await
    }

    async fn apply(
        &self,
        owner: &Owner<'_>,
        data: &Values,
        live: &Seen,
        rivals: &[(String, String)],
    ) -> Result<Seen, Failure> {
        let place = owner.sealed.place();
        let mut result = self.send_apply(owner, data, live, rivals.is_empty()).await;
        if let Err(error) = &result
            && let Some(fields) = conflicting_fields(error)
        {
            // Another applier that wants another value is left alone; a value that anybody else wants is
            // drift.
            if let Some((rival, _)) = rivals.iter().find(|(_, field)| fields.contains(field)) {
                return Err(Failure::new(
                    Reason::FieldConflict,
                    format!(
                        "\"{}\" applies a field of Secret {place} that this SealedSecret sets; remove it from one of them",
                        word(rival)
                    ),
                ));
            }
            result = self.send_apply(owner, data, live, true).await;
        }
        let applied = result.map_err(|error| write_failure(place, owner.sealed.shape(), &error))?;
        self.settle(owner, applied).await
    }

    async fn send_apply(
        &self,
        owner: &Owner<'_>,
        data: &Values,
        over: &Seen,
        force: bool,
    ) -> Result<Seen, kube::Error> {
        let manner = owner.manner(Some(&over.metadata));
        let body = Body::new(owner, manner, data, over.metadata.resource_version.as_deref()).to_json();
        let query = format!("fieldManager={FIELD_MANAGER}&force={force}");
        let content_type = "application/apply-patch+yaml";
        send_secret(&self.client, Method::PATCH, owner.sealed.place(), &query, content_type, body).await
    }

    /// Makes our next apply remove what it leaves out: items of the object as it was when we created the Secret,
    /// and an owner reference that has to go.
    async fn claim(&self, owner: &Owner<'_>, live: Seen) -> Result<Seen, Failure> {
        let managed = live.metadata.managed_fields.as_deref().unwrap_or_default();
        let expected = owner.fields(owner.manner(Some(&live.metadata)));
        match claimed(managed, &expected, &owner.removed_uids(&live.metadata)) {
            Some(claimed) => self.move_fields(owner, &live, claimed).await,
            None => Ok(live),
        }
    }

    /// Makes us the only owner of our fields, so that a later apply without an item really removes it.
    async fn settle(&self, owner: &Owner<'_>, written: Seen) -> Result<Seen, Failure> {
        let managed = written.metadata.managed_fields.as_deref().unwrap_or_default();
        let manner = owner.manner(Some(&written.metadata));
        match settled(managed, &owner.fields(manner)) {
            Some(settled) => self.move_fields(owner, &written, settled).await,
            None => Ok(written),
        }
    }

    /// Writes `managed` as the ownership of fields, if the Secret is still as it was seen.
    async fn move_fields(
        &self,
        owner: &Owner<'_>,
        seen: &Seen,
        managed: Vec<ManagedFieldsEntry>,
    ) -> Result<Seen, Failure> {
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
