//! Every private half is lost, while a controller runs or before it starts: all objects say so, and so does `/readyz`.
//!
//! The way back, from backups, is in [`super::recovery`]. Invariant: no Secret changes.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::keys::FIRST;
use super::scene::{Scene, condition, items};

/// Status, and reason, of Ready, and the status of `KeyMissing`.
fn said(object: &Value) -> [String; 3] {
    let (status, reason, _) = condition(object, "Ready");
    [status, reason, condition(object, "KeyMissing").0]
}

/// Deletes every private half; a restored key may have got a newer one in its place.
fn lose_all(scene: &Scene<'_>) {
    let labelled = format!("{}?labelSelector=sealing.dev/sealing-key", scene.identities(""));
    for secret in items(&scene.api().get(&labelled).unwrap()) {
        scene.lose_key(secret["metadata"]["name"].as_str().unwrap());
    }
}

#[test]
fn without_any_private_half_every_object_and_the_readiness_say_so_and_no_secret_changes() {
    let (scene, mut controller) = Scene::with_controller("lost-keys");
    let names = ["db", "mail", "cache"];
    names.iter().for_each(|name| drop(scene.seal(name).item("a", "1").commit()));
    names.iter().for_each(|name| drop(scene.until_ready(name)));
    let before = names.map(|name| scene.secret(name).unwrap());
    let mut saved = scene.api().get(&scene.identities(FIRST)).unwrap();
    let late = scene.seal("late").item("a", "1").manifest();

    for while_it_runs in [true, false] {
        if !while_it_runs {
            assert!(controller.terminate().success());
        }
        lose_all(&scene);
        if while_it_runs {
            until("the key is gone", || controller.log().contains("keys=0"));
            // Otherwise they say so after half a minute.
            names.iter().for_each(|name| drop(scene.nudge(name)));
        } else {
            controller = scene.launch(&[]);
        }
        for name in names {
            until("it says so", || said(&scene.sealed(name)) == ["True", "KeyMissing", "True"]);
        }
        scene.commit(&late).unwrap();
        scene.until_stalled("late", "NoMatchingKey");
        until("the readiness says so", || {
            let page = controller.http("/readyz");
            page.is_some_and(|(status, page)| status == 503 && page.contains("its private half is missing"))
        });
        assert_eq!(names.map(|name| scene.secret(name).unwrap()), before);

        saved["metadata"] = json!({"name": FIRST, "labels": saved["metadata"]["labels"],
            "annotations": saved["metadata"]["annotations"], "finalizers": saved["metadata"]["finalizers"]});
        scene.api().create(&scene.identities(""), &saved).unwrap();
        scene.until_ready("late");
        for name in names {
            until("it is back", || said(&scene.sealed(name)) == ["True", "InSync", ""]);
        }
        scene.api().delete(&scene.sealed_secrets("late")).unwrap();
        until("late is gone", || scene.secret("late").is_none());
        assert_eq!(names.map(|name| scene.secret(name).unwrap()), before);
    }
}
