//! When the keys are looked at: after each change of a private half or a SealingKey, and every few minutes.
//!
//! Not what a look does ([`Keys::sync`]). Invariant: a change only says that something changed. Nothing is decided on
//! what a watch brings, because a look reads everything anew; so the watches ask for metadata alone.

use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{BoxStream, SelectAll, select_all};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use seal_crds::Reason;
use seal_crds::resources::{SEALING_KEY_LABEL, SealingKey, bitnami};

use super::Keys;
use super::bitnami::UNLABELLED_KEY;
use super::cluster::ClusterKeys;
use crate::cluster::metadata::{Kept, Metadata};
use crate::failure::Failure;

/// How long nothing may change until the keys are looked at all the same.
const EVERY: Duration = Duration::from_secs(300);

/// One change seldom comes alone: all that come within this time are one.
const SETTLE: Duration = Duration::from_millis(200);

/// How long a look that failed waits for the next one: at first, and at most.
const BACKOFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// How many objects a watch reads at once. One may be over a megabyte, and a page is in memory as a whole.
const PAGE: u32 = 50;

type Changes = SelectAll<BoxStream<'static, watcher::Result<()>>>;

/// Keeps the keys in step, until it is aborted.
pub(crate) async fn keep(keys: Keys<ClusterKeys>, watches: Client) {
    let mut changes = changes(&keys.store, watches);
    let [first, longest] = BACKOFF;
    let mut backoff = first;
    loop {
        let wait = match keys.sync().await {
            Ok(()) => {
                backoff = first;
                EVERY
            }
            Err(failure) => {
                log(&failure);
                let wait = backoff;
                backoff = (backoff * 2).min(longest);
                wait
            }
        };
        if tokio::time::timeout(wait, changes.next()).await.is_ok() {
            settle(&mut changes).await;
        }
    }
}

fn changes(keys: &ClusterKeys, watches: Client) -> Changes {
    let secrets: Api<Metadata<Secret>> = Api::namespaced(watches.clone(), keys.namespace.as_str());
    let peers: Api<Metadata<Secret>> = Api::namespaced(watches.clone(), keys.bitnami_namespace.as_str());
    let sealing_keys: Api<Metadata<SealingKey>> = Api::namespaced(watches, keys.namespace.as_str());
    let unlabelled = format!("metadata.name={UNLABELLED_KEY}");
    select_all([
        changes_of(secrets, watcher::Config::default().labels(SEALING_KEY_LABEL)),
        changes_of(peers.clone(), watcher::Config::default().labels(bitnami::SEALING_KEY_LABEL)),
        changes_of(peers, watcher::Config::default().fields(&unlabelled)),
        changes_of(sealing_keys, watcher::Config::default()),
    ])
}

fn changes_of<K: Kept + 'static>(
    objects: Api<Metadata<K>>,
    config: watcher::Config,
) -> BoxStream<'static, watcher::Result<()>> {
    watcher(objects, config.page_size(PAGE)).default_backoff().map_ok(drop).boxed()
}

/// Takes what else changes within [`SETTLE`].
async fn settle(changes: &mut Changes) {
    let mut over = std::pin::pin!(tokio::time::sleep(SETTLE));
    while let Either::Left((Some(_), _)) = select(changes.next(), over.as_mut()).await {}
}

fn log(failure: &Failure) {
    // What an API server that has just started, or whose definitions are new, answers for a moment.
    if failure.reason == Reason::ApiBusy {
        tracing::debug!(%failure, "the sealing keys are not up to date");
    } else {
        tracing::warn!(reason = failure.reason.as_str(), %failure, "the sealing keys are not up to date");
    }
}
