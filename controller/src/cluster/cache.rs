//! Metadata of all objects of a kind, kept by a watch, and the names that a change may concern.
//!
//! Not what metadata means. Invariant: whoever is told of a name finds the change in the cache already.

use std::fmt::Debug;

use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::api::status;
use super::wakes::{Name, Wakes};

/// Keeps the cache until the task is aborted, and tells `concerned` of every name whose object was made, changed or
/// deleted, so that a foreign Secret that goes, or permits adoption, is noticed too.
pub(super) fn keep<K>(
    api: Api<PartialObjectMeta<K>>,
    trim: fn(&mut ObjectMeta),
    concerned: Vec<UnboundedSender<Name>>,
) -> (Store<PartialObjectMeta<K>>, JoinHandle<()>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let objects = watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(move |object| trim(&mut object.metadata))
        .reflect(writer);
    let cached = reader.clone();
    let mut wakes = Wakes::default();
    let task = tokio::spawn(objects.for_each(move |event| {
        match event {
            Ok(event) => {
                for name in wakes.on(&event, &cached) {
                    // The other end goes first only when everything does.
                    concerned.iter().for_each(|concerned| drop(concerned.send(name.clone())));
                }
            }
            Err(error) => {
                let (kind, code) = (K::plural(&()), watch_code(&error));
                if is_momentary(code) {
                    tracing::debug!(%kind, code, "a watch is to be taken up later");
                } else {
                    tracing::warn!(%kind, code, "a watch broke; it is taken up again");
                }
            }
        }
        std::future::ready(())
    }));
    (reader, task)
}

/// Only whether the object is there is of interest.
pub(super) fn trim_all(metadata: &mut ObjectMeta) {
    metadata.labels = None;
    metadata.annotations = None;
    metadata.managed_fields = None;
    metadata.owner_references = None;
}

/// 429: an apiserver that has just started, or whose definitions are new, has its own caches to fill first.
fn is_momentary(code: Option<u16>) -> bool {
    code == Some(429)
}

/// The apiserver's code, of an error whose words aren't repeated; none where there was no answer.
fn watch_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => status(error).map(|status| status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
