//! Counters for Prometheus.
//!
//! Not the page that serves them. Invariant: labels are fixed words ([`Failure::reason`]), so the number of
//! series is bounded and none is derived from a name or a value.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::failure::Failure;
use crate::queue::Counts;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    /// `ok`, `permanent` or `transient`.
    result: &'static str,
    /// The failure's reason; empty when there is none.
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    /// `loaded`, `inactive` or `unusable`.
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CompatLabels {
    path: &'static str,
    /// `ok`, `refused`, `malformed`, `limited` or `unavailable`.
    answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    /// The plural of the kind.
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    /// `waiting`, `under-way` or `resting`.
    state: &'static str,
}

/// The numbers of Secrets that should hold a Bitnami sealing key, by the state of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BitnamiKeyCounts {
    pub(crate) loaded: usize,
    pub(crate) inactive: usize,
    pub(crate) unusable: usize,
}

/// The controller's counters and gauges, and the registry that prints them.
#[derive(Clone)]
pub(crate) struct Metrics {
    reconciles: Family<ReconcileLabels, Counter>,
    unseals: Counter,
    writes: Counter,
    heals: Counter,
    bitnami_keys: Family<KeyLabels, Gauge>,
    key_renewal: Gauge,
    compat_requests: Family<CompatLabels, Counter>,
    leader: Gauge,
    requests_limit: Gauge,
    requests_refused: Counter,
    events_left_out: Counter,
    api_contact: Gauge,
    watch_lists: Family<WatchLabels, Counter>,
    watch_breaks: Family<WatchLabels, Counter>,
    tasks: Gauge,
    queue_objects: Family<QueueLabels, Gauge>,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("seal_controller");
        let (reconciles, unseals, writes, heals) =
            (Family::default(), Counter::default(), Counter::default(), Counter::default());
        registry.register(
            "reconciles",
            "Objects looked at, by result and reason",
            Family::clone(&reconciles),
        );
        registry.register("unseals", "Objects opened with a private key", unseals.clone());
        registry.register("secret_writes", "Secrets written", writes.clone());
        registry.register(
            "heals",
            "Secrets that had been changed or deleted and were put back",
            heals.clone(),
        );
        let bitnami_keys = Family::default();
        registry.register(
            "bitnami_keys",
            "Secrets with a sealing key of sealed-secrets, by what became of them",
            Family::clone(&bitnami_keys),
        );
        let key_renewal = Gauge::default();
        registry.register(
            "key_renewal_timestamp_seconds",
            "When a newer sealing key takes the place of the primary, as Unix time; 0 if never by age",
            key_renewal.clone(),
        );
        let compat_requests = Family::default();
        registry.register(
            "compat_requests",
            "Requests that would open something over HTTP, by path and answer",
            Family::clone(&compat_requests),
        );
        let leader = Gauge::default();
        registry.register("leader", "Whether this replica leads: 1 or 0", leader.clone());
        let requests_limit = Gauge::default();
        registry.register(
            "requests_limit",
            "How many requests of reconciles may be in flight at present",
            requests_limit.clone(),
        );
        let requests_refused = Counter::default();
        registry.register(
            "requests_refused",
            "Requests of reconciles that the API server was too busy for",
            requests_refused.clone(),
        );
        let events_left_out = Counter::default();
        registry.register(
            "events_left_out",
            "Events that weren't published because too many waited; the status says the same",
            events_left_out.clone(),
        );
        let api_contact = Gauge::default();
        registry.register(
            "api_contact_timestamp_seconds",
            "When the API server last answered a look at the Lease, as Unix time; 0 if never",
            api_contact.clone(),
        );
        let (watch_lists, watch_breaks) = (Family::default(), Family::default());
        registry.register(
            "watch_lists",
            "Lists taken for a watch, at its start and when its version was gone, by kind",
            Family::clone(&watch_lists),
        );
        registry.register(
            "watch_breaks",
            "Watches and their lists that broke and were taken up again, by kind",
            Family::clone(&watch_breaks),
        );
        let tasks = Gauge::default();
        registry.register("tasks", "Tasks of the asynchronous runtime that aren't over", tasks.clone());
        let queue_objects = Family::default();
        registry.register(
            "queue_objects",
            "Objects that wait for a look of this leader, are looked at, or rest until their next one, by state",
            Family::clone(&queue_objects),
        );
        let registry = Arc::new(registry);
        Self {
            reconciles,
            unseals,
            writes,
            heals,
            bitnami_keys,
            key_renewal,
            compat_requests,
            leader,
            requests_limit,
            requests_refused,
            events_left_out,
            api_contact,
            watch_lists,
            watch_breaks,
            tasks,
            queue_objects,
            registry,
        }
    }
}

