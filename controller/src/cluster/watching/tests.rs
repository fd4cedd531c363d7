//! Watches of an API server whose answers are written down beforehand.
//!
//! Invariant: no test depends on how long it takes; the waits themselves are tested where they are decided.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use futures::future::{Either, Pending, Ready, ready};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use http::{Request, Response};
use k8s_openapi::api::core::v1::Secret;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tower_service::Service;

use super::super::metadata::Metadata;
use super::super::room::tests::{full, object};
use super::*;
use crate::leadership::tests::TestClock;
use crate::metrics::Metrics;

/// The type and the object of a watch's event.
type Happened = (&'static str, Value);

/// The API server's answer to one request.
enum Answer {
    /// A page of a list: the names of its objects, and the token of the next page.
    Page(&'static [&'static str], Option<&'static str>),
    /// A watch with these events, which then ends.
    Ends(Vec<Happened>),
    /// A watch with these events, which then says nothing more.
    Silent(Vec<Happened>),
    Refused(u16),
    /// The connection breaks.
    Away,
    Never,
}

use Answer::{Away, Ends, Never, Page, Refused, Silent};

type Answered = Result<Response<Body>, std::io::Error>;

/// An API server that gives these answers in order, and then none.
#[derive(Clone)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service<Request<kube::client::Body>> for Server {
    type Response = Response<Body>;
    type Error = std::io::Error;
    type Future = Either<Ready<Answered>, Pending<Answered>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        self.asked.lock().unwrap().push(short(request.uri().query().unwrap_or_default()));
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Never);
        let (code, body) = match answer {
            Page(names, next) => {
                let items: Vec<Value> = names.iter().map(|name| secret(name, "1")).collect();
                let metadata = json!({"resourceVersion": "10", "continue": next});
                let list =
                    json!({"kind": "SecretList", "apiVersion": "v1", "metadata": metadata, "items": items});
                (200, Body::from(list.to_string()))
            }
            Ends(events) => (200, Body::from(lines(&events))),
            Silent(events) => {
                let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(lines(&events)))]);
                (200, Body::from_stream(first.chain(futures::stream::pending())))
            }
            Refused(code) => (code, Body::from(json!({"kind": "Status", "code": code}).to_string())),
            Away => return ready(Err(std::io::Error::other("away"))).left_future(),
            Never => return futures::future::pending().right_future(),
        };
        ready(Ok(Response::builder().status(code).body(body).unwrap())).left_future()
    }
}

