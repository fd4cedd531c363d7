//! Deletions of sealing keys: a key goes once nothing needs it, and no sooner.
//!
//! A proof needs a controller that watches every namespace, so there is a control plane for that. Invariant:
//! at the end of each story every Secret is there.

use std::time::Instant;

use seal_crds::keys::Identity;
use seal_crds::native::NamedRecipient;
use seal_tests::control_plane::{ControlPlane, definitions, succeed};
use seal_tests::controller::Controller;
use seal_tests::toolchain;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::keys::{FIRST, until_primary, until_said};
use super::offers::{fingerprint, renew};
use super::scene::{Scene, condition, items, path};
use crate::end_to_end::seal;
use crate::sandbox::Sandbox;

/// The SealingKey, once its condition Deletable has this reason.
#[track_caller]
pub(super) fn until_deletable(scene: &Scene, key: &str, reason: &str) -> String {
    eventually(&format!("{key} is {reason}"), || {
        let object = scene.api().get(&scene.sealing_keys(key)).unwrap();
        let (_, found, message) = condition(&object, "Deletable");
        if found == reason { Ok(message) } else { Err(object["status"].clone()) }
    })
}

/// Has the controller look at its keys again, once a second, until this state is said. Whoever changes a SealingKey more
/// often than that keeps the controller from writing its status.
#[track_caller]
fn until_state(scene: &Scene, key: &str, state: &str) {
    let (begun, mut looks) = (Instant::now(), 0);
    until(&format!("{key} is {state}"), || {
        if begun.elapsed().as_secs() >= looks {
            looks += 1;
            let annotation = json!({"metadata": {"annotations": {"look": looks.to_string()}}});
            scene.api().merge(&scene.sealing_keys(key), &annotation).unwrap();
        }
        scene.api().get(&scene.sealing_keys(key)).unwrap()["status"]["state"] == state
    });
}

