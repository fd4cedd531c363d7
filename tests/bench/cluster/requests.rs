//! Many requests at once, without reading what is answered.
//!
//! Not [`seal_tests::api::Api`], which sends one after the other and parses. Invariant: a request that is refused ends
//! the run.

use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;

use futures::StreamExt as _;
use http::{Method, Request, header};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::runtime::Runtime;

/// Metadata only, as a client asks that doesn't need the rest.
pub(crate) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
pub(crate) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
pub(crate) const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// The client of all that this process asks the API server.
static CLIENT: OnceLock<Client> = OnceLock::new();

/// Says whom to ask.
pub(crate) fn connect(kubeconfig: &Path) {
    let _ = CLIENT.set(client(kubeconfig));
}

/// # Panics
/// When [`connect`] wasn't called.
pub(crate) fn shared() -> &'static Client {
    CLIENT.get().expect("the cluster is started first")
}

/// A client of its own, with connections of its own.
pub(crate) fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig is ours");
    block_on(async {
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Client::try_from(config.expect("the kubeconfig names one context")).expect("it makes a client")
    })
}

pub(crate) fn post(path: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    request(Method::POST, path, JSON, METADATA, body)
}

pub(crate) fn put(path: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    request(Method::PUT, path, JSON, METADATA, body)
}

pub(crate) fn merge(path: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    request(Method::PATCH, path, MERGE, METADATA, body)
}

/// Deletes an object or a collection.
pub(crate) fn delete(path: &str) -> Request<Vec<u8>> {
    request(Method::DELETE, path, JSON, METADATA_LIST, Vec::new())
}

pub(crate) fn get(path: &str, accept: &str) -> Request<Vec<u8>> {
    request(Method::GET, path, JSON, accept, Vec::new())
}

fn request(method: Method, path: &str, content: &str, accept: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, content)
        .header(header::ACCEPT, accept)
        .body(body)
        .expect("the paths are ours")
}

/// Sends all requests, so many at once.
///
/// # Panics
/// When one is refused.
pub(crate) fn send_all(requests: impl Iterator<Item = Request<Vec<u8>>>, in_flight: usize) {
    let send = |request: Request<Vec<u8>>| async move {
        let what = format!("{} {}", request.method(), request.uri());
        shared().request_text(request).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    };
    block_on(futures::stream::iter(requests).map(send).buffer_unordered(in_flight).for_each(|()| async {}));
}

/// Waits for I/O, which two threads do.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the operating system lets us have threads")
    })
}
