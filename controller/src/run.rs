//! `seal-controller run`, from start to end: it makes the clients, serves the HTTP page, starts the work of a
//! replica, and then the work of the leader.
//!
//! Here the rooms of the cluster are wired together: [`crate::cluster`], [`crate::keys`] and
//! [`crate::compat_http`]. This file decides nothing and sends no request of its own. Invariant: no object is
//! reconciled before the keys are loaded and the caches are complete, so a restart over unchanged objects
//! writes nothing.

use std::future::Future;

use seal_kubeconfig::RouteError;
use tokio::sync::watch;

use self::lead::lead;
use self::replica::{Replica, Task};
use crate::cluster::api::Clients;
use crate::cluster::definitions;
use crate::cluster::work::until;
use crate::leadership::Leadership;
use crate::listen::ListenError;
use crate::metrics::Metrics;
use crate::serve::{Health, serve};

mod lead;
mod options;
mod replica;

pub(crate) use options::Options;

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
    let leadership = Leadership::for_ever();
    let replica = Replica::start(clients, metrics, health.clone(), &options, leadership).await?;
    tokio::select! {
        is_complete = replica.is_complete() => if is_complete { health.set_ready() },
        () = until(stopped.clone()) => {}
    }
    if !*stopped.borrow() {
        lead(&replica, &options, stopped).await;
    }
    health.set_unready();
    tracing::info!("stopped");
    Ok(())
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
