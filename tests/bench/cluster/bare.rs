//! A client that makes the two requests that an object costs at least, and does nothing else: the rate of this control
//! plane on this machine.
//!
//! It lists the objects, posts each Secret as our controller would, byte for byte but for the values, and replaces the
//! status by what our controller would say. It opens nothing. Invariant: what it writes is what our controller wrote
//! of the same build, under the same account; so its requests aren't lighter than ours.

use std::path::Path;
use std::time::Instant;

use futures::StreamExt as _;
use seal_crds::format::Format;
use serde::Deserialize;
use serde_json::{Value, json};

use super::objects::{api, collection, everywhere};
use super::requests::{METADATA_LIST, block_on, client, get, post, put};

/// What our controller writes for one object.
pub(crate) struct Example {
    secret: Value,
    status: Value,
}

impl Example {
    /// From a Secret that it wrote, and its object.
    pub(super) fn new(mut secret: Value, sealed: &Value) -> Self {
        if let Some(metadata) = secret["metadata"].as_object_mut() {
            metadata
                .retain(|field, _| ["labels", "annotations", "ownerReferences"].contains(&field.as_str()));
        }
        Self { secret, status: sealed["status"].clone() }
    }

    /// The Secret for an object.
    fn secret(&self, object: &Metadata) -> Vec<u8> {
        let mut secret = self.secret.clone();
        secret["metadata"]["name"] = object.name.clone().into();
        for owner in secret["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            owner["name"] = object.name.clone().into();
            owner["uid"] = object.uid.clone().into();
        }
        secret.to_string().into_bytes()
    }

    /// An object with its status.
    fn status(
        &self,
        Metadata { namespace, name, uid, resource_version }: &Metadata,
        format: Format,
    ) -> Vec<u8> {
        let metadata =
            json!({"namespace": namespace, "name": name, "uid": uid, "resourceVersion": resource_version});
        let object = json!({
            "apiVersion": api(format), "kind": "SealedSecret", "metadata": metadata, "status": self.status,
        });
        object.to_string().into_bytes()
    }
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    namespace: String,
    name: String,
    uid: String,
    resource_version: String,
}

/// Makes the requests for all objects of a format, so many objects at once, with a client of its own. Returns when it
/// began.
///
/// # Panics
/// When a request is refused.
pub(crate) fn run(kubeconfig: &Path, example: &Example, format: Format, in_flight: usize) -> Instant {
    let started = Instant::now();
    let client = client(kubeconfig);
    block_on(async {
        let list = client
            .request_text(get(&everywhere(format), METADATA_LIST))
            .await
            .expect("objects can be listed");
        let objects: List = serde_json::from_str(&list).expect("a list");
        let client = &client;
        let status = |metadata: &Metadata| example.status(metadata, format);
        let write = |Item { metadata }: Item| async move {
            let Metadata { namespace, name, .. } = &metadata;
            let secret = post(&format!("/api/v1/namespaces/{namespace}/secrets"), example.secret(&metadata));
            client.request_text(secret).await.expect("the Secret is new");
            let path = format!("{}/{name}/status?fieldValidation=Ignore", collection(format, namespace));
            client.request_text(put(&path, status(&metadata))).await.expect("the object is there");
        };
        futures::stream::iter(objects.items)
            .map(write)
            .buffer_unordered(in_flight)
            .for_each(|()| async {})
            .await;
    });
    started
}
