//! The state of a sealing key is kept beside its private half. It only rises, whoever asks for a change and
//! whatever happens to the SealingKey.

use seal_crds::keys::Identity;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::key_writers::{ask, writer};
use super::keys::{
    FIRST, hold_up_renewals, identity_secret, planted, recipient_of, until_primary, until_said,
};
use super::scene::{Scene, condition, path};

/// The state that is noted on a key's Secret.
fn noted(scene: &Scene, secret: &str) -> Value {
    let secret = scene.api().get(&scene.identities(secret)).unwrap();
    secret["metadata"]["annotations"]["sealing.dev/state"].clone()
}

/// Adds a key beside the controller's first one, as if a controller had made it and noted its state.
fn add_active_key(scene: &Scene, name: &str, identity: &Identity, sequence: u32) {
    let mut secret = identity_secret(name, identity, sequence);
    secret["metadata"]["annotations"] = json!({"sealing.dev/state": "Active"});
    let path = format!("{}?fieldManager=seal-controller", scene.identities(""));
    scene.api().create(&path, &secret).unwrap();
}

#[test]
fn a_new_key_is_made_with_its_state_noted() {
    let (scene, _controller) = Scene::with_controller("noted");
    until_primary(&scene, FIRST);
    assert_eq!(noted(&scene, FIRST), "Active");
    let key = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
    assert_eq!((&key["status"]["state"], &key["status"]["floor"]), (&json!("Active"), &json!("Active")));
}

#[test]
fn revoked_is_final_also_when_the_sealing_key_is_deleted_and_made_again() {
    let (scene, controller) = Scene::with_controller("final-state");
    let writer = writer(&scene);
    let recipient = scene.recipient();
    let before = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
    ask(&writer, &scene, FIRST, "Revoked");
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Revoked");
    assert_eq!(noted(&scene, FIRST), "Revoked");

    // The SealingKey comes back Active, exactly as it was, so nothing distinguishes it from the deleted one. It
    // also comes back while no controller runs.
    let again = json!({
        "apiVersion": "sealing.dev/v1alpha1", "kind": "SealingKey",
        "metadata": {"name": FIRST}, "spec": before["spec"],
    });
    let recreate = || {
        until("it is theirs", || {
            let _ = writer.delete(&scene.sealing_keys(FIRST));
            writer.create(&scene.sealing_keys(""), &again).is_ok()
        });
    };
    recreate();
    let is_revoked = |key: &Value| {
        key["spec"]["state"] == "Active"
            && key["status"]["state"] == "Revoked"
            && condition(key, "Primary").1 == "Revoked"
    };
    until_said(&scene, FIRST, is_revoked);
    let mut controller = controller;
    assert!(controller.terminate().success());
    recreate();
    let _controller = scene.launch(&[]);
    until_said(&scene, FIRST, is_revoked);
    assert_eq!(noted(&scene, FIRST), "Revoked");
    scene.seal("db").item("a", "1").to(&recipient).commit();
    scene.until_ready("db");
}

#[test]
fn nobody_makes_an_older_key_the_primary_by_retiring_or_revoking_the_newest() {
    let (scene, _controller) = Scene::with_controller("older");
    let writer = writer(&scene);
    until_primary(&scene, FIRST);
    let second = Identity::generate();
    add_active_key(&scene, "sealing-key-2", &second, 2);
    until_primary(&scene, "sealing-key-2");
    assert_eq!(noted(&scene, FIRST), "Retiring");

    // Retiring a key waits for a successor.
    hold_up_renewals(&scene);
    ask(&writer, &scene, "sealing-key-2", "Retiring");
    until_said(&scene, "sealing-key-2", |key| condition(key, "RenewalDue").1 == "LaterVersion");
    until_primary(&scene, "sealing-key-2");
    // Revoking a key doesn't wait, and then there is no primary.
    ask(&writer, &scene, "sealing-key-2", "Revoked");
    until_said(&scene, "sealing-key-2", |key| condition(key, "Primary").1 == "Revoked");
    let older = until_said(&scene, FIRST, |key| key["status"]["state"] == "Retiring");
    assert_eq!(condition(&older, "Primary").0, "False");
    // Both keys open.
    scene.seal("db").item("a", "1").to(&recipient_of(&second)).commit();
    scene.until_ready("db");
}

#[test]
fn a_key_of_the_first_version_is_what_its_sealing_key_said() {
    for (state, expected) in [("Active", "Active"), ("Retiring", "Retiring"), ("Revoked", "Revoked")] {
        let scene = Scene::new(&format!("upgrade-{}", state.to_lowercase()));
        let identity = Identity::generate();
        scene.api().create(&scene.identities(""), &identity_secret(FIRST, &identity, 1)).unwrap();
        let mut published = planted(FIRST, &identity, 1);
        published["spec"]["state"] = json!(state);
        scene.api().create(&scene.sealing_keys(""), &published).unwrap();
        let recorded = json!({"status": {"fingerprint": identity.fingerprint().to_string()}});
        scene.api().merge(&format!("{}/status", scene.sealing_keys(FIRST)), &recorded).unwrap();

        let _controller = scene.launch(&[]);
        let key = until_said(&scene, FIRST, |key| key["status"]["state"] == expected);
        assert_eq!(noted(&scene, FIRST), expected);
        if state == "Active" {
            assert_eq!(condition(&key, "Primary").0, "True");
            let secrets = scene.api().get(&scene.identities("")).unwrap();
            assert_eq!(secrets["items"].as_array().unwrap().len(), 1, "none is made");
        } else {
            until_primary(&scene, "sealing-key-2");
        }
    }
}

