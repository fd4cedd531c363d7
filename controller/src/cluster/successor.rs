//! The native object beside a Bitnami object of the same name: whether it has the Secret, or why it doesn't.
//!
//! [`crate::plan::precedence`] decides from that. Invariant: a Bitnami object without a native one of its
//! name costs no request; nor does a Bitnami object whose Secret was taken over, once both own it.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, Patch, PatchParams};
use seal_crds::Place;
use seal_crds::resources::bitnami::SKIP_SET_OWNER_REFERENCES;
use seal_crds::resources::{ConditionStatus, Group, find_condition};
use serde_json::{Value, json};

use super::api::{failure, is_code};
use super::fields::FIELD_MANAGER;
use super::object::Object;
use super::secret::{native_owner, owner};
use super::store::ClusterStore;
use crate::failure::Failure;
use crate::store::Successor;

impl ClusterStore {
    /// The state of the native object of this name; `None` if there is none, or it is being deleted and takes
    /// its Secret along.
    ///
    /// The native object's condition is read from the API server. The change that woke the Bitnami object
    /// came through the cache of metadata, and a second cache may not have it yet. This costs a request only
    /// while both objects are there and the native one doesn't own the Secret.
    pub(super) async fn native_beside(&self, place: &Place) -> Result<Option<Successor>, Failure> {
        let (namespace, name) = (place.namespace.as_str(), place.name.as_str());
        let Some(native) = self.natives.uid(namespace, name) else { return Ok(None) };
        let secret = self.secrets.find(place, &self.client).await?;
        let owner = secret.as_ref().and_then(|secret| native_owner(secret, name));
        if owner == Some(&*native) {
            return Ok(Some(Successor::Owns));
        }
        let api: Api<Object> = Api::namespaced_with(self.client.clone(), namespace, &Group::NATIVE);
        let native = api.get_opt(name).await;
        let native = native.map_err(|error| failure("looking for a native SealedSecret", &error))?;
        Ok(native.filter(|native| is_there(&native.metadata)).map(|native| judge(&native, owner.is_some())))
    }
}

impl ClusterStore {
    /// Makes both objects own the Secret, whichever controls it, so that the garbage collector takes it only
    /// when neither is left. Then a Bitnami object that is deleted too early, by a GitOps tool that prunes,
    /// doesn't take along a Secret that the native object couldn't take over; nor does a native object that
    /// is taken back.
    ///
    /// If the Secret should outlive the Bitnami object, that object gets no reference, and loses one that it
    /// has: with it, the Secret would go too.
    pub(super) async fn share_with_native(&self, place: &Place, object: &Object) -> Result<(), Failure> {
        let native = self.natives.uid(place.namespace.as_str(), place.name.as_str());
        let secret = self.secrets.find(place, &self.client).await?;
        let (Some(native), Some(secret)) = (native, secret) else { return Ok(()) };
        let Some(bitnami) = &object.metadata.uid else { return Ok(()) };
        let is_named = |one: &OwnerReference| one.uid == *bitnami && one.controller != Some(true);
        if self.orphans || skips_owner(object) {
            let is_owner = secret.owner_references.iter().flatten().any(is_named);
            let gone = json!([{ "$patch": "delete", "uid": bitnami }]);
            return if is_owner { self.patch_owners(place, &secret, gone).await } else { Ok(()) };
        }
        let owners = [owner(Group::NATIVE, place, &native), owner(Group::BITNAMI, place, bitnami)];
        let missing = missing(&secret, owners);
        if missing.is_empty() {
            return Ok(());
        }
        self.patch_owners(place, &secret, json!(missing)).await
    }

    async fn patch_owners(&self, place: &Place, secret: &ObjectMeta, owners: Value) -> Result<(), Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), place.namespace.as_str());
        // A strategic patch changes single owners. The uid keeps it from another Secret of this name.
        let patch = json!({ "metadata": { "uid": secret.uid, "ownerReferences": owners } });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match api.patch_metadata(place.name.as_str(), &params, &Patch::Strategic(&patch)).await {
            Ok(_) => Ok(()),
            Err(error) if is_code(&error, 404) => Ok(()),
            Err(error) => Err(failure("sharing the Secret with a native SealedSecret", &error)),
        }
    }
}

/// Whether a Bitnami object says that its Secret outlives it.
fn skips_owner(object: &Object) -> bool {
    let spec = object.spec.to_value().unwrap_or_default();
    spec["template"]["metadata"]["annotations"][SKIP_SET_OWNER_REFERENCES] == "true"
}

