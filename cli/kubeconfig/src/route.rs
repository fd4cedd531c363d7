//! A way to one cluster (the server, the proxy, the trusted authorities and the login), and the clients that use
//! it.
//!
//! Not requests or their deadlines, which are the programs'. Invariant: kube's [`Config`] here never holds a
//! credential that kube would act on by itself, so kube neither runs a login program nor makes a header of a
//! token.

use std::env;
use std::error::Error;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use kube::client::{Body, RustlsTlsError};
use kube::config::{AuthInfo, Cluster, Kubeconfig};
use kube::{Client, Config};
use tower_service::Service;
use zeroize::Zeroizing;

use crate::error::{Field, Owner, RouteError, ValueError};
use crate::identity::{Identity, Source, certificates};
use crate::login::{Credentials, Login};
use crate::proxy::{Proxies, through};
use crate::url;

type BoxError = Box<dyn Error + Send + Sync>;

/// The directory in which a kubelet puts a Pod's credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A way to a cluster. Clones share the login: a login program runs once for all of their clients. No `Debug`: it
/// may hold credentials.
#[derive(Clone)]
pub struct Route {
    /// The configuration of kube. The caller sets deadlines and retries.
    pub config: Config,
    /// The clients of this route use new connections when this says so.
    pub renewal: Renewal,
    login: Login,
    /// The cluster, to name in an error.
    cluster: Owner,
    user: Owner,
}

/// Makes clients leave their connections: to a client that keeps connections for later, one that is dead and that nobody
/// closed looks like any other.
#[derive(Clone, Default)]
pub struct Renewal(Arc<AtomicU64>);

