//! `seal-controller run`, from start to end: it makes the clients, serves the HTTP page, starts the work of a
//! replica, takes part in the election, and does the work of the leader in each term of its own.
//!
//! Here the rooms of the cluster are wired together: [`crate::cluster`], [`crate::keys`] and
//! [`crate::compat_http`]. This file decides nothing and sends no request of its own. Invariant: no object is
//! reconciled before the keys are loaded and the caches are complete, so a restart over unchanged objects
//! writes nothing.

use std::future::Future;
use std::time::Duration;

use seal_kubeconfig::RouteError;
use tokio::sync::watch;

use self::lead::lead;
use self::replica::{Replica, Task};
use crate::cluster::api::Clients;
use crate::cluster::definitions;
use crate::cluster::fields::FIELD_MANAGER;
use crate::cluster::lease::{ClusterLease, Election};
use crate::cluster::work::until;
use crate::contact::Contact;
use crate::leadership::Clock;
use crate::listen::ListenError;
use crate::metrics::Metrics;
use crate::serve::{Health, Phase, serve};

mod lead;
mod options;
mod replica;

pub(crate) use options::Options;

/// How long the controller finishes the reconciles that are under way when it is told to end. With [`FAREWELL`] it must
/// fit into the grace period of the Pod.
const DRAIN: Duration = Duration::from_secs(15);

/// How long the controller tries to give the Lease up when it ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why the controller couldn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The kubeconfig, or the Pod's service account, gives no way to the API server.
    #[error("there is no way to the Kubernetes API")]
    Route(#[from] RouteError),
    /// An address that the controller should serve on can't be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Runs until `shutdown`, and then finishes the reconciles that are under way, in bounded time.
///
/// # Errors
///
/// Only if the controller can't start at all. It waits for an API server that can't be reached.
pub(crate) async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let (metrics, clock) = (Metrics::default(), Clock::since_boot());
    let contact = Contact::new(clock.clone(), metrics.clone());
    let health = Health::new(contact.clone());
    let clients = Clients::infer(&contact).await?;
    let _page = Task(serve(options.listen, health.clone(), metrics.clone()).await?);
    let stopped = stopped_after(shutdown);

    tokio::select! {
        () = definitions::wait(&clients.requests) => {}
        () = until(stopped.clone()) => {}
    }
    let name = std::env::var("POD_NAME").unwrap_or_else(|_| FIELD_MANAGER.to_owned());
    let lease = ClusterLease::new(clients.lease.clone(), &options.namespace);
    let (election, leadership) = Election::new(lease, &name, clock, metrics.clone(), contact.clone());
    let replica = Replica::start(clients, metrics, health.clone(), &options, leadership, contact).await?;
    let (over, is_over) = watch::channel(false);
    let mut campaign = Task(tokio::spawn(election.campaign(is_over)));
    let readiness = be_ready(&replica, &health, stopped.clone());
    let terms = lead_each_term(&replica, &options, stopped.clone());
    tokio::select! {
        _ = async { tokio::join!(readiness, terms) } => {}
        () = drained_for_too_long(stopped) => {
            tracing::warn!("some reconciles can't be finished in time; another replica takes them up");
        }
    }
    // No key is written after the Lease is given up.
    drop(replica);
    over.send_replace(true);
    if tokio::time::timeout(FAREWELL, &mut campaign.0).await.is_err() {
        tracing::warn!("the Lease can't be given up in time; another replica leads when it has run out");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Says how far the replica has come: it is ready as soon as it could lead at once, whether or not it does.
async fn be_ready(replica: &Replica, health: &Health, stopped: watch::Receiver<bool>) {
    let serving = async {
        // Without the right to the Lease, no replica would ever lead, and an update must not go on then.
        health.set_phase(Phase::Starting("the Lease"));
        replica.leadership.is_known().await;
        health.set_phase(Phase::Starting("the sealing keys"));
        replica.has_keys().await;
        health.set_phase(Phase::Starting("the caches of Secrets and SealedSecrets"));
        if replica.is_complete().await {
            health.set_phase(Phase::Serving);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        () = until(stopped) => health.set_phase(Phase::Stopping),
    }
}

/// Leads in each term of this replica. After `stopped` it finishes the reconciles that are under way.
async fn lead_each_term(replica: &Replica, options: &Options, stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        tokio::select! {
            () = replica.leadership.is_gained() => {}
            () = until(stopped.clone()) => return,
        }
        let term = async {
            tokio::select! {
                true = replica.is_complete() => lead(replica, options, stopped.clone()).await,
                () = until(stopped.clone()) => {}
            }
        };
        replica.leadership.while_leading(term).await;
    }
}

/// Waits until it was time to stop, and then as long as reconciles may take to be finished.
async fn drained_for_too_long(stopped: watch::Receiver<bool>) {
    until(stopped).await;
    tokio::time::sleep(DRAIN).await;
}

/// A value that turns true when it is time to stop.
fn stopped_after(shutdown: impl Future<Output = ()> + Send + 'static) -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("finishing what is under way");
        stop.send_replace(true);
    });
    stopped
}
