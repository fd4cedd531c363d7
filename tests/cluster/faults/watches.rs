//! Watches that break off, and watches whose place in history is gone (410).

use http::request::Parts;
use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::interceptor::{Act, Answer, Interceptor};
use seal_tests::wait::until;

use super::applied::Applied;
use crate::cluster::outage::wire;
use crate::cluster::scene::Scene;

fn is_watch(head: &Parts) -> bool {
    head.uri.query().is_some_and(|query| query.contains("watch=true"))
}

#[test]
fn watches_that_break_off_again_and_again_miss_nothing() {
    let scene = Scene::new("dropped");
    let between = Interceptor::before(&scene.kubeconfig);
    let _controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    for round in 0..4 {
        applied.begin();
        between.end_streams();
        applied.change(&format!("{round}"));
        between.end_streams();
        applied.until_it_is_so();
    }
}

/// The first request of each watch is refused, and then the second, so the lists are taken anew while others change.
#[test]
fn watches_whose_history_is_gone_take_the_lists_anew_and_miss_nothing() {
    for as_event in [true, false] {
        let scene = Scene::new("expired");
        let between = Interceptor::before(&scene.kubeconfig);
        let _controller = scene.start(&[]);
        let mut applied = Applied::to(&scene);
        applied.begin();
        between.set(move |head| match is_watch(head) {
            true if as_event => Act::Answer(Answer::expired()),
            true => Act::Answer(Answer::refusal(410, "Expired")),
            false => Act::Pass,
        });
        between.end_streams();
        until("the watches are refused", || between.answered() >= 6);
        applied.change("1");
        between.clear();
        applied.until_it_is_so();
    }
}

/// By etcd itself, and the API server that answers 410 has just started: its own memory of the last changes is gone, too.
#[test]
fn watches_whose_history_is_compacted_away_take_the_lists_anew_and_miss_nothing() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let mut scene = Scene::on(&plane, plane.namespace("compacted"), "seal-system".to_owned());
    let proxy = wire(&mut scene);
    let controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    applied.begin();
    let secrets = scene.secrets("");
    let known =
        scene.api().get(&secrets).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let lists = || {
        ["secrets", "sealedsecrets"]
            .map(|kind| controller.metric(&format!(r#"seal_controller_watch_lists_total{{kind="{kind}"}}"#)))
    };
    let listed = lists();

    proxy.cut();
    applied.change("1");
    plane.compact();
    plane.stop_api_server();
    plane.start_api_server();
    for question in ["watch=true&timeoutSeconds=5", "resourceVersionMatch=Exact"] {
        let path = format!("{secrets}?resourceVersion={known}&{question}");
        let answer = plane.kubectl(["get", "--raw", &path]).output().unwrap();
        let said = [answer.stdout, answer.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("too old"), "{said}");
    }
    proxy.mend();
    applied.until_it_is_so();
    assert!(lists().iter().zip(listed).all(|(now, before)| *now > before), "{listed:?} {:?}", lists());
}

#[test]
fn a_watch_that_delivers_nonsense_is_begun_again() {
    let scene = Scene::new("garbled");
    let between = Interceptor::before(&scene.kubeconfig);
    let _controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    applied.begin();
    between.set(|head| match is_watch(head) {
        // A refusal in the place of an event.
        true => Act::Answer(Answer::refusal(200, "Nonsense")),
        false => Act::Pass,
    });
    between.end_streams();
    until("the watches get nonsense", || between.answered() >= 6);
    applied.change("1");
    between.clear();
    applied.until_it_is_so();
}
