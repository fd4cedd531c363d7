//! Tells people of SealedSecrets by Events.
//!
//! A warning is told at once, and so is a healing. All else is in the status too, so it waits until the client of
//! the reconciles is idle: an object that is new costs no third request while others wait for their Secrets.
//! Invariants: what waits is bounded, and what is left out for that is counted; what waits about an object is told
//! before a warning about it, so nobody is told of an earlier state after a later one.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use tokio::sync::Notify;

use super::api::failure;
use super::flight::Flight;
use super::recorder::Recorder;
use crate::metrics::Metrics;
use crate::store::Notice;

/// The most notices that wait. People look at the Events of one object, not at those of thousands that came at once.
const WAITING: usize = 256;

/// The way to tell people of objects.
pub(crate) struct Events {
    recorder: Recorder,
    metrics: Metrics,
    waiting: Mutex<VecDeque<(ObjectReference, Notice)>>,
    arrived: Notify,
}

impl Events {
    pub(crate) fn new(recorder: Recorder, metrics: Metrics) -> Self {
        Self { recorder, metrics, waiting: Mutex::default(), arrived: Notify::new() }
    }

    /// Tells of a warning, after what waits about the same object, and keeps another notice for later. A notice may be
    /// lost.
    pub(super) async fn tell(&self, about: ObjectReference, notice: &Notice) {
        if notice.warning {
            for earlier in self.take(&about) {
                self.publish(&about, &earlier).await;
            }
            return self.publish(&about, notice).await;
        }
        let left_out = {
            let mut waiting = self.waiting();
            waiting.push_back((about, notice.clone()));
            waiting.len() > WAITING && waiting.pop_front().is_some()
        };
        if left_out {
            self.metrics.left_out_event();
        }
        self.arrived.notify_one();
    }

    /// Tells of what waits, one notice at a time and whenever nothing is in flight; never ends.
    pub(crate) async fn tell_when_idle(&self, flight: &Flight) {
        loop {
            self.arrived.notified().await;
            loop {
                flight.is_idle().await;
                let Some((about, notice)) = self.next() else { break };
                self.publish(&about, &notice).await;
            }
        }
    }

    /// Takes what waits about an object, oldest first.
    fn take(&self, about: &ObjectReference) -> Vec<Notice> {
        let mut waiting = self.waiting();
        let all = mem::take(&mut *waiting).into_iter();
        let (of_it, others) = all.partition::<Vec<_>, _>(|(of, _)| of.uid == about.uid);
        *waiting = others.into();
        of_it.into_iter().map(|(_, notice)| notice).collect()
    }

    fn next(&self) -> Option<(ObjectReference, Notice)> {
        self.waiting().pop_front()
    }

    async fn publish(&self, about: &ObjectReference, notice: &Notice) {
        if let Err(error) = self.recorder.publish(notice, "Reconcile", about).await {
            let failure = failure("publishing an Event", &error);
            tracing::debug!(reason = failure.reason.as_str(), "an Event was lost");
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(ObjectReference, Notice)>> {
        // A panic elsewhere leaves notices that are still notices.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use tower_service::Service;

    use super::*;

    /// A server that notes the Events that it gets.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<Vec<String>>>);

    impl Service<Request<Body>> for Server {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let told = self.0.clone();
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                told.lock().unwrap().push(format!(
                    "{} {}",
                    text(&event["regarding"]["uid"]),
                    text(&event["reason"])
                ));
                Ok(Response::new(Body::from(body.to_vec())))
            }
            .boxed()
        }
    }

    fn events() -> (Events, Arc<Mutex<Vec<String>>>) {
        let server = Server::default();
        let recorder = Recorder::new(Client::new(server.clone(), "default"), "test", None);
        (Events::new(recorder, Metrics::default()), server.0)
    }

    fn about(uid: &str) -> ObjectReference {
        let text = |text: &str| Some(text.to_owned());
        ObjectReference {
            uid: text(uid),
            name: text(uid),
            namespace: text("prod"),
            ..ObjectReference::default()
        }
    }

    fn notice(reason: &'static str, warning: bool) -> Notice {
        Notice { warning, reason, message: String::new() }
    }

    #[tokio::test]
    async fn a_warning_is_told_at_once_and_all_else_when_nothing_is_in_flight() {
        let (events, told) = events();
        events.tell(about("a"), &notice("Ready", false)).await;
        events.tell(about("b"), &notice("Ready", false)).await;
        events.tell(about("b"), &notice("Healed", true)).await;
        assert_eq!(*told.lock().unwrap(), ["b Ready", "b Healed"], "what came before is told before it");
        let (_, flight) = Flight::bound(&Client::new(Server::default(), "default"), 8, Metrics::default());
        let told_all = async {
            while told.lock().unwrap().len() < 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = events.tell_when_idle(&flight) => {}
            () = told_all => {}
        }
        assert_eq!(*told.lock().unwrap(), ["b Ready", "b Healed", "a Ready"]);
    }

    #[tokio::test]
    async fn only_so_many_wait_and_the_oldest_are_left_out_and_counted() {
        let (events, told) = events();
        for n in 0..WAITING + 3 {
            events.tell(about(&n.to_string()), &notice("Ready", false)).await;
        }
        assert_eq!(events.waiting().len(), WAITING);
        assert_eq!(events.next().unwrap().0.uid.as_deref(), Some("3"));
        assert!(events.metrics.to_text().contains("seal_controller_events_left_out_total 3"));
        assert!(told.lock().unwrap().is_empty());
    }
}