/// The parts of a query that say where a list or a watch begins.
fn short(query: &str) -> String {
    let parts = query.split('&').filter_map(|part| part.split_once('='));
    let parts: Vec<String> = parts
        .filter(|(name, _)| ["continue", "watch", "resourceVersion"].contains(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

fn secret(name: &str, version: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "prod", "resourceVersion": version});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
}

/// The API server writes the type first, and the reader relies on it.
fn lines(events: &[Happened]) -> String {
    let line = |(type_, object): &Happened| format!("{{\"type\":\"{type_}\",\"object\":{object}}}\n");
    events.iter().map(line).collect()
}

fn added(name: &str, version: &str) -> Happened {
    ("ADDED", secret(name, version))
}

fn gone() -> Happened {
    ("ERROR", json!({"kind": "Status", "code": 410, "reason": "Expired"}))
}

/// A watch, the server that it asks, and the clock of its contact.
struct Scene {
    server: Server,
    events: BoxStream<'static, Event<Metadata<Secret>>>,
    contact: Contact,
    time: TestClock,
}

impl Scene {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::of(Which::all("secrets").of_cache(), answers)
    }

    fn of(which: Which, answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        let server = Server { answers, asked: Arc::default() };
        let time = TestClock::default();
        let contact = Contact::new(time.clock(), Metrics::default());
        let api: Api<Metadata<Secret>> = Api::all(Client::new(server.clone(), "default"));
        let events = events(api, which, &contact).boxed();
        Self { server, events, contact, time }
    }

    /// The next events, in words.
    async fn next<const N: usize>(&mut self) -> [String; N] {
        let mut said = [const { String::new() }; N];
        for said in &mut said {
            *said = match self.events.next().await.unwrap() {
                Event::Init => "init".to_owned(),
                Event::InitDone => "done".to_owned(),
                Event::InitApply(object) => format!("listed {}", object.name_any()),
                Event::Apply(object) => format!("applied {}", object.name_any()),
                Event::Delete(object) => format!("deleted {}", object.name_any()),
            };
        }
        said
    }

    fn asked(&self) -> Vec<String> {
        self.server.asked.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_page_that_fails_is_asked_for_again_and_no_page_before_it() {
    let mut scene = Scene::new([
        Away,
        Page(&["a", "b"], Some("two")),
        Silent(vec![]),
        Refused(503),
        Silent(vec![]),
        Away,
        Silent(vec![]),
        Page(&["c"], Some("three")),
        Page(&[], None),
    ]);
    assert_eq!(scene.next().await, ["init", "listed a", "listed b", "listed c", "done"]);
    let watch = "watch=true&resourceVersion=10";
    let two = "continue=two";
    assert_eq!(scene.asked(), ["", "", watch, two, watch, two, watch, two, "continue=three"]);
}

#[tokio::test]
async fn a_change_waits_for_no_list_and_nothing_older_is_listed_after_it() {
    let changes = vec![added("d", "11"), ("MODIFIED", secret("b", "12")), ("DELETED", secret("c", "13"))];
    let mut scene =
        Scene::new([Page(&["a", "b"], Some("two")), Silent(changes), Page(&["c", "d", "e"], None), Never]);
    assert_eq!(scene.next().await, ["init", "applied d", "applied b", "deleted c"]);
    assert_eq!(scene.next().await, ["listed a", "listed e", "done"]);
    assert!(scene.next::<1>().now_or_never().is_none());
    assert_eq!(
        scene.asked(),
        ["", "watch=true&resourceVersion=10", "continue=two"],
        "the watch goes on after the list"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_too_fast_pauses_between_its_pages_and_changes_come_meanwhile() {
    let (room, mut kept) = full();
    let mut scene = Scene::of(
        Which::all("secrets").within(room.clone()),
        [
            Page(&["a"], Some("two")),
            Silent(vec![added("c", "11")]),
            Page(&["b"], Some("three")),
            Page(&[], None),
        ],
    );
    assert_eq!(scene.next().await, ["init", "applied c", "listed a"]);
    let begun = tokio::time::Instant::now();
    let asked = scene.server.asked.clone();
    let freed = async {
        sleep(Duration::from_millis(100)).await;
        assert_eq!(asked.lock().unwrap().len(), 2, "the second page waits");
        kept.clear();
    };
    let (said, ()) = tokio::join!(scene.next(), freed);
    assert_eq!(said, ["listed b", "done"]);
    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_list_pauses_no_longer_than_the_api_server_knows_its_version() {
    let (room, kept) = full();
    let pages = (0..500).map(|_| Page(&[], Some("next"))).chain([Page(&[], None)]);
    let mut scene = Scene::of(
        Which::all("secrets").within(room.clone()),
        [Page(&[], Some("next")), Silent(vec![])].into_iter().chain(pages),
    );
    let begun = tokio::time::Instant::now();
    // One object after the other is looked at, and another one arrives, so the room stays full.
    let busy = async {
        let mut kept = kept;
        loop {
            sleep(Duration::from_millis(400)).await;
            kept.pop();
            kept.extend(room.keep(&object()));
        }
    };
    tokio::select! {
        said = scene.next() => assert_eq!(said, ["init", "done"]),
        () = busy => {}
    }
    let taken = begun.elapsed();
    assert!((Duration::from_secs(100)..Duration::from_secs(150)).contains(&taken), "{taken:?}");
}

#[tokio::test]
async fn a_watch_that_ends_or_breaks_beside_a_list_goes_on_and_so_does_the_list() {
    let mut scene = Scene::new([
        Page(&["a"], Some("two")),
        Ends(vec![added("d", "11")]),
        Silent(vec![added("e", "12")]),
        Page(&["d", "f"], Some("three")),
        Refused(410),
        Page(&["d", "e", "g"], None),
        Silent(vec![]),
    ]);
    assert_eq!(scene.next().await, ["init", "applied d", "applied e", "listed a", "listed f"]);
    // Another list is of a later version, and shows everything.
    assert_eq!(scene.next().await, ["init", "listed d", "listed e", "listed g", "done"]);
    let watches = ["watch=true&resourceVersion=10", "watch=true&resourceVersion=11"];
    let [ten, eleven] = watches;
    assert_eq!(scene.asked(), ["", ten, eleven, "continue=two", "continue=three", ""]);
}

#[tokio::test]
async fn a_watch_that_ends_or_breaks_goes_on_after_its_last_event() {
    let bookmark = ("BOOKMARK", secret("", "20"));
    let deleted = ("DELETED", secret("a", "30"));
    let unreadable = ("NEWS", json!({}));
    let mut scene = Scene::new([
        Page(&["a"], None),
        Ends(vec![unreadable, added("b", "11")]),
        Ends(vec![bookmark]),
        Away,
        Ends(vec![deleted]),
        Silent(vec![added("c", "31")]),
    ]);
    let expected = ["init", "listed a", "done", "applied b", "deleted a", "applied c"];
    assert_eq!(scene.next().await, expected);
    let versions = ["10", "11", "20", "20", "30"].map(|it| format!("watch=true&resourceVersion={it}"));
    assert_eq!(scene.asked()[1..], versions);
}

#[tokio::test]
async fn a_version_that_is_gone_makes_a_new_list_whether_the_watch_or_the_page_says_so() {
    let mut scene = Scene::new([
        Page(&["a"], Some("two")),
        Silent(vec![]),
        Refused(410),
        Page(&["b"], Some("two")),
        Silent(vec![gone()]),
        Page(&["b"], None),
        Silent(vec![added("c", "11"), gone()]),
        Page(&["d"], None),
        Refused(410),
        Page(&["e"], None),
    ]);
    assert_eq!(scene.next().await, ["init", "listed a", "init", "init", "listed b", "done", "applied c"]);
    assert_eq!(scene.next().await, ["init", "listed d", "done", "init", "listed e", "done"]);
}

/// The other end is gone and nobody closed the connection, so nothing ever comes of it.
#[tokio::test]
async fn after_an_outage_a_watch_or_a_list_whose_connection_is_dead_begins_again_at_once() {
    let dead = [Never, Page(&["a"], None), Never, Silent(vec![]), Silent(vec![added("b", "11")])];
    let mut scene = Scene::new(dead);
    let (server, contact, time) = (scene.server.clone(), scene.contact.clone(), scene.time.clone());
    tokio::spawn(async move {
        for dead in [1, 3, 4] {
            while server.asked.lock().unwrap().len() < dead {
                tokio::task::yield_now().await;
            }
            time.advance(Duration::from_secs(40));
            contact.made();
        }
    });
    assert_eq!(scene.next().await, ["init", "listed a", "done", "applied b"]);
    let watch = "watch=true&resourceVersion=10";
    assert_eq!(scene.asked(), ["", "", watch, watch, watch]);
}

/// Each time that the page is asked for again, the watch beside it begins.
#[tokio::test]
async fn a_cache_whose_list_cannot_be_ended_stays_stale_whatever_the_watch_beside_it_brings() {
    let bookmark = || vec![("BOOKMARK", secret("", "20"))];
    let mut scene =
        Scene::new([Page(&["a"], Some("two")), Silent(vec![]), Refused(403), Silent(bookmark()), Never]);
    assert_eq!(scene.next().await, ["init", "listed a"]);
    let (server, contact, time) = (scene.server.clone(), scene.contact.clone(), scene.time.clone());
    let judged = tokio::spawn(async move {
        while server.asked.lock().unwrap().len() < 5 {
            tokio::task::yield_now().await;
        }
        time.advance(Duration::from_secs(60));
        assert!(contact.troubles().iter().any(|it| it.starts_with("no watch of secrets for")));
    });
    tokio::select! {
        [said] = scene.next() => unreachable!("{said}"),
        judged = judged => judged.unwrap(),
    }
}

#[tokio::test]
async fn a_cache_is_stale_while_its_watch_is_refused_and_until_it_has_begun() {
    let mut scene = Scene::new([Refused(403), Page(&["a"], None), Silent(vec![])]);
    let (contact, time) = (scene.contact.clone(), scene.time.clone());
    let is_refused =
        |contact: &Contact| contact.troubles().iter().any(|it| it.starts_with("no watch of secrets for"));
    let judged = tokio::spawn(async move {
        while !is_refused(&contact) {
            time.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        contact.made();
        while is_refused(&contact) {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(scene.next().await, ["init", "listed a", "done"]);
    tokio::select! {
        [said] = scene.next() => unreachable!("{said}"),
        judged = judged => judged.unwrap(),
    }
}
