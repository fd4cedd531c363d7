//! A token that has expired: the API server answers 401 until there is another one.

use seal_tests::interceptor::{Act, Answer, Interceptor};
use seal_tests::wait::until;
use serde_json::json;

use super::applied::Applied;
use crate::cluster::scene::Scene;

#[test]
fn a_token_that_counts_for_nothing_for_a_while_costs_only_that_time() {
    let scene = Scene::new("expired-token");
    let between = Interceptor::before(&scene.kubeconfig);
    let controller = scene.start(&[]);
    let mut applied = Applied::to(&scene);
    ["drifted", "changed"].into_iter().for_each(|name| applied.seal(name, "1"));
    applied.until_it_is_so();
    between.set(|_| Act::Answer(Answer::refusal(401, "Unauthorized")));
    between.end_streams();
    scene.api().merge(&scene.secrets("drifted"), &json!({"data": {"a": "ZHJpZnQ="}})).unwrap();
    applied.seal("changed", "2");
    applied.seal("new", "1");
    until("it is refused", || between.answered() >= 12);
    assert_eq!(controller.http("/healthz").map(|(status, _)| status), Some(200));
    between.clear();
    applied.until_it_is_so();
}
