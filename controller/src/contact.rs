//! Contact with the API server: when there was some last, who waits for more, and which connections to doubt.
//!
//! The Lease is looked at every second or two ([`crate::cluster::lease`]), so the result of each look is the heartbeat.
//! A readiness that tells the truth, watches and reconciles all ask here; nobody measures an outage of its own.
//! Invariant: contact ages by the clock, and nobody has to say so; a process that was stopped finds it old.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use seal_crds::Reason;
use seal_kubeconfig::Renewal;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::leadership::{Clock, Moment};
use crate::metrics::Metrics;

/// The time without contact after which a replica isn't ready, because its caches may be stale.
const STALE: Duration = Duration::from_secs(10);

/// The time without contact after which older connections are doubtful. The other end may be another one now, and of a
/// connection that nobody closed, a client that only reads would never hear that. For a shorter time TCP repeats what
/// was lost.
const DOUBTFUL: Duration = Duration::from_secs(8);

/// Contact with the API server; clones share it.
#[derive(Clone)]
pub(crate) struct Contact {
    heard: watch::Sender<Heard>,
    clock: Clock,
    metrics: Metrics,
    renewal: Renewal,
    /// The watches that keep caches up to date and are refused: the code, and since when.
    refused: Arc<Mutex<BTreeMap<&'static str, (u16, Moment)>>>,
}

struct Heard {
    /// The last contact; at first the start of the process.
    at: Moment,
    /// The failure of the last attempt; `None` if it succeeded.
    failure: Option<Failure>,
    /// The number of outages after which older connections were doubtful.
    doubts: u64,
}

/// Tells when connections become doubtful.
pub(crate) struct Doubts {
    heard: watch::Receiver<Heard>,
    seen: u64,
}

impl Contact {
    pub(crate) fn new(clock: Clock, metrics: Metrics) -> Self {
        let heard = Heard { at: clock.now(), failure: None, doubts: 0 };
        Self {
            heard: watch::Sender::new(heard),
            clock,
            metrics,
            renewal: Renewal::default(),
            refused: Arc::default(),
        }
    }

    /// What makes clients leave doubtful connections.
    pub(crate) fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The API server did what was asked.
    pub(crate) fn made(&self) {
        self.metrics.contact_made(Timestamp::now());
        let now = self.clock.now();
        self.heard.send_if_modified(|heard| {
            let away = now.since(heard.at);
            let is_doubtful = away >= DOUBTFUL;
            let had_failed = heard.failure.is_some();
            if is_doubtful {
                self.renewal.renew();
                tracing::info!(seconds = away.as_secs(), "the API server answers again");
            }
            *heard = Heard { at: now, failure: None, doubts: heard.doubts + u64::from(is_doubtful) };
            is_doubtful || had_failed
        });
    }

