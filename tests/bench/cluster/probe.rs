//! Objects whose way is timed: from sending one until a watch shows its Secret with its value.
//!
//! Invariant: the clock starts before the request is sent and stops when the event has arrived, so it holds what a user
//! waits for: the request itself, the controller, and the news of it.

use std::cell::Cell;
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
/// The name of every probe among other objects begins like this, and no other object's does.
pub(crate) const NAME: &str = "probe";
/// How many probes are changed in turn, so that what follows the change before is over.
pub(crate) const SEVERAL: usize = 8;
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

/// Probes among other objects, of which each is changed in its turn.
pub(crate) struct Probes<'c> {
    probes: [Probe<'c>; SEVERAL],
    next: Cell<usize>,
}

impl<'c> Probes<'c> {
    /// Probes in a namespace that has other objects.
    pub(crate) fn among(cluster: &'c Cluster, format: Format, namespace: &str) -> Self {
        // The API server picks out the probe.
        let probe = |index| {
            let only = format!("&fieldSelector=metadata.name={}", Self::name(index));
            Probe::watching(cluster, format, namespace, &only)
        };
        Self { probes: std::array::from_fn(probe), next: Cell::new(0) }
    }

    fn name(index: usize) -> String {
        format!("{NAME}-{index}")
    }

    /// Creates all of them.
    pub(crate) fn create(&self) {
        for (index, probe) in self.probes.iter().enumerate() {
            probe.create(&Self::name(index));
        }
    }

    /// Changes the next one, and returns the milliseconds until its Secret is seen with the new values.
    pub(crate) fn change(&self) -> f64 {
        let index = self.next.replace((self.next.get() + 1) % SEVERAL);
        self.probes[index].change(&Self::name(index))
    }
}

impl<'c> Probe<'c> {
    /// Probes in [`NAMESPACE`], which has nothing else.
    pub(crate) fn alone(cluster: &'c Cluster, format: Format) -> Self {
        Self::watching(cluster, format, NAMESPACE, "")
    }

    fn watching(cluster: &'c Cluster, format: Format, namespace: &str, selector: &str) -> Self {
        let watch = Watch::start(&format!("/api/v1/namespaces/{namespace}/secrets"), selector);
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
