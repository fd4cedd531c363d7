//! What people ask of a key, a renewal or a retirement, and what `seal keys status` counts.
//!
//! Invariant: a wish of a person is never lost, and never undoes that of another.

use std::sync::atomic::{AtomicBool, Ordering};

use seal_crds::keys::Identity;
use seal_crds::keys::pins::Mark;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::{SECOND, Stage, needs};
use crate::cluster::keys::{FIRST, recipient_of, until_primary, until_said};
use crate::cluster::scene::{Scene, items};
use crate::end_to_end::seal;
use crate::sandbox::CANARY;

#[test]
fn the_controller_does_what_the_commands_ask_for() {
    let (scene, _controller) = Scene::with_controller("verbs-real");
    let stage = Stage::at(scene);
    until_primary(&stage.scene, FIRST);
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    let first = stage.pins("cluster.pub").recipients()[0].fingerprint();

    stage.done(&["keys", "renew", FIRST]);
    until_primary(&stage.scene, SECOND);
    assert_eq!(stage.run(&["keys", "fetch", "--check", "cluster.pub"]).code, 1);
    // A file that nobody has brought up to date yet still seals, with a warning only once it is.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "db", "namespace": stage.scene.namespace}, "stringData": {"password": CANARY},
    });
    let late = stage.sandbox.run(["-r", "cluster.pub"], secret.to_string());
    assert_eq!((late.code, late.stderr.as_str()), (0, ""));
    stage.scene.commit(&serde_yaml::from_slice(&late.stdout).unwrap()).unwrap();
    stage.scene.until_ready("db");
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    stage.done(&["keys", "fetch", "--check", "cluster.pub"]);
    assert_eq!(stage.pins("cluster.pub").marked(&first).unwrap().mark, Mark::Retiring);
    let status = String::from_utf8(stage.done(&["keys", "status"]).stdout).unwrap();
    assert!(status.contains("Active, primary") && status.contains("Retiring"), "{status}");

    let revoked = stage.run(&["keys", "revoke", FIRST, "--yes", "-r", "cluster.pub", "--wait=0"]);
    assert_eq!(revoked.code, 1, "{}", revoked.stderr);
    let label = format!("{FIRST} ({})", first.short());
    let listed = format!("{}/db: password (cluster), exposed to {label}\n", stage.scene.namespace);
    assert!(String::from_utf8_lossy(&revoked.stdout).contains(&listed));
    until_said(&stage.scene, FIRST, |key| key["status"]["state"] == "Revoked");
    assert_eq!(stage.pins("cluster.pub").marked(&first).unwrap().mark, Mark::Revoked);
    stage.done(&["keys", "fetch", "--check", "cluster.pub"]);
}

#[test]
fn a_renewal_is_asked_for_and_reaches_the_repository() {
    let stage = Stage::new("verbs-renew");
    let (old, new) = (stage.first(), Identity::generate());
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    let check = stage.done(&["keys", "fetch", "--check", "cluster.pub"]);
    assert!(check.stderr.contains("cluster.pub is up to date"), "{}", check.stderr);

    let renewed = stage.done(&["keys", "renew"]);
    assert!(renewed.stderr.contains(&format!("renewing {FIRST}")), "{}", renewed.stderr);
    assert_eq!(stage.key(FIRST)["spec"]["state"], "Retiring");
    let version = stage.key(FIRST)["metadata"]["resourceVersion"].clone();
    stage.done(&["keys", "renew", FIRST]);
    assert_eq!(stage.key(FIRST)["metadata"]["resourceVersion"], version, "the second time changes nothing");

    // The controller has made the new key.
    stage.publish(SECOND, &new, 2);
    stage.say(FIRST, &old, "Retiring", false);
    stage.say(SECOND, &new, "Active", true);
    let again = stage.done(&["keys", "renew", &old.fingerprint().to_string()[..16]]);
    assert!(again.stderr.contains("was renewed before"), "{}", again.stderr);
    assert_eq!(stage.key(SECOND)["spec"]["state"], "Active", "the successor isn't renewed");

    let behind = stage.run(&["keys", "fetch", "--check", "cluster.pub"]);
    assert_eq!(behind.code, 1, "{}", behind.stderr);
    let said = String::from_utf8(behind.stdout).unwrap();
    assert!(
        said.contains("cluster.pub lacks sealing-key-2") && said.contains(&format!("doesn't mark {FIRST}")),
        "{said}"
    );
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    stage.done(&["keys", "fetch", "--check", "cluster.pub"]);
    let pins = stage.pins("cluster.pub");
    assert_eq!(pins.recipients(), [new.recipient().clone()]);
    let marked = pins.marked(&old.fingerprint()).unwrap();
    assert_eq!((marked.mark, marked.since.to_string().as_str()), (Mark::Retiring, "2026-02-03"));
}