    /// The API server refused, or couldn't be asked.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.heard.send_modify(|heard| heard.failure = Some(failure.clone()));
    }

    /// Waits while the API server can't be reached.
    pub(crate) async fn is_there(&self) {
        let is_away = |failure: &Failure| failure.reason == Reason::ApiUnavailable;
        let mut heard = self.heard.subscribe();
        // An error would mean that the sender is gone, which is `self`.
        drop(heard.wait_for(|heard| !heard.failure.as_ref().is_some_and(is_away)).await);
    }

    /// The doubts from now on.
    pub(crate) fn doubts(&self) -> Doubts {
        let heard = self.heard.subscribe();
        let seen = heard.borrow().doubts;
        Doubts { heard, seen }
    }

    /// The API server refuses the watch of a cache.
    pub(crate) fn watch_refused(&self, kind: &'static str, code: u16) {
        let now = self.clock.now();
        self.refused().entry(kind).or_insert((code, now)).0 = code;
    }

    /// The watch of a cache is kept.
    pub(crate) fn watch_kept(&self, kind: &'static str) {
        self.refused().remove(kind);
    }

    /// Every reason why what this replica knows may be stale.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let now = self.clock.now();
        let heard = self.heard.borrow();
        let why = heard.failure.as_ref().map_or_else(String::new, |failure| format!(": {failure}"));
        let contact = ("no contact with the API server".to_owned(), heard.at, why);
        let refused = self.refused().clone().into_iter().map(|(kind, (code, since))| {
            (format!("no watch of {kind}"), since, format!(": the API server answers {code}"))
        });
        let ages =
            std::iter::once(contact).chain(refused).map(|(what, since, why)| (what, now.since(since), why));
        ages.filter(|(_, age, _)| *age > STALE)
            .map(|(what, age, why)| format!("{what} for {} s{why}", age.as_secs()))
            .collect()
    }

    fn refused(&self) -> MutexGuard<'_, BTreeMap<&'static str, (u16, Moment)>> {
        // What is noted is still right after a panic elsewhere.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doubts {
    /// Waits until there is contact again after so long that connections from before are doubtful.
    pub(crate) async fn next(&mut self) {
        let Self { heard, seen } = self;
        let doubts = heard.wait_for(|heard| heard.doubts > *seen).await.map(|heard| heard.doubts);
        match doubts {
            Ok(doubts) => *seen = doubts,
            // The program ends.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::leadership::tests::TestClock;

    const SECOND: Duration = Duration::from_secs(1);

    fn away() -> Failure {
        Failure::new(Reason::ApiUnavailable, "the API server can't be reached")
    }

    #[test]
    fn contact_ages_by_the_clock_and_the_last_failure_says_why() {
        let time = TestClock::default();
        let contact = Contact::new(time.clock(), Metrics::default());
        contact.made();
        time.advance(10 * SECOND);
        assert_eq!(contact.troubles(), [""; 0]);
        time.advance(SECOND);
        assert_eq!(contact.troubles(), ["no contact with the API server for 11 s"]);
        contact.failed(&away());
        let said = "no contact with the API server for 11 s: the API server can't be reached";
        assert_eq!(contact.troubles(), [said]);
        contact.made();
        assert_eq!(contact.troubles(), [""; 0]);
    }

    #[test]
    fn a_cache_whose_watch_is_refused_is_stale_after_a_while_though_the_api_server_answers() {
        let time = TestClock::default();
        let contact = Contact::new(time.clock(), Metrics::default());
        contact.watch_refused("secrets", 500);
        time.advance(6 * SECOND);
        contact.watch_refused("secrets", 403);
        time.advance(6 * SECOND);
        contact.made();
        assert_eq!(contact.troubles(), ["no watch of secrets for 12 s: the API server answers 403"]);
        contact.watch_kept("secrets");
        assert_eq!(contact.troubles(), [""; 0]);
    }

    #[test]
    fn work_waits_while_the_api_server_is_away_and_not_because_it_refuses() {
        let contact = Contact::new(TestClock::default().clock(), Metrics::default());
        assert!(contact.is_there().now_or_never().is_some());
        contact.failed(&Failure::new(Reason::ApiBusy, "busy"));
        assert!(contact.is_there().now_or_never().is_some());
        contact.failed(&away());
        assert!(contact.is_there().now_or_never().is_none());
        contact.made();
        assert!(contact.is_there().now_or_never().is_some());
    }

    #[test]
    fn connections_are_doubted_once_after_a_long_outage_and_never_after_a_short_one() {
        let time = TestClock::default();
        let contact = Contact::new(time.clock(), Metrics::default());
        let mut doubts = contact.doubts();
        for (seconds, is_doubtful) in [(7, false), (8, true), (1, false), (3600, true)] {
            time.advance(seconds * SECOND);
            contact.failed(&away());
            assert!(doubts.next().now_or_never().is_none(), "{seconds}: not before there is contact");
            contact.made();
            assert_eq!(doubts.next().now_or_never().is_some(), is_doubtful, "{seconds}");
            assert!(doubts.next().now_or_never().is_none(), "{seconds}: once");
        }
        // The process was stopped, so nobody saw a failure.
        time.advance(30 * SECOND);
        contact.made();
        assert!(doubts.next().now_or_never().is_some());
    }
}
