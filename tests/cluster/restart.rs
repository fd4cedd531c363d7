//! A controller that starts over objects it has seen before.

use seal_tests::wait::until;
use serde_json::Value;

use super::scene::{Scene, condition, items};

const OBJECTS: usize = 50;

#[test]
fn a_second_start_over_50_unchanged_objects_writes_nothing_and_opens_nothing() {
    let (scene, mut first) = Scene::with_controller("restart");
    for n in 0..OBJECTS {
        scene.seal(&format!("db-{n}")).item("password", format!("value {n}")).commit();
    }
    until("all are ready", || {
        let all = scene.api().get(&scene.sealed_secrets("")).unwrap();
        items(&all).iter().filter(|object| condition(object, "Ready").0 == "True").count() == OBJECTS
    });
    assert!(first.terminate().success());
    let before = scene.requests().len();

    let second = scene.start(&[]);
    let looked_at = r#"seal_controller_reconciles_total{result="ok",reason=""}"#;
    until("each was looked at", || second.metric(looked_at) >= OBJECTS as u64);
    let requests = scene.requests().split_off(before);
    let writes: Vec<&Value> =
        requests.iter().filter(|request| !["get", "list", "watch"].contains(&verb(request))).collect();
    assert_eq!(writes, [&Value::Null; 0]);
    assert!(requests.iter().any(|request| verb(request) == "list"), "the audit log shows this controller");
    assert_eq!(second.metric("seal_controller_unseals_total"), 0);
}

fn verb(request: &Value) -> &str {
    request["verb"].as_str().unwrap()
}
