//! How long nobody leads after the end of a leader, and that one that lives leads all the time: whole campaigns in virtual
//! time, over an API server that takes a moment for each answer.
//!
//! What people rely on: another replica leads two seconds after a leader was told to end, its last reconcile done, and
//! twenty seconds after the last renewal of one that was killed; a request that is lost costs nobody the lead. Invariant:
//! each of these holds at every phase of the looks of both replicas, and all constants that have a part in it are the
//! code's own: a pause or a duration that is too long, or a term that is too short, fails here.

use std::sync::MutexGuard;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::leadership::tests::runtime_clock;

/// The time that the API server takes for an answer.
const ANSWER: Duration = Duration::from_millis(100);

/// The time until a request that is lost fails: three seconds to connect, and three for the answer.
const LOST: Duration = Duration::from_secs(6);

/// The step between two phases. It divides neither a pause nor an answer, so no moment is left out.
const STEP: Duration = Duration::from_millis(70);

/// The Lease of a cluster, behind a network.
#[derive(Clone, Default)]
struct Far {
    memory: Memory,
    state: Arc<Mutex<Network>>,
}

#[derive(Default)]
struct Network {
    /// The replica whose next request is lost.
    loses: Option<&'static str>,
    /// The last write that was done.
    written: Option<Instant>,
}

/// A replica's way to the Lease.
struct Way {
    to: Far,
    name: &'static str,
}

impl Way {
    /// A request is lost, or reaches the API server in the middle of its time.
    async fn request<T: Send>(
        &self,
        answer: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        if self.to.state().loses.take_if(|whose| *whose == self.name).is_some() {
            sleep(LOST).await;
            return Err(Failure::new(Reason::ApiUnavailable, "the request is lost"));
        }
        sleep(ANSWER / 2).await;
        let answer = answer.await;
        sleep(ANSWER / 2).await;
        answer
    }
}

impl LeaseStore for Way {
    async fn read(&self) -> Result<Option<Lease>, Failure> {
        self.request(self.to.memory.read()).await
    }

    async fn write(&self, lease: &Lease) -> Result<bool, Failure> {
        let written = async {
            let written = self.to.memory.write(lease).await?;
            if written {
                self.to.state().written = Some(Instant::now());
            }
            Ok(written)
        };
        self.request(written).await
    }
}

impl Far {
    fn state(&self) -> MutexGuard<'_, Network> {
        self.state.lock().unwrap()
    }

    /// Starts a replica.
    fn start(&self, name: &'static str) -> Running {
        let (clock, metrics) = (runtime_clock(), Metrics::default());
        let contact = Contact::new(clock.clone(), metrics.clone());
        let way = Way { to: self.clone(), name };
        let (election, leadership) = Election::new(way, name, clock, metrics, contact);
        let (over, is_over) = watch::channel(false);
        Running { leadership, over, campaign: tokio::spawn(election.campaign(is_over)) }
    }

    /// A leader, and a replica that follows it and began to look `apart` later. Both have looked for a while, and `then` has
    /// passed since.
    async fn pair(&self, apart: Duration, then: Duration) -> [Running; 2] {
        let leader = self.start("leader");
        leader.leadership.is_gained().await;
        sleep(apart).await;
        let follower = self.start("follower");
        sleep(2 * PAUSE + then).await;
        assert!(leader.leads().await && !follower.leads().await);
        [leader, follower]
    }
}

/// A replica that takes part. It is killed when this is dropped.
struct Running {
    leadership: Leadership,
    over: watch::Sender<bool>,
    campaign: JoinHandle<()>,
}

impl Running {
    async fn leads(&self) -> bool {
        self.leadership.while_leading(async {}).await.is_some()
    }

    /// Waits until it leads.
    async fn until_it_leads(&self) {
        timeout(60 * SECOND, self.leadership.is_gained()).await.expect("it leads at some time");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.campaign.abort();
    }
}

/// Every phase of the looks of two replicas: how far their looks are apart, and when something happens between two looks of
/// the leader.
fn phases() -> impl Iterator<Item = (Duration, Duration)> {
    let steps = |cycle: Duration| (0..).map(|n| n * STEP).take_while(move |at| *at < cycle);
    steps(SHORT_PAUSE + ANSWER)
        .flat_map(move |apart| steps(PAUSE + 2 * ANSWER).map(move |then| (apart, then)))
}

#[tokio::test(start_paused = true)]
async fn another_replica_leads_two_seconds_after_a_leader_was_told_to_end() {
    for (apart, then) in phases() {
        let lease = Far::default();
        let [leader, follower] = lease.pair(apart, then).await;
        let told = Instant::now();
        leader.over.send_replace(true);
        follower.until_it_leads().await;
        assert!(told.elapsed() <= 2 * SECOND, "{:?} at {apart:?}, {then:?}", told.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn another_replica_leads_twenty_seconds_after_the_last_renewal_of_one_that_was_killed() {
    for (apart, then) in phases() {
        let lease = Far::default();
        let [leader, follower] = lease.pair(apart, then).await;
        drop(leader);
        let renewed = lease.state().written.unwrap();
        follower.until_it_leads().await;
        assert!(renewed.elapsed() <= 20 * SECOND, "{:?} at {apart:?}, {then:?}", renewed.elapsed());
    }
}

/// A lead that is lost for one request would begin anew with a list of all objects.
#[tokio::test(start_paused = true)]
async fn a_leader_one_of_whose_requests_is_lost_leads_all_the_time() {
    for (apart, then) in phases() {
        let lease = Far::default();
        let [leader, follower] = lease.pair(apart, then).await;
        lease.state().loses = Some("leader");
        let (led, gained) = tokio::join!(
            leader.leadership.while_leading(sleep(30 * SECOND)),
            timeout(30 * SECOND, follower.leadership.is_gained()),
        );
        assert!(led.is_some() && gained.is_err(), "at {apart:?}, {then:?}");
        assert_eq!(lease.state().loses, None, "a request was lost");
    }
}
