//! `seal-controller run`: watches, workers, keys and the HTTP page, wired together.
//!
//! Not a decision and not a request of its own. Invariant: nothing is reconciled before the keys are loaded
//! and the caches are complete, so a restart over unchanged objects writes nothing.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::{Controller, WatchStreamExt as _, reflector, watcher};
use kube::{Client, Config, Resource as _};
use seal_crds::keys::{Keyring, Recipient};
use seal_crds::resources::{SEALING_KEY_LABEL, SealingKey};
use seal_crds::{Format, Namespace};
use tokio::sync::{Semaphore, mpsc, watch};

use super::api::{request_client, watch_client};
use super::cache::{self, trim_all};
use super::fields::FIELD_MANAGER;
use super::keys::Keys;
use super::object::Object;
use super::secret::trim;
use super::store::ClusterStore;
use super::wakes::Name;
use crate::backoff::Backoff;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::reconcile::{Context, Next, reconcile};
use crate::serve::{Health, serve};

/// What the flags of `run` mean.
pub struct Options {
    /// The controller's own namespace: where its keys are.
    pub namespace: Namespace,
    /// The only namespace that is watched; all where there is none.
    pub watch: Option<Namespace>,
    /// What is opened at all.
    pub policy: Policy,
    /// Whether Secrets of Bitnami SealedSecrets outlive them.
    pub orphan_bitnami_secrets: bool,
    /// Offline recipients, published beside the primary.
    pub recovery: Vec<Recipient>,
    /// Objects reconciled at once.
    pub workers: u16,
    /// Where health and metrics are served.
    pub listen: SocketAddr,
}

/// Why the controller couldn't start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No way to the apiserver is configured.
    #[error("no configuration for the Kubernetes API")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration doesn't make a client.
    #[error("the configuration for the Kubernetes API can't be used")]
    Client(#[source] kube::Error),
    /// The HTTP page couldn't be served.
    #[error("can't listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Runs until `shutdown`; then finishes what is under way.
///
/// # Errors
///
/// Only what makes starting impossible; an apiserver that can't be reached is waited for.
pub async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let config = Config::infer().await?;
    let requests = request_client(config.clone()).map_err(RunError::Client)?;
    let watches = watch_client(config).map_err(RunError::Client)?;
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

    let (keyring, keys) = watch::channel(Arc::new(Keyring::default()));
    let loader = Keys {
        client: requests.clone(),
        namespace: options.namespace.clone(),
        recovery: options.recovery,
        keyring,
    };
    let loading = tokio::spawn(load_keys(loader, watches.clone()));
    let (native_wakes, for_native) = mpsc::unbounded_channel();
    let (bitnami_wakes, for_bitnami) = mpsc::unbounded_channel();
    let scope = options.watch.as_ref();
    let (secrets, caching_secrets) =
        cache::keep(scoped(&watches, scope), trim, vec![native_wakes, bitnami_wakes.clone()]);
    let (natives, caching_natives) = cache::keep(scoped(&watches, scope), trim_all, vec![bitnami_wakes]);

    let ready = async {
        let mut keys = keys.clone();
        let loaded = keys.wait_for(|keys| !keys.is_empty()).await.is_ok();
        loaded && secrets.wait_until_ready().await.is_ok() && natives.wait_until_ready().await.is_ok()
    };
    tokio::select! {
        ready = ready => if ready { health.set_ready() },
        () = until(stopped.clone()) => {}
    }

    let reporter =
        Reporter { controller: FIELD_MANAGER.to_owned(), instance: std::env::var("POD_NAME").ok() };
    let store = ClusterStore {
        events: Recorder::new(requests.clone(), reporter),
        client: requests,
        secrets,
        natives,
        orphans: options.orphan_bitnami_secrets,
    };
    if !*stopped.borrow() {
        tracing::info!("watching SealedSecrets");
        let slots = Arc::new(Semaphore::new(options.workers.into()));
        let group = |format, wakes| {
            let context = Context {
                store: store.clone(),
                policy: options.policy.clone(),
                keys: keys.clone(),
                metrics: metrics.clone(),
                backoff: Backoff::default(),
            };
            let objects = objects(&watches, scope, format);
            let shared = Arc::new(Shared { context, slots: slots.clone() });
            serve_group(format, objects, wakes, shared, options.workers, stopped.clone())
        };
        tokio::join!(group(Format::Native, for_native), group(Format::Bitnami, for_bitnami));
    }
    health.set_unready();
    loading.abort();
    caching_secrets.abort();
    caching_natives.abort();
    server.abort();
    tracing::info!("stopped");
    Ok(())
}

