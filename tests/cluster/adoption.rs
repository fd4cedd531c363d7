//! Secrets that others made: the controller never touches them, unless they permit it.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Scene;

/// A Secret `db` that isn't ours.
fn foreign(scene: &Scene, metadata: &Value) -> Value {
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata,
        "data": {"password": "dGhlaXJz", "old": "dGhlaXJz", "extra": "dGhlaXJz"},
    });
    secret["metadata"]["name"] = json!("db");
    scene.api().create(&scene.secrets(""), &secret).unwrap()
}

fn permission(name: &str) -> Value {
    json!({"metadata": {"annotations": {"sealing.dev/adopt": name}}})
}

#[test]
fn a_foreign_secret_is_never_touched() {
    let scene = Scene::new("foreign");
    let theirs = foreign(&scene, &json!({}));
    let controller = scene.start(&[]);
    scene.seal("db").item("password", "ours").commit();
    let message = scene.until_stalled("db", "ForeignSecret");
    assert!(message.contains("sealing.dev/adopt=db"), "{message}");
    scene.nudge("db");
    assert_eq!(scene.secret("db").unwrap(), theirs);

    // A permission for another object doesn't count.
    let changed = scene.api().merge(&scene.secrets("db"), &permission("cache")).unwrap();
    scene.nudge("db");
    assert_eq!(scene.secret("db").unwrap(), changed);
    assert_eq!(controller.metric("seal_controller_unseals_total"), 0, "nothing had to be opened for that");
}

#[test]
fn the_secret_is_made_when_the_foreign_one_goes() {
    let (scene, _controller) = Scene::with_controller("gone");
    foreign(&scene, &json!({}));
    scene.seal("db").item("password", "ours").commit();
    scene.until_stalled("db", "ForeignSecret");
    scene.api().delete(&scene.secrets("db")).unwrap();
    scene.until_ready("db");
    assert_eq!(scene.data("db"), [("password".to_owned(), b"ours".to_vec())].into());
}

#[test]
fn a_secret_that_permits_it_is_adopted_and_from_then_on_managed() {
    let (scene, _controller) = Scene::with_controller("adopt");
    let theirs = foreign(&scene, &json!({}));
    scene.seal("db").item("password", "ours").item("old", "ours").commit();
    scene.until_stalled("db", "ForeignSecret");
    scene.api().merge(&scene.secrets("db"), &permission("db")).unwrap();
    let object = scene.until_ready("db");
    let adopted = scene.secret("db").unwrap();
    assert_eq!(adopted["metadata"]["uid"], theirs["metadata"]["uid"], "it is the same Secret");
    assert_eq!(adopted["metadata"]["ownerReferences"][0]["uid"], object["metadata"]["uid"]);
    let data = scene.data("db");
    assert_eq!((&data["password"], &data["extra"]), (&b"ours".to_vec(), &b"theirs".to_vec()));

    // An item that is removed from the SealedSecret is removed from the Secret; foreign items stay.
    scene.seal("db").item("password", "ours").commit();
    scene.until_ready("db");
    let keys: Vec<_> = scene.data("db").into_keys().collect();
    assert_eq!(keys, ["extra", "password"]);

    // Drift is healed as in any managed Secret.
    scene.api().merge(&scene.secrets("db"), &json!({"data": {"password": null}})).unwrap();
    until("the item is back", || scene.data("db").get("password").is_some_and(|value| value == b"ours"));
}

#[test]
fn a_secret_that_permits_it_from_the_start_is_adopted() {
    let (scene, _controller) = Scene::with_controller("willing");
    foreign(&scene, &permission("db")["metadata"]);
    scene.seal("db").item("password", "ours").commit();
    scene.until_ready("db");
    assert_eq!(scene.data("db")["password"], b"ours");
}

#[test]
fn a_secret_with_another_controller_is_never_adopted() {
    let (scene, _controller) = Scene::with_controller("owned");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}});
    let maps = format!("/api/v1/namespaces/{}/configmaps", scene.namespace);
    let uid = scene.api().create(&maps, &map).unwrap()["metadata"]["uid"].clone();
    let owner =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": true});
    let mut metadata = permission("db")["metadata"].clone();
    metadata["ownerReferences"] = json!([owner]);
    let theirs = foreign(&scene, &metadata);
    scene.seal("db").item("password", "ours").commit();
    scene.until_stalled("db", "ForeignSecret");
    scene.nudge("db");
    assert_eq!(scene.secret("db").unwrap(), theirs);
}

#[test]
fn a_secret_whose_owner_an_update_wrote_changes_hands_and_keeps_its_uid() {
    let scene = Scene::new("hands");
    // The owner must exist: the garbage collector would otherwise delete the Secret at once.
    let owner = json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "db"},
        "spec": {"encryptedData": {}},
    });
    let owners = format!("/apis/bitnami.com/v1alpha1/namespaces/{}/sealedsecrets", scene.namespace);
    let owner = scene.api().create(&owners, &owner).unwrap();
    // The Secret as the peer's controller, or a restored backup, leaves it.
    let theirs = foreign(
        &scene,
        &json!({"ownerReferences": [{
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "db",
            "uid": owner["metadata"]["uid"], "controller": true,
        }]}),
    );
    let _controller = scene.start(&[]);
    scene.seal("db").item("password", "ours").commit();
    let object = scene.until_ready("db");
    let taken = scene.secret("db").unwrap();
    assert_eq!(taken["metadata"]["uid"], theirs["metadata"]["uid"]);
    let owners = taken["metadata"]["ownerReferences"].as_array().unwrap();
    let controllers: Vec<&Value> = owners.iter().filter(|owner| owner["controller"] == true).collect();
    assert_eq!(controllers.len(), 1);
    assert_eq!(controllers[0]["uid"], object["metadata"]["uid"]);
    // The other object still keeps the Secret alive, but no longer controls it.
    let others = owners.iter().filter(|owner| owner["controller"] != true);
    assert!({ others }.all(|other| other["uid"] == owner["metadata"]["uid"]), "{owners:?}");
    assert_eq!(scene.data("db")["password"], b"ours");
}
