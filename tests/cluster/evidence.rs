//! Changes that the ownership of fields doesn't show, and the Secret that the status remembers.
//!
//! Changes that ownership shows are in [`super::drift`]. Invariant: only the real kubectl and the API
//! server make the changes, and no test asks the controller how it noticed them.

use seal_tests::control_plane::{ControlPlane, succeed_with};
use seal_tests::controller::Controller;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::bitnami::scene::Peers;
use super::scene::{Scene, condition};

/// The names of two managed Secrets `a: right`, one in each format.
const NAMES: [&str; 2] = ["native", "peer"];

fn managed(prefix: &str) -> (Peers<'static>, Controller) {
    let (peers, controller) = Peers::with_controller(prefix);
    peers.scene.seal("native").item("a", "right").commit();
    peers.seal("peer").item("a", "right").commit();
    until_ready(&peers);
    (peers, controller)
}

fn until_ready(peers: &Peers) {
    peers.scene.until_ready("native");
    peers.until_ready("peer");
}

fn sealed(peers: &Peers, name: &str) -> Value {
    if name == "native" { peers.scene.sealed(name) } else { peers.sealed(name) }
}

#[track_caller]
fn comes_back(peers: &Peers, name: &str, what: &str) {
    until(&format!("{name}: {what} is undone"), || {
        peers.scene.data(name).get("a").is_some_and(|a| a == b"right")
    });
    until(&format!("{name}: {what} is told"), || {
        peers.scene.events(name).iter().any(|(reason, _)| reason == "Healed")
    });
}

/// The Secret, and the part of the status that remembers it.
fn state(peers: &Peers, name: &str) -> (Value, Value) {
    (peers.scene.secret(name).unwrap(), sealed(peers, name)["status"].clone())
}

/// Checks that a new controller opens and writes nothing, because everything is right.
#[track_caller]
fn is_settled(peers: &Peers, controller: Controller) -> Controller {
    let before = NAMES.map(|name| state(peers, name));
    let controller = peers.scene.restart(controller);
    peers.after("marker");
    assert_eq!(NAMES.map(|name| state(peers, name)), before);
    assert!(controller.metric("seal_controller_unseals_total") <= 2, "the marker's");
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1, "the marker's");
    controller
}

fn kubectl(scene: &Scene, args: &[&str], input: &Value) {
    let namespace = format!("--namespace={}", scene.namespace);
    succeed_with(ControlPlane::shared().kubectl(args).args([&namespace, "--filename=-"]), &input.to_string());
}

fn secret(name: &str, values: &Value) -> Value {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    secret.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
    secret
}

/// Makes a Secret that was written just now look as if it was written long ago.
fn age(peers: &Peers, name: &str) {
    let long_ago = json!("2026-01-01T00:00:00Z");
    let mut managed = peers.scene.secret(name).unwrap()["metadata"]["managedFields"].clone();
    managed[0]["time"] = long_ago.clone();
    // The API server takes no other time for an existing entry.
    let merge = |managed: &Value| {
        let patch = json!({"metadata": {"managedFields": managed}});
        peers.scene.api().merge(&peers.scene.secrets(name), &patch).unwrap()
    };
    merge(&json!([{}]));
    let aged = merge(&managed);
    assert_eq!(aged["metadata"]["managedFields"][0]["time"], long_ago);
    let remembered = json!({"resourceVersion": aged["metadata"]["resourceVersion"], "applied": long_ago});
    let path = if name == "native" { peers.scene.sealed_secrets(name) } else { peers.path(name) };
    let status = json!({"status": {"secret": remembered}});
    peers.scene.api().merge(&format!("{path}/status"), &status).unwrap();
}

#[test]
fn text_that_somebody_else_applies_over_a_value_is_undone() {
    let (peers, controller) = managed("text");
    for name in NAMES {
        // `--force-conflicts` isn't needed: the API server sees no conflict.
        let other = secret(name, &json!({"stringData": {"a": "other"}}));
        kubectl(&peers.scene, &["apply", "--server-side", "--field-manager=x"], &other);
        comes_back(&peers, name, "stringData");
    }
    let controller = is_settled(&peers, controller);
    // The field stays shared, so every change of the Secret makes the controller apply once more, and nothing else.
    let label = json!({"metadata": {"labels": {"theirs": "1"}}});
    let labelled = peers.scene.api().merge(&peers.scene.secrets("native"), &label).unwrap();
    until("the version is remembered", || {
        peers.scene.sealed("native")["status"]["secret"]["resourceVersion"]
            == labelled["metadata"]["resourceVersion"]
    });
    assert_eq!(peers.scene.secret("native").unwrap(), labelled, "an identical apply changes nothing");
    assert_eq!(controller.metric("seal_controller_heals_total"), 0);
}

