//! The access to a cluster: a kubeconfig, with the changes that the command line makes to it.
//!
//! The connection is made in [`connect`](super::connect). Invariant: a change applies to the entries that the
//! context names, in memory only; a kubeconfig is never written.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use seal_kubeconfig::RouteError;
use secrecy::SecretString;

use super::error::ConnectError;
use crate::args::ClusterArgs;

/// The name of cluster, user and context if there is no kubeconfig.
const UNNAMED: &str = "command line";

/// A cluster and a user, as kubectl's flags can name them. It has no `Debug`, since it may hold a token.
#[derive(Default)]
pub(crate) struct Access {
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) context: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) server: Server,
    pub(crate) login: Login,
    /// The timeout of each request, if it isn't the default.
    pub(crate) request_timeout: Option<Duration>,
    /// Whether a Pod's service account may be used if there is no kubeconfig.
    pub(crate) may_be_in_cluster: bool,
}

/// The parts of a server that replace those of the kubeconfig.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) url: Option<String>,
    pub(crate) certificate_authority: Option<String>,
    pub(crate) insecure_skip_tls_verify: Option<bool>,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) proxy_url: Option<String>,
}

/// The credentials that replace those of the kubeconfig.
#[derive(Default)]
pub(crate) struct Login {
    pub(crate) token: Option<SecretString>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) client_certificate: Option<String>,
    pub(crate) client_key: Option<String>,
    pub(crate) impersonate: Option<String>,
    pub(crate) impersonate_uid: Option<String>,
    pub(crate) impersonate_groups: Option<Vec<String>>,
}

impl From<&ClusterArgs> for Access {
    fn from(args: &ClusterArgs) -> Self {
        Self { kubeconfig: args.kubeconfig.clone(), context: args.context.clone(), ..Self::default() }
    }
}

impl Access {
    /// Takes everything out for a connection. The names that are needed to look into the kubeconfig stay, and
    /// no credential does.
    pub(crate) fn split_off(&mut self) -> Self {
        let kept = Self {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            server: Server { url: self.server.url.clone(), ..Server::default() },
            ..Self::default()
        };
        std::mem::replace(self, kept)
    }

    /// Reads the kubeconfig as it stands in files.
    pub(crate) fn read(&self) -> Result<Kubeconfig, ConnectError> {
        Ok(seal_kubeconfig::read(self.kubeconfig.as_deref())?)
    }

    /// The kubeconfig with all changes applied, and the name of the context to use.
    pub(super) fn resolve(self) -> Result<(Kubeconfig, String), ConnectError> {
        let mut kubeconfig = match self.read() {
            // A server's URL is enough; a kubeconfig isn't needed then.
            Err(error) if self.server.url.is_some() && error.is_absent() => unnamed(),
            read => read?,
        };
        let context = self
            .context
            .clone()
            .or_else(|| kubeconfig.current_context.clone())
            .filter(|name| !name.is_empty());
        let context = context.ok_or(RouteError::NoCurrentContext)?;
        let Some(named) = kubeconfig.contexts.iter_mut().find(|known| known.name == context) else {
            return Err(RouteError::NoContext(context).into());
        };
        let named = named.context.get_or_insert_default();
        if let Some(cluster) = self.cluster {
            named.cluster = cluster;
        }
        if let Some(user) = self.user {
            named.user = Some(user);
        }
        let user = named.user.get_or_insert_with(|| UNNAMED.to_owned()).clone();
        let cluster = named.cluster.clone();
        if let Some(cluster) = kubeconfig.clusters.iter_mut().find(|known| known.name == cluster) {
            self.server.change(cluster.cluster.get_or_insert_default());
        }
        if !kubeconfig.auth_infos.iter().any(|known| known.name == user) {
            kubeconfig.auth_infos.push(NamedAuthInfo {
                name: user.clone(),
                auth_info: None,
                ..Default::default()
            });
        }
        let known = kubeconfig.auth_infos.iter_mut().find(|known| known.name == user);
        self.login.change(known.expect("it is there, or was just added").auth_info.get_or_insert_default());
        Ok((kubeconfig, context))
    }
}

