//! From a kubeconfig to a client, and from the client's errors to something
//! that can be acted on.

use std::time::Duration;

use http::{Request, StatusCode};
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, KubeconfigError},
};

use super::access::Access;
use crate::{
    exit::Exit,
    failure::{Explain, reason},
    http::{BodyError, Runtime, read_body, root},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// For everything after the login: name look-up, the request.
const DEADLINE: Duration = Duration::from_secs(30);
/// For a login program: somebody may have to type a code into a browser.
const LOGIN_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("there is no kubeconfig")]
    NoKubeconfig,
    #[error("the kubeconfig {0} can't be read")]
    UnreadableKubeconfig(String),
    #[error("the kubeconfig isn't valid")]
    BadKubeconfig,
    #[error("the kubeconfig has no context {0}")]
    NoContext(String),
    #[error("the kubeconfig names no current context")]
    NoCurrentContext,
    #[error("the credentials of context {context} can't be used")]
    Credentials { context: String },
    #[error("the login program of context {context} takes longer than {}s", LOGIN_DEADLINE.as_secs())]
    Login { context: String },
    #[error("{server} can't be reached: {reason}")]
    Unreachable { server: String, reason: String },
    #[error("{server} doesn't answer")]
    Timeout { server: String },
    #[error("{server} doesn't know who is asking (401)")]
    Unauthenticated { server: String },
    #[error("{server} doesn't let you list sealing keys in namespace {namespace} (403)")]
    Forbidden { server: String, namespace: String },
    #[error("{server} has no SealingKeys: the controller isn't installed there")]
    NotInstalled { server: String },
    #[error("{server} is busy (status {code})")]
    Busy { server: String, code: u16 },
    #[error("{server} answered with {what}")]
    Unexpected { server: String, what: String },
}

impl Explain for ConnectError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoContext(_) => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKubeconfig | Self::UnreadableKubeconfig(_) => {
                "give recipients with -r, or a kubeconfig with --kubeconfig".to_owned()
            }
            Self::NoContext(_) => "kubectl config get-contexts lists them".to_owned(),
            Self::NoCurrentContext => "give one with --context".to_owned(),
            Self::Credentials { context } | Self::Unauthenticated { server: context } => {
                format!("does kubectl work there? Log in again to {context}")
            }
            Self::Login { context } => {
                format!("log in with kubectl --context {context} get --raw /version, and try again")
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "is this the right --context, and is a VPN needed? Without the cluster, give recipients with -r".to_owned()
            }
            Self::Forbidden { .. } => {
                "the controller's manifests let every authenticated user read them; ask for that role, or for a \
                 recipients file to use with -r"
                    .to_owned()
            }
            Self::NotInstalled { .. } => "is this the right --context?".to_owned(),
            Self::Busy { .. } => "try again in a moment".to_owned(),
            Self::BadKubeconfig | Self::Unexpected { .. } => return None,
        })
    }
}

pub(crate) struct Connection {
    pub(super) context: String,
    pub(super) server: String,
    pub(super) client: Client,
    runtime: Runtime,
    /// For a request.
    deadline: Duration,
}

/// A client for the cluster that is meant.
pub(crate) fn connect(access: Access) -> Result<Connection, ConnectError> {
    connect_within(access, LOGIN_DEADLINE)
}

fn connect_within(access: Access, login_deadline: Duration) -> Result<Connection, ConnectError> {
    let deadline = access.request_timeout.unwrap_or(DEADLINE);
    let read_timeout = access.request_timeout.unwrap_or(READ_TIMEOUT);
    let may_be_in_cluster = access.may_be_in_cluster;
    let (kubeconfig, context) = match access.resolve() {
        Ok(resolved) => resolved,
        Err(ConnectError::NoKubeconfig) if may_be_in_cluster => return connect_in_cluster(deadline),
        Err(error) => return Err(error),
    };
    let runtime = Runtime::new();
    let credentials = || ConnectError::Credentials { context: context.clone() };
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let (server, client) = runtime.block_on(async {
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|_| ConnectError::BadKubeconfig)?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(read_timeout);
        config.default_retry = false;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        // Runs the login program of the kubeconfig, and waits for it without a word to the runtime.
        let login = tokio::task::spawn_blocking(move || Client::try_from(config));
        let client = match tokio::time::timeout(login_deadline, login).await {
            Ok(Ok(client)) => client.map_err(|_| credentials())?,
            Ok(Err(_)) => return Err(credentials()),
            Err(_) => return Err(ConnectError::Login { context: context.clone() }),
        };
        Ok::<_, ConnectError>((server, client))
    })?;
    Ok(Connection { context, server, client, runtime, deadline })
}

