//! `seal-controller run`, from start to end: clients, the HTTP page, what every replica does, what the leader does.
//!
//! Not a decision and not a request of its own. Invariant: nothing is reconciled before the keys are loaded
//! and the caches are complete, so a restart over unchanged objects writes nothing.

use std::future::Future;
use std::net::SocketAddr;

use seal_crds::Namespace;
use seal_crds::keys::Recipient;
use seal_kubeconfig::RouteError;
use tokio::sync::watch;

use super::api::Clients;
use super::definitions;
use super::lead::lead;
use super::replica::{Replica, Task};
use super::work::until;
use crate::compat_http;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::serve::{Health, serve};

/// What the flags of `run` mean.
pub(crate) struct Options {
    /// The controller's own namespace: where its keys are.
    pub(crate) namespace: Namespace,
    /// Where the peer's keys are.
    pub(crate) bitnami_keys: Namespace,
    /// The only namespace that is watched; all where there is none.
    pub(crate) watch: Option<Namespace>,
    /// What is opened at all.
    pub(crate) policy: Policy,
    /// Whether Secrets of Bitnami SealedSecrets outlive them.
    pub(crate) orphan_bitnami_secrets: bool,
    /// Offline recipients, published beside the primary.
    pub(crate) recovery: Vec<Recipient>,
    /// Objects reconciled at once.
    pub(crate) workers: u16,
    /// Where health and metrics are served.
    pub(crate) listen: SocketAddr,
    /// The peer's endpoints, where they are asked for.
    pub(crate) compat: Option<compat_http::Options>,
}

/// Why the controller couldn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// There is no way to the apiserver.
    #[error("there is no way to the Kubernetes API")]
    Route(#[from] RouteError),
    /// The HTTP page couldn't be served.
    #[error("can't listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Runs until `shutdown`; then finishes what is under way.
///
/// # Errors
///
/// Only what makes starting impossible; an apiserver that can't be reached is waited for.
pub(crate) async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let clients = Clients::infer().await?;
    let (metrics, health) = (Metrics::default(), Health::default());
    let page = serve(options.listen, health.clone(), metrics.clone()).await;
    let _page = Task(page.map_err(|error| RunError::Listen(options.listen, error))?);
    let stopped = stopped_after(shutdown);

    tokio::select! {
        () = definitions::wait(&clients.requests) => {}
        () = until(stopped.clone()) => {}
    }
    let replica = Replica::start(clients, metrics, health.clone(), &options).await?;
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

/// Turns true when it is time to stop.
fn stopped_after(shutdown: impl Future<Output = ()> + Send + 'static) -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("finishing what is under way");
        stop.send_replace(true);
    });
    stopped
}
