//! The work of the leader alone: it reconciles the SealedSecrets of both groups into Secrets.
//!
//! [`crate::cluster::work`] brings the objects of one group to a worker; every replica keeps the sealing keys
//! up to date ([`super::replica`]). Invariants: the work begins with a complete replica, so a start over
//! unchanged objects writes nothing; no Secret is written before the work begins, nor after it ends, and it ends
//! with the replica's term.

use std::sync::Arc;

use futures::stream::select;
use seal_crds::resources::Group;
use tokio::sync::{Semaphore, watch};

use super::options::Options;
use super::replica::Replica;
use crate::backoff::Backoff;
use crate::cluster::events::Events;
use crate::cluster::flight::Flight;
use crate::cluster::store::ClusterStore;
use crate::cluster::work::{Shared, objects, serve_group};
use crate::pace::Pace;
use crate::reconcile::{Context, Examinations};

/// Reconciles until `stopped`, and then finishes the reconciles that are under way.
pub(super) async fn lead(replica: &Replica, options: &Options, stopped: watch::Receiver<bool>) {
    tracing::info!("watching SealedSecrets");
    let most = options.workers.into();
    let (client, flight) = Flight::bound(&replica.clients.requests, most, replica.metrics.clone());
    let events = Arc::new(Events::new(replica.events.clone(), replica.metrics.clone()));
    let store = ClusterStore {
        client,
        secrets: replica.secrets.objects.clone(),
        natives: replica.natives.objects.clone(),
        events: events.clone(),
        orphans: options.orphan_bitnami_secrets,
    };
    let slots = Arc::new(Semaphore::new(options.workers.into()));
    let pace = Arc::new(Pace::default());
    let shared = || {
        let context = Context {
            store: store.clone(),
            policy: options.policy.clone(),
            keys: replica.keys.clone(),
            metrics: replica.metrics.clone(),
            backoff: Backoff::default(),
            examinations: Some(Examinations { recipients: replica.recipients.clone(), pace: pace.clone() }),
        };
        let (leadership, contact) = (replica.leadership.clone(), replica.contact.clone());
        let counted = replica.counted.clone();
        Arc::new(Shared { context, slots: slots.clone(), leadership, contact, counted })
    };
    let objects = |group| objects(&replica.clients.watches, options.watch.as_ref(), group);
    let (workers, secrets) = (options.workers, &replica.secrets);
    // A change of a Secret concerns the SealedSecrets of its name. A change of a native SealedSecret also
    // concerns the Bitnami SealedSecret of its name.
    let native = secrets.changes();
    let bitnami = select(secrets.changes(), replica.natives.changes());
    let work = async {
        tokio::join!(
            serve_group(Group::NATIVE, objects(Group::NATIVE), native, shared(), workers, stopped.clone()),
            serve_group(Group::BITNAMI, objects(Group::BITNAMI), bitnami, shared(), workers, stopped.clone()),
        )
    };
    tokio::select! {
        ((), ()) = work => {}
        () = events.tell_when_idle(&flight) => {}
    }
}
