//! One name in both groups: the native object makes the Secret, which never goes or changes its UID on the way.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Peers;

fn uid(object: &Value) -> &Value {
    &object["metadata"]["uid"]
}

#[test]
fn a_native_object_takes_the_secret_and_the_other_steps_back_until_it_goes() {
    let (peers, controller) = Peers::with_controller("native");
    let scene = &peers.scene;
    peers.seal("db").item("a", "old").item("gone", "1").commit();
    peers.until_ready("db");
    let before = scene.secret("db").unwrap();

    let manifest = scene.seal("db").item("a", "new").manifest();
    scene.commit(&manifest).unwrap();
    let native = scene.until_ready("db");
    let message = peers.until_stalled("db", "Superseded");
    assert!(message.contains("sealing.dev"), "{message}");
    let taken = scene.secret("db").unwrap();
    assert_eq!(uid(&taken), uid(&before));
    assert_eq!(uid(&native), &taken["metadata"]["ownerReferences"][0]["uid"]);
    assert_eq!(scene.data("db"), [("a".to_owned(), b"new".to_vec())].into());

    // Neither disturbs the other, and a controller that starts with both there does nothing at all.
    let controller = scene.restart(controller);
    let stalled = peers.sealed("db");
    scene.nudge("db");
    peers.after("later");
    assert_eq!((scene.secret("db").unwrap(), peers.sealed("db")), (taken.clone(), stalled));
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1, "the later one's");

    // The end of the migration.
    scene.api().delete(&peers.path("db")).unwrap();
    peers.after("much-later");
    assert_eq!(scene.secret("db").unwrap(), taken);

    // And back.
    peers.seal("db").item("a", "old").commit();
    peers.until_stalled("db", "Superseded");
    scene.api().delete(&scene.sealed_secrets("db")).unwrap();
    let object = peers.until_ready("db");
    until("the Secret is the other's", || {
        let secret = scene.secret("db").unwrap_or_default();
        uid(&object) == &secret["metadata"]["ownerReferences"][0]["uid"]
            && secret["data"] == json!({"a": "b2xk"})
    });
}

/// Under a tool that deletes what is gone from Git before it creates what is new.
#[test]
fn an_orphaned_secret_outlives_its_object_and_belongs_to_the_native_one_that_comes() {
    let (peers, mut controller) = Peers::with_controller("orphan");
    let scene = &peers.scene;
    peers.seal("db").item("a", "old").item("gone", "1").commit();
    peers.until_ready("db");
    let before = scene.secret("db").unwrap();
    assert!(controller.terminate().success());

    let controller = scene.start(&["--orphan-bitnami-secrets"]);
    until("the Secret has no owner", || {
        scene.secret("db").unwrap()["metadata"].get("ownerReferences").is_none()
    });
    scene.api().delete(&peers.path("db")).unwrap();
    peers.after("later");
    until("the garbage collector had a look", || scene.secret("db").is_some());
    let native = scene.seal("db").item("a", "new").manifest();
    scene.commit(&native).unwrap();
    let native = scene.until_ready("db");
    let taken = scene.secret("db").unwrap();
    assert_eq!((uid(&taken), &taken["metadata"]["ownerReferences"][0]["uid"]), (uid(&before), uid(&native)));
    assert_eq!(scene.data("db"), [("a".to_owned(), b"new".to_vec())].into());
    drop(controller);
}
