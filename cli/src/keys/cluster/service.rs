//! A controller that speaks the HTTP of sealed-secrets, asked through the API server's proxy to its Service.
//! It is the controller of sealed-secrets, or ours with `--compat-http`.
//!
//! The callers choose the requests and read the answers. Invariant: no text of a server is repeated, since it
//! may quote a credential; a status is shown as its number.

use http::{Method, Request, StatusCode, header};
use k8s_openapi::api::core::v1;
use kube::client::Body;
use seal_kubeconfig::{ReadError, RouteError};

use super::access::Access;
use super::connect::{Connection, connect};
use super::error::ConnectError;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The most bytes of an answer; a Service, a certificate or a SealedSecret is far smaller.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// A Service by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Default for Service {
    /// The Service of sealed-secrets' own manifests.
    fn default() -> Self {
        Self { namespace: "kube-system".to_owned(), name: "sealed-secrets-controller".to_owned() }
    }
}

/// Reasons why a Service can't be used. The messages contain the last facts of kubeseal's messages, because
/// scripts look for them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{0:?} can't be the name of a Service or a namespace")]
    NotName(String),
    #[error("cannot get sealed secret service: services {:?} not found in namespace {}", .0.name, .0.namespace)]
    NotFound(Service),
    #[error("cannot get sealed secret service: services {:?} is forbidden in namespace {} (403)", .0.name, .0.namespace)]
    Forbidden(Service),
    #[error("cannot get sealed secret service: status {0}")]
    Unexpected(u16),
    #[error("cannot get sealed secret service: the answer isn't a Service")]
    NotService,
    #[error("the Service {} has no ports", .0.name)]
    NoPorts(Service),
}

impl Explain for ServiceError {
    fn rule(&self) -> Rule {
        Rule::NoCluster
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Connect(error) => error.exit(),
            Self::NotName(_) => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Connect(ConnectError::Unreachable { .. } | ConnectError::Timeout { .. }) => {
                "is this the right --context, and is a VPN needed?".to_owned()
            }
            Self::Connect(ConnectError::Route(RouteError::Read(
                ReadError::None | ReadError::Missing(_) | ReadError::Unreadable(..),
            ))) => {
                "give a kubeconfig with --kubeconfig, or, to seal, a certificate with --cert".to_owned()
            }
            Self::Connect(error) => return error.hint(),
            Self::NotFound(_) => {
                "give the controller's Service with --controller-name and --controller-namespace".to_owned()
            }
            Self::Forbidden(_) => {
                "reading the certificate needs the verb get on services and on services/proxy; or take it from a \
                 file with --cert"
                    .to_owned()
            }
            Self::NotName(_) | Self::Unexpected(_) | Self::NotService | Self::NoPorts(_) => return None,
        })
    }
}

/// Whether a name is one segment of a path. Any other text could lead a request to another path.
fn is_path_segment(name: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(inside)
}

/// A controller that was found.
pub(crate) struct Controller {
    connection: Connection,
    /// The path of the proxy; the controller's own paths are appended to it.
    proxy: String,
}

impl Controller {
    /// Connects to the cluster and finds the port of the Service. As in kubeseal, it is the first one, by its
    /// name.
    ///
    /// # Errors
    ///
    /// Any [`ServiceError`].
    pub(crate) fn find(access: Access, service: &Service) -> Result<Self, ServiceError> {
        for name in [&service.namespace, &service.name] {
            if !is_path_segment(name) {
                return Err(ServiceError::NotName(name.clone()));
            }
        }
        let connection = connect(access)?;
        let path = format!("/api/v1/namespaces/{}/services/{}", service.namespace, service.name);
        let request = Request::get(&path).header(header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).expect("names of plain letters make a path");
        let (status, body) = connection.send(request, MAX_ANSWER)?;
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(ServiceError::NotFound(service.clone())),
            StatusCode::FORBIDDEN => return Err(ServiceError::Forbidden(service.clone())),
            StatusCode::UNAUTHORIZED => {
                let (server, context) = (connection.server, connection.context);
                return Err(ConnectError::Unauthenticated { server, context }.into());
            }
            status => return Err(ServiceError::Unexpected(status.as_u16())),
        }
        let found: v1::Service = serde_json::from_slice(&body).map_err(|_| ServiceError::NotService)?;
        let ports = found.spec.and_then(|spec| spec.ports).unwrap_or_default();
        let port = ports.first().ok_or_else(|| ServiceError::NoPorts(service.clone()))?;
        // Threat: a server could name a port so that it leads the user's request to any path. A single port
        // needs no name.
        let port = port.name.as_deref().unwrap_or_default();
        if !port.is_empty() && !is_path_segment(port) {
            return Err(ServiceError::NotService);
        }
        let Service { namespace, name } = service;
        let proxy = format!("/api/v1/namespaces/{namespace}/services/http:{name}:{port}/proxy");
        Ok(Self { connection, proxy })
    }

    /// Asks the controller, and returns the status and the body of its answer. A GET sends no body.
    ///
    /// # Errors
    ///
    /// There was no answer, or it was too long.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Vec<u8>), ConnectError> {
        let mut request = Request::builder().method(&method).uri(format!("{}{path}", self.proxy));
        request = match method {
            Method::GET => request.header(header::ACCEPT, "application/x-pem-file, */*"),
            _ => request.header(header::ACCEPT, "application/json, */*"),
        };
        let request = request.body(Body::from(body)).expect("names of plain letters make a path");
        self.connection.send(request, MAX_ANSWER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_but_to_itself() {
        for name in ["http", "8080", "sealed-secrets.v1"] {
            assert!(is_path_segment(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "x/../../..", "a?b", "a#b", "a%2fb", "a:b", "\u{e4}"] {
            assert!(!is_path_segment(name), "{name}");
        }
    }
}
