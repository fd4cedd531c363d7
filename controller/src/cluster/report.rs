//! Writes a status: the whole of it, and only onto the version of the object that it was decided on.
//!
//! [`crate::status`] makes the status. If the API server refuses it, the caller decides afresh.
//!
//! It is a PUT of an object that has nothing but a name, a version and the status. The API server takes the status from it
//! and all else from what it has, so a field that another version wrote, and this one doesn't have, goes by itself. It
//! refuses the PUT with 409 if the resourceVersion or the uid is another one now. A JSON Patch would do the same for some
//! tenth more of what a new object costs the API server, which applies patches to text that it makes of the object.
//! Unknown fields aren't looked for either: nobody reads that warning.
//!
//! The answer is metadata only. The object itself, which may have a megabyte of ciphertext, is of no use here.
//!
//! Invariant: a status never lands on a newer version of its object, nor on another object of its name.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
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
pub(crate) async fn report<K: Resource>(
    client: &Client,
    kind: &K::DynamicType,
    decided_on: &ObjectMeta,
    status: &impl Serialize,
) -> Result<Reported, kube::Error> {
    // The API server gave us the names, and so they are safe as URL segments.
    let name = decided_on.name.as_deref().unwrap_or_default();
    let path = K::url_path(kind, decided_on.namespace.as_deref());
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("{path}/{name}/status?fieldManager={FIELD_MANAGER}&fieldValidation=Ignore"))
        .header(ACCEPT, METADATA)
        .header(CONTENT_TYPE, "application/json")
        .body(body::<K>(kind, decided_on, status).to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
    match client.request_text(request).await {
        Ok(_) => Ok(Reported::UpToDate),
        Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(Reported::Stale),
        Err(error) => Err(error),
    }
}

fn body<K: Resource>(kind: &K::DynamicType, decided_on: &ObjectMeta, status: &impl Serialize) -> Value {
    let ObjectMeta { namespace, name, uid, resource_version, .. } = decided_on;
    json!({
        "apiVersion": K::api_version(kind), "kind": K::kind(kind),
        "metadata": {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": resource_version},
        "status": status,
    })
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::{SealedSecret, SealedSecretStatus};

    use super::*;

    #[test]
    fn a_status_is_written_whole_and_onto_the_version_it_was_decided_on() {
        let text = |text: &str| Some(text.to_owned());
        let seen = ObjectMeta {
            namespace: text("prod"),
            name: text("db"),
            uid: text("u-1"),
            resource_version: text("7"),
            labels: Some([("a".to_owned(), "b".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let status = SealedSecretStatus { items: Some(2), ..SealedSecretStatus::default() };
        assert_eq!(
            body::<SealedSecret>(&(), &seen, &status),
            json!({
                "apiVersion": "sealing.dev/v1alpha1", "kind": "SealedSecret",
                "metadata": {"namespace": "prod", "name": "db", "uid": "u-1", "resourceVersion": "7"},
                "status": {"observedGeneration": -1, "items": 2},
            })
        );
    }
}