#[test]
fn a_key_that_retires_is_named_by_name_or_fingerprint_and_a_planted_one_is_refused() {
    let stage = Stage::new("verbs-retire");
    let (key, evil) = (stage.first(), Identity::generate());
    stage.publish("evil", &evil, 9);
    for given in ["evil", &evil.fingerprint().to_string()] {
        let refused = stage.run(&["keys", "retire", given]);
        assert_eq!(refused.code, 3);
        assert!(refused.stderr.contains("evil is no key of the controller"), "{}", refused.stderr);
    }
    assert_eq!(stage.run(&["keys", "retire", "1"]).code, 2, "a number names no key");
    stage.done(&["keys", "retire", &key.fingerprint().short()]);
    assert_eq!(stage.key(FIRST)["spec"]["state"], "Retiring");
    assert_eq!(stage.key("evil")["spec"]["state"], "Active");
    // Who may only read keys is told so.
    crate::end_to_end::publish(&stage.scene);
    let reader = crate::end_to_end::somebody(&stage.scene.keys);
    until("the reader may list keys", || {
        let run = seal(&stage.sandbox, &stage.scene, &reader, &["keys", "fetch"], b"");
        !run.stderr.contains("(403)")
    });
    stage.say(FIRST, &key, "Active", true);
    let revoke = ["keys", "revoke", FIRST, "--yes", "--wait=0"];
    let refused = seal(&stage.sandbox, &stage.scene, &reader, &revoke, b"");
    assert_eq!(refused.code, 3);
    assert!(
        refused.stderr.contains(&format!("doesn't let you change SealingKey {FIRST}")),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_wish_is_decided_afresh_if_somebody_else_writes_meanwhile() {
    let stage = Stage::new("verbs-race");
    stage.first();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let patch = json!({"metadata": {"annotations": {"example.com/n": n.to_string()}}});
                stage.scene.api().merge(&stage.scene.sealing_keys(FIRST), &patch).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
        });
        let run = stage.run(&["keys", "retire", FIRST]);
        done.store(true, Ordering::Relaxed);
        assert_eq!(run.code, 0, "{}", run.stderr);
    });
    let after = stage.key(FIRST);
    assert_eq!(after["spec"]["state"], "Retiring");
    assert!(after["metadata"]["annotations"]["example.com/n"].is_string(), "what somebody else wrote stays");
}

#[test]
fn the_status_counts_cluster_work_tree_and_revisions() {
    let stage = Stage::new("verbs-status");
    let [old, new] = stage.renewed();
    stage.publish("evil", &Identity::generate(), 9);
    stage.git(&["init", "-q", "-b", "main"]);
    stage.commit("a", &old, &needs(&[&old]));
    stage.commit("b", &old, &needs(&[&old]));
    stage.git(&["add", "-A"]);
    stage.git(&["commit", "-q", "-m", "x"]);
    stage.git(&["tag", "v1"]);
    let moved = stage.scene.seal("b").item("password", CANARY).to(&recipient_of(&new)).manifest();
    stage.write("b.json", moved);

    let found = stage.done(&["keys", "status", ".", "--rev", "v1", "--format=json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let counts = |name: &str| {
        let key = found["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
        (
            key["state"].clone(),
            key["primary"].clone(),
            key["claimed"]["files"].clone(),
            key["claimed"]["v1"].clone(),
        )
    };
    assert_eq!(counts(FIRST), (json!("Retiring"), json!(false), json!(1), json!(2)));
    assert_eq!(counts(SECOND), (json!("Active"), json!(true), json!(1), json!(0)));
    assert!(!found.to_string().contains("\"evil\""), "{found}");
    let text = String::from_utf8(stage.done(&["keys", "status", "--rev", "v1"]).stdout).unwrap();
    assert!(text.contains("Active, primary") && text.contains("not looked at: files"), "{text}");
    assert!(items(&stage.scene.api().get(&stage.scene.sealing_keys("")).unwrap()).len() == 3);
}
