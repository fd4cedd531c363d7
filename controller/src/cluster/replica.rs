//! What every replica does, whether or not it leads: it keeps the keys and the caches up to date, and serves the
//! endpoints of sealed-secrets.
//!
//! Not the reconcile ([`super::lead`]). A key may be made here: replicas that make the first one at the same time make
//! one ([`crate::keys`]). Invariant: a replica that is complete can lead at once, because its keys are loaded and its caches
//! hold everything.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Recorder, Reporter};
use seal_crds::Namespace;
use seal_crds::keys::{Certificate, Keyring};
use seal_crds::resources::SealedSecret;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::api::Clients;
use super::cache::Cache;
use super::fields::FIELD_MANAGER;
use super::run::{Options, RunError};
use crate::compat_http;
use crate::keys::bitnami::BitnamiKeys;
use crate::keys::cluster::ClusterKeys;
use crate::keys::said::Said;
use crate::keys::{Keys, Settings, watch as key_watch};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::serve::Health;

/// What runs in every replica, until it is dropped.
pub(super) struct Replica {
    pub(super) clients: Clients,
    pub(super) metrics: Metrics,
    pub(super) events: Recorder,
    /// The keys at hand.
    pub(super) keys: watch::Receiver<Arc<Keyring>>,
    /// The metadata of all Secrets.
    pub(super) secrets: Cache<Secret>,
    /// The metadata of all SealedSecrets of the native format: those of sealed-secrets step back for them.
    pub(super) natives: Cache<SealedSecret>,
    _tasks: Vec<Task>,
}

/// A task that ends with its value.
pub(super) struct Task(pub(super) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Replica {
    /// Starts everything; it gets complete later.
    ///
    /// # Errors
    ///
    /// Where the address of an endpoint can't be listened on.
    pub(super) async fn start(
        clients: Clients,
        metrics: Metrics,
        health: Health,
        options: &Options,
    ) -> Result<Self, RunError> {
        let (keyring, keys) = watch::channel(Arc::new(Keyring::default()));
        let (certificate, certificates) = watch::channel(None);
        let endpoints = serve_compat(options, keys.clone(), certificates, metrics.clone()).await?;
        let reporter =
            Reporter { controller: FIELD_MANAGER.to_owned(), instance: std::env::var("POD_NAME").ok() };
        let events = Recorder::new(clients.requests.clone(), reporter);
        let loader = Keys {
            store: ClusterKeys {
                client: clients.requests.clone(),
                namespace: options.namespace.clone(),
                bitnami_namespace: options.bitnami_keys.clone(),
                events: events.clone(),
            },
            settings: Settings { recovery: options.recovery.clone() },
            bitnami: BitnamiKeys {
                make_first: options.compat.is_some(),
                certificate,
                metrics: metrics.clone(),
                said: Said::default(),
            },
            keyring,
            health,
            said: Said::default(),
        };
        let (secrets, keep_secrets) = Cache::new(scoped(&clients.watches, options.watch.as_ref()));
        let (natives, keep_natives) = Cache::new(scoped(&clients.watches, options.watch.as_ref()));
        let mut tasks = vec![
            Task(tokio::spawn(key_watch::keep(loader, clients.watches.clone()))),
            Task(tokio::spawn(keep_secrets)),
            Task(tokio::spawn(keep_natives)),
        ];
        tasks.extend(endpoints);
        Ok(Self { clients, metrics, events, keys, secrets, natives, _tasks: tasks })
    }

    /// Comes back when the keys are loaded and the caches hold everything; `false` if that can't be any more.
    pub(super) async fn is_complete(&self) -> bool {
        let mut keys = self.keys.clone();
        let is_loaded = keys.wait_for(|keys| !keys.is_empty()).await.is_ok();
        is_loaded && self.secrets.is_complete().await && self.natives.is_complete().await
    }
}

async fn serve_compat(
    options: &Options,
    keys: watch::Receiver<Arc<Keyring>>,
    certificate: watch::Receiver<Option<Certificate>>,
    metrics: Metrics,
) -> Result<Option<Task>, RunError> {
    let Some(compat) = &options.compat else { return Ok(None) };
    // What isn't watched isn't opened over HTTP either.
    let namespaces = options.watch.clone().map(|namespace| [namespace].into());
    let policy = Policy { namespaces, ..options.policy.clone() };
    let source = compat_http::Source { keys, certificate, policy, metrics };
    let serving = compat_http::serve(compat, source).await;
    Ok(Some(Task(serving.map_err(|error| RunError::Listen(compat.listen, error))?)))
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
