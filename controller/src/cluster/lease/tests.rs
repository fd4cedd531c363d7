//! The election over a Lease in memory, with candidates whose clocks show different times.
//!
//! The memory takes a write as the API server would: only under the version that was read. How long nobody leads, and that
//! a leader leads all the time, is in [`handover`]. Invariant: no test waits; the clocks go on when it says so.

use std::sync::{Arc, Mutex};

use super::*;
use crate::leadership::tests::TestClock;

mod handover;

const SECOND: Duration = Duration::from_secs(1);

/// The Lease of a cluster.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    lease: Option<Lease>,
    version: u64,
    is_away: bool,
    /// The acts of others, each before the next write.
    interruptions: Vec<Box<dyn FnOnce() + Send>>,
}

impl LeaseStore for Memory {
    async fn read(&self) -> Result<Option<Lease>, Failure> {
        let world = self.0.lock().unwrap();
        if world.is_away {
            Err(Failure::new(Reason::ApiUnavailable, "away"))
        } else {
            Ok(world.lease.clone())
        }
    }

    async fn write(&self, lease: &Lease) -> Result<bool, Failure> {
        let interruptions = std::mem::take(&mut self.0.lock().unwrap().interruptions);
        interruptions.into_iter().for_each(|interrupt| interrupt());
        let mut world = self.0.lock().unwrap();
        let version = world.lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        if lease.metadata.resource_version != version {
            return Ok(false);
        }
        world.version += 1;
        let mut lease = lease.clone();
        lease.metadata.resource_version = Some(world.version.to_string());
        world.lease = Some(lease);
        Ok(true)
    }
}

impl Memory {
    fn holder(&self) -> Option<String> {
        self.0.lock().unwrap().lease.as_ref()?.spec.as_ref()?.holder_identity.clone()
    }

    fn before_write(&self, interrupt: impl FnOnce() + Send + 'static) {
        self.0.lock().unwrap().interruptions.push(Box::new(interrupt));
    }
}

/// A replica with a clock of its own.
struct Replica {
    election: Election<Memory>,
    leadership: Leadership,
    time: TestClock,
}

impl Replica {
    fn new(store: &Memory, name: &str) -> Self {
        let time = TestClock::default();
        let metrics = Metrics::default();
        let contact = Contact::new(time.clock(), metrics.clone());
        let (election, leadership) = Election::new(store.clone(), name, time.clock(), metrics, contact);
        Self { election, leadership, time }
    }

    async fn round(&mut self) {
        let part = self.election.round().await;
        self.election.stand(part);
    }

    async fn leads(&self) -> bool {
        self.leadership.while_leading(async {}).await.is_some()
    }
}

#[tokio::test]
async fn two_candidates_an_hour_apart_on_an_expired_lease_never_lead_together() {
    for ahead in [0, 1] {
        let store = Memory::default();
        // The Lease of a replica that has ended without giving it up.
        Replica::new(&store, "gone").round().await;
        let mut pair = [Replica::new(&store, "one"), Replica::new(&store, "other")];
        pair[ahead].time.advance(3600 * SECOND);
        let (mut led, mut stopped) = ([0, 0], None);
        for second in 0..120 {
            let leads = [pair[0].leads().await, pair[1].leads().await];
            assert_ne!(leads, [true, true], "in second {second}");
            assert!(second >= 15 || leads == [false, false], "in second {second} the Lease hasn't run out");
            (0..2).for_each(|i| led[i] += usize::from(leads[i]));
            // From then on the leader is stopped, and forty seconds later it goes on.
            match second {
                40 => stopped = leads.iter().position(|leads| *leads),
                80 => stopped = None,
                _ => {}
            }
            for (i, replica) in pair.iter_mut().enumerate() {
                if second % 2 == 0 && stopped != Some(i) {
                    replica.round().await;
                }
                replica.time.advance(SECOND);
            }
        }
        assert!(led.iter().all(|led| *led > 20), "each of them led: {led:?}");
    }
}

