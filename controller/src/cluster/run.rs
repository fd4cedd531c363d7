//! `seal-controller run`: watches, workers, keys and the HTTP page, wired together.
//!
//! Not a decision and not a request of its own. Invariant: nothing is reconciled before the keys are loaded
//! and the cache of Secrets is complete, so a restart over unchanged objects writes nothing.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Controller, WatchStreamExt as _, watcher};
use kube::{Client, Config, Resource as _};
use seal_crds::Namespace;
use seal_crds::keys::{Keyring, Recipient};
use seal_crds::resources::{SEALING_KEY_LABEL, SealingKey, bitnami};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::api::{request_client, status, watch_client};
use super::bitnami_keys::{BitnamiKeys, UNLABELLED_KEY};
use super::fields::FIELD_MANAGER;
use super::keys::Keys;
use super::object::Object;
use super::secret::trim;
use super::store::ClusterStore;
use super::wakes::Wakes;
use crate::backoff::Backoff;
use crate::compat_http;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::reconcile::{Context, Next, reconcile};
use crate::serve::{Health, serve};

/// What the flags of `run` mean.
pub struct Options {
    /// The controller's own namespace: where its keys are.
    pub namespace: Namespace,
    /// Where the peer's keys are.
    pub bitnami_keys: Namespace,
    /// The only namespace that is watched; all where there is none.
    pub watch: Option<Namespace>,
    /// What is opened at all.
    pub policy: Policy,
    /// Offline recipients, published beside the primary.
    pub recovery: Vec<Recipient>,
    /// Objects reconciled at once.
    pub workers: u16,
    /// Where health and metrics are served.
    pub listen: SocketAddr,
    /// The peer's endpoints, where they are asked for.
    pub compat: Option<compat_http::Options>,
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
    let (certificate, certificates) = watch::channel(None);
    let bitnami = BitnamiKeys {
        client: requests.clone(),
        namespace: options.bitnami_keys,
        make_first: options.compat.is_some(),
        certificate,
        metrics: metrics.clone(),
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
    let loader = Keys {
        client: requests.clone(),
        namespace: options.namespace.clone(),
        recovery: options.recovery,
        bitnami,
        keyring,
    };
    let loading = tokio::spawn(load_keys(loader, watches.clone()));
    let (secrets, changed, caching) = cache_secrets(scoped(&watches, options.watch.as_ref()));

    let ready = async {
        let mut keys = keys.clone();
        let loaded = keys.wait_for(|keys| !keys.is_empty()).await.is_ok();
        loaded && secrets.wait_until_ready().await.is_ok()
    };
    tokio::select! {
        ready = ready => if ready { health.set_ready() },
        () = until(stopped.clone()) => {}
    }

    let reporter =
        Reporter { controller: FIELD_MANAGER.to_owned(), instance: std::env::var("POD_NAME").ok() };
    let store = ClusterStore { client: requests.clone(), secrets, events: Recorder::new(requests, reporter) };
    let context = Arc::new(Context {
        store,
        policy: options.policy,
        keys: keys.clone(),
        metrics,
        backoff: Backoff::default(),
    });
    let keys_changed = futures::stream::unfold(keys, |mut keys| async move {
        keys.changed().await.ok()?;
        Some(((), keys))
    });
    if !*stopped.borrow() {
        tracing::info!("watching SealedSecrets");
        // An object may be over a megabyte, and a page is in memory as a whole, text and tree.
        let pages = watcher::Config::default().page_size(50);
        let controller = Controller::new(scoped::<Object>(&watches, options.watch.as_ref()), pages);
        let objects = controller.store();
        let work = controller
            .with_config(ControllerConfig::default().concurrency(options.workers))
            .reconcile_on(changed)
            .reconcile_all_on(keys_changed)
            .graceful_shutdown_on(until(stopped.clone()))
            .run(reconcile_one, |_, _, _| unreachable!("a reconcile never fails"), context)
            .for_each(|_| std::future::ready(()));
        tokio::select! {
            () = work => {}
            () = stopped_before_work(stopped, objects) => {}
        }
    }
    health.set_unready();
    loading.abort();
    caching.abort();
    server.abort();
    compat.inspect(JoinHandle::abort);
    tracing::info!("stopped");
    Ok(())
}

async fn reconcile_one(
    object: Arc<Object>,
    context: Arc<Context<ClusterStore>>,
) -> Result<Action, std::convert::Infallible> {
    // An object on its way out takes its Secret along, by the garbage collector.
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    Ok(match reconcile(&context, &object).await {
        Next::OnChange => Action::await_change(),
        Next::After(delay) => Action::requeue(delay),
    })
}

fn scoped<K>(client: &Client, namespace: Option<&Namespace>) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace.as_str()),
        None => Api::all(client.clone()),
    }
}

/// Metadata of every Secret, and which SealedSecret a change may concern: the one of the same name, so a
/// foreign Secret that goes, or permits adoption, wakes it too.
fn cache_secrets(
    api: Api<PartialObjectMeta<Secret>>,
) -> (
    reflector::Store<PartialObjectMeta<Secret>>,
    impl futures::Stream<Item = ObjectRef<Object>> + Send + 'static,
    JoinHandle<()>,
) {
    let (reader, writer) = reflector::store();
    let (changed, changes) = mpsc::unbounded_channel();
    let secrets = watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(|secret| trim(&mut secret.metadata))
        .reflect(writer);
    let cached = reader.clone();
    let mut wakes = Wakes::default();
    let task = tokio::spawn(secrets.for_each(move |event| {
        match event {
            // The other end goes first only when everything does.
            Ok(event) => wakes.on(&event, &cached).into_iter().for_each(|key| drop(changed.send(key))),
            Err(error) => {
                tracing::warn!(code = watch_code(&error), "the watch on Secrets broke; it is taken up again");
            }
        }
        std::future::ready(())
    }));
    let changes =
        futures::stream::unfold(changes, |mut changes| async move { Some((changes.recv().await?, changes)) });
    (reader, changes, task)
}

/// The apiserver's code, of an error whose words aren't repeated; none where there was no answer.
fn watch_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => status(error).map(|status| status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// Keeps the keys in step: on every change of a private half or a SealingKey, and every few minutes.
async fn load_keys(keys: Keys, watches: Client) {
    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(watches.clone(), keys.namespace.as_str());
    let peers: Api<PartialObjectMeta<Secret>> =
        Api::namespaced(watches.clone(), keys.bitnami.namespace.as_str());
    let sealing_keys: Api<SealingKey> = Api::namespaced(watches, keys.namespace.as_str());
    let changes_of = |secrets: Api<PartialObjectMeta<Secret>>, config: watcher::Config| {
        watcher(secrets, config).default_backoff().map_ok(drop).boxed()
    };
    let unlabelled = format!("metadata.name={UNLABELLED_KEY}");
    let mut changes = futures::stream::select_all([
        changes_of(secrets, watcher::Config::default().labels(SEALING_KEY_LABEL)),
        changes_of(peers.clone(), watcher::Config::default().labels(bitnami::SEALING_KEY_LABEL)),
        changes_of(peers, watcher::Config::default().fields(&unlabelled)),
        watcher(sealing_keys, watcher::Config::default()).default_backoff().map_ok(drop).boxed(),
    ]);
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
