//! Metadata of all objects of a kind, kept by a watch, and the names that a change may concern.
//!
//! Not what metadata means. Invariant: whoever is told of a name finds the change in the cache already.

use futures::StreamExt as _;
use kube::api::Api;
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::api::status;
use super::metadata::{Kept, Metadata};
use super::wakes::{Name, Wakes};

/// Keeps the cache until the task is aborted, and tells `concerned` of every name whose object was made, changed or
/// deleted, so that a foreign Secret that goes, or permits adoption, is noticed too.
pub(super) fn keep<K>(
    api: Api<Metadata<K>>,
    concerned: Vec<UnboundedSender<Name>>,
) -> (Store<Metadata<K>>, JoinHandle<()>)
where
    K: Kept + 'static,
{
    let (reader, writer) = reflector::store();
    let objects = watcher(api, pages()).default_backoff().reflect(writer);
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

/// How everything is listed: an object may be over a megabyte, also in its metadata alone, and a page is in memory as
/// a whole.
pub(super) fn pages() -> watcher::Config {
    watcher::Config::default().page_size(50)
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