/// Has ten minutes pass: the time from which the controller counts is in the status.
fn settle(scene: &Scene, key: &str) {
    let mut status = scene.api().get(&scene.sealing_keys(key)).unwrap()["status"].take();
    let mut conditions = status["conditions"].as_array_mut().unwrap().iter_mut();
    let deletable = conditions.find(|condition| condition["type"] == "Deletable").unwrap();
    deletable["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
    let path = format!("{}/status", scene.sealing_keys(key));
    scene.api().merge(&path, &json!({ "status": status })).unwrap();
}

/// The Event with this reason about a SealingKey.
#[track_caller]
fn until_told(scene: &Scene, key: &str, reason: &str) -> String {
    let events = path("/apis/events.k8s.io/v1", &scene.keys, "events", "");
    eventually(&format!("an Event {reason}"), || {
        let all = scene.api().get(&events).unwrap();
        let found =
            items(&all).iter().find(|event| event["reason"] == reason && event["regarding"]["name"] == key);
        found.map(|event| event["note"].as_str().unwrap().to_owned()).ok_or("there is none")
    })
}

#[test]
fn a_key_stays_while_an_object_needs_it_and_goes_when_none_does() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    succeed(plane.kubectl(["create", "namespace", "seal-system"]).arg("--output=name"));
    let roles = toolchain::repository().join("controller/deploy/rbac.yaml");
    succeed(plane.kubectl(["apply", "--server-side", "-f"]).arg(roles));
    let scene = Scene::on(&plane, plane.namespace("deletion"), "seal-system".to_owned());
    let sandbox = Sandbox::new();
    let run = |args: &[&str]| seal(&sandbox, &scene, plane.kubeconfig(), args, b"");
    let recovery = sandbox.run(["keys", "new", "-o", "recovery.key"], "");
    sandbox.write("recovery.pub", recovery.stdout);
    // As shipped, it watches every namespace.
    let flag = format!("--recovery-recipients={}", sandbox.path("recovery.pub").display());
    let controller =
        || Controller::start(&scene.kubeconfig, plane.dir(), std::slice::from_ref(&flag)).ready();
    let mut running = controller();
    until_primary(&scene, FIRST);
    let first = fingerprint(&scene, FIRST);
    until("the backup is there", || run(&["keys", "backup", "-o", "backups"]).code == 0);
    let old = scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    // What opens with no key at all may be somebody's last copy of a value, so it holds every key.
    let nobody = NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
    scene.seal("theirs").to(&nobody).item("a", "1").commit();
    let second = renew(&scene);

    scene.api().delete(&scene.identities(FIRST)).unwrap();
    let message = until_deletable(&scene, FIRST, "KeyInUse");
    // Everybody may read SealingKeys, and not the names of everybody's objects.
    let told = until_told(&scene, FIRST, "KeyInUse");
    for name in ["db", "theirs"] {
        let name = format!("{}/{name}", scene.namespace);
        assert!(told.contains(&name) && !message.contains(&name), "{told}: {message}");
    }
    scene.api().delete(&scene.sealed_secrets("theirs")).unwrap();
    let held = scene.api().get(&scene.identities(FIRST)).unwrap();
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    // It opens.
    scene.api().delete(&scene.secrets("db")).unwrap();
    until("the Secret is back", || scene.secret("db").is_some());
    let before = scene.secret("db").unwrap()["metadata"]["uid"].clone();

    // The values are sealed again, to the new key; then nothing needs the old one.
    let recipient =
        scene.api().get(&scene.sealing_keys("sealing-key-2")).unwrap()["spec"]["recipient"].clone();
    let recipient = NamedRecipient { recipient: recipient.as_str().unwrap().parse().unwrap(), name: None };
    scene.seal("db").to(&recipient).item("a", "1").commit();
    until("the new key opens it", || scene.until_ready("db")["status"]["openedBy"] == json!([second]));
    // One that has just started asks at once; another rests for minutes after a proof that failed.
    assert!(running.terminate().success());
    let _running = controller();
    until_deletable(&scene, FIRST, "NotNeededNow");
    assert!(scene.api().get(&scene.identities(FIRST)).is_some());
    settle(&scene, FIRST);
    until_state(&scene, FIRST, "Destroyed");
    assert_eq!(scene.api().get(&scene.identities(FIRST)), None);

    // An old revision says that it doesn't open, and the Secret stays. The key comes back from a backup.
    scene.commit(&old).unwrap();
    let message = scene.until_stalled("db", "NoMatchingKey");
    assert!(message.contains(&first.short()), "{message}");
    assert_eq!(scene.secret("db").unwrap()["metadata"]["uid"], before);
    let fetched = run(&["keys", "fetch", "-o", "pins.pub"]);
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let pins = String::from_utf8(sandbox.read("pins.pub")).unwrap();
    assert!(pins.contains(&format!("# destroyed: {first} ")), "{pins}");
    let restored = run(&["keys", "restore", "backups", "-i", "recovery.key", "-r", "pins.pub", "--yes"]);
    let said = String::from_utf8_lossy(&restored.stdout);
    assert_eq!(restored.code, 0, "{said}{}", restored.stderr);
    assert!(said.ends_with(", sequence 1, Retiring\n"), "{said}");
    until("it opens again", || condition(&scene.sealed("db"), "Ready").0 == "True");
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Retiring");
    until_primary(&scene, "sealing-key-2");
    assert_eq!(scene.secret("db").unwrap()["metadata"]["uid"], before);
}

#[test]
fn a_controller_that_does_not_see_every_object_proves_nothing() {
    let (scene, _controller) = Scene::with_controller("unproven");
    until_primary(&scene, FIRST);
    renew(&scene);
    scene.api().delete(&scene.identities(FIRST)).unwrap();
    let message = until_deletable(&scene, FIRST, "NotProven");
    assert!(message.contains("--watch-namespace"), "{message}");
    assert!(matches!(scene.api().get(&scene.identities(FIRST)), Some(Value::Object(_))));
}
