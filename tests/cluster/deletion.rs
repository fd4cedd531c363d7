//! A deleted SealedSecret takes its Secret along, by the real garbage collector; a re-created one gets it back.

use seal_tests::wait::until;

use super::scene::Scene;

#[test]
fn deleting_the_sealed_secret_deletes_its_secret_and_no_other() {
    let (scene, _controller) = Scene::with_controller("delete");
    for name in ["db", "cache"] {
        scene.seal(name).item("a", "1").commit();
        scene.until_ready(name);
    }
    scene.api().delete(&scene.sealed_secrets("db")).unwrap();
    until("the Secret is collected", || scene.secret("db").is_none());
    scene.nudge("cache");
    assert!(scene.secret("cache").is_some());
}

/// The garbage collector, which deletes by the old UID, races with the controller, which writes the new one.
#[test]
fn a_sealed_secret_that_is_made_again_has_its_secret() {
    let (scene, _controller) = Scene::with_controller("again");
    let manifest = scene.seal("db").item("a", "1").commit();
    for _ in 0..8 {
        let old = scene.until_ready("db")["metadata"]["uid"].clone();
        scene.api().delete(&scene.sealed_secrets("db")).unwrap();
        scene.commit(&manifest).unwrap();
        let new = scene.until_ready("db")["metadata"]["uid"].clone();
        assert_ne!(old, new);
        until("the Secret belongs to the new object", || {
            scene.secret("db").is_some_and(|secret| secret["metadata"]["ownerReferences"][0]["uid"] == new)
        });
    }
    assert_eq!(scene.data("db")["a"], b"1");
}