/// What the reconciles of one group share.
struct Shared {
    context: Context<ClusterStore>,
    /// As many as there are workers, for both groups together.
    slots: Arc<Semaphore>,
}

/// Serves the objects of one group, until stopped. A group that the cluster doesn't know is asked for again every few
/// seconds, so its definition may be installed at any time.
async fn serve_group(
    format: Format,
    objects: Api<Object>,
    wakes: mpsc::UnboundedReceiver<Name>,
    shared: Arc<Shared>,
    workers: u16,
    stopped: watch::Receiver<bool>,
) {
    let changed = futures::stream::unfold(wakes, move |mut wakes| async move {
        Some((wakes.recv().await?.sealed_secret(format), wakes))
    });
    let keys_changed = futures::stream::unfold(shared.context.keys.clone(), |mut keys| async move {
        keys.changed().await.ok()?;
        Some(((), keys))
    });
    // An object may be over a megabyte, and a page is in memory as a whole, text and tree.
    let pages = watcher::Config::default().page_size(50);
    let mut controller = Controller::new_with(objects, pages, format);
    if format == Format::Bitnami {
        controller = controller.trigger_backoff(Steady(Duration::from_secs(5)));
    }
    let objects = controller.store();
    let work = controller
        .with_config(ControllerConfig::default().concurrency(workers))
        .reconcile_on(changed)
        .reconcile_all_on(keys_changed)
        .graceful_shutdown_on(until(stopped.clone()))
        .run(reconcile_one, |_, _, _| unreachable!("a reconcile never fails"), shared)
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = work => {}
        () = stopped_before_work(stopped, objects) => {}
    }
}

/// A backoff that doesn't grow: what it waits for is there at once when it comes.
struct Steady(Duration);

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0)
    }
}

impl kube::runtime::utils::Backoff for Steady {
    fn reset(&mut self) {}
}

async fn reconcile_one(object: Arc<Object>, shared: Arc<Shared>) -> Result<Action, std::convert::Infallible> {
    // An object on its way out takes its Secret along, by the garbage collector.
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let _slot = shared.slots.acquire().await.expect("the semaphore is never closed");
    Ok(match reconcile(&shared.context, &object).await {
        Next::OnChange => Action::await_change(),
        Next::After(delay) => Action::requeue(delay),
    })
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

fn objects(client: &Client, namespace: Option<&Namespace>, format: Format) -> Api<Object> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace.as_str(), &format),
        None => Api::all_with(client.clone(), &format),
    }
}

/// Keeps the keys in step: on every change of a private half or a SealingKey, and every few minutes.
async fn load_keys(keys: Keys, watches: Client) {
    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(watches.clone(), keys.namespace.as_str());
    let sealing_keys: Api<SealingKey> = Api::namespaced(watches, keys.namespace.as_str());
    let secrets =
        watcher(secrets, watcher::Config::default().labels(SEALING_KEY_LABEL)).default_backoff().map_ok(drop);
    let sealing_keys = watcher(sealing_keys, watcher::Config::default()).default_backoff().map_ok(drop);
    let mut changes = std::pin::pin!(futures::stream::select(secrets, sealing_keys));
    let mut backoff = Duration::from_millis(500);
    loop {
        let wait = match keys.sync().await {
            Ok(()) => {
                backoff = Duration::from_millis(500);
                Duration::from_secs(300)
            }
            Err(failure) => {
                tracing::warn!(reason = failure.reason, %failure, "the sealing keys are not up to date");
                backoff = (backoff * 2).min(Duration::from_secs(60));
                backoff
            }
        };
        // One change seldom comes alone: what comes within a moment is one.
        if tokio::time::timeout(wait, changes.next()).await.is_ok() {
            let settle = tokio::time::sleep(Duration::from_millis(200));
            let mut settle = std::pin::pin!(settle);
            while let futures::future::Either::Left((Some(_), _)) =
                futures::future::select(changes.next(), settle.as_mut()).await
            {}
        }
    }
}

/// Ends with `stopped` where the first list of objects hasn't come by then. kube's Controller would wait for it,
/// for ever, since it has closed the watch; and before it, nothing is under way that could be finished.
async fn stopped_before_work(stopped: watch::Receiver<bool>, objects: reflector::Store<Object>) {
    until(stopped).await;
    if objects.wait_until_ready().now_or_never().is_some() {
        std::future::pending().await
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it everything that could go on.
    drop(stopped.wait_for(|stopped| *stopped).await);
}
