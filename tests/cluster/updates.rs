//! SealedSecrets that change, and what becomes of the Secret.

use serde_json::{Value, json};

use super::scene::Scene;

fn keys(scene: &Scene, name: &str) -> Vec<String> {
    scene.data(name).into_keys().collect()
}

#[test]
fn items_are_added_changed_and_removed_in_the_same_secret() {
    let (scene, controller) = Scene::with_controller("items");
    scene.seal("db").item("a", "1").item("b", "1").commit();
    scene.until_ready("db");
    let uid = scene.secret("db").unwrap()["metadata"]["uid"].clone();

    scene.seal("db").item("a", "1").item("b", "2").item("c", "1").commit();
    scene.until_ready("db");
    assert_eq!(keys(&scene, "db"), ["a", "b", "c"]);
    assert_eq!(scene.data("db")["b"], b"2");

    scene.seal("db").item("b", "2").commit();
    assert_eq!(scene.until_ready("db")["status"]["items"], 1);
    assert_eq!(keys(&scene, "db"), ["b"]);
    assert_eq!(scene.secret("db").unwrap()["metadata"]["uid"], uid);
    assert_eq!(controller.metric("seal_controller_heals_total"), 0, "an update is no healing");
    assert!(scene.events("db").iter().all(|(reason, _)| reason == "Ready"), "{:?}", scene.events("db"));
}

#[test]
fn a_changed_template_changes_the_secret_and_leaves_nothing_behind() {
    let (scene, _controller) = Scene::with_controller("template");
    let before = scene.seal("db").template_item("a", "1").label("one", "1").annotation("one", "1");
    let mut manifest = before.template("x", "$(a)").commit();
    scene.until_ready("db");
    // The items stay as they are: whoever edits a template needs no key.
    manifest["spec"]["template"] =
        json!({"metadata": {"labels": {"two": "2"}, "annotations": {"two": "2"}}, "data": {"y": "$(a)$(a)"}});
    scene.commit(&manifest).unwrap();
    scene.until_ready("db");
    let metadata = &scene.secret("db").unwrap()["metadata"];
    assert_eq!(metadata["labels"], json!({"two": "2"}));
    assert_eq!(
        (&metadata["annotations"]["two"], &metadata["annotations"]["one"]),
        (&json!("2"), &Value::Null)
    );
    assert_eq!(keys(&scene, "db"), ["a", "y"]);
    assert_eq!(scene.data("db")["y"], b"11");
}

/// Only the hints differ, so the digest and the Secret stay; it is opened once, to see that it still opens.
#[test]
fn a_change_that_is_not_of_the_secret_rewrites_nothing() {
    let (scene, controller) = Scene::with_controller("hints");
    let mut manifest = scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    let controller = scene.restart(controller);
    let before = scene.secret("db");
    manifest["spec"]["envelopes"][0]["recipients"][0]["name"] = json!("prod-2026-11");
    scene.commit(&manifest).unwrap();
    assert_eq!(scene.until_ready("db")["metadata"]["generation"], 2);
    assert_eq!(scene.secret("db"), before);
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 0);
    assert_eq!(controller.metric("seal_controller_unseals_total"), 1);
}

#[test]
fn a_changed_type_says_to_delete_the_secret_which_is_then_made_anew() {
    let (scene, _controller) = Scene::with_controller("retype");
    scene.seal("db").item("username", "app").commit();
    scene.until_ready("db");
    let before = scene.secret("db");
    scene.seal("db").item("username", "app").of_type("kubernetes.io/basic-auth").commit();
    let message = scene.until_stalled("db", "ImmutableSecret");
    assert!(message.contains("delete it"), "{message}");
    assert_eq!(scene.secret("db"), before);

    scene.api().delete(&scene.secrets("db")).unwrap();
    scene.until_ready("db");
    assert_eq!(scene.secret("db").unwrap()["type"], "kubernetes.io/basic-auth");
}

#[test]
fn an_immutable_secret_is_kept_until_somebody_deletes_it() {
    let (scene, _controller) = Scene::with_controller("immutable");
    scene.seal("db").item("a", "1").immutable().commit();
    scene.until_ready("db");
    assert_eq!(scene.secret("db").unwrap()["immutable"], true);
    for changed in [scene.seal("db").item("a", "2").immutable(), scene.seal("db").item("a", "2")] {
        changed.commit();
        let message = scene.until_stalled("db", "ImmutableSecret");
        assert!(message.contains("delete it"), "{message}");
        assert_eq!(scene.data("db")["a"], b"1");
    }
    scene.api().delete(&scene.secrets("db")).unwrap();
    scene.until_ready("db");
    assert_eq!(scene.data("db")["a"], b"2");
    assert_eq!(scene.secret("db").unwrap()["immutable"], Value::Null);
}
