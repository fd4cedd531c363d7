//! Writes a status: the whole of it, and only onto the version of the object that it was decided on.
//!
//! [`crate::status`] makes the status. If the API server refuses it, the caller decides afresh.
//!
//! A JSON Patch (RFC 6902) does both. `add` replaces all of `/status`, so a field that another version wrote,
//! and this one doesn't have, goes by itself; `add` also works if there is no status yet. The patch replaces
//! the resourceVersion by the one that was seen, so the API server refuses it with 409 if the object has
//! changed since. It needs the right to patch the status, and no other.
//!
//! The answer is metadata only. The object itself, which may have a megabyte of ciphertext, is of no use here.
//!
//! Invariant: a status never lands on a newer version of its object, nor on another object of its name.

use http::HeaderValue;
use http::header::ACCEPT;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, Patch, PatchParams, Request};
use kube::core::PartialObjectMeta;
use kube::{Client, Resource};
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{METADATA, is_code};
use super::fields::FIELD_MANAGER;
use crate::store::Reported;

/// Writes the status of the object with this metadata.
///
/// # Errors
///
/// Any failed request, except if the object has changed or is gone, which is [`Reported::Stale`].
pub(crate) async fn report<K>(
    api: &Api<K>,
    decided_on: &ObjectMeta,
    status: &impl Serialize,
) -> Result<Reported, kube::Error>
where
    K: Resource + Clone,
{
    let name = decided_on.name.as_deref().unwrap_or_default();
    let patch = serde_json::from_value(patch(decided_on, status)).expect("the operations are RFC 6902's");
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
    let request = Request::new(api.resource_url());
    let mut request = request
        .patch_subresource("status", name, &params, &Patch::<()>::Json(patch))
        .map_err(kube::Error::BuildRequest)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA));
    match Client::from(api.clone()).request::<PartialObjectMeta<DynamicObject>>(request).await {
        Ok(_) => Ok(Reported::UpToDate),
        Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(Reported::Stale),
        Err(error) => Err(error),
    }
}

fn patch(decided_on: &ObjectMeta, status: &impl Serialize) -> Value {
    json!([
        { "op": "replace", "path": "/metadata/resourceVersion", "value": decided_on.resource_version },
        { "op": "add", "path": "/status", "value": status },
    ])
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::SealedSecretStatus;

    use super::*;

    #[test]
    fn a_status_is_written_whole_and_onto_the_version_it_was_decided_on() {
        let seen = ObjectMeta { resource_version: Some("7".to_owned()), ..ObjectMeta::default() };
        let patch = patch(&seen, &SealedSecretStatus { items: Some(2), ..SealedSecretStatus::default() });
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "add", "path": "/status", "value": {"observedGeneration": -1, "items": 2}},
            ])
        );
    }
}
