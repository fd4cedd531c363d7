//! The work of every replica, whether or not it leads: it keeps the keys and the caches up to date, and
//! serves the endpoints of sealed-secrets.
//!
//! The leader alone reconciles ([`super::lead`]) and writes what concerns keys ([`crate::keys`]); a replica without
//! keys waits for the leader's first key. Invariant: a complete replica can lead at once, because its keys are
//! loaded and its cache holds the metadata of every Secret. Only the leader knows the SealedSecrets.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use seal_crds::Namespace;
use seal_crds::keys::{Certificate, Keyring};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::options::Options;
use crate::cluster::api::Clients;
use crate::cluster::cache::Cache;
use crate::cluster::fields::FIELD_MANAGER;
use crate::cluster::proof::ClusterProof;
use crate::cluster::recorder::Recorder;
use crate::cluster::watching::Which;
use crate::compat_http;
use crate::contact::Contact;
use crate::keys::arrivals::Arrivals;
use crate::keys::bitnami::BitnamiKeys;
use crate::keys::cluster::ClusterKeys;
use crate::keys::deletion::Rest;
use crate::keys::said::Said;
use crate::keys::{Keys, watch as key_watch};
use crate::leadership::Leadership;
use crate::listen::ListenError;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::recipients::Recipients;
use crate::serve::Health;
use crate::usage::Counted;

/// A replica's work and what it keeps at hand; the work ends when this is dropped.
pub(super) struct Replica {
    pub(super) clients: Clients,
    pub(super) metrics: Metrics,
    pub(super) events: Recorder,
    /// The keys that open SealedSecrets.
    pub(super) keys: watch::Receiver<Arc<Keyring>>,
    /// The keys are loaded.
    is_settled: watch::Receiver<bool>,
    /// The recipients that SealedSecrets should be sealed to.
    pub(super) recipients: watch::Receiver<Option<Arc<Recipients>>>,
    /// Gets the number of objects that need each sealing key.
    pub(super) counted: watch::Sender<Option<Arc<Counted>>>,
    /// The metadata of all Secrets.
    pub(super) secrets: Cache<Secret>,
    pub(super) leadership: Leadership,
    /// Whether the API server answers.
    pub(super) contact: Contact,
    _tasks: Vec<Task>,
}

/// A task that is aborted when this is dropped.
pub(super) struct Task(pub(super) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Replica {
    /// Starts the work; [`Self::is_complete`] waits for its first results.
    ///
    /// # Errors
    ///
    /// If the controller can't listen on the address of sealed-secrets' endpoints.
    pub(super) async fn start(
        clients: Clients,
        metrics: Metrics,
        health: Health,
        options: &Options,
        leadership: Leadership,
        contact: Contact,
    ) -> Result<Self, ListenError> {
        let (keyring, keys) = watch::channel(Arc::new(Keyring::default()));
        let (recipients, known_recipients) = watch::channel(None);
        let (settled, is_settled) = watch::channel(false);
        let (counted, counts) = watch::channel(None);
        let (certificate, certificates) = watch::channel(None);
        let endpoints = serve_compat(options, keys.clone(), certificates, metrics.clone()).await?;
        let instance = std::env::var("POD_NAME").ok();
        let events = Recorder::new(clients.requests.clone(), FIELD_MANAGER, instance);
        let loader = Keys {
            store: ClusterKeys {
                client: clients.requests.clone(),
                namespace: options.namespace.clone(),
                bitnami_namespace: options.bitnami_keys.clone(),
                events: events.clone(),
            },
            settings: options.keys.clone(),
            bitnami: BitnamiKeys {
                namespace: options.bitnami_keys.clone(),
                making: options.bitnami_making,
                certificate,
                metrics: metrics.clone(),
                said: Said::default(),
                unmade: Said::default(),
            },
            keyring,
            recipients,
            is_settled: settled,
            proof: Arc::new(ClusterProof {
                client: clients.requests.clone(),
                watch: options.watch.clone(),
                policy: options.policy.clone(),
            }),
            rest: Rest::default(),
            counted: counts,
            health,
            metrics: metrics.clone(),
            said: Said::default(),
            arrivals: Arrivals::default(),
        };
        let (secrets, keep_secrets) = Cache::new(
            scoped(&clients.watches, options.watch.as_ref()),
            Which::all("secrets").of_cache(),
            &contact,
        );
        let mut tasks = vec![
            Task(tokio::spawn(key_watch::keep(
                loader,
                clients.watches.clone(),
                leadership.clone(),
                contact.clone(),
            ))),
            Task(tokio::spawn(keep_secrets)),
        ];
        tasks.extend(endpoints);
        let recipients = known_recipients;
        Ok(Self {
            clients,
            metrics,
            events,
            keys,
            is_settled,
            recipients,
            counted,
            secrets,
            leadership,
            contact,
            _tasks: tasks,
        })
    }

    /// Waits until the keys are loaded, even if all of them are lost; `false` if the work for that has ended.
    pub(super) async fn has_keys(&self) -> bool {
        let mut is_settled = self.is_settled.clone();
        is_settled.wait_for(|settled| *settled).await.is_ok()
    }

    /// Waits until the keys are loaded and the cache holds every Secret; `false` if the work for that has ended.
    pub(super) async fn is_complete(&self) -> bool {
        self.has_keys().await && self.secrets.is_complete().await
    }
}

async fn serve_compat(
    options: &Options,
    keys: watch::Receiver<Arc<Keyring>>,
    certificate: watch::Receiver<Option<Certificate>>,
    metrics: Metrics,
) -> Result<Option<Task>, ListenError> {
    let Some(compat) = &options.compat else { return Ok(None) };
    // The endpoints open nothing from namespaces that aren't watched.
    let namespaces = options.watch.clone().map(|namespace| [namespace].into());
    let policy = Policy { namespaces, ..options.policy.clone() };
    let context = compat_http::Context { keys, certificate, policy, metrics };
    Ok(Some(Task(compat_http::serve(compat, context).await?)))
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
