//! Starts a look at the keys after each change of a private half or a SealingKey, when this replica becomes the
//! leader, when a long outage is over, and every few minutes.
//!
//! [`Keys::look`] is the look. Invariant: no decision depends on the content of a watch's event, because a
//! look reads everything anew; so the watches ask for metadata alone.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{BoxStream, SelectAll, select_all};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::Api;
use seal_crds::Reason;
use seal_crds::resources::{KEY_BACKUP_LABEL, SEALING_KEY_LABEL, SealingKey, bitnami};
use tokio::sync::watch::Receiver;

use super::Keys;
use super::bitnami::UNLABELLED_KEY;
use super::cluster::ClusterKeys;
use crate::cluster::metadata::{Kept, Metadata};
use crate::cluster::watching::{self, Which};
use crate::contact::Contact;
use crate::failure::Failure;
use crate::leadership::Leadership;
use crate::usage::Counted;

/// The time without a change after which the controller looks at the keys all the same.
const EVERY: Duration = Duration::from_secs(300);

/// The time in which further changes count as the same change: one seldom comes alone.
const SETTLE: Duration = Duration::from_millis(200);

/// The wait after a look that failed: the first and the longest.
const BACKOFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

type Changes = SelectAll<BoxStream<'static, ()>>;

/// Keeps the keys up to date, until it is aborted.
pub(crate) async fn keep(keys: Keys<ClusterKeys>, watches: Client, leadership: Leadership, contact: Contact) {
    let mut changes = changes(&keys.store, watches, leadership.clone(), &contact);
    let mut counts = std::pin::pin!(counts(keys.counted.clone()));
    let [first, longest] = BACKOFF;
    let mut backoff = first;
    loop {
        let mut is_changed = false;
        let change = async {
            changes.next().await;
            is_changed = true;
        };
        let looked = keys.look(&leadership, change).await;
        let wait = match looked {
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
        let next = select(changes.next(), counts.next());
        if is_changed || tokio::time::timeout(wait, next).await.is_ok() {
            settle(&mut changes).await;
        }
    }
}

fn changes(keys: &ClusterKeys, watches: Client, leadership: Leadership, contact: &Contact) -> Changes {
    let secrets: Api<Metadata<Secret>> = Api::namespaced(watches.clone(), keys.namespace.as_str());
    let bitnami_secrets: Api<Metadata<Secret>> =
        Api::namespaced(watches.clone(), keys.bitnami_namespace.as_str());
    let sealing_keys: Api<Metadata<SealingKey>> = Api::namespaced(watches.clone(), keys.namespace.as_str());
    let backups: Api<Metadata<ConfigMap>> = Api::namespaced(watches, keys.namespace.as_str());
    let unlabelled = format!("metadata.name={UNLABELLED_KEY}");
    select_all([
        changes_of(secrets, Which::all("secrets").labels(SEALING_KEY_LABEL), contact),
        changes_of(
            bitnami_secrets.clone(),
            Which::all("secrets").labels(bitnami::SEALING_KEY_LABEL),
            contact,
        ),
        changes_of(bitnami_secrets, Which::all("secrets").fields(&unlabelled), contact),
        changes_of(sealing_keys, Which::all("sealingkeys"), contact),
        changes_of(backups, Which::all("configmaps").labels(KEY_BACKUP_LABEL), contact),
        leadership.gains().boxed(),
        outages(contact).boxed(),
    ])
}

/// The new counts of the objects that need each key. A key that is being deleted is asked about again, because fewer may
/// need it now. They aren't among the changes, which end a proof: objects change all the time.
fn counts(counted: Receiver<Option<Arc<Counted>>>) -> impl Stream<Item = ()> + Send + 'static {
    futures::stream::unfold(counted, |mut counted| async move {
        counted.changed().await.ok()?;
        Some(((), counted))
    })
    .chain(futures::stream::pending())
}

fn changes_of<K: Kept + 'static>(
    objects: Api<Metadata<K>>,
    which: Which,
    contact: &Contact,
) -> BoxStream<'static, ()> {
    watching::events(objects, which, contact).map(drop).boxed()
}

/// The ends of outages. A look that failed during one may have long to wait.
fn outages(contact: &Contact) -> impl Stream<Item = ()> + Send + use<> {
    futures::stream::unfold(contact.doubts(), |mut doubts| async move {
        doubts.next().await;
        Some(((), doubts))
    })
}

/// Takes the further changes within [`SETTLE`].
async fn settle(changes: &mut Changes) {
    let mut over = std::pin::pin!(tokio::time::sleep(SETTLE));
    while let Either::Left((Some(_), _)) = select(changes.next(), over.as_mut()).await {}
}

fn log(failure: &Failure) {
    // An API server that has just started, or has new definitions, answers this for a moment.
    if failure.reason == Reason::ApiBusy {
        tracing::debug!(%failure, "the sealing keys are not up to date");
    } else {
        tracing::warn!(reason = failure.reason.as_str(), %failure, "the sealing keys are not up to date");
    }
}