/// The owners that a Secret lacks; empty if neither of them controls it, as in a Secret without owners.
fn missing(secret: &ObjectMeta, owners: [OwnerReference; 2]) -> Vec<OwnerReference> {
    let found = secret.owner_references.as_deref().unwrap_or_default();
    let is_ours = found
        .iter()
        .any(|one| one.controller == Some(true) && owners.iter().any(|owner| owner.uid == one.uid));
    let lacks = |owner: &OwnerReference| is_ours && !found.iter().any(|one| one.uid == owner.uid);
    owners.into_iter().filter(lacks).collect()
}

/// Whether an object isn't being deleted.
pub(super) fn is_there(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_none()
}

/// The state of a native object, by its status. `was_owned` says that an earlier native object of this name
/// still owns the Secret; unless this one fails, it takes the Secret over at its next reconcile.
fn judge(native: &Object, was_owned: bool) -> Successor {
    let status = native.status.as_deref().cloned().unwrap_or_default();
    match find_condition(&status.conditions, "Ready") {
        Some(ready) if ready.status == ConditionStatus::True => Successor::Ready,
        _ if was_owned && native.metadata.generation != Some(status.observed_generation) => Successor::Owns,
        Some(ready) if is_reason(&ready.reason) => Successor::NotReady(Some(ready.reason.clone())),
        _ => Successor::NotReady(None),
    }
}

/// Whether the text has the form of this controller's reasons. It is repeated in a status, and anybody may
/// have written it.
fn is_reason(reason: &str) -> bool {
    (1..=64).contains(&reason.len()) && reason.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(observed: i64, conditions: Value) -> Object {
        let object = json!({
            "apiVersion": "sealing.dev/v1alpha1", "metadata": {"name": "db", "generation": 2},
            "status": {"observedGeneration": observed, "conditions": conditions},
        });
        serde_json::from_value(object).unwrap()
    }

    fn ready(status: &str, reason: &str) -> Value {
        json!([{"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z",
                "reason": reason, "message": ""}])
    }

    #[test]
    fn a_secret_that_one_of_both_controls_is_owned_by_both() {
        let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
        let reference = |group, uid, controls: bool| OwnerReference {
            controller: controls.then_some(true),
            ..owner(group, &place, uid)
        };
        let native = |controls| reference(Group::NATIVE, "native", controls);
        let peers = |controls| reference(Group::BITNAMI, "peers", controls);
        let lacking = |found: Vec<OwnerReference>| -> Vec<String> {
            let secret = ObjectMeta { owner_references: Some(found), ..ObjectMeta::default() };
            let missing = missing(&secret, [native(false), peers(false)]);
            assert!(missing.iter().all(|owner| owner.controller.is_none()));
            missing.into_iter().map(|owner| owner.uid).collect()
        };
        assert_eq!(lacking(vec![native(true)]), ["peers"]);
        assert_eq!(lacking(vec![peers(true)]), ["native"]);
        // Both's already, nobody's, somebody else's, and an earlier object's of one of the names.
        let earlier = || reference(Group::NATIVE, "earlier", true);
        for complete in [
            vec![native(false), peers(true)],
            vec![],
            vec![peers(false)],
            vec![earlier()],
            vec![earlier(), peers(false)],
        ] {
            assert_eq!(lacking(complete), [""; 0]);
        }
    }

    #[test]
    fn what_a_native_objects_status_says_decides_where_it_does_not_have_the_secret() {
        let refused = || Successor::NotReady(Some("ScopeRefused".to_owned()));
        for (native, was_owned, expected) in [
            (native(2, ready("True", "InSync")), false, Successor::Ready),
            // Edited since: it had the Secret, and its next status says whether it can still make it.
            (native(1, ready("True", "InSync")), false, Successor::Ready),
            (native(2, ready("False", "ScopeRefused")), false, refused()),
            (native(2, ready("False", "ScopeRefused")), true, refused()),
            (native(-1, json!([])), false, Successor::NotReady(None)),
            // Made anew, and not reconciled yet: the Secret stays with the name.
            (native(-1, json!([])), true, Successor::Owns),
            (native(2, ready("False", "such a text")), false, Successor::NotReady(None)),
        ] {
            assert_eq!(judge(&native, was_owned), expected);
        }
    }
}