impl Server {
    fn change(self, cluster: &mut Cluster) {
        // The kubeconfig's `tls-server-name` belongs to the old server.
        if self.url.is_some() || self.tls_server_name.is_some() {
            cluster.tls_server_name = self.tls_server_name;
        }
        replace(&mut cluster.server, self.url);
        // A certificate authority and insecure TLS contradict each other: the typed one wins over the
        // kubeconfig's.
        if self.certificate_authority.is_some() || self.insecure_skip_tls_verify == Some(true) {
            cluster.certificate_authority = self.certificate_authority;
            cluster.certificate_authority_data = None;
            cluster.insecure_skip_tls_verify = None;
        }
        replace(&mut cluster.insecure_skip_tls_verify, self.insecure_skip_tls_verify);
        replace(&mut cluster.proxy_url, self.proxy_url);
    }
}

impl Login {
    fn change(self, user: &mut AuthInfo) {
        // Typed credentials replace those of a login program.
        if self.token.is_some() || self.username.is_some() {
            (user.exec, user.auth_provider, user.token_file) = (None, None, None);
            (user.token, user.username, user.password) = (self.token, self.username, self.password);
        }
        if self.client_certificate.is_some() {
            user.client_certificate = self.client_certificate;
            user.client_certificate_data = None;
        }
        if self.client_key.is_some() {
            user.client_key = self.client_key;
            user.client_key_data = None;
        }
        replace(&mut user.impersonate, self.impersonate);
        replace(&mut user.impersonate_uid, self.impersonate_uid);
        replace(&mut user.impersonate_groups, self.impersonate_groups);
    }
}

fn replace<T>(field: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

/// A kubeconfig with one context, whose cluster and user are empty.
fn unnamed() -> Kubeconfig {
    let context =
        Context { cluster: UNNAMED.to_owned(), user: Some(UNNAMED.to_owned()), ..Context::default() };
    Kubeconfig {
        clusters: vec![NamedCluster { name: UNNAMED.to_owned(), cluster: None, ..Default::default() }],
        contexts: vec![NamedContext {
            name: UNNAMED.to_owned(),
            context: Some(context),
            ..Default::default()
        }],
        current_context: Some(UNNAMED.to_owned()),
        ..Kubeconfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(server: Server) -> Cluster {
        let mut cluster = Cluster {
            server: Some("https://old".to_owned()),
            certificate_authority_data: Some("old".to_owned()),
            tls_server_name: Some("old".to_owned()),
            ..Cluster::default()
        };
        server.change(&mut cluster);
        cluster
    }

    #[test]
    fn a_server_that_is_typed_has_not_the_old_ones_name() {
        let other = changed(Server { url: Some("https://new".to_owned()), ..Server::default() });
        assert_eq!((other.server.as_deref(), other.tls_server_name), (Some("https://new"), None));
        assert_eq!(changed(Server::default()).tls_server_name.as_deref(), Some("old"));
    }

    #[test]
    fn trust_that_is_typed_goes_before_trust_that_contradicts_it() {
        let insecure = changed(Server { insecure_skip_tls_verify: Some(true), ..Server::default() });
        assert_eq!(
            (insecure.certificate_authority_data, insecure.insecure_skip_tls_verify),
            (None, Some(true))
        );
        let secure = changed(Server { insecure_skip_tls_verify: Some(false), ..Server::default() });
        assert_eq!(secure.certificate_authority_data.as_deref(), Some("old"));
        let other =
            changed(Server { certificate_authority: Some("new.crt".to_owned()), ..Server::default() });
        assert_eq!(other.certificate_authority.as_deref(), Some("new.crt"));
        assert_eq!((other.certificate_authority_data, other.insecure_skip_tls_verify), (None, None));
    }
}
