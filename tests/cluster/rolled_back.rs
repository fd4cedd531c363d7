//! An older version of the controller beside keys of this version, and this version again after it.
//!
//! The older version knows nothing of a recovery set, so it takes the keys for ones of a later version: it loads none,
//! makes none, and says so in their status. Its requests are recorded here as it sent them, but for names.
//! Invariants: the same key is sealed to afterwards, no state has changed, and nothing that was recorded is lost.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::key_writers::{ask, writer};
use super::keys::{FIRST, until_primary, until_said};
use super::scene::{Scene, condition};

const SECOND: &str = "sealing-key-2";

/// The request of the older version for one SealingKey: it replaces the whole status, and keeps of it what it knows.
fn by_the_older_version(key: &Value) -> Value {
    let status = &key["status"];
    let say = |type_: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "observedGeneration": key["metadata"]["generation"],
            "lastTransitionTime": "2026-11-27T03:32:10Z",
        })
    };
    let later = "the Secret with the private half was made by a later version of the controller; update the controller";
    json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": key["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/status", "value": {
            "fingerprint": status["fingerprint"],
            "state": status["state"],
            "floor": status["floor"],
            "conditions": [
                say("Primary", "False", "NotNewestActive", "Secrets are not sealed to this key"),
                say("Stalled", "True", "LaterVersion", later),
            ],
        }},
    ])
}

#[test]
fn after_a_rollback_the_same_key_is_sealed_to_and_no_state_has_changed() {
    let (scene, mut controller) = Scene::with_controller("rolled-back");
    let writer = writer(&scene);
    ask(&writer, &scene, FIRST, "Retiring");
    until_primary(&scene, SECOND);
    ask(&writer, &scene, FIRST, "Revoked");
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Revoked");
    let read = |name| scene.api().get(&scene.sealing_keys(name)).unwrap();
    let facts = |key: &Value| {
        let status = &key["status"];
        [&status["fingerprint"], &status["state"], &status["floor"], &status["renewal"]].map(Value::clone)
    };
    let before = [FIRST, SECOND].map(|name| facts(&read(name)));
    let secrets = || {
        let list =
            scene.api().get(&format!("{}?labelSelector=sealing.dev/sealing-key", scene.identities("")));
        let secrets = list.unwrap()["items"].as_array().unwrap().clone();
        secrets.into_iter().map(|secret| secret["metadata"]["resourceVersion"].clone()).collect::<Vec<_>>()
    };
    assert!(controller.terminate().success());
    let noted = secrets();
    for name in [FIRST, SECOND] {
        let request = by_the_older_version(&read(name));
        scene.api().json_patch(&format!("{}/status", scene.sealing_keys(name)), &request).unwrap();
    }
    assert_eq!(condition(&read(SECOND), "Primary").0, "False", "nobody seals meanwhile");

    let _controller = scene.launch(&[]);
    until_primary(&scene, SECOND);
    until("all is said again", || [FIRST, SECOND].map(|name| facts(&read(name))) == before);
    assert_eq!(secrets(), noted, "no key is new, and no note was written");
    assert!(
        read(SECOND)["status"]["conditions"].as_array().unwrap().iter().all(|it| it["type"] != "Stalled")
    );
}
