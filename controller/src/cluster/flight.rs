//! A client whose requests in flight are bounded, by as many as make the whole shorter ([`limit`]).
//!
//! Reconciles use it. The Lease, the keys and watches have clients of their own, so nothing of them waits here. What is done
//! for an object that has changed is urgent ([`urgently`]): a few places are for that alone, so it waits neither for a
//! place behind thousands of others nor for their requests.
//!
//! One threat is a namespace whose admission webhook hangs: each of its requests waits for as long as the webhook may take,
//! and the server has nothing to do meanwhile. So a request that is late gives its place back, and as long as one of a
//! namespace is late, the others of that namespace take none. [`crate::queue`] bounds how many those are.
//!
//! Invariants: no more requests are in flight than the limit says and [`URGENT`] more, once those that started under a
//! higher one are over, but for those that are late or beside a late one; a request that is given up gives its place back;
//! requests of one kind start in the order in which they come.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use self::limit::{Kind, LEAST, Limit, Started};
use super::api::is_of_a_webhook;
use crate::metrics::Metrics;
use crate::queue::Urgency;

mod limit;

/// How long nothing is in flight before the client counts as idle. The requests of one reconcile follow each other
/// sooner.
const IDLE: Duration = Duration::from_millis(50);

/// How many objects more than requests in flight should be in hand: those whose keys are at work, and a few whose
/// requests wait, so that no place stays free.
const MORE: usize = 4;

/// The places for urgent requests alone, and how many objects beyond the others may be in hand for such a reason.
const URGENT: usize = 2;

tokio::task_local! {
    /// Whether the requests of this task are urgent. kube's types have no place to say it.
    static IS_URGENT: bool;
}

/// Does the work, whose requests are urgent if `is_urgent`.
pub(crate) fn urgently<W: Future>(is_urgent: bool, work: W) -> impl Future<Output = W::Output> {
    IS_URGENT.scope(is_urgent, work)
}

/// A request that takes longer than this is late, and than [`LATE`] times what requests usually take; but a webhook has a
/// part in what is usual, so there is an end to that.
const PATIENCE: Duration = Duration::from_secs(2);
const LATE: u32 = 8;
const LONGEST_PATIENCE: Duration = Duration::from_secs(4);

/// The requests in flight.
pub(crate) struct Flight {
    /// For every request.
    places: Semaphore,
    /// For urgent ones.
    urgent: Semaphore,
    /// Another object may be taken in hand, because requests of others are late.
    room: Notify,
    state: Mutex<State>,
    metrics: Metrics,
}

struct State {
    limit: Limit,
    /// The places that there are, taken or free.
    places: usize,
    /// The time at which the last request was over.
    last: Instant,
    /// The requests without a place, and how many of each namespace are late.
    aside: usize,
    late: HashMap<String, usize>,
}

impl Flight {
    /// A client that sends its requests by `client`, at most `most` at a time, and what it has in flight.
    pub(crate) fn bound(client: &Client, most: usize, metrics: Metrics) -> (Client, Arc<Self>) {
        let now = Instant::now();
        let limit = Limit::new(most, now);
        let places = limit.requests(now);
        let flight = Arc::new(Self {
            places: Semaphore::new(places),
            urgent: Semaphore::new(URGENT),
            room: Notify::new(),
            state: Mutex::new(State { limit, places, last: now, aside: 0, late: HashMap::new() }),
            metrics,
        });
        let bounded = Bounded { client: client.clone(), flight: flight.clone() };
        (Client::new(bounded, client.default_namespace()), flight)
    }

    async fn send(&self, client: &Client, request: Request<Body>) -> Result<Response<Body>, kube::Error> {
        let (kind, namespace) = (Kind::of(request.method()), namespace(request.uri().path()).to_owned());
        let answer = send(client, request);
        if self.state().late.contains_key(&namespace) {
            self.pause_is_over().await;
            let (started, _aside) = (Started::at(Instant::now()), Aside::take(self, None));
            return self.note(answer.await, started, None);
        }
        let place = self.enter().await;
        let (started, mut answer) = (place.started, pin!(answer));
        if let Ok(answer) = timeout(self.patience(), &mut answer).await {
            return self.note(answer, started, Some(kind));
        }
        drop(place);
        let _late = Aside::take(self, Some(namespace));
        self.note(answer.await, started, None)
    }

    /// Notes what an answer says of the server, and of the time that a request of this kind takes, if it had a place.
    fn note(
        &self,
        answer: kube::Result<(Response<Body>, Says)>,
        started: Started,
        kind: Option<Kind>,
    ) -> kube::Result<Response<Body>> {
        let (answer, says) = answer?;
        let now = Instant::now();
        match (says, kind) {
            (Says::Busy(pause), _) => {
                self.state().limit.refused(started, pause, now);
                self.metrics.refused_request();
            }
            (Says::Other, Some(kind)) => self.state().limit.answered(started, kind, now),
            (Says::Other, None) => {}
        }
        Ok(answer)
    }

    /// The least urgency with which another object should be taken in hand beside so many, of which so many have changed;
    /// `None` if none should. More would only wait for a place, and an object that changes now would have to wait behind
    /// them. The threat: a few objects that change all the time take all the room, and no other gets its turn. So they
    /// take up the room for changed objects first.
    pub(crate) fn has_room(&self, in_hand: usize, changed: usize) -> Option<Urgency> {
        let state = self.state();
        let usual = state.limit.requests(Instant::now()) + MORE + state.aside;
        match in_hand - changed.min(URGENT) {
            others if others < usual => Some(Urgency::Again),
            _ if changed < URGENT => Some(Urgency::Changed),
            _ => None,
        }
    }

