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

#[test]
fn a_new_object_is_looked_at_once_and_the_echoes_of_what_is_written_for_it_cost_no_look() {
    let (scene, controller) = Scene::with_controller("echoes");
    scene.seal("first").item("a", "1").commit();
    scene.until_ready("first");
    let controller = scene.restart(controller);
    scene.nudge("first");
    let looks = || controller.metric(r#"seal_controller_reconciles_total{result="ok",reason=""}"#);
    let before = looks();
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    // A look at another object, and the echo of its status.
    scene.nudge("first");
    scene.nudge("first");
    assert_eq!(looks() - before, 3);
    assert_eq!(controller.metric("seal_controller_unseals_total"), 1);

    // What somebody else changes is seen all the same.
    scene.api().delete(&scene.secrets("db")).unwrap();
    until("the Secret is there again", || scene.secret("db").is_some());
}

fn verb(request: &Value) -> &str {
    request["verb"].as_str().unwrap()
}

/// The managers of the Secret `db`, each as name and operation.
fn managers(scene: &Scene) -> Vec<(String, String)> {
    let secret = scene.secret("db").unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let managed = secret["metadata"]["managedFields"].as_array().unwrap().iter();
    managed.map(|entry| (text(&entry["manager"]), text(&entry["operation"]))).collect()
}

fn ours(operation: &str) -> [(String, String); 1] {
    [("seal-controller".to_owned(), operation.to_owned())]
}

/// A creation is an update to the API server, and an apply removes no field of an update.
#[test]
fn an_item_that_is_removed_goes_from_a_secret_that_was_only_created() {
    let (scene, controller) = Scene::with_controller("created");
    scene.seal("db").item("a", "1").item("b", "1").commit();
    scene.until_ready("db");
    assert_eq!(managers(&scene), ours("Update"));
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert_eq!(scene.data("db").into_keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(managers(&scene), ours("Apply"), "nothing keeps a second owner");
    assert_eq!(controller.metric("seal_controller_heals_total"), 0);
}

/// The first apply takes two requests. After the first of them our entry has fields that the object no longer has.
#[test]
fn a_first_apply_that_was_cut_short_is_finished() {
    let (scene, mut first) = Scene::with_controller("cut-short");
    scene.seal("db").item("a", "1").item("b", "1").commit();
    scene.until_ready("db");
    assert!(first.terminate().success());
    let mut managed = scene.secret("db").unwrap()["metadata"]["managedFields"].clone();
    managed[0]["operation"] = json!("Apply");
    scene.api().merge(&scene.secrets("db"), &json!({"metadata": {"managedFields": managed}})).unwrap();
    assert_eq!(managers(&scene), ours("Apply"));
    scene.seal("db").item("a", "1").commit();
    let _second = scene.start(&[]);
    scene.until_ready("db");
    assert_eq!(scene.data("db").into_keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(managers(&scene), ours("Apply"));
}

/// The status of a creation may never have been written, whoever created the Secret.
#[test]
fn a_creation_without_a_status_is_only_said_to_be_right() {
    let (scene, mut first) = Scene::with_controller("unsaid");
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert!(first.terminate().success());
    let forgotten = json!([{"op": "remove", "path": "/status"}]);
    scene.api().json_patch(&format!("{}/status", scene.sealed_secrets("db")), &forgotten).unwrap();
    let before = scene.secret("db");
    let second = scene.start(&[]);
    scene.until_ready("db");
    assert_eq!(scene.secret("db"), before);
    assert_eq!(second.metric("seal_controller_secret_writes_total"), 0);
}

/// An earlier version moved the ownership of fields right after the creation.
#[test]
fn a_secret_of_an_earlier_version_is_left_as_it_is() {
    let (scene, mut first) = Scene::with_controller("earlier");
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert!(first.terminate().success());
    let mut managed = scene.secret("db").unwrap()["metadata"]["managedFields"].clone();
    managed[0]["operation"] = json!("Apply");
    let moved = json!({"metadata": {"managedFields": managed}});
    let moved = scene.api().merge(&scene.secrets("db"), &moved).unwrap();
    let remembered = json!({"status": {"secret": {
        "resourceVersion": moved["metadata"]["resourceVersion"],
        "applied": moved["metadata"]["managedFields"][0]["time"],
    }}});
    scene.api().merge(&format!("{}/status", scene.sealed_secrets("db")), &remembered).unwrap();
    let second = scene.start(&[]);
    scene.nudge("db");
    assert_eq!(scene.secret("db").unwrap(), moved);
    assert_eq!(second.metric("seal_controller_unseals_total"), 0);
}
