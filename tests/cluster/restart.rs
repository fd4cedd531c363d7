//! A controller that starts over objects it has seen before.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::keys::FIRST;
use super::scene::{Scene, condition, items};

const OBJECTS: usize = 50;

#[test]
fn a_second_start_over_50_unchanged_objects_writes_nothing_and_opens_nothing() {
    let (scene, first) = Scene::with_controller("restart");
    for n in 0..OBJECTS {
        scene.seal(&format!("db-{n}")).item("password", format!("value {n}")).commit();
    }
    until("all are ready and examined", || {
        let all = scene.api().get(&scene.sealed_secrets("")).unwrap();
        let is_done =
            |object: &&Value| condition(object, "Ready").0 == "True" && object["status"]["usage"].is_object();
        items(&all).iter().filter(is_done).count() == OBJECTS
    });
    // A controller counts the objects that need a key when it starts, and then once a minute.
    let mut first = scene.restart(first);
    until("all are counted", || {
        let key = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
        key["status"]["usage"]["objects"] == OBJECTS
    });
    assert!(first.terminate().success());
    let before = scene.requests().len();

    let second = scene.start(&[]);
    let looked_at = r#"seal_controller_reconciles_total{result="ok",reason=""}"#;
    until("each was looked at", || second.metric(looked_at) >= OBJECTS as u64);
    let mut requests = scene.requests().split_off(before);
    // The Lease is renewed whatever the objects are.
    requests.retain(|request| request["objectRef"]["resource"] != "leases");
    let writes: Vec<&Value> =
        requests.iter().filter(|request| !["get", "list", "watch"].contains(&verb(request))).collect();
    assert_eq!(writes, [&Value::Null; 0]);
    assert!(requests.iter().any(|request| verb(request) == "list"), "the audit log shows this controller");
    assert_eq!(second.metric("seal_controller_unseals_total"), 0);
}

fn verb(request: &Value) -> &str {
    request["verb"].as_str().unwrap()
}

/// Creation takes two requests. Between them the fields belong to a manager that a later apply wouldn't take them from.
#[test]
fn a_creation_that_was_cut_short_is_finished_so_that_removed_items_really_go() {
    let (scene, mut first) = Scene::with_controller("cut-short");
    scene.seal("db").item("a", "1").item("b", "1").commit();
    scene.until_ready("db");
    assert!(first.terminate().success());
    let mut managed = scene.secret("db").unwrap()["metadata"]["managedFields"].clone();
    managed[0]["operation"] = json!("Update");
    scene.api().merge(&scene.secrets("db"), &json!({"metadata": {"managedFields": managed}})).unwrap();

    let _second = scene.start(&[]);
    until("the fields are the applier's", || {
        let secret = scene.secret("db").unwrap();
        let managed = secret["metadata"]["managedFields"].as_array().unwrap();
        managed.len() == 1 && managed[0]["operation"] == "Apply"
    });
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert_eq!(scene.data("db").into_keys().collect::<Vec<_>>(), ["a"]);
}