    /// Waits until more objects should be in hand, because requests of some are late.
    pub(crate) async fn more_room(&self) {
        self.room.notified().await;
    }

    /// Waits for the end of a pause that the server asked for.
    async fn pause_is_over(&self) {
        loop {
            let pause = self.state().limit.pause(Instant::now());
            let Some(pause) = pause else { return };
            tokio::time::sleep(pause).await;
        }
    }

    /// The time after which a request is late.
    fn patience(&self) -> Duration {
        let usual = self.state().limit.longest_usual().unwrap_or_default();
        (Duration::from_secs_f64(usual) * LATE).clamp(PATIENCE, LONGEST_PATIENCE)
    }

    /// Waits for a place, and for the end of a pause that the server asked for.
    async fn enter(&self) -> Place<'_> {
        let is_urgent = IS_URGENT.try_with(|it| *it).unwrap_or_default();
        loop {
            self.pause_is_over().await;
            // For the moment of a measurement more requests would show nothing, and no measurement would end.
            let is_urgent = is_urgent && !self.state().limit.is_measuring(Instant::now());
            let (place, of) = tokio::select! {
                biased;
                place = self.urgent.acquire(), if is_urgent => (place, Of::Urgent),
                place = self.places.acquire() => (place, Of::All),
            };
            let place = place.expect("the semaphores are never closed");
            let now = Instant::now();
            let mut state = self.state();
            // One may have begun meanwhile.
            if state.limit.pause(now).is_none() {
                place.forget();
                return Place { flight: self, of, started: state.limit.started(now) };
            }
        }
    }

    /// Waits until nothing has been in flight for a moment.
    pub(crate) async fn is_idle(&self) {
        loop {
            let wait = {
                let state = self.state();
                let idle = if state.limit.in_flight() == 0 { state.last.elapsed() } else { Duration::ZERO };
                IDLE.saturating_sub(idle)
            };
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves counts that are still counts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client as a service, which is what another client is made of.
struct Bounded {
    client: Client,
    flight: Arc<Flight>,
}

impl Service<Request<Body>> for Bounded {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, kube::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        // A request waits for its place once it is called, so that many can wait.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, flight) = (self.client.clone(), self.flight.clone());
        async move { flight.send(&client, request).await }.boxed()
    }
}

/// The namespace that a request is about; empty if it is about none.
fn namespace(path: &str) -> &str {
    let (_, rest) = path.split_once("/namespaces/").unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}

/// A request without a place: one that is late, of this namespace, or one beside it.
struct Aside<'f> {
    flight: &'f Flight,
    late: Option<String>,
}

impl<'f> Aside<'f> {
    fn take(flight: &'f Flight, late: Option<String>) -> Self {
        let mut state = flight.state();
        state.aside += 1;
        if let Some(namespace) = &late {
            *state.late.entry(namespace.clone()).or_default() += 1;
        }
        drop(state);
        flight.room.notify_one();
        Self { flight, late }
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        let mut state = self.flight.state();
        state.aside -= 1;
        if let Some(namespace) = &self.late
            && let Some(count) = state.late.get_mut(namespace)
        {
            *count -= 1;
            if *count == 0 {
                state.late.remove(namespace);
            }
        }
    }
}

/// Whose place it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Urgent,
    All,
}

/// The place of a request in flight, given back when this is dropped.
struct Place<'f> {
    flight: &'f Flight,
    of: Of,
    started: Started,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.flight.state();
        state.limit.over(now);
        state.last = now;
        if self.of == Of::Urgent {
            self.flight.urgent.add_permits(1);
            return;
        }
        let (places, wanted) = (state.places, state.limit.requests(now));
        state.places = if wanted >= places {
            self.flight.places.add_permits(1 + wanted - places);
            wanted
        } else {
            // This place isn't given back, and free ones that are too many go too.
            places - 1 - self.flight.places.forget_permits(places - 1 - wanted)
        };
        debug_assert!(state.places >= LEAST);
        self.flight.metrics.limits_requests(wanted);
    }
}

/// What an answer says of the server.
enum Says {
    /// It is busy, and asks for this pause.
    Busy(Option<Duration>),
    Other,
}

/// Sends a request, and finds what the answer says of the server.
///
/// The threat: an admission webhook of one namespace refuses with the code and the pause of a busy server, and holds up
/// all namespaces. So of such an answer the message is looked at, which the API server begins with words of its own.
async fn send(client: &Client, request: Request<Body>) -> kube::Result<(Response<Body>, Says)> {
    let answer = client.send(request).await?;
    if !matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return Ok((answer, Says::Other));
    }
    let pause = retry_after(&answer);
    let (parts, body) = answer.into_parts();
    let text = body.collect_bytes().await?;
    let status: Option<Status> = serde_json::from_slice(&text).ok();
    let is_a_webhooks = status.is_some_and(|status| is_of_a_webhook(&status.message));
    let says = if is_a_webhooks { Says::Other } else { Says::Busy(pause) };
    Ok((Response::from_parts(parts, Body::from(text)), says))
}

/// The pause that the server asks for, in whole seconds; none if it gives a date.
fn retry_after(answer: &Response<Body>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
