//! Whether this replica leads, and until when.
//!
//! The Lease decides that ([`crate::cluster::lease`]); this file has the answer, which the work of the leader runs
//! under. A Lease only saves work: two replicas that both believe to lead would still write nothing wrong,
//! because each write has its own precondition.
//!
//! Invariant: leading ends by the clock, and nobody has to say so. Work under [`Leadership::while_leading`] begins
//! nothing after the end of the term, even if the process was stopped, or the machine slept, in the middle.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::Stream;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// A moment on the clock of this machine. It says nothing about the clock of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

/// The clock that counts the term.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Moment + Send + Sync>);

/// The part of this replica in the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The Lease hasn't been read yet.
    Unknown,
    /// Another replica leads, or none does.
    Follows,
    /// This replica leads until then.
    Leads(Moment),
}

/// Tells whether this replica leads.
#[derive(Clone)]
pub(crate) struct Leadership {
    part: watch::Receiver<Part>,
    clock: Clock,
}

impl Moment {
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0 + time)
    }

    /// The time from `earlier` to this moment; nothing if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Clock {
    /// The time since the machine started. It also counts the time in which the machine sleeps: the Lease runs out
    /// meanwhile.
    pub(crate) fn since_boot() -> Self {
        Self(Arc::new(|| {
            let time = clock_gettime(ClockId::Boottime);
            let seconds = time.tv_sec.try_into().expect("the time since the start isn't negative");
            Moment(Duration::new(seconds, time.tv_nsec.try_into().expect("nanoseconds are below 10^9")))
        }))
    }

    pub(crate) fn now(&self) -> Moment {
        (self.0)()
    }
}

impl Leadership {
    pub(crate) fn new(part: watch::Receiver<Part>, clock: Clock) -> Self {
        Self { part, clock }
    }

    /// Waits until the Lease has been read, and so somebody leads or may lead.
    pub(crate) async fn is_known(&self) {
        self.wait_for(|part| part != Part::Unknown).await;
    }

    /// Waits until this replica leads.
    pub(crate) async fn is_gained(&self) {
        self.wait_for(|part| self.left(part).is_some()).await;
    }

    /// The moments at which this replica becomes the leader, from now on.
    pub(crate) fn gains(self) -> impl Stream<Item = ()> + Send + 'static {
        futures::stream::unfold((self, false), |(this, leads)| async move {
            if leads {
                this.is_lost().await;
            }
            this.is_gained().await;
            Some(((), (this, true)))
        })
    }

    /// Does this work while the replica leads. Gives `None` if it doesn't lead, or no longer: then the work is
    /// dropped where it is, as if the process had ended there.
    pub(crate) async fn while_leading<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut lost) = (pin!(work), pin!(self.is_lost()));
        poll_fn(|cx| {
            // A timer may be late after the process was stopped, so the clock is asked before every step.
            if self.left(*self.part.borrow()).is_none() || lost.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Waits for the end of the term, which each renewal of the Lease puts off.
    async fn is_lost(&self) {
        let mut part = self.part.clone();
        loop {
            let now = *part.borrow_and_update();
            let Some(left) = self.left(now) else { return };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                changed = part.changed() => if changed.is_err() { tokio::time::sleep(left).await }
            }
        }
    }

    /// The time that is left of the term.
    fn left(&self, part: Part) -> Option<Duration> {
        let Part::Leads(until) = part else { return None };
        Some(until.since(self.clock.now())).filter(|left| !left.is_zero())
    }

    async fn wait_for(&self, is_right: impl Fn(Part) -> bool) {
        let mut part = self.part.clone();
        if part.wait_for(|part| is_right(*part)).await.is_err() {
            // Whoever takes part in the election is gone, and the program ends.
            std::future::pending().await
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A clock that a test sets.
    #[derive(Clone, Default)]
    pub(crate) struct TestClock(Arc<Mutex<Moment>>);

    impl TestClock {
        pub(crate) fn advance(&self, time: Duration) {
            let mut now = self.0.lock().unwrap();
            *now = now.plus(time);
        }

        pub(crate) fn clock(&self) -> Clock {
            let now = self.0.clone();
            Clock(Arc::new(move || *now.lock().unwrap()))
        }
    }

    /// The clock by which a runtime with paused time sleeps, from now on.
    pub(crate) fn runtime_clock() -> Clock {
        let start = tokio::time::Instant::now();
        Clock(Arc::new(move || Moment(start.elapsed())))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn work_begins_nothing_after_the_end_of_the_term_though_no_timer_has_told_it() {
        let time = TestClock::default();
        let (lead, part) = watch::channel(Part::Leads(Moment::default().plus(10 * SECOND)));
        let leadership = Leadership::new(part, time.clock());
        let done = Mutex::new(Vec::new());
        let work = async {
            for step in 1..=3 {
                done.lock().unwrap().push(step);
                // The process is stopped here, for six seconds; in a real one a request is under way.
                time.advance(6 * SECOND);
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(leadership.while_leading(work).await, None);
        assert_eq!(*done.lock().unwrap(), [1, 2]);
        assert_eq!(leadership.while_leading(async { unreachable!("it doesn't lead") }).await, None::<()>);

        lead.send_replace(Part::Leads(time.clock().now().plus(SECOND)));
        assert_eq!(leadership.while_leading(async { "done" }).await, Some("done"));
        lead.send_replace(Part::Follows);
        assert_eq!(leadership.while_leading(async { "done" }).await, None);
    }

    #[tokio::test]
    async fn a_renewal_puts_off_the_end_of_the_term_and_a_loss_ends_it_at_once() {
        let time = TestClock::default();
        let (lead, part) = watch::channel(Part::Unknown);
        let leadership = Leadership::new(part, time.clock());
        let term = |seconds| Part::Leads(time.clock().now().plus(seconds * SECOND));
        lead.send_replace(term(10));
        leadership.is_known().await;
        leadership.is_gained().await;
        let work = async {
            time.advance(9 * SECOND);
            lead.send_replace(term(10));
            tokio::task::yield_now().await;
            time.advance(9 * SECOND);
            tokio::task::yield_now().await;
            lead.send_replace(Part::Follows);
            std::future::pending::<()>().await;
        };
        assert_eq!(leadership.while_leading(work).await, None);
    }
}
