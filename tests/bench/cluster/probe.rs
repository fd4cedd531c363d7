//! One object whose way is timed: from sending it until a watch shows its Secret with its value.
//!
//! Invariant: the clock starts before the request is sent and stops when the event has arrived, so it holds what a user
//! waits for: the request itself, the controller, and the news of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::format::Format;
use serde_json::{Value, json};

use super::objects::{collection, sealed, value};
use super::watch::Watch;
use super::{Cluster, requests};

/// The namespace of probes that are created.
pub(crate) const NAMESPACE: &str = "bench-probe";
/// The name of the probe that is changed.
pub(crate) const NAME: &str = "probe";
/// How long a Secret may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A probe in a namespace.
pub(crate) struct Probe<'c> {
    cluster: &'c Cluster,
    format: Format,
    namespace: String,
    watch: Watch,
}

/// The version of the last value that was sent, of all probes: so that no event of an earlier one looks like an answer.
static LAST: AtomicUsize = AtomicUsize::new(0);

impl<'c> Probe<'c> {
    pub(crate) fn new(cluster: &'c Cluster, format: Format, namespace: &str) -> Self {
        let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
        // In a namespace with many others the API server picks out the probe.
        let selector = if namespace == NAMESPACE {
            String::new()
        } else {
            format!("&fieldSelector=metadata.name={NAME}")
        };
        let watch = Watch::start(&secrets, &selector);
        Self { cluster, format, namespace: namespace.to_owned(), watch }
    }

    /// Creates an object, and returns the milliseconds until its Secret is seen.
    pub(crate) fn create(&self, name: &str) -> f64 {
        let (version, object) = self.next(name);
        let request =
            requests::post(&collection(self.format, &self.namespace), object.to_string().into_bytes());
        self.time(name, version, request)
    }

    /// Changes the values of an object that is there, and returns the milliseconds until its Secret is seen with them.
    pub(crate) fn change(&self, name: &str) -> f64 {
        let (version, object) = self.next(name);
        let path = format!("{}/{name}", collection(self.format, &self.namespace));
        self.time(
            name,
            version,
            requests::merge(&path, json!({"spec": object["spec"]}).to_string().into_bytes()),
        )
    }

    /// The object with values that it never had.
    fn next(&self, name: &str) -> (usize, Value) {
        let version = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        (version, sealed(&self.cluster.recipients, self.format, &self.namespace, name, version))
    }

    #[track_caller]
    fn time(&self, name: &str, version: usize, request: http::Request<Vec<u8>>) -> f64 {
        let expected = BASE64.encode(value("password", name, version));
        let begun = Instant::now();
        requests::block_on(requests::shared().request_text(request)).expect("the probe isn't refused");
        let seen = self.watch.until(PATIENCE, |seen| {
            seen.object.metadata.name == name && seen.object.data.get("password") == Some(&expected)
        });
        (seen.at - begun).as_secs_f64() * 1000.0
    }
}