#[test]
fn a_note_that_cannot_be_read_is_treated_as_revoked_and_left_as_it_is() {
    let (scene, controller) = Scene::with_controller("unreadable");
    until_primary(&scene, FIRST);
    let recipient = scene.recipient();
    let note = |text: &str| {
        let patch = json!({"metadata": {"annotations": {"sealing.dev/state": text}}});
        scene.api().merge(&scene.identities(FIRST), &patch).unwrap();
    };
    hold_up_renewals(&scene);
    note("Activ");
    let key = until_said(&scene, FIRST, |key| condition(key, "Stalled").1 == "StateUnreadable");
    assert_eq!(
        (&key["status"]["state"], condition(&key, "Primary").0),
        (&json!("Revoked"), "False".to_owned())
    );
    assert_eq!(controller.http("/readyz").map(|(status, _)| status), Some(503));
    scene.seal("db").item("a", "1").to(&recipient).commit();
    scene.until_ready("db");
    assert_eq!(noted(&scene, FIRST), "Activ");
    note("Active");
    until_primary(&scene, FIRST);
    until("it is ready again", || controller.http("/readyz").map(|(status, _)| status) == Some(200));
}

#[test]
fn what_is_wrong_with_a_key_is_logged_when_it_begins_and_not_at_every_change() {
    let (scene, controller) = Scene::with_controller("once");
    let mut broken = identity_secret("sealing-key-broken", &Identity::generate(), 7);
    broken["data"]["identity"] = json!("bm90IGEga2V5");
    scene.api().create(&scene.identities(""), &broken).unwrap();
    let tls = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"tls.key": "bm90IGEga2V5"},
        "metadata": {"name": "peers-broken", "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}},
    });
    scene.api().create(&scene.identities(""), &tls).unwrap();
    let said = |text: &str| controller.log().lines().filter(|line| line.contains(text)).count();
    let (native, peers) = ("data.identity isn't an identity", "holds none; it is passed over");
    until("both are said", || said(native) > 0 && said(peers) > 0);
    // A change of the keys makes the controller look several times.
    hold_up_renewals(&scene);
    for state in ["Retiring", "Active"] {
        ask(scene.api(), &scene, FIRST, state);
        let due = if state == "Retiring" { "True" } else { "" };
        until_said(&scene, FIRST, |key| condition(key, "RenewalDue").0 == due);
    }
    assert_eq!((said(native), said(peers)), (1, 1));
}

#[test]
fn a_labelled_secret_that_belongs_to_another_object_or_is_not_as_a_key_is_made_is_no_key() {
    let (scene, controller) = Scene::with_controller("label");
    // The owners must exist: the garbage collector deletes objects whose owners don't.
    let owner = |path: &str, object: Value| {
        let owner = scene.api().create(path, &object).unwrap();
        let (kind, api_version) = (owner["kind"].clone(), owner["apiVersion"].clone());
        json!([{"apiVersion": api_version, "kind": kind, "name": "x", "uid": owner["metadata"]["uid"]}])
    };
    let mut sealed = scene.seal("x").item("a", "1").manifest();
    sealed["metadata"]["namespace"] = json!(scene.keys);
    let sealed = owner(&path("/apis/sealing.dev/v1alpha1", &scene.keys, "sealedsecrets", ""), sealed);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
    let map = owner(&path("/api/v1", &scene.keys, "configmaps", ""), map);
    let digest = json!({"sealing.dev/digest": "x"});
    let (owned, opaque) = ("a SealedSecret made it", "its type isn't sealing.dev/sealing-key");
    let cases = [
        ("sealed", "ownerReferences", sealed, owned),
        ("owned", "ownerReferences", map, owned),
        ("digest", "annotations", digest, owned),
        ("opaque", "type", json!("Opaque"), opaque),
        ("mutable", "immutable", json!(false), "immutable: true"),
    ];
    for (name, field, value, _) in &cases {
        let mut secret = identity_secret(name, &Identity::generate(), 9);
        let parent = if secret[field].is_null() { &mut secret["metadata"] } else { &mut secret };
        parent[field] = value.clone();
        scene.api().create(&scene.identities(""), &secret).unwrap();
    }
    for (name, _, _, said) in cases {
        until(&format!("{name} is refused"), || {
            controller
                .log()
                .lines()
                .any(|line| line.contains(&format!("secret=\"{name}\"")) && line.contains(said))
        });
        assert_eq!(scene.api().get(&scene.sealing_keys(name)), None, "{name}");
    }
    until_primary(&scene, FIRST);
}