impl Metrics {
    pub(crate) fn reconciled(&self, failure: Option<&Failure>) {
        let (result, reason) = match failure {
            None => ("ok", ""),
            Some(failure) if failure.is_permanent() => ("permanent", failure.reason.as_str()),
            Some(failure) => ("transient", failure.reason.as_str()),
        };
        self.reconciles.get_or_create(&ReconcileLabels { result, reason }).inc();
    }

    pub(crate) fn unsealed(&self) {
        self.unseals.inc();
    }

    pub(crate) fn written(&self) {
        self.writes.inc();
    }

    pub(crate) fn healed(&self) {
        self.heals.inc();
    }

    pub(crate) fn bitnami_keys(&self, counts: BitnamiKeyCounts) {
        let BitnamiKeyCounts { loaded, inactive, unusable } = counts;
        for (state, count) in [("loaded", loaded), ("inactive", inactive), ("unusable", unusable)] {
            self.bitnami_keys
                .get_or_create(&KeyLabels { state })
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn key_renewal(&self, at: Option<Timestamp>) {
        self.key_renewal.set(at.map_or(0, Timestamp::as_second));
    }

    pub(crate) fn compat_answered(&self, path: &'static str, answer: &'static str) {
        self.compat_requests.get_or_create(&CompatLabels { path, answer }).inc();
    }

    /// Counts whether this replica leads; gives what was counted before.
    pub(crate) fn leads(&self, is_leader: bool) -> bool {
        self.leader.set(is_leader.into()) != 0
    }

    pub(crate) fn limits_requests(&self, most: usize) {
        self.requests_limit.set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    pub(crate) fn refused_request(&self) {
        self.requests_refused.inc();
    }

    pub(crate) fn left_out_event(&self) {
        self.events_left_out.inc();
    }

    pub(crate) fn contact_made(&self, at: Timestamp) {
        self.api_contact.set(at.as_second());
    }

    pub(crate) fn list_begun(&self, kind: &'static str) {
        self.watch_lists.get_or_create(&WatchLabels { kind }).inc();
    }

    pub(crate) fn watch_broke(&self, kind: &'static str) {
        self.watch_breaks.get_or_create(&WatchLabels { kind }).inc();
    }

    pub(crate) fn in_queue(&self, counts: Counts) {
        let Counts { waiting, under_way, resting } = counts;
        for (state, count) in [("waiting", waiting), ("under-way", under_way), ("resting", resting)] {
            self.queue_objects
                .get_or_create(&QueueLabels { state })
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// The OpenMetrics text of all counters and gauges.
    pub(crate) fn to_text(&self) -> String {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.tasks.set(runtime.metrics().num_alive_tasks().try_into().unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string can't fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use seal_crds::Reason;

    use super::*;

    #[test]
    fn series_are_named_by_noun_and_unit() {
        let metrics = Metrics::default();
        metrics.reconciled(Some(&Failure::new(Reason::WrongPlace, "x")));
        metrics.healed();
        metrics.in_queue(Counts { waiting: 7, under_way: 2, resting: 1 });
        metrics.key_renewal(Timestamp::from_second(1_800_000_000).ok());
        let text = metrics.to_text();
        for line in [
            "seal_controller_reconciles_total{result=\"permanent\",reason=\"WrongPlace\"} 1",
            "seal_controller_heals_total 1",
            "seal_controller_queue_objects{state=\"waiting\"} 7",
            "seal_controller_queue_objects{state=\"under-way\"} 2",
            "seal_controller_queue_objects{state=\"resting\"} 1",
            "seal_controller_key_renewal_timestamp_seconds 1800000000",
            "seal_controller_secret_writes_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