impl Renewal {
    /// From now on each request uses a connection that is made after this.
    pub fn renew(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Route {
    /// The way that a context of a kubeconfig names. No login program runs yet.
    ///
    /// # Errors
    ///
    /// Any [`RouteError`] but those of a login program.
    pub fn new(kubeconfig: &Kubeconfig, context: &str, proxies: &Proxies) -> Result<Self, RouteError> {
        let named = kubeconfig.contexts.iter().find(|known| known.name == context);
        let named = named.and_then(|named| named.context.as_ref());
        let named = named.ok_or_else(|| RouteError::NoContext(context.to_owned()))?;
        let cluster_name = &named.cluster;
        let cluster = kubeconfig.clusters.iter().find(|known| known.name == *cluster_name);
        let cluster = cluster.and_then(|named| named.cluster.as_ref()).ok_or_else(|| {
            RouteError::NoCluster { context: context.to_owned(), cluster: cluster_name.clone() }
        })?;
        // A user that isn't in the kubeconfig has no credentials, as with client-go.
        let user_name = named.user.as_deref().unwrap_or_default();
        let user = kubeconfig.auth_infos.iter().find(|known| known.name == user_name);
        let user = user.and_then(|named| named.auth_info.clone()).unwrap_or_default();

        let owner = Owner::Cluster(cluster_name.clone());
        let field = |name| Field { name, owner: owner.clone() };
        let server =
            text(cluster.server.as_ref()).ok_or_else(|| RouteError::NoServer(cluster_name.clone()))?;
        let server = url::server(server).map_err(|error| field("server").error(error))?;
        let proxy = match text(cluster.proxy_url.as_ref()) {
            Some(proxy) => Some(url::proxy(proxy).map_err(|error| field("proxy-url").error(error))?),
            None => proxies.proxy_for(&server)?,
        };
        let authorities = Authorities::of(cluster, &owner)?;
        let is_insecure = cluster.insecure_skip_tls_verify.unwrap_or_default();
        if is_insecure && authorities.is_some() {
            let error = ValueError::Contradicts("certificate-authority");
            return Err(field("insecure-skip-tls-verify").error(error));
        }
        let pem = authorities.as_ref().map(|authorities| authorities.pem.as_slice());
        // kubectl sends no credentials over plain HTTP. Here they may also go to a server on this machine: they
        // don't leave it, unless a proxy takes them elsewhere.
        let stays_here = url::is_loopback(url::host(&server)) && proxy.is_none();
        let is_safe = server.scheme_str() == Some("https") || stays_here;
        let (login, identity) = if is_safe {
            (Login::of_user(user_name, &user, cluster, pem)?, Identity::of_user(&user, user_name)?)
        } else {
            (Login::of_nobody(), None)
        };

        let mut config = through(server, proxy);
        config.root_cert = authorities.map(|authorities| authorities.certificates);
        config.accept_invalid_certs = is_insecure;
        config.disable_compression = cluster.disable_compression.unwrap_or_default();
        config.tls_server_name = text(cluster.tls_server_name.as_ref()).map(str::to_owned);
        if let Some(namespace) = text(named.namespace.as_ref()) {
            config.default_namespace = namespace.to_owned();
        }
        config.auth_info = AuthInfo {
            impersonate: text(user.impersonate.as_ref()).map(str::to_owned),
            impersonate_uid: user.impersonate_uid,
            impersonate_groups: user.impersonate_groups,
            impersonate_user_extra: user.impersonate_user_extra,
            ..AuthInfo::default()
        };
        if let Some(identity) = identity {
            identity.put(&mut config.auth_info);
        }
        let user = Owner::User(user_name.to_owned());
        Ok(Self { config, renewal: Renewal::default(), login, cluster: owner, user })
    }

    /// The way to the default cluster: that of the current context, else that of the Pod that this process runs
    /// in.
    ///
    /// # Errors
    ///
    /// Any [`RouteError`] but those of a login program.
    pub fn infer(proxies: &Proxies) -> Result<Self, RouteError> {
        match crate::read(None) {
            Ok(kubeconfig) => {
                let context = kubeconfig.current_context.clone().ok_or(RouteError::NoCurrentContext)?;
                Self::new(&kubeconfig, &context, proxies)
            }
            Err(error) => in_cluster().unwrap_or(Err(error.into())),
        }
    }

    /// The server's URL, in a form that may be shown.
    #[must_use]
    pub fn server(&self) -> String {
        self.config.cluster_url.to_string().trim_end_matches('/').to_owned()
    }

    /// Makes a client. The login program, if there is one, has run before this returns.
    ///
    /// # Errors
    ///
    /// Any [`RouteError`]. When the credentials end later and no others can be obtained, a request of the client
    /// fails with a [`RouteError`] among the sources of its error.
    pub async fn client(self) -> Result<Client, RouteError> {
        let credentials = self.login.credentials().await?;
        let namespace = self.config.default_namespace.clone();
        let made = self.renewal.0.load(Ordering::SeqCst);
        let current = Current {
            client: self.plain_client(&credentials)?,
            identity: credentials.identity.clone(),
            made,
        };
        let service = Authorized { route: Arc::new(self), current: Arc::new(Mutex::new(current)) };
        Ok(Client::new(service, namespace))
    }

    /// A client that sends no header of its own.
    fn plain_client(&self, credentials: &Credentials) -> Result<Client, RouteError> {
        let mut config = self.config.clone();
        if let Some(identity) = &credentials.identity {
            identity.put(&mut config.auth_info);
        }
        Client::try_from(config).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &kube::Error) -> RouteError {
        let value = |owner: &Owner, name, error| Field { name, owner: owner.clone() }.error(error);
        match error {
            kube::Error::RustlsTls(error) => match error {
                RustlsTlsError::AddRootCertificate(_) if self.config.root_cert.is_none() => {
                    RouteError::SystemRoots
                }
                RustlsTlsError::NoValidNativeRootCA(_) => RouteError::SystemRoots,
                RustlsTlsError::AddRootCertificate(_) => {
                    value(&self.cluster, "certificate-authority", ValueError::NotCertificate)
                }
                RustlsTlsError::InvalidServerName(_) => {
                    value(&self.cluster, "tls-server-name", ValueError::NotName)
                }
                RustlsTlsError::InvalidIdentityPem(_) | RustlsTlsError::MissingCertificate => {
                    value(&self.user, "client-certificate", ValueError::NotCertificate)
                }
                RustlsTlsError::InvalidPrivateKey(_)
                | RustlsTlsError::MissingPrivateKey
                | RustlsTlsError::UnknownPrivateKeyFormat => {
                    value(&self.user, "client-key", ValueError::OtherKey)
                }
            },
            // kube makes no other headers from the kubeconfig.
            kube::Error::HttpError(_) => value(&self.user, "as", ValueError::NotHeader),
            _ => RouteError::Client,
        }
    }
}

/// The way to the cluster of the Pod that this process runs in; none outside a Pod. It has no proxy: the API
/// server is a Service of the same network, and the proxy variables of Pods are often meant for the world
/// outside.
#[must_use]
pub fn in_cluster() -> Option<Result<Route, RouteError>> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    Some(in_pod(Path::new(SERVICE_ACCOUNT), &host, &port))
}

fn in_pod(account: &Path, host: &str, port: &str) -> Result<Route, RouteError> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let name = "KUBERNETES_SERVICE_HOST with KUBERNETES_SERVICE_PORT";
    let field = Field { name, owner: Owner::Environment };
    let server = url::server(&format!("https://{host}:{port}")).map_err(|error| field.error(error))?;
    let owner = Owner::ServiceAccount;
    let path = account.join("ca.crt");
    let authorities = Authorities::read(&Source::file("ca.crt", &path), &owner)?;
    let mut config = Config::new(server);
    config.root_cert = Some(authorities.certificates);
    // kube reads the file again when it changes.
    config.root_cert_file = Some(path);
    let login = Login::of_file(&account.join("token"), Field { name: "token", owner: owner.clone() });
    Ok(Route { config, renewal: Renewal::default(), login, cluster: owner.clone(), user: owner })
}

