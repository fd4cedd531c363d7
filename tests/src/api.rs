//! The Kubernetes API as a test speaks it: blocking, in plain JSON, by path.
//!
//! For requests that tests make hundreds of times. A `kubectl` costs a tenth of a second of processor time, and
//! is for tests that are about kubectl. Not a typed client: a test should see the fields that travel. Invariant:
//! nothing is retried or cached, so an answer is the API server's to this one request.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A client with the credentials of one user.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

/// The API server's refusal of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub code: u16,
    /// The API server's message.
    pub message: String,
}

impl Api {
    /// A client for the user that the kubeconfig names.
    ///
    /// # Panics
    /// When the kubeconfig can't be used.
    #[must_use]
    pub fn new(kubeconfig: &Path) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig is ours");
        let connect = async {
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            Client::try_from(config.expect("the kubeconfig names one context"))
        };
        Self { client: runtime().block_on(connect).expect("the kubeconfig makes a client") }
    }

    /// The object or list at `path`; none if it doesn't exist.
    ///
    /// # Panics
    /// When the API server answers with another error than "not found".
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.send(Method::GET, path, "application/json", Vec::new()) {
            Ok(object) => Some(object),
            Err(Refused { code: 404, .. }) => None,
            Err(refused) => panic!("GET {path}: {refused}"),
        }
    }

    /// Creates an object in the collection at `path`.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value, Refused> {
        self.send(Method::POST, path, "application/json", to_bytes(object))
    }

    /// Server-side apply of the object at `path`. `force` takes fields from other managers.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn apply(&self, path: &str, manager: &str, force: bool, object: &Value) -> Result<Value, Refused> {
        let path = format!("{path}?fieldManager={manager}&force={force}");
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", to_bytes(object))
    }

    /// Sends a merge patch, in which `null` removes a field.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn merge(&self, path: &str, patch: &Value) -> Result<Value, Refused> {
        self.send(Method::PATCH, path, "application/merge-patch+json", to_bytes(patch))
    }

    /// Sends a JSON Patch (RFC 6902).
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn json_patch(&self, path: &str, operations: &Value) -> Result<Value, Refused> {
        self.send(Method::PATCH, path, "application/json-patch+json", to_bytes(operations))
    }

    /// Replaces the object at `path`, as `kubectl replace` and `kubectl edit` do.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn replace(&self, path: &str, object: &Value) -> Result<Value, Refused> {
        self.send(Method::PUT, path, "application/json", to_bytes(object))
    }

    /// Deletes the object at `path`.
    ///
    /// # Errors
    /// When the API server refuses it, or it isn't there.
    pub fn delete(&self, path: &str) -> Result<(), Refused> {
        self.send(Method::DELETE, path, "application/json", Vec::new()).map(drop)
    }

    fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Result<Value, Refused> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(body)
            .expect("a test's path is a path");
        match runtime().block_on(self.client.request(request)) {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(Refused { code: status.code, message: status.message }),
            Err(error) => Err(Refused { code: 0, message: error.to_string() }),
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for Refused {}

fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// One thread that does the I/O of all tests; the tests' own threads wait for it.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the operating system lets a test have a thread")
    })
}
