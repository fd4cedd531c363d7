//! What is written for Events that are new and that repeat, against a server that notes the requests.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::Value;
use tower_service::Service;

use super::*;

/// A server of Events that notes the requests that it gets, and knows no Event if `is_empty`.
#[derive(Clone, Default)]
struct Server {
    requests: Arc<Mutex<Vec<(Method, String, Value)>>>,
    is_empty: bool,
}

impl Service<Request<Body>> for Server {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap();
            let is_unknown = parts.method == Method::PATCH && server.is_empty;
            let noted = (parts.method, parts.uri.path().to_owned(), body.clone());
            server.requests.lock().unwrap().push(noted);
            let answer = if is_unknown {
                json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"})
            } else {
                json!({"metadata": {}})
            };
            let code = if is_unknown { 404 } else { 200 };
            Ok(Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap())
        }
        .boxed()
    }
}

impl Server {
    fn recorder(&self) -> Recorder {
        Recorder::new(Client::new(self.clone(), "default"), "test", Some("pod".to_owned()))
    }

    fn methods(&self) -> Vec<Method> {
        self.requests.lock().unwrap().iter().map(|(method, ..)| method.clone()).collect()
    }
}

fn about(uid: &str) -> ObjectReference {
    let text = |text: &str| Some(text.to_owned());
    ObjectReference {
        uid: text(uid),
        name: text("db"),
        namespace: text("shop"),
        ..ObjectReference::default()
    }
}

fn warning(reason: &'static str) -> Notice {
    Notice { warning: true, reason, message: "a sentence".to_owned() }
}

#[tokio::test]
async fn a_repeated_event_is_counted_in_the_one_that_is_there() {
    let server = Server::default();
    let recorder = server.recorder();
    for uid in ["a", "a", "b", "a"] {
        recorder.publish(&warning("Refused"), "Reconcile", &about(uid)).await.unwrap();
    }
    // Of another sort, and so another Event.
    recorder.publish(&warning("Refused"), "Delete", &about("a")).await.unwrap();
    let methods = [Method::POST, Method::PATCH, Method::POST, Method::PATCH, Method::POST];
    assert_eq!(server.methods(), methods);
    let requests = server.requests.lock().unwrap().clone();
    let (_, path, event) = &requests[0];
    assert_eq!(path, "/apis/events.k8s.io/v1/namespaces/shop/events");
    let expected = json!(["Warning", "Refused", "Reconcile", "a sentence", "a", "test", "pod"]);
    let found = json!([
        event["type"],
        event["reason"],
        event["action"],
        event["note"],
        event["regarding"]["uid"],
        event["reportingController"],
        event["reportingInstance"]
    ]);
    assert_eq!(found, expected);
    assert!(event["eventTime"].is_string());
    let name = event["metadata"]["name"].as_str().unwrap();
    for (index, count) in [(1, 2), (3, 3)] {
        assert_eq!(requests[index].1, format!("{path}/{name}"));
        assert_eq!(requests[index].2["series"]["count"], count);
    }
    recorder.recent().iter_mut().for_each(|recent| recent.until = Instant::now());
    recorder.publish(&warning("Refused"), "Reconcile", &about("a")).await.unwrap();
    assert_eq!(server.methods().last(), Some(&Method::POST), "the series is over");
}

#[tokio::test]
async fn an_event_that_is_gone_is_written_anew() {
    let server = Server { is_empty: true, ..Server::default() };
    let recorder = server.recorder();
    for _ in 0..2 {
        recorder.publish(&warning("Refused"), "Reconcile", &about("a")).await.unwrap();
    }
    assert_eq!(server.methods(), [Method::POST, Method::PATCH, Method::POST]);
}

#[tokio::test]
async fn so_many_are_remembered_and_the_oldest_are_forgotten() {
    let server = Server::default();
    let recorder = server.recorder();
    for n in 0..=KEPT {
        recorder.publish(&warning("Refused"), "Reconcile", &about(&n.to_string())).await.unwrap();
    }
    assert_eq!(recorder.recent().len(), KEPT);
    for (uid, method) in [("0", Method::POST), (&*KEPT.to_string(), Method::PATCH)] {
        recorder.publish(&warning("Refused"), "Reconcile", &about(uid)).await.unwrap();
        assert_eq!(server.methods().last(), Some(&method), "{uid}");
    }
}

#[tokio::test]
async fn the_name_of_an_event_is_never_too_long() {
    let recorder = Server::default().recorder();
    for name in ["db".to_owned(), "x".repeat(253), format!("{}.{}", "x".repeat(235), "y".repeat(17))] {
        let about = ObjectReference { name: Some(name), ..about("a") };
        let event = recorder.event(&warning("Refused"), "Reconcile", &about, MicroTime(Timestamp::now()));
        let name = event.metadata.name.unwrap();
        assert!(name.len() <= LONGEST_NAME && !name.contains(".."), "{name}");
    }
}
