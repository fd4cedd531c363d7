//! An API server that answers late, also after an outage, or wants requests later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use seal_tests::interceptor::{Act, Answer, Interceptor};
use seal_tests::wait::until;

use super::applied::Applied;
use crate::cluster::outage::wire;
use crate::cluster::scene::Scene;

const OBJECTS: usize = 20;

#[test]
fn a_slow_api_server_makes_everything_late_and_nothing_wrong() {
    let scene = Scene::new("slow");
    let between = Interceptor::before(&scene.kubeconfig);
    let _controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    applied.seal("before", "1");
    applied.until_it_is_so();
    // The Lease is renewed in time all the same.
    between.set(|head| {
        let is_lease = head.uri.path().contains("/leases/");
        Act::Delay(Duration::from_millis(if is_lease { 200 } else { 700 }))
    });
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "1"));
    (0..OBJECTS / 2).for_each(|n| applied.seal(&format!("db-{n}"), "2"));
    applied.delete("before");
    applied.until_it_is_so();
}

/// An API server that has just started has cold caches, and everybody asks at once.
#[test]
fn an_api_server_that_is_slow_after_an_outage_is_caught_up_with() {
    let mut scene = Scene::new("slow-again");
    let between = Interceptor::before(&scene.kubeconfig);
    let proxy = wire(&mut scene);
    let controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    applied.begin();
    proxy.cut();
    let late = Arc::new(AtomicUsize::new(0));
    let counted = late.clone();
    between.set(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Act::Delay(Duration::from_millis(700))
    });
    until("it says that it has no contact", || {
        controller.http("/readyz").is_some_and(|(code, why)| code == 503 && why.contains("no contact"))
    });
    applied.change("1");
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "1"));
    proxy.mend();
    applied.until_it_is_so();
    until("it is ready", || controller.http("/readyz") == Some((200, "ok\n".to_owned())));
    assert!(late.load(Ordering::SeqCst) > 2 * OBJECTS, "the requests of the new objects were late");
}

/// API priority and fairness answers like this.
#[test]
fn requests_that_are_wanted_later_are_made_later_and_none_is_lost() {
    let scene = Scene::new("busy");
    let between = Interceptor::before(&scene.kubeconfig);
    let _controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    applied.seal("before", "1");
    applied.until_it_is_so();
    between.set(|head| match head.method {
        Method::POST | Method::PUT | Method::PATCH if !head.uri.path().contains("/leases/") => {
            Act::Answer(Answer::later(1))
        }
        _ => Act::Pass,
    });
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "1"));
    until("it was told to come later", || between.answered() >= OBJECTS);
    applied.delete("before");
    between.clear();
    applied.until_it_is_so();
}

/// Some writes fail, whatever they are, as while etcd elects a leader.
#[test]
fn writes_that_fail_now_and_then_come_right() {
    let scene = Scene::new("flaky");
    let between = Interceptor::before(&scene.kubeconfig);
    let _controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    applied.seal("before", "1");
    applied.until_it_is_so();
    let count = AtomicUsize::new(0);
    between.set(move |head| {
        // A replica that fails to renew its Lease leads no more, and that is another test's subject.
        let is_write = matches!(head.method, Method::POST | Method::PUT | Method::PATCH)
            && !head.uri.path().contains("/leases/");
        let turn = count.fetch_add(1, Ordering::SeqCst);
        match turn % 10 {
            0 if is_write => Act::Answer(Answer::refusal(500, "InternalError")),
            5 if is_write => Act::Answer(Answer::refusal(504, "Timeout")),
            _ => Act::Pass,
        }
    });
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "1"));
    applied.delete("before");
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "2"));
    applied.until_it_is_so();
    assert!(between.answered() > 0);
}