fn text(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.is_empty())
}

/// The certificate authorities of a cluster.
struct Authorities {
    pem: Zeroizing<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
}

impl Authorities {
    /// The authorities of a cluster. None means those that the operating system trusts.
    fn of(cluster: &Cluster, owner: &Owner) -> Result<Option<Self>, RouteError> {
        let source = Source::new(
            ["certificate-authority-data", "certificate-authority"],
            cluster.certificate_authority_data.as_deref(),
            cluster.certificate_authority.as_deref(),
        );
        source.map(|source| Self::read(&source, owner)).transpose()
    }

    fn read(source: &Source<'_>, owner: &Owner) -> Result<Self, RouteError> {
        let wrong = |error| Field { name: source.field, owner: owner.clone() }.error(error);
        let pem = source.read().map_err(wrong)?;
        let certificates = certificates(&pem).map_err(wrong)?;
        Ok(Self { pem, certificates })
    }
}

/// A client that adds an `Authorization` header to each request, and opens new connections for a new certificate or
/// when it is told to.
#[derive(Clone)]
struct Authorized {
    route: Arc<Route>,
    current: Arc<Mutex<Current>>,
}

/// A client, and what it was made for.
struct Current {
    client: Client,
    /// The certificate of a login program.
    identity: Option<Arc<Identity>>,
    /// How often connections had been renewed.
    made: u64,
}

impl Authorized {
    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let credentials = self.route.login.credentials().await?;
        let client = self.client(&credentials)?;
        if let Some(header) = &credentials.authorization {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        let response = client.send(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            credentials.refuse();
        }
        Ok(response)
    }

    fn client(&self, credentials: &Credentials) -> Result<Client, RouteError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let address = |identity: &Option<Arc<Identity>>| identity.as_ref().map(Arc::as_ptr);
        let now = self.route.renewal.0.load(Ordering::SeqCst);
        if current.made != now || address(&current.identity) != address(&credentials.identity) {
            let client = self.route.plain_client(credentials)?;
            *current = Current { client, identity: credentials.identity.clone(), made: now };
        }
        Ok(current.client.clone())
    }
}

impl Service<Request<Body>> for Authorized {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

#[cfg(test)]
mod tests;
