//! `seal-controller run`: watches, workers, keys and the HTTP page, wired together.
//!
//! Not a decision and not a request of its own. Invariant: nothing is reconciled before the keys are loaded
//! and the caches are complete, so a restart over unchanged objects writes nothing.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Recorder, Reporter};
use seal_crds::Namespace;
use seal_crds::keys::{Keyring, Recipient};
use seal_crds::resources::Group;
use seal_kubeconfig::{Proxies, Route, RouteError};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::api::{request_client, watch_client};
use super::cache;
use super::definitions;
use super::fields::FIELD_MANAGER;
use super::store::ClusterStore;
use super::work::{Shared, objects, serve_group, until};
use crate::backoff::Backoff;
use crate::compat_http;
use crate::keys::bitnami::BitnamiKeys;
use crate::keys::said::Said;
use crate::keys::{Keys, watch as key_watch};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::reconcile::Context;
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
    let route = Route::infer(&Proxies::from_env())?;
    let requests = request_client(route.clone()).await?;
    let watches = watch_client(route).await?;
    let metrics = Metrics::default();
    let health = Health::default();
    let server = serve(options.listen, health.clone(), metrics.clone())
        .await
        .map_err(|error| RunError::Listen(options.listen, error))?;

    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("finishing what is under way");
        stop.send_replace(true);
    });

    tokio::select! {
        () = definitions::wait(&requests) => {}
        () = until(stopped.clone()) => {}
    }

    let (keyring, keys) = watch::channel(Arc::new(Keyring::default()));
    let (certificate, certificates) = watch::channel(None);
    let bitnami = BitnamiKeys {
        client: requests.clone(),
        namespace: options.bitnami_keys,
        make_first: options.compat.is_some(),
        certificate,
        metrics: metrics.clone(),
        said: Said::default(),
    };
    let compat = match &options.compat {
        Some(compat) => {
            // What isn't watched isn't opened over HTTP either.
            let namespaces = options.watch.clone().map(|namespace| [namespace].into());
            let source = compat_http::Source {
                keys: keys.clone(),
                certificate: certificates,
                policy: Policy { namespaces, ..options.policy.clone() },
                metrics: metrics.clone(),
            };
            let serving = compat_http::serve(compat, source).await;
            Some(serving.map_err(|error| RunError::Listen(compat.listen, error))?)
        }
        None => None,
    };
    let reporter =
        Reporter { controller: FIELD_MANAGER.to_owned(), instance: std::env::var("POD_NAME").ok() };
    let events = Recorder::new(requests.clone(), reporter);
    let loader = Keys {
        client: requests.clone(),
        namespace: options.namespace.clone(),
        recovery: options.recovery,
        bitnami,
        keyring,
        events: events.clone(),
        health: health.clone(),
        said: Said::default(),
    };
    let loading = tokio::spawn(key_watch::keep(loader, watches.clone()));
    let (native_wakes, for_native) = mpsc::unbounded_channel();
    let (bitnami_wakes, for_bitnami) = mpsc::unbounded_channel();
    let scope = options.watch.as_ref();
    let (secrets, caching_secrets) =
        cache::keep(scoped(&watches, scope), vec![native_wakes, bitnami_wakes.clone()]);
    let (natives, caching_natives) = cache::keep(scoped(&watches, scope), vec![bitnami_wakes]);

    let ready = async {
        let mut keys = keys.clone();
        let loaded = keys.wait_for(|keys| !keys.is_empty()).await.is_ok();
        loaded && secrets.wait_until_ready().await.is_ok() && natives.wait_until_ready().await.is_ok()
    };
    tokio::select! {
        ready = ready => if ready { health.set_ready() },
        () = until(stopped.clone()) => {}
    }

    let store =
        ClusterStore { events, client: requests, secrets, natives, orphans: options.orphan_bitnami_secrets };
    if !*stopped.borrow() {
        tracing::info!("watching SealedSecrets");
        let slots = Arc::new(Semaphore::new(options.workers.into()));
        let serve = |group: Group, wakes| {
            let context = Context {
                store: store.clone(),
                policy: options.policy.clone(),
                keys: keys.clone(),
                metrics: metrics.clone(),
                backoff: Backoff::default(),
            };
            let objects = objects(&watches, scope, group);
            let shared = Arc::new(Shared { context, slots: slots.clone() });
            serve_group(group, objects, wakes, shared, options.workers, stopped.clone())
        };
        tokio::join!(serve(Group::NATIVE, for_native), serve(Group::BITNAMI, for_bitnami));
    }
    health.set_unready();
    loading.abort();
    caching_secrets.abort();
    caching_natives.abort();
    server.abort();
    compat.inspect(JoinHandle::abort);
    tracing::info!("stopped");
    Ok(())
}

fn scoped<K>(client: &Client, namespace: Option<&Namespace>) -> Api<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace.as_str()),
        None => Api::all(client.clone()),
    }
}
