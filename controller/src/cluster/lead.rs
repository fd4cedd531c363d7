//! What only the leader does: it reconciles the SealedSecrets of both groups into Secrets.
//!
//! Not how the objects of one group come to a worker ([`super::work`]), and not the sealing keys, which every replica
//! keeps up to date ([`super::replica`]). Invariants: it begins with a replica that is complete, so a start over unchanged
//! objects writes nothing; nothing that a SealedSecret asks for is written before it begins, nor after it ends.

use std::sync::Arc;

use futures::stream::select;
use seal_crds::resources::Group;
use tokio::sync::{Semaphore, watch};

use super::replica::Replica;
use super::run::Options;
use super::store::ClusterStore;
use super::work::{Shared, objects, serve_group};
use crate::backoff::Backoff;
use crate::reconcile::Context;

/// Reconciles until stopped; then finishes what is under way.
pub(super) async fn lead(replica: &Replica, options: &Options, stopped: watch::Receiver<bool>) {
    tracing::info!("watching SealedSecrets");
    let store = ClusterStore {
        client: replica.clients.requests.clone(),
        secrets: replica.secrets.objects.clone(),
        natives: replica.natives.objects.clone(),
        events: replica.events.clone(),
        orphans: options.orphan_bitnami_secrets,
    };
    let slots = Arc::new(Semaphore::new(options.workers.into()));
    let shared = || {
        let context = Context {
            store: store.clone(),
            policy: options.policy.clone(),
            keys: replica.keys.clone(),
            metrics: replica.metrics.clone(),
            backoff: Backoff::default(),
        };
        Arc::new(Shared { context, slots: slots.clone() })
    };
    let objects = |group| objects(&replica.clients.watches, options.watch.as_ref(), group);
    let (workers, secrets) = (options.workers, &replica.secrets);
    // A Secret concerns whichever SealedSecret has its name; and a native SealedSecret, the other one of its name.
    let native = secrets.changes();
    let bitnami = select(secrets.changes(), replica.natives.changes());
    tokio::join!(
        serve_group(Group::NATIVE, objects(Group::NATIVE), native, shared(), workers, stopped.clone()),
        serve_group(Group::BITNAMI, objects(Group::BITNAMI), bitnami, shared(), workers, stopped.clone()),
    );
}