#[tokio::test]
async fn a_leader_that_was_stopped_in_the_middle_of_a_renewal_does_not_lead_after_it() {
    let store = Memory::default();
    let (mut one, mut other) = (Replica::new(&store, "one"), Replica::new(&store, "other"));
    one.round().await;
    other.round().await;
    assert!(one.leads().await && !other.leads().await);
    // Its clock also counts the time in which it is stopped. Meanwhile nobody takes the Lease, and it renews it: but
    // the term began with the request.
    let time = one.time.clone();
    store.before_write(move || time.advance(12 * SECOND));
    one.round().await;
    assert!(!one.leads().await);
    one.round().await;
    assert!(one.leads().await, "the next request counts");

    // Now the other one takes it, before the renewal arrives.
    let theirs = store.clone();
    store.before_write(move || {
        let mut world = theirs.0.lock().unwrap();
        let lease = world.lease.as_mut().unwrap();
        lease.metadata.resource_version = Some("theirs".into());
        lease.spec.as_mut().unwrap().holder_identity = Some("other".into());
    });
    one.round().await;
    assert!(one.leads().await, "what is left of its term");
    one.round().await;
    assert!(!one.leads().await);
    assert_eq!(store.holder().as_deref(), Some("other"), "it isn't written over");
}

#[tokio::test]
async fn a_leader_that_reaches_nobody_leads_to_the_end_of_its_term_and_no_longer() {
    let store = Memory::default();
    let (mut one, mut other) = (Replica::new(&store, "one"), Replica::new(&store, "other"));
    one.round().await;
    store.0.lock().unwrap().is_away = true;
    for second in 0..20 {
        one.round().await;
        assert_eq!(one.leads().await, second < 10, "{second}");
        one.time.advance(SECOND);
    }
    store.0.lock().unwrap().is_away = false;
    one.round().await;
    assert!(one.leads().await, "nobody else took it");
    other.round().await;
    assert!(!other.leads().await);
}

#[tokio::test]
async fn a_lease_that_is_given_up_is_taken_at_the_next_look_and_one_that_is_changed_again_and_again_never() {
    let store = Memory::default();
    let (mut one, mut other) = (Replica::new(&store, "one"), Replica::new(&store, "other"));
    one.round().await;
    let transitions = || store.0.lock().unwrap().lease.clone().unwrap().spec.unwrap().lease_transitions;
    assert_eq!(transitions(), Some(1));
    for _ in 0..60 {
        other.time.advance(14 * SECOND);
        one.round().await;
        other.round().await;
        assert!(!other.leads().await);
    }
    one.election.resign().await;
    assert!(!one.leads().await);
    assert_eq!(store.holder(), None);
    other.round().await;
    assert!(other.leads().await);
    assert_eq!(transitions(), Some(2));
    // Only its own Lease is given up.
    one.election.resign().await;
    assert!(store.holder().is_some_and(|holder| holder.starts_with("other_")));
}

#[tokio::test]
async fn a_process_that_starts_again_under_its_pods_name_is_another_candidate() {
    let store = Memory::default();
    let (mut old, mut new) = (Replica::new(&store, "pod"), Replica::new(&store, "pod"));
    old.round().await;
    new.round().await;
    assert!(old.leads().await && !new.leads().await);
    new.time.advance(15 * SECOND);
    new.round().await;
    assert!(new.leads().await);
}

#[test]
fn a_duration_that_somebody_wrote_is_bounded() {
    let run_out = |written: Option<i32>, after: Duration| {
        let mut candidate = Candidate { name: "one".into(), seen: None };
        let spec = LeaseSpec {
            holder_identity: Some("other".into()),
            lease_duration_seconds: written,
            ..LeaseSpec::default()
        };
        let time = TestClock::default();
        candidate.has_run_out(&spec, time.clock().now());
        time.advance(after);
        candidate.has_run_out(&spec, time.clock().now())
    };
    for written in [None, Some(-1), Some(0), Some(1), Some(15)] {
        assert!(!run_out(written, 14 * SECOND) && run_out(written, DURATION), "{written:?}");
    }
    assert!(!run_out(Some(60), 59 * SECOND) && run_out(Some(60), 60 * SECOND));
    assert!(run_out(Some(i32::MAX), MAX_DURATION));
}
