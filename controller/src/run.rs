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
use crate::leadership::Clock;
use crate::listen::ListenError;
use crate::metrics::Metrics;
use crate::serve::{Health, serve};

mod lead;
mod options;
mod replica;

pub(crate) use options::Options;

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

/// Runs until `shutdown`, and then finishes the reconciles that are under way.
///
/// # Errors
///
/// Only if the controller can't start at all. It waits for an API server that can't be reached.
pub(crate) async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let clients = Clients::infer().await?;
    let (metrics, health) = (Metrics::default(), Health::default());
    let _page = Task(serve(options.listen, health.clone(), metrics.clone()).await?);
    let stopped = stopped_after(shutdown);

    tokio::select! {
        () = definitions::wait(&clients.requests) => {}
        () = until(stopped.clone()) => {}
    }
    let name = std::env::var("POD_NAME").unwrap_or_else(|_| FIELD_MANAGER.to_owned());
    let lease = ClusterLease::new(clients.lease.clone(), &options.namespace);
    let (election, leadership) = Election::new(lease, &name, Clock::since_boot(), metrics.clone());
    let replica = Replica::start(clients, metrics, health.clone(), &options, leadership).await?;
    let (over, is_over) = watch::channel(false);
    let mut campaign = Task(tokio::spawn(election.campaign(is_over)));
    tokio::join!(be_ready(&replica, &health, stopped.clone()), lead_each_term(&replica, &options, stopped));
    health.set_unready();
    // No key is written after the Lease is given up.
    drop(replica);
    over.send_replace(true);
    if tokio::time::timeout(FAREWELL, &mut campaign.0).await.is_err() {
        tracing::warn!("the Lease can't be given up in time; another replica leads when it has run out");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Calls the replica ready as soon as it could lead at once, whether or not it does.
async fn be_ready(replica: &Replica, health: &Health, stopped: watch::Receiver<bool>) {
    let is_complete = async {
        // Without the right to the Lease, no replica would ever lead, and an update must not go on then.
        replica.leadership.is_known().await;
        replica.is_complete().await
    };
    tokio::select! {
        is_complete = is_complete => if is_complete { health.set_ready() },
        () = until(stopped) => {}
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
