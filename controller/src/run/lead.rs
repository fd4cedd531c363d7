//! The work of the leader alone: it reconciles the SealedSecrets of both groups into Secrets.
//!
//! [`crate::cluster::work`] brings the objects to the workers; every replica keeps the sealing keys
//! up to date ([`super::replica`]). Invariants: the work begins with a complete replica, so a start over
//! unchanged objects writes nothing; no Secret is written before the work begins, nor after it ends, and it ends
//! with the replica's term.

use std::sync::Arc;

use futures::StreamExt as _;
use seal_crds::resources::Group;
use tokio::sync::watch;

use super::options::Options;
use super::replica::Replica;
use crate::backoff::Backoff;
use crate::cluster::events::Events;
use crate::cluster::flight::Flight;
use crate::cluster::natives::Natives;
use crate::cluster::store::ClusterStore;
use crate::cluster::work::{Shared, Sources, objects, work};
use crate::cores::Cores;
use crate::reconcile::{Context, Examinations};

/// Reconciles until `stopped`, and then finishes the reconciles that are under way.
pub(super) async fn lead(replica: &Replica, options: &Options, stopped: watch::Receiver<bool>) {
    tracing::info!("watching SealedSecrets");
    let most = options.workers.into();
    let (client, flight) = Flight::bound(&replica.clients.requests, most, replica.metrics.clone());
    let events = Arc::new(Events::new(replica.events.clone(), replica.metrics.clone()));
    let natives = Natives::default();
    let store = ClusterStore {
        client,
        secrets: replica.secrets.clone(),
        natives: natives.clone(),
        events: events.clone(),
        orphans: options.orphan_bitnami_secrets,
    };
    let examinations = Examinations { recipients: replica.recipients.clone(), pace: Arc::default() };
    let context = Context {
        store,
        policy: options.policy.clone(),
        keys: replica.keys.clone(),
        metrics: replica.metrics.clone(),
        backoff: Backoff::default(),
        examinations: Some(examinations),
        cores: Cores::default(),
    };
    let (leadership, contact) = (replica.leadership.clone(), replica.contact.clone());
    let shared =
        Arc::new(Shared { context, leadership, contact, flight: flight.clone(), stopped: stopped.clone() });
    let objects = |group| (group, objects(&replica.clients.watches, options.watch.as_ref(), group));
    let sources =
        Sources { objects: Group::ALL.map(objects), natives, secrets: replica.secrets.changes().boxed() };
    tokio::select! {
        () = work(sources, shared, options.workers, &replica.counted) => {}
        () = events.tell_when_idle(&flight) => {}
    }
}
