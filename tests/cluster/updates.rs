//! SealedSecrets that change, and the effect on their Secrets.

use seal_tests::wait::until;
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
    // The items stay as they are: editing a template needs no key.
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

/// As after an update of the controller, or after it was rolled back.
#[test]
fn a_secret_that_another_version_of_the_controller_made_is_written_anew_and_that_is_no_healing() {
    let (scene, mut first) = Scene::with_controller("renderer");
    scene.seal("db").item("a", "1").commit();
    let status = scene.until_ready("db")["status"].clone();
    assert!(first.terminate().success());
    // What another renderer would have written and remembered: another digest, owned as ours.
    let before = scene.secret("db").unwrap()["metadata"].clone();
    let other = format!("7-{}", "ab".repeat(32));
    let digest = json!({"metadata": {"annotations": {"sealing.dev/digest": other}}});
    scene.api().merge(&scene.secrets("db"), &digest).unwrap();
    let ours = json!({"metadata": {"managedFields": before["managedFields"]}});
    let written = scene.api().merge(&scene.secrets("db"), &ours).unwrap();
    let version = &written["metadata"]["resourceVersion"];
    let remembered = json!({"status": {"secret": {"resourceVersion": version}}});
    assert!(status["secret"].is_object());
    scene.api().merge(&format!("{}/status", scene.sealed_secrets("db")), &remembered).unwrap();

    let second = scene.start(&[]);
    until("it is written anew", || {
        scene.secret("db").unwrap()["metadata"]["annotations"]["sealing.dev/digest"]
            == before["annotations"]["sealing.dev/digest"]
    });
    scene.nudge("db");
    assert_eq!(second.metric("seal_controller_secret_writes_total"), 1);
    assert_eq!(second.metric("seal_controller_heals_total"), 0);
    assert!(scene.events("db").iter().all(|(reason, _)| reason == "Ready"), "{:?}", scene.events("db"));
    assert!(!second.log().contains("Healed"));
}

/// Only the hints differ, so the digest and the Secret stay. The controller opens the object once, to see that it
/// still opens.
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
    // The first apply to a Secret moves the ownership of its fields, whether or not the API server then takes it.
    let content = || {
        let secret = scene.secret("db").unwrap();
        ["data", "type"].map(|field| secret[field].clone())
    };
    let before = content();
    scene.seal("db").item("username", "app").of_type("kubernetes.io/basic-auth").commit();
    let message = scene.until_stalled("db", "ImmutableSecret");
    assert!(message.contains("delete it"), "{message}");
    assert_eq!(content(), before);

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

/// A person who edits the object learns nothing of the values: not by sealing a guess, nor from the result of a
/// template.
#[test]
fn an_immutable_secret_does_not_tell_whether_values_are_equal() {
    let (scene, controller) = Scene::with_controller("equal");
    let mut outcomes = Vec::new();
    for guess in ["right", "wrong"] {
        scene.seal(guess).item("a", "right").immutable().commit();
        scene.until_ready(guess);
        let opened = controller.metric("seal_controller_unseals_total");
        scene.seal(guess).item("a", guess).immutable().commit();
        outcomes.push(scene.until_stalled(guess, "ImmutableSecret").replace(guess, "NAME"));
        assert_eq!(controller.metric("seal_controller_unseals_total"), opened, "it wasn't even opened");
    }
    assert_eq!(outcomes[0], outcomes[1]);

    // A change that only another program made is healed, since it can't have changed the values.
    scene.seal("db").item("a", "1").immutable().label("app", "x").commit();
    scene.until_ready("db");
    for metadata in [json!({"labels": {"app": "y"}}), json!({"annotations": {"sealing.dev/digest": null}})] {
        scene.api().merge(&scene.secrets("db"), &json!({"metadata": metadata})).unwrap();
        until("it is healed", || {
            let metadata = &scene.secret("db").unwrap()["metadata"];
            metadata["labels"]["app"] == "x" && metadata["annotations"]["sealing.dev/digest"].is_string()
        });
    }
}

/// The first attempt at a takeover may tell; later ones don't, whichever object makes them.
#[test]
fn an_immutable_secret_that_was_not_taken_over_once_tells_nothing_more() {
    let (scene, _controller) = Scene::with_controller("once");
    let foreign = json!({"apiVersion": "v1", "kind": "Secret", "immutable": true, "data": {"a": "cmlnaHQ="},
        "metadata": {"name": "db", "annotations": {"sealing.dev/adopt": "db"}}});
    let foreign = scene.api().create(&scene.secrets(""), &foreign).unwrap();
    let mut outcomes = Vec::new();
    for guess in ["wrong", "right", "other"] {
        scene.seal("db").item("a", guess).immutable().commit();
        outcomes.push(scene.until_stalled("db", "ImmutableSecret"));
        scene.api().delete(&scene.sealed_secrets("db")).unwrap();
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    assert_eq!(scene.secret("db").unwrap()["data"], foreign["data"]);

    scene.api().delete(&scene.secrets("db")).unwrap();
    scene.seal("db").item("a", "other").immutable().commit();
    scene.until_ready("db");
}
