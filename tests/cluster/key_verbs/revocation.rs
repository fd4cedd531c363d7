//! Revocations: in the cluster and in the pins, and the list of what the key opens.
//!
//! Invariant: whatever fails, the revocation stands, and what wasn't looked at is named.

use seal_crds::keys::pins::Mark;
use seal_crds::keys::{Identity, Pins};
use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::wait::until;
use serde_json::json;

use super::{SECOND, Stage, git, needs};
use crate::cluster::keys::{FIRST, recipient_of, until_primary, until_said};
use crate::sandbox::{CANARY, Sandbox};

#[test]
fn a_revocation_stands_in_cluster_and_pins_and_lists_what_the_key_opens() {
    let stage = Stage::new("verbs-revoke");
    let (leaked, new) = (stage.first(), Identity::generate());
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    stage.commit("live", &leaked, &needs(&[&leaked]));
    let to = [leaked.fingerprint().to_string()];
    stage.commit("rewrapped", &new, &json!({"exposed": ["password"], "exposedTo": to}));
    stage.commit("other", &new, &needs(&[&new]));
    // A Secret that was removed from the repository long ago.
    stage.git(&["init", "-q", "-b", "main"]);
    let old = stage.scene.seal("removed").item("token", CANARY).to(&recipient_of(&leaked)).manifest();
    stage.write("old.json", old);
    stage.git(&["add", "-A"]);
    stage.git(&["commit", "-q", "-m", "x"]);
    stage.git(&["rm", "-q", "-f", "old.json"]);
    stage.git(&["commit", "-q", "-m", "y"]);

    let revoked = stage.run(&["keys", "revoke", FIRST, "--yes", "-r", "cluster.pub", "--wait=0"]);
    assert!([0, 1].contains(&revoked.code), "{}", revoked.stderr);
    assert_eq!(stage.key(FIRST)["spec"]["state"], "Revoked");
    assert_eq!(stage.pins("cluster.pub").marked(&leaked.fingerprint()).unwrap().mark, Mark::Revoked);
    let list = String::from_utf8(revoked.stdout).unwrap();
    let namespace = &stage.scene.namespace;
    let key = format!("exposed to {FIRST} ({})", leaked.fingerprint().short());
    for expected in [
        format!("{namespace}/live: password (cluster, live.json), {key}\n"),
        format!("{namespace}/rewrapped: password (cluster), {key}\n"),
        format!("{namespace}/removed: token (old.json), {key}\n"),
        "has seen inside of the envelopes in the cluster: the controller hasn't said whom".to_owned(),
    ] {
        assert!(list.contains(&expected), "{expected}: {list}");
    }
    assert!(
        !list.contains("/other:") && list.lines().last().unwrap().starts_with("at least these: "),
        "{list}"
    );

    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "prod"},
        "stringData": {"password": CANARY},
    });
    let sealed = stage.sandbox.run(["-r", "cluster.pub"], secret.to_string());
    assert_eq!(sealed.code, 3);
    assert!(sealed.stderr.contains("is revoked since"), "{}", sealed.stderr);
    // A second time, and before the controller has made a new key, everything stays.
    let version = stage.key(FIRST)["metadata"]["resourceVersion"].clone();
    let before = stage.sandbox.read("cluster.pub");
    stage.run(&["keys", "revoke", FIRST, "--yes", "-r", "cluster.pub", "--wait=0"]);
    assert_eq!(
        (stage.key(FIRST)["metadata"]["resourceVersion"].clone(), stage.sandbox.read("cluster.pub")),
        (version, before)
    );
    // etcd is restored to a time before the revocation, and the controller seals to the key again.
    stage.scene.api().delete(&stage.scene.sealing_keys(FIRST)).unwrap();
    stage.publish(FIRST, &leaked, 1);
    stage.say(FIRST, &leaked, "Active", true);
    let fetched = stage.run(&["keys", "fetch", "-o", "cluster.pub"]);
    assert_eq!(fetched.code, 3);
    assert!(fetched.stderr.contains("which cluster.pub calls revoked"), "{}", fetched.stderr);
}

