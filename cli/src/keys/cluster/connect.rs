//! A connection to the cluster that the user means.
//!
//! `seal_kubeconfig` finds the way there. Invariant: every wait has a limit.

use std::time::Duration;

use http::{Request, StatusCode};
use kube::Client;
use kube::client::Body;
use seal_kubeconfig::{Proxies, Route, RouteError, in_cluster, through_proxy};

use super::access::Access;
use super::error::{ConnectError, LOGIN_DEADLINE};
use crate::keys::request::{BodyError, Runtime, is_timeout, last_words, read_body, root_cause};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit for everything after the login: the name look-up and the request.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client of a cluster, with the names that errors need.
pub(crate) struct Connection {
    pub(super) context: String,
    pub(super) server: String,
    /// The proxy of the connection as a part of a sentence, or empty.
    via: String,
    pub(super) client: Client,
    runtime: Runtime,
    /// The limit for one request.
    deadline: Duration,
}

/// Connects to the cluster.
pub(crate) fn connect(access: Access) -> Result<Connection, ConnectError> {
    connect_within(access, LOGIN_DEADLINE)
}

fn connect_within(access: Access, login_deadline: Duration) -> Result<Connection, ConnectError> {
    let deadline = access.request_timeout.unwrap_or(DEADLINE);
    let (mut route, context, read_timeout) = find(access)?;
    route.config.connect_timeout = Some(CONNECT_TIMEOUT);
    route.config.read_timeout = Some(read_timeout);
    route.config.default_retry = false;
    let (server, via) = (route.server(), through_proxy(&route.config));
    let runtime = Runtime::new();
    let client = runtime.block_on(async { tokio::time::timeout(login_deadline, route.client()).await });
    let client = client.map_err(|_| ConnectError::Login { context: context.clone() })??;
    Ok(Connection { context, server, via, client, runtime, deadline })
}

/// The route to the cluster, the name of its context, and the time that an answer may take to begin.
fn find(access: Access) -> Result<(Route, String, Duration), ConnectError> {
    let request_timeout = access.request_timeout;
    let may_be_in_cluster = access.may_be_in_cluster;
    match access.resolve() {
        Ok((kubeconfig, context)) => {
            let route = Route::new(&kubeconfig, &context, &Proxies::from_env())?;
            Ok((route, context, request_timeout.unwrap_or(READ_TIMEOUT)))
        }
        Err(error) => match in_cluster().filter(|_| may_be_in_cluster && error.is_absent()) {
            Some(route) => {
                Ok((route?, "the Pod's service account".to_owned(), request_timeout.unwrap_or(DEADLINE)))
            }
            None => Err(error),
        },
    }
}

impl Connection {
    /// Waits for a request, up to the deadline.
    pub(super) fn run<T>(
        &self,
        namespace: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ConnectError> {
        let timed = async { tokio::time::timeout(self.deadline, request).await };
        match self.runtime.block_on(timed) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.explain(namespace, error)),
            Err(_) => Err(ConnectError::Timeout { server: self.server.clone() }),
        }
    }

    /// As [`Connection::run`], for a request whose refusal the caller may have an answer to: a status 403, 404, 409,
    /// 410 or 422 is returned as a number.
    pub(super) fn attempt_any<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<Result<T, u16>, ConnectError> {
        self.run("", async {
            match request.await {
                Ok(answer) => Ok(Ok(answer)),
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 409 | 410 | 422) => {
                    Ok(Err(status.code))
                }
                Err(error) => Err(error),
            }
        })
    }

    /// As [`Connection::attempt_any`], but a status 403 is an error: the user may not do what `doing` says.
    pub(super) fn attempt<T>(
        &self,
        doing: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<Result<T, u16>, ConnectError> {
        match self.attempt_any(request)? {
            Err(403) => {
                Err(ConnectError::NotAllowed { server: self.server.clone(), doing: doing.to_owned() })
            }
            answer => Ok(answer),
        }
    }

    /// Sends a request as it is, and returns the status and the body of the answer, which may have up to
    /// `limit` bytes.
    ///
    /// # Errors
    ///
    /// There was no answer, or it was too long. A status other than 200 is an answer.
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
        let (server, via) = (self.server.clone(), self.via.clone());
        match answer {
            (status, Ok(body)) => Ok((status, body)),
            (_, Err(BodyError::TooLarge)) => {
                Err(ConnectError::Unexpected { server, what: format!("more than {limit} bytes") })
            }
            (_, Err(BodyError::Broken(reason))) => Err(ConnectError::Unreachable { server, via, reason }),
        }
    }

    fn explain(&self, namespace: &str, error: kube::Error) -> ConnectError {
        let server = self.server.clone();
        match error {
            kube::Error::Service(error) if error.is::<RouteError>() => {
                ConnectError::Route(*error.downcast().expect("it is one, as the line above says"))
            }
            kube::Error::Api(status) => match status.code {
                401 => ConnectError::Unauthenticated { server, context: self.context.clone() },
                403 => ConnectError::Forbidden { server, namespace: namespace.to_owned() },
                404 => ConnectError::NotInstalled { server },
                code @ (429 | 502..=504) => ConnectError::Busy { server, code },
                code => ConnectError::Unexpected { server, what: format!("status {code}") },
            },
            kube::Error::SerdeError(_) => {
                ConnectError::Unexpected { server, what: "something else than it was asked for".to_owned() }
            }
            other => {
                let root = root_cause(&other);
                if is_timeout(root) {
                    return ConnectError::Timeout { server };
                }
                ConnectError::Unreachable { server, via: self.via.clone(), reason: last_words(root) }
            }
        }
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