#[test]
fn an_apply_under_our_own_name_is_undone_however_soon_it_comes() {
    let (peers, controller) = managed("name");
    for name in NAMES {
        let path = peers.scene.secrets(name);
        let mut forged = peers.scene.secret(name).unwrap();
        for field in ["managedFields", "resourceVersion", "uid", "creationTimestamp"] {
            forged["metadata"].as_object_mut().unwrap().remove(field);
        }
        forged["data"]["a"] = json!("b3RoZXI=");
        // An apply in the same second as the controller's write is covered too: its entry then has the same time.
        for round in 0..4 {
            let before = peers.scene.secret(name).unwrap()["metadata"]["resourceVersion"].clone();
            let applied = peers.scene.api().apply(&path, "seal-controller", true, &forged).unwrap();
            assert_ne!(applied["metadata"]["resourceVersion"], before, "it is a change");
            until(&format!("{name} is healed, round {round}"), || peers.scene.data(name)["a"] == b"right");
        }
    }
    until_ready(&peers);
    assert!(controller.metric("seal_controller_heals_total") >= 8);
    is_settled(&peers, controller);
}

/// A creation leaves an update's entry, to which such an update belongs: every field stays ours.
#[test]
fn an_update_under_our_own_name_is_undone_however_soon_it_comes() {
    let (peers, controller) = managed("update");
    for name in NAMES {
        let path = format!("{}?fieldManager=seal-controller", peers.scene.secrets(name));
        peers.scene.api().merge(&path, &json!({"data": {"a": "b3RoZXI="}})).unwrap();
        comes_back(&peers, name, "an update under our name");
    }
    until_ready(&peers);
    is_settled(&peers, controller);
}

#[test]
fn what_was_put_in_the_place_of_our_secret_is_undone() {
    let (peers, controller) = managed("replace");
    for name in NAMES {
        let uid = peers.scene.secret(name).unwrap()["metadata"]["uid"].clone();
        kubectl(&peers.scene, &["replace"], &secret(name, &json!({"data": {"a": "b3RoZXI="}})));
        comes_back(&peers, name, "a replacement");
        let healed = peers.scene.secret(name).unwrap();
        assert_eq!(healed["metadata"]["uid"], uid);
        assert_eq!(healed["metadata"]["ownerReferences"][0]["name"], name);
        // The replacement keeps nothing of ours but the UID.
        kubectl(&peers.scene, &["replace"], &secret(name, &json!({"data": {"theirs": "MQ=="}})));
        comes_back(&peers, name, "another replacement");
        assert_eq!(peers.scene.data(name).len(), 2, "what they put there stays");
    }
    until_ready(&peers);
    is_settled(&peers, controller);
}

/// Our Secret was deleted and another took its name. It was never ours, whatever it looks like.
#[test]
fn somebody_elses_secret_that_came_in_the_place_of_ours_is_not_touched() {
    let (peers, mut controller) = managed("another");
    assert!(controller.terminate().success());
    let theirs = NAMES.map(|name| {
        peers.scene.api().delete(&peers.scene.secrets(name)).unwrap();
        let theirs = secret(name, &json!({"data": {"a": "dGhlaXJz"}}));
        peers.scene.api().create(&peers.scene.secrets(""), &theirs).unwrap()
    });
    let _controller = peers.scene.start(&[]);
    peers.scene.until_stalled("native", "ForeignSecret");
    peers.until_stalled("peer", "ForeignSecret");
    assert_eq!(NAMES.map(|name| peers.scene.secret(name).unwrap()), theirs);
}

#[test]
fn a_restored_secret_is_made_right_with_and_without_its_managed_fields() {
    let (peers, mut controller) = managed("restore");
    assert!(controller.terminate().success());
    for with in [false, true] {
        for name in NAMES {
            let mut backup = peers.scene.secret(name).unwrap();
            let metadata = backup["metadata"].as_object_mut().unwrap();
            for field in ["resourceVersion", "uid", "creationTimestamp"] {
                metadata.remove(field);
            }
            if !with {
                metadata.remove("managedFields");
            }
            backup["data"]["a"] = json!("b2xk");
            peers.scene.api().delete(&peers.scene.secrets(name)).unwrap();
            peers.scene.api().create(&peers.scene.secrets(""), &backup).unwrap();
        }
        controller = peers.scene.start(&[]);
        for name in NAMES {
            comes_back(&peers, name, "a restored value");
        }
        until_ready(&peers);
        assert!(controller.terminate().success());
    }
    let controller = peers.scene.start(&[]);
    is_settled(&peers, controller);
}