#[test]
fn a_recipient_without_a_sealing_key_is_revoked_with_the_keys_whose_backups_it_opens() {
    let stage = Stage::new("verbs-recovery");
    let (key, recovery) = (stage.first(), Identity::generate());
    let set = json!({"status": {"recoveryRecipients": [recovery.recipient().as_str()]}});
    stage.scene.api().merge(&format!("{}/status", stage.scene.sealing_keys(FIRST)), &set).unwrap();
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    // It names the sealing key alone, but whoever opens the backup of that key opens it.
    stage.commit("db", &key, &needs(&[&key]));
    let short = &recovery.fingerprint().to_string()[..16];
    let revoked = stage.run(&["keys", "revoke", short, "--yes", "-r", "cluster.pub", "--wait=0"]);
    assert!([0, 1].contains(&revoked.code), "{}", revoked.stderr);
    for said in ["--revoked-recipients", &format!("is a recovery recipient of {FIRST}")] {
        assert!(revoked.stderr.contains(said), "{said}: {}", revoked.stderr);
    }
    let list = String::from_utf8(revoked.stdout).unwrap();
    let db = format!("{}/db: password (cluster), exposed to {FIRST} (", stage.scene.namespace);
    assert!(list.contains(&db), "{list}");
    assert_eq!(stage.key(FIRST)["spec"]["state"], "Active", "the sealing key itself isn't revoked");
    let pins = stage.pins("cluster.pub");
    assert_eq!(pins.marked(&recovery.fingerprint()).map(|it| it.name.as_str()), Some("recovery"));
    // The next fetch leaves it out, so that people can seal.
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    assert_eq!(stage.pins("cluster.pub").recipients(), [key.recipient().clone()]);
    // Nor does the controller have others seal to it, once the flag names it. The list is the same on that day.
    let set = json!({"status": {"recoveryRecipients": null, "backupOnlyRecipients": [recovery.recipient().as_str()]}});
    stage.scene.api().merge(&format!("{}/status", stage.scene.sealing_keys(FIRST)), &set).unwrap();
    let again = stage.run(&["keys", "revoke", short, "--yes", "--wait=0"]);
    let list = String::from_utf8(again.stdout).unwrap();
    let db = format!("{}/db: password (cluster), exposed to {FIRST} (", stage.scene.namespace);
    assert!(list.contains(&db), "{list}");
}

#[test]
fn a_key_that_was_restored_without_its_recovery_set_is_a_gap_in_what_a_revoked_recipient_opens() {
    let stage = Stage::new("verbs-unknown-set");
    let (restored, made, recovery) = (Identity::generate(), Identity::generate(), Identity::generate());
    let name = format!("sealing-key-{}", restored.fingerprint().short());
    for (name, key, sequence, state) in [(&name[..], &restored, 1, "Retiring"), (FIRST, &made, 2, "Active")] {
        stage.publish(name, key, sequence);
        stage.say(name, key, state, state == "Active");
    }
    let revoke = |key: &str| {
        let revoked = stage.run(&["keys", "revoke", key, "--yes", "--wait=0"]);
        (revoked.code, String::from_utf8(revoked.stdout).unwrap())
    };
    let (code, list) = revoke(recovery.recipient().as_str());
    assert_eq!(code, 1, "{list}");
    let gap = format!("incomplete, not looked at: what is sealed to {name} ");
    assert_eq!(list.matches(&gap).count(), 1, "{list}");
    assert!(!list.contains(FIRST), "this one was made here, without a set: {list}");
    // Once the set is known, there is nothing to guess.
    let set = json!({"status": {"recoveryRecipients": [made.recipient().as_str()]}});
    stage.scene.api().merge(&format!("{}/status", stage.scene.sealing_keys(&name)), &set).unwrap();
    assert!(!revoke(recovery.recipient().as_str()).1.contains("what is sealed to"));
}

#[test]
fn no_repository_stops_a_revocation_and_what_may_be_sealed_to_a_key_of_unknown_sort_is_listed() {
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "-q", "-b", "main"]);
    sandbox.write(
        "old.yaml",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: prod}\n\
         spec: {encryptedData: {token: AAAA}}\n",
    );
    git(&sandbox, &["add", "-A"]);
    git(&sandbox, &["commit", "-q", "-m", "x"]);
    git(&sandbox, &["rm", "-q", "old.yaml"]);
    git(&sandbox, &["commit", "-q", "-m", "y"]);
    let key = Identity::generate();
    let revoke = |key: &str| {
        let run = sandbox.run(["keys", "revoke", key, "--offline", "--yes", "-r", "prod.pub"], b"");
        (run.code, String::from_utf8(run.stdout).unwrap())
    };
    // The mark that the first run makes tells nothing of the key's sort.
    for _ in 0..2 {
        let (code, list) = revoke(&key.fingerprint().to_string());
        assert_eq!(code, 1, "{list}");
        assert!(list.contains("may be: prod/db: token (old.yaml), exposed to"), "{list}");
        assert!(list.contains("incomplete, not known: whether the key is one of sealed-secrets"), "{list}");
    }
    let (_, list) = revoke(key.recipient().as_str());
    assert!(!list.contains("may be"), "a recipient is none of sealed-secrets: {list}");

    let other = Identity::generate().fingerprint();
    sandbox.write(".git/packed-refs", "nonsense\n");
    let (code, list) = revoke(&other.to_string());
    assert_eq!(code, 1, "{list}");
    assert!(list.contains("incomplete, not looked at: revisions: git for-each-ref failed"), "{list}");
    let pins = Pins::parse(&String::from_utf8(sandbox.read("prod.pub")).unwrap()).unwrap();
    assert_eq!(pins.marked(&other).unwrap().mark, Mark::Revoked);
}