/// As a Pod's service account, where there is one.
fn connect_in_cluster(deadline: Duration) -> Result<Connection, ConnectError> {
    let mut config = Config::incluster().map_err(|_| ConnectError::NoKubeconfig)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(deadline);
    config.default_retry = false;
    let context = "the Pod's service account".to_owned();
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let runtime = Runtime::new();
    let client = runtime.block_on(async { Client::try_from(config) });
    let client = client.map_err(|_| ConnectError::Credentials { context: context.clone() })?;
    Ok(Connection { context, server, client, runtime, deadline })
}

impl Connection {
    /// Waits for a request, but not long.
    pub(super) fn run<T>(
        &self,
        namespace: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ConnectError> {
        let timed = async { tokio::time::timeout(self.deadline, request).await };
        match self.runtime.block_on(timed) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.explain(namespace, &error)),
            Err(_) => Err(ConnectError::Timeout { server: self.server.clone() }),
        }
    }

    /// Sends a request as it is, and gives what was answered, if it isn't longer than `limit` bytes.
    ///
    /// # Errors
    ///
    /// Where nothing was answered; a status that isn't 200 is an answer.
    pub(super) fn send(
        &self,
        request: Request<Body>,
        limit: usize,
    ) -> Result<(StatusCode, Vec<u8>), ConnectError> {
        let answer = self.run("", async {
            let response = self.client.send(request).await?;
            let status = response.status();
            Ok((status, read_body(response.into_body(), limit).await))
        })?;
        let server = self.server.clone();
        match answer {
            (status, Ok(body)) => Ok((status, body)),
            (_, Err(BodyError::TooLarge)) => {
                Err(ConnectError::Unexpected { server, what: format!("more than {limit} bytes") })
            }
            (_, Err(BodyError::Broken(reason))) => Err(ConnectError::Unreachable { server, reason }),
        }
    }

    fn explain(&self, namespace: &str, error: &kube::Error) -> ConnectError {
        let server = self.server.clone();
        match error {
            kube::Error::Api(status) => match status.code {
                401 => ConnectError::Unauthenticated { server },
                403 => ConnectError::Forbidden { server, namespace: namespace.to_owned() },
                404 => ConnectError::NotInstalled { server },
                code @ (429 | 502..=504) => ConnectError::Busy { server, code },
                code => ConnectError::Unexpected { server, what: format!("status {code}") },
            },
            kube::Error::Auth(_) => ConnectError::Credentials { context: self.context.clone() },
            kube::Error::SerdeError(_) => ConnectError::Unexpected {
                server,
                what: "something that isn't a list of SealingKeys".to_owned(),
            },
            other => {
                let root = root(other);
                match root.downcast_ref::<std::io::Error>() {
                    Some(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                        ConnectError::Timeout { server }
                    }
                    Some(error) => ConnectError::Unreachable { server, reason: reason(error) },
                    None => ConnectError::Unreachable { server, reason: root.to_string() },
                }
            }
        }
    }
}

/// A parser's own text isn't passed on: it may quote a token.
pub(super) fn read_error(error: &KubeconfigError, is_named: bool) -> ConnectError {
    match error {
        KubeconfigError::FindPath => ConnectError::NoKubeconfig,
        KubeconfigError::ReadConfig(io, path) if io.kind() == std::io::ErrorKind::NotFound => {
            if is_named || std::env::var_os("KUBECONFIG").is_some() {
                ConnectError::UnreadableKubeconfig(path.display().to_string())
            } else {
                ConnectError::NoKubeconfig
            }
        }
        KubeconfigError::ReadConfig(_, path) => {
            ConnectError::UnreadableKubeconfig(path.display().to_string())
        }
        _ => ConnectError::BadKubeconfig,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_login_program_that_hangs_is_not_waited_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
            clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
            contexts: [{name: prod, context: {cluster: c, user: u}}]\n\
            users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, \
            args: ['20'], interactiveMode: Never}}}]\n";
        std::fs::write(file.path(), kubeconfig).unwrap();
        let access = Access { kubeconfig: Some(file.path().to_owned()), ..Access::default() };
        let start = Instant::now();
        let error = connect_within(access, Duration::from_millis(100)).err().unwrap();
        assert!(matches!(&error, ConnectError::Login { context } if context == "prod"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10), "waited {:?}", start.elapsed());
    }
}