#[test]
fn a_change_beside_what_is_ours_opens_nothing_and_writes_nothing_also_after_a_restart() {
    let (peers, mut controller) = managed("harmless");
    assert!(controller.terminate().success());
    // Directly after its own write the controller treats no change as harmless.
    NAMES.iter().for_each(|name| age(&peers, name));
    let controller = peers.scene.start(&[]);
    let theirs = json!({"metadata": {"labels": {"theirs": "1"}, "annotations": {"example.com/theirs": "1"}}});
    for name in NAMES {
        peers.scene.api().merge(&peers.scene.secrets(name), &theirs).unwrap();
        let applied = secret(name, &json!({"metadata": {"name": name, "labels": {"applied": "1"}}}));
        kubectl(&peers.scene, &["apply", "--server-side", "--field-manager=x"], &applied);
    }
    let before = NAMES.map(|name| state(&peers, name));
    peers.after("first");
    assert_eq!(NAMES.map(|name| state(&peers, name)), before);
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1, "the marker's");
    assert!(controller.metric("seal_controller_unseals_total") <= 2, "the marker's");
    is_settled(&peers, controller);
}

#[test]
fn a_secret_whose_owner_reference_alone_was_taken_away_is_let_go_until_it_may_be_adopted() {
    let (scene, controller) = Scene::with_controller("detached");
    scene.seal("db").item("a", "right").commit();
    scene.until_ready("db");
    let let_go =
        scene.api().merge(&scene.secrets("db"), &json!({"metadata": {"ownerReferences": null}})).unwrap();
    scene.until_stalled("db", "ForeignSecret");
    let controller = scene.restart(controller);
    scene.nudge("db");
    assert_eq!(scene.secret("db").unwrap(), let_go);
    assert_eq!(controller.metric("seal_controller_unseals_total"), 0);
    let adopt = json!({"metadata": {"annotations": {"sealing.dev/adopt": "db"}}});
    scene.api().merge(&scene.secrets("db"), &adopt).unwrap();
    let object = scene.until_ready("db");
    let owner = &scene.secret("db").unwrap()["metadata"]["ownerReferences"][0]["uid"];
    assert_eq!(owner, &object["metadata"]["uid"]);
    assert_eq!(condition(&object, "Ready").1, "InSync");
}

/// The memory in the status costs no request of its own, nor does the ownership of fields.
#[test]
fn a_new_object_costs_one_request_for_its_secret_and_one_for_its_status() {
    let (peers, mut controller) = managed("cost");
    let openings = controller.metric("seal_controller_unseals_total");
    assert!(controller.terminate().success());
    let mut statuses = 0;
    for name in NAMES {
        let requests = peers.scene.requests().into_iter().filter(|request| {
            let object = &request["objectRef"];
            // The audit event of a creation has no name.
            let about =
                object["name"] == name || (request["verb"] == "create" && object["resource"] == "secrets");
            let group = match object["apiGroup"].as_str() {
                Some("sealing.dev") => name == "native",
                Some("bitnami.com") => name == "peer",
                _ => true,
            };
            about && group && object["namespace"] == peers.scene.namespace && object["resource"] != "events"
        });
        let said = |request: &Value| {
            let object = &request["objectRef"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {}",
                text(&request["verb"]),
                text(&object["resource"]),
                text(&object["subresource"])
            )
        };
        let mut requests: Vec<String> = requests.map(|request| said(&request)).collect();
        requests.sort();
        // Each of the two Secrets was created once.
        assert_eq!(requests.iter().filter(|request| *request == "create secrets ").count(), 2);
        // If the controller looks at an object before its status has come back, it opens it and writes the status
        // once more.
        let is_status = |request: &String| request == "update sealedsecrets status";
        statuses += requests.iter().filter(|request| is_status(request)).count() as u64;
        requests.dedup();
        assert_eq!(requests, ["create secrets ", "update sealedsecrets status"], "{name}");
        let remembered = sealed(&peers, name)["status"]["secret"].clone();
        let metadata = peers.scene.secret(name).unwrap()["metadata"].clone();
        assert_eq!(remembered["uid"], metadata["uid"]);
        assert_eq!(remembered["resourceVersion"], metadata["resourceVersion"]);
        assert_eq!(remembered["applied"], metadata["managedFields"][0]["time"]);
    }
    assert!(statuses <= openings.max(2), "a status is written with what it speaks of, never alone");
}