/// On a control plane of its own, because the list takes in every object of a cluster. The rewrapped object names the
/// leaked key no more, so only the controller knows, once it has compared the object.
#[test]
fn a_revocation_waits_until_the_controller_has_compared_every_object_and_names_those_that_it_cannot() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    let stage = Stage::alone(&plane);
    let (scene, sandbox) = (&stage.scene, &stage.sandbox);
    git(sandbox, &["init", "-q", "-b", "main"]);
    git(sandbox, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let keys = |args: &[&str]| stage.run(&[&["keys"], args].concat());
    let _controller = scene.start_as_shipped();
    until_primary(scene, FIRST);
    let first = scene.recipient();
    let mut manifest = scene.seal("db").item("password", CANARY).to(&first).commit();
    scene.until_ready("db");
    assert_eq!(keys(&["renew", FIRST]).code, 0);
    until_primary(scene, SECOND);
    until("there is an offer", || scene.sealed("db")["status"]["rewrap"].is_object());
    manifest["metadata"] = json!({"name": "db"});
    manifest["spec"]["envelopes"] = json!([scene.sealed("db")["status"]["rewrap"]["envelope"]]);
    scene.commit(&manifest).unwrap();
    scene.until_ready("db");

    let revoke = |more: &[&str]| {
        let run = keys(&[&["revoke", FIRST, "--yes"], more].concat());
        (run.code, String::from_utf8(run.stdout).unwrap() + &run.stderr)
    };
    let (code, said) = revoke(&[]);
    let db = format!(
        "{}/db: password (cluster), exposed to {FIRST} ({})\n",
        scene.namespace,
        first.recipient.fingerprint().short()
    );
    assert!(code == 0 && said.contains(&db) && said.contains("waiting for the controller"), "{said}");
    let exposed = scene.sealed("db")["status"].clone();
    assert_eq!(exposed["exposedTo"], json!([first.recipient.fingerprint().to_string()]));
    // One that doesn't open is named, and not waited for.
    let stranger = Identity::generate();
    scene.seal("shut").item("a", "1").to(&recipient_of(&stranger)).commit();
    scene.until_stalled("shut", "NoMatchingKey");
    let (code, said) = revoke(&["--wait=10m"]);
    assert!(code == 1 && said.contains(&db), "{said}");
    let gap =
        format!("inside of the envelopes in the cluster of {}/shut: the controller hasn't", scene.namespace);
    assert!(said.contains(&gap) && !said.contains("waiting for the controller"), "{said}");
}

/// On a control plane of its own, whose etcd is restored.
#[test]
fn a_revocation_outlives_an_etcd_that_was_restored_to_before_it() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    let stage = Stage::alone(&plane);
    let (scene, sandbox) = (&stage.scene, &stage.sandbox);
    let keys = |args: &[&str]| stage.run(&[&["keys"], args].concat());
    let mut controller = scene.start(&[]);
    until_primary(scene, FIRST);
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    assert!(controller.terminate().success());
    plane.snapshot();
    let mut controller = scene.start(&[]);
    let revoked = keys(&["revoke", FIRST, "--yes", "-r", "cluster.pub", "--wait=0"]);
    assert!([0, 1].contains(&revoked.code), "{}", revoked.stderr);
    until_said(scene, FIRST, |key| key["status"]["state"] == "Revoked");
    until_primary(scene, SECOND);
    assert!(controller.terminate().success());
    plane.restore();

    // The cluster seals to the leaked key again, and nobody with the pins does.
    let _controller = scene.start(&[]);
    until_primary(scene, FIRST);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "prod"},
        "stringData": {"password": CANARY},
    });
    let sealed = sandbox.run(["-r", "cluster.pub"], secret.to_string());
    assert_eq!(sealed.code, 3);
    assert!(sealed.stderr.contains("is revoked since"), "{}", sealed.stderr);
    for fetch in [&["fetch", "-o", "cluster.pub"], &["fetch", "--check", "cluster.pub"]] {
        let refused = keys(fetch);
        assert_eq!(refused.code, 3);
        assert!(refused.stderr.contains("which cluster.pub calls revoked"), "{}", refused.stderr);
    }
    // The way back that the hint names.
    assert!([0, 1].contains(&keys(&["revoke", FIRST, "--yes", "-r", "cluster.pub", "--wait=0"]).code));
    until_primary(scene, SECOND);
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let sealed = sandbox.run(["-r", "cluster.pub"], secret.to_string());
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
}
