//! The Kubernetes API as a store.
//!
//! [`super::secret`] and [`super::fields`] know the meaning of metadata, [`crate::plan`] decides, and
//! [`super::write`] writes Secrets. Invariant: the cache of metadata, without a request, shows whether a
//! Secret is ours and in sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;
use kube::{Client, Resource as _, ResourceExt as _};
use seal_crds::resources::{ConditionStatus, SealedSecretStatus, find_condition};
use seal_crds::{Format, ItemName, Place, Plaintext, Reason, Sealed};

use super::api::failure;
use super::cache::Cache;
use super::events::Events;
use super::natives::Natives;
use super::object::Object;
use super::report::report;
use super::secret::Owner;
use crate::decode::{RawObject, decode};
use crate::failure::Failure;
use crate::policy::Policy;
use crate::store::{Last, Notice, Observed, Reported, Store, Successor, Write, Written};

#[derive(Clone)]
pub(crate) struct ClusterStore {
    pub(crate) client: Client,
    /// The metadata of all Secrets.
    pub(crate) secrets: Cache<Secret>,
    /// The native SealedSecrets; Bitnami ones of the same names step back for them.
    pub(crate) natives: Natives,
    pub(crate) events: Arc<Events>,
    /// Secrets of Bitnami SealedSecrets outlive them.
    pub(crate) orphans: bool,
}

impl Store for ClusterStore {
    type Object = Arc<Object>;

    fn place(&self, object: &Arc<Object>) -> Result<Place, Failure> {
        place(object)
    }

    async fn successor(&self, object: &Arc<Object>) -> Result<Option<Successor>, Failure> {
        match object.group().format {
            Format::Native => Ok(None),
            Format::Bitnami => self.native_beside(&place(object)?).await,
        }
    }

    async fn share(&self, object: &Arc<Object>) -> Result<(), Failure> {
        self.share_with_native(&place(object)?, object).await
    }

    fn decode(object: &Arc<Object>, last: &Last, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure> {
        let spec = object.spec.to_value()?;
        let raw = RawObject {
            format: object.group().format,
            place: place(object)?,
            annotations: object.annotations(),
            spec: &spec,
            status: last.status.as_ref(),
        };
        decode(raw, policy)
    }

    fn last(&self, object: &Arc<Object>) -> Last {
        Last {
            format: object.group().format,
            generation: object.meta().generation.unwrap_or_default(),
            status: object.status.as_deref().cloned(),
            requests: object.requests(),
        }
    }

    async fn observe(&self, object: &Arc<Object>, sealed: &dyn Sealed) -> Result<Observed, Failure> {
        let found = self.secrets.find(sealed.place(), &self.client).await?;
        Ok(self.owner(object, sealed)?.observe(found.as_ref()))
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

    fn weight(&self, object: &Arc<Object>) -> usize {
        object.weight()
    }

    /// If the object has changed meanwhile, a status that follows no write is refused, and the core decides
    /// afresh. A status that follows a write of the Secret can't be decided afresh, because the version of
    /// the Secret that it remembers would be lost. So it is written onto the newer object, unless that has
    /// another status by now. The change itself wakes the object again.
    async fn report(&self, object: &Arc<Object>, status: &SealedSecretStatus) -> Result<Reported, Failure> {
        let place = self.place(object)?;
        let api: Api<Object> =
            Api::namespaced_with(self.client.clone(), place.namespace.as_str(), &object.group());
        let mut tries_left = if follows_a_write(object, status) { INSISTS } else { 0 };
        let mut newest = object.clone();
        loop {
            let reported = report::<Object>(&self.client, &object.group(), &newest.metadata, status).await;
            let reported = reported.map_err(|error| failure("writing the status", &error))?;
            if reported == Reported::UpToDate || tries_left == 0 {
                return Ok(reported);
            }
            tries_left -= 1;
            let found = api.get_opt(place.name.as_str()).await;
            match found.map_err(|error| failure("reading the object anew", &error))? {
                Some(found) if is_as_decided(object, &found) => newest = Arc::new(found),
                _ => return Ok(Reported::Stale),
            }
        }
    }

    async fn notify(&self, object: &Arc<Object>, notice: &Notice) {
        let about: ObjectReference = object.object_ref(&object.group());
        self.events.tell(about, notice).await;
    }
}

fn place(object: &Object) -> Result<Place, Failure> {
    let name = |error: seal_crds::NameError| Failure::new(Reason::InvalidName, error.to_string());
    let metadata = object.meta();
    Ok(Place {
        namespace: metadata.namespace.clone().unwrap_or_default().try_into().map_err(name)?,
        name: metadata.name.clone().unwrap_or_default().try_into().map_err(name)?,
    })
}

/// How often the controller tries a status that follows a write of the Secret on a newer object.
const INSISTS: u32 = 3;

/// Whether the status remembers a version of the Secret that was written just now.
fn follows_a_write(object: &Object, next: &SealedSecretStatus) -> bool {
    next.secret != object.status.as_ref().and_then(|status| status.secret.clone())
}

/// Whether this is the same object with the same status.
fn is_as_decided(object: &Object, found: &Object) -> bool {
    object.metadata.uid == found.metadata.uid && object.status == found.status
}

impl ClusterStore {
    fn owner<'a>(&self, object: &'a Object, sealed: &'a dyn Sealed) -> Result<Owner<'a>, Failure> {
        let uid = object.meta().uid.as_deref();
        let uid = uid.ok_or_else(|| Failure::new(Reason::Malformed, "the object has no uid"))?;
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
    use serde_json::json;

    use super::*;

    fn object(uid: &str, generation: i64, items: Option<i64>) -> Object {
        let status = items.map(|items| json!({ "observedGeneration": 1, "items": items }));
        let metadata =
            json!({ "uid": uid, "generation": generation, "resourceVersion": generation.to_string() });
        serde_json::from_value(json!({ "metadata": metadata, "status": status })).unwrap()
    }

    #[test]
    fn a_decision_stands_on_a_newer_object_until_something_else_is_said_there() {
        let decided_on = object("u-1", 1, Some(1));
        assert!(is_as_decided(&decided_on, &object("u-1", 2, Some(1))));
        for other in [object("u-1", 1, Some(2)), object("u-1", 1, None), object("u-2", 1, Some(1))] {
            assert!(!is_as_decided(&decided_on, &other));
        }
    }
}
