//! Managed Secrets that somebody changed or deleted: the controller puts them back, and says so.

use seal_tests::control_plane::{ControlPlane, succeed, succeed_with};
use seal_tests::controller::Controller;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Scene;

/// A scene with one managed Secret, `db`, and the Secret's parts that a healing restores.
fn managed(prefix: &str) -> (Scene<'static>, Controller, Value) {
    let (scene, controller) = Scene::with_controller(prefix);
    scene
        .seal("db")
        .item("user", "app")
        .item("password", "right")
        .label("app.kubernetes.io/name", "db")
        .annotation("example.com/team", "storage")
        .commit();
    scene.until_ready("db");
    let right = essence(&scene.secret("db").unwrap());
    (scene, controller, right)
}

/// The parts of a Secret that a healing restores.
fn essence(secret: &Value) -> Value {
    let metadata = &secret["metadata"];
    let entries = metadata["managedFields"].as_array().into_iter().flatten();
    // A creation has an entry of another form than an apply; its fields are the same.
    let mut ours = entries.filter(|entry| entry["manager"] == "seal-controller").map(|entry| {
        let mut fields = entry["fieldsV1"].clone();
        drop_containers(&mut fields);
        fields
    });
    json!({
        "data": secret["data"], "type": secret["type"], "labels": metadata["labels"],
        "annotations": metadata["annotations"], "owners": metadata["ownerReferences"],
        "fields": ours.next(), "others": ours.next(),
    })
}

/// Drops the marks for containers, which only an update's entry has.
fn drop_containers(fields: &mut Value) {
    if let Some(fields) = fields.as_object_mut() {
        fields.remove(".");
        fields.values_mut().for_each(drop_containers);
    }
}

#[track_caller]
fn comes_back(scene: &Scene, what: &str, right: &Value) {
    until(what, || scene.secret("db").is_some_and(|secret| essence(&secret) == *right));
}

#[test]
fn a_changed_secret_is_put_back_whatever_was_changed_and_however() {
    let (scene, controller, right) = managed("drift");
    let api = scene.api();
    let path = scene.secrets("db");
    let patches = [
        ("a value", json!({"data": {"password": "d3Jvbmc="}})),
        ("one key deleted", json!({"data": {"password": null}})),
        ("all keys deleted", json!({"data": null})),
        ("a label changed", json!({"metadata": {"labels": {"app.kubernetes.io/name": "cache"}}})),
        ("a label removed", json!({"metadata": {"labels": null}})),
        ("an annotation changed", json!({"metadata": {"annotations": {"example.com/team": "web"}}})),
        ("the digest removed", json!({"metadata": {"annotations": {"sealing.dev/digest": null}}})),
        ("managedFields stripped", json!({"metadata": {"managedFields": [{}]}})),
    ];
    for (what, patch) in patches {
        let before = scene.secret("db").unwrap()["metadata"]["resourceVersion"].clone();
        let changed = api.merge(&path, &patch).unwrap();
        assert_ne!(changed["metadata"]["resourceVersion"], before, "{what} is no change");
        comes_back(&scene, what, &right);
    }
    // Replaces the whole object, as `kubectl edit` and `kubectl replace` do.
    until("it is replaced", || {
        let mut edited = scene.secret("db").unwrap();
        edited["data"] = json!({"user": "YWRtaW4=", "password": "d3Jvbmc="});
        edited["metadata"]["labels"] = Value::Null;
        api.replace(&path, &edited).is_ok()
    });
    comes_back(&scene, "a replacement", &right);

    let uid = scene.secret("db").unwrap()["metadata"]["uid"].clone();
    api.delete(&path).unwrap();
    until("a deletion is undone", || {
        scene.secret("db").is_some_and(|secret| secret["metadata"]["uid"] != uid && essence(&secret) == right)
    });
    until("each healing is counted", || controller.metric("seal_controller_heals_total") == 10);
    until("and told", || scene.events("db").iter().any(|(reason, _)| reason == "Healed"));
}

#[test]
fn what_kubectl_changes_is_put_back() {
    let (scene, _controller, right) = managed("kubectl");
    let plane = ControlPlane::shared();
    let namespace = format!("--namespace={}", scene.namespace);
    let patch = r#"{"stringData":{"password":"wrong"}}"#;
    succeed(&mut plane.kubectl(["patch", "secret", "db", &namespace, "--patch", patch]));
    comes_back(&scene, "kubectl patch", &right);

    let mut theirs = scene.secret("db").unwrap();
    theirs["metadata"].as_object_mut().unwrap().remove("managedFields");
    theirs["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    theirs["data"]["user"] = json!("cm9vdA==");
    succeed_with(&mut plane.kubectl(["replace", &namespace, "-f", "-"]), &theirs.to_string());
    comes_back(&scene, "kubectl replace", &right);

    succeed(&mut plane.kubectl([
        "label",
        "secret",
        "db",
        &namespace,
        "--overwrite",
        "app.kubernetes.io/name=x",
    ]));
    comes_back(&scene, "kubectl label", &right);

    succeed(&mut plane.kubectl(["delete", "secret", "db", &namespace]));
    comes_back(&scene, "kubectl delete", &right);
}

#[test]
fn what_somebody_added_stays_and_is_not_drift() {
    let (scene, controller, _) = managed("added");
    let theirs = json!({
        "data": {"theirs": "MQ=="},
        "metadata": {"labels": {"theirs": "1"}, "annotations": {"example.com/theirs": "1"}},
    });
    let mut added = scene.api().merge(&scene.secrets("db"), &theirs).unwrap();
    scene.nudge("db");
    // So soon after the creation it is applied once, which says who owns the fields and changes none.
    let mut found = scene.secret("db").unwrap();
    for secret in [&mut added, &mut found] {
        let metadata = secret["metadata"].as_object_mut().unwrap();
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    assert_eq!(found, added, "it was written without need");
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1, "the creation");
    assert_eq!(controller.metric("seal_controller_heals_total"), 0);

    // The addition also stays when something else is healed.
    scene.api().merge(&scene.secrets("db"), &json!({"data": {"password": "d3Jvbmc="}})).unwrap();
    until("the value is back", || scene.data("db")["password"] == b"right");
    let secret = scene.secret("db").unwrap();
    assert_eq!(
        (&secret["data"]["theirs"], &secret["metadata"]["labels"]["theirs"]),
        (&json!("MQ=="), &json!("1"))
    );
}

#[test]
fn an_edit_to_the_same_value_changes_nothing() {
    let (scene, controller, _) = managed("same");
    let controller = scene.restart(controller);
    let before = scene.secret("db").unwrap();
    let same = json!({"data": {"password": before["data"]["password"]}});
    scene.api().merge(&scene.secrets("db"), &same).unwrap();
    scene.nudge("db");
    assert_eq!(scene.secret("db").unwrap(), before);
    assert_eq!(controller.metric("seal_controller_unseals_total"), 0);
}
