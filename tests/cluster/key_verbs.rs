//! What people do to sealing keys with `seal keys …`, on a real API server.
//!
//! Most tests play the controller themselves, and write the statuses that it writes: so a test decides what the controller
//! has said so far. The first one has a real controller. Invariant: the users of these tests have no right to read a Secret of the controller's
//! namespace beyond what their command needs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use seal_crds::keys::pins::Mark;
use seal_crds::keys::{Identity, Pins};
use seal_crds::native::{NamedRecipient, source};
use seal_crds::resources::Envelope;
use seal_tests::api::Api;
use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::bitnami_keys::{LABEL, NEWER, OLDER};
use super::keys::{FIRST, identity_secret, planted, recipient_of, until_primary, until_said};
use super::scene::{Scene, items, path};
use crate::end_to_end::seal;
use crate::sandbox::{CANARY, Run, Sandbox, holds, run};

/// The finalizer by which the controller holds up the deletion of a key.
const KEY_IN_USE: &str = "sealing.dev/key-in-use";

/// A scene in which the test plays the controller, and an administrator types.
struct Stage {
    scene: Scene<'static>,
    sandbox: Sandbox,
}

impl Stage {
    fn new(prefix: &str) -> Self {
        Self { scene: Scene::new(prefix), sandbox: Sandbox::new() }
    }

    /// Publishes a key in the place of the controller.
    fn publish(&self, name: &str, identity: &Identity, sequence: u32) {
        self.scene.api().create(&self.scene.sealing_keys(""), &planted(name, identity, sequence)).unwrap();
    }

    /// Says the state of a key in the place of the controller.
    fn say(&self, name: &str, identity: &Identity, state: &str, is_primary: bool) {
        let status = if is_primary { "True" } else { "False" };
        let status = json!({"status": {
            "fingerprint": identity.fingerprint().to_string(), "state": state, "floor": "Active",
            "conditions": [{
                "type": "Primary", "status": status, "reason": "Said", "message": "said by a test",
                "lastTransitionTime": "2026-02-03T04:05:06Z",
            }],
        }});
        self.scene.api().merge(&format!("{}/status", self.scene.sealing_keys(name)), &status).unwrap();
    }

    fn key(&self, name: &str) -> Value {
        self.scene.api().get(&self.scene.sealing_keys(name)).unwrap()
    }

    /// Runs `seal` as the administrator.
    fn run(&self, args: &[&str]) -> Run {
        seal(&self.sandbox, &self.scene, ControlPlane::shared().kubeconfig(), args, b"")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        run
    }

    fn pins(&self, file: &str) -> Pins {
        Pins::parse(&String::from_utf8(self.sandbox.read(file)).unwrap()).unwrap()
    }

    /// Commits a SealedSecret to a key, with the status that a controller gives it.
    fn commit(&self, name: &str, identity: &Identity, status: &Value) {
        let manifest = self.scene.seal(name).item("password", CANARY).to(&recipient_of(identity)).commit();
        self.write(&format!("{name}.json"), manifest);
        let sealed = self.scene.sealed(name);
        let mut status = json!({ "status": status });
        status["status"]["observedGeneration"] = sealed["metadata"]["generation"].clone();
        if status["status"]["usage"].is_object() {
            let envelopes: Vec<Envelope> =
                serde_json::from_value(sealed["spec"]["envelopes"].clone()).unwrap();
            status["status"]["usage"]["source"] = json!(source(&envelopes));
        }
        self.scene.api().merge(&format!("{}/status", self.scene.sealed_secrets(name)), &status).unwrap();
    }

    /// Writes a manifest with its namespace into the work tree.
    fn write(&self, file: &str, mut manifest: Value) {
        manifest["metadata"]["namespace"] = json!(self.scene.namespace);
        self.sandbox.write(file, manifest.to_string());
    }

    fn git(&self, args: &[&str]) {
        git(&self.sandbox, args);
    }
}

fn git(sandbox: &Sandbox, args: &[&str]) {
    let mut git = Command::new("git");
    sandbox.confine(&mut git);
    git.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]).args(args);
    let run = run(&mut git, b"");
    assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
}

/// What a controller says of an object that needs these keys.
fn needs(only: &[&Identity]) -> Value {
    let only: Vec<String> = only.iter().map(|identity| identity.fingerprint().to_string()).collect();
    json!({"openedBy": only, "usage": {"keyring": "0".repeat(64), "only": only}})
}

#[test]
fn the_controller_does_what_the_commands_ask_for() {
    let (scene, _controller) = Scene::with_controller("verbs-real");
    let stage = Stage { scene, sandbox: Sandbox::new() };
    until_primary(&stage.scene, FIRST);
    stage.done(&["keys", "fetch", "-o", "cluster.pub"]);
    let first = stage.pins("cluster.pub").recipients()[0].fingerprint();

    stage.done(&["keys", "renew", FIRST]);
    until_primary(&stage.scene, "sealing-key-2");
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
    let (old, new) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &old, 1);
    stage.say(FIRST, &old, "Active", true);
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
    stage.publish("sealing-key-2", &new, 2);
    stage.say(FIRST, &old, "Retiring", false);
    stage.say("sealing-key-2", &new, "Active", true);
    let again = stage.done(&["keys", "renew", &old.fingerprint().to_string()[..16]]);
    assert!(again.stderr.contains("was renewed before"), "{}", again.stderr);
    assert_eq!(stage.key("sealing-key-2")["spec"]["state"], "Active", "the successor isn't renewed");

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
    let (key, evil) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &key, 1);
    stage.say(FIRST, &key, "Active", true);
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
fn a_revocation_stands_in_cluster_and_pins_and_lists_what_the_key_opens() {
    let stage = Stage::new("verbs-revoke");
    let (leaked, new) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &leaked, 1);
    stage.say(FIRST, &leaked, "Active", true);
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
    let (key, recovery) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &key, 1);
    stage.say(FIRST, &key, "Active", true);
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
fn a_wish_is_decided_afresh_if_somebody_else_writes_meanwhile() {
    let stage = Stage::new("verbs-race");
    let key = Identity::generate();
    stage.publish(FIRST, &key, 1);
    stage.say(FIRST, &key, "Active", true);
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

/// The kubeconfig of a user who may look after keys, and can't read a Secret: the API server takes `list` for a right to
/// read, so the audit log has to show that nothing was read.
fn keeper(scene: &Scene) -> PathBuf {
    let kubeconfig = scene.plane.service_account(&scene.keys, "keeper");
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", scene.keys);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "keeper"},
        "rules": [
            {"apiGroups": ["sealing.dev"], "resources": ["sealingkeys"], "verbs": ["get", "list", "patch"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "patch", "delete"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "keeper"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "keeper"},
        "subjects": [{"kind": "ServiceAccount", "name": "keeper", "namespace": scene.keys}],
    });
    scene.api().create(&format!("{rbac}/roles"), &role).unwrap();
    scene.api().create(&format!("{rbac}/rolebindings"), &binding).unwrap();
    let api = Api::new(&kubeconfig);
    let path = scene.identities("nothing");
    until("the role is in force", || api.delete(&path).err().map(|no| no.code) != Some(403));
    kubeconfig
}

#[test]
fn a_needed_key_is_not_asked_to_go_and_another_waits_for_the_controllers_proof() {
    let stage = Stage::new("verbs-delete");
    let scene = &stage.scene;
    let (old, new) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &old, 1);
    stage.say(FIRST, &old, "Retiring", false);
    stage.publish("sealing-key-2", &new, 2);
    stage.say("sealing-key-2", &new, "Active", true);
    // The Secret of the old key has another name than its SealingKey, and that name belongs to the new one.
    for (name, identity) in [("restored", &old), (FIRST, &new)] {
        let mut secret = identity_secret(name, identity, 1);
        secret["metadata"]["finalizers"] = json!([KEY_IN_USE]);
        scene.api().create(&scene.identities(""), &secret).unwrap();
    }
    stage.commit("db", &old, &needs(&[&old]));
    let delete = |more: &[&str]| stage.run(&[&["keys", "delete", FIRST, "--yes", "--wait=0"], more].concat());

    let primary = stage.run(&["keys", "delete", "sealing-key-2", "--yes"]);
    assert_eq!(primary.code, 3);
    assert!(primary.stderr.contains("is the key that Secrets are sealed to"), "{}", primary.stderr);
    let needed = delete(&[]);
    assert_eq!(needed.code, 3);
    assert!(needed.stderr.contains(&format!("is needed by {}/db", scene.namespace)), "{}", needed.stderr);
    let is_deleting = |name: &str| {
        let secret = scene.api().get(&scene.identities(name));
        secret.map(|secret| !secret["metadata"]["deletionTimestamp"].is_null())
    };
    assert_eq!((is_deleting("restored"), is_deleting(FIRST)), (Some(false), Some(false)));

    // The object was sealed to the new key meanwhile.
    let status = json!({"status": needs(&[&new])});
    scene.api().merge(&format!("{}/status", scene.sealed_secrets("db")), &status).unwrap();
    let keeper = keeper(scene);
    let args = ["keys", "delete", FIRST, "--yes", "--wait=0"];
    let waits = seal(&stage.sandbox, scene, &keeper, &args, b"");
    assert_eq!(waits.code, 1, "{}", waits.stderr);
    assert!(String::from_utf8_lossy(&waits.stdout).contains("still waits for the controller's proof"));
    assert_eq!(
        (is_deleting("restored"), is_deleting(FIRST)),
        (Some(true), Some(false)),
        "the finalizer holds it"
    );
    // The controller's proof.
    stage.say(FIRST, &old, "Destroyed", false);
    let done = seal(&stage.sandbox, scene, &keeper, &args, b"");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("was deleted before"), "{}", done.stderr);
    // Nothing but metadata was asked for.
    let user = format!("system:serviceaccount:{}:keeper", scene.keys);
    let requests = scene.plane.audit_events(|event| event["user"]["username"] == user.as_str());
    let about_secrets = requests.iter().filter(|request| request["objectRef"]["resource"] == "secrets");
    assert!(
        about_secrets.clone().count() > 2 && about_secrets.clone().all(|request| request["verb"] != "get")
    );
}

#[test]
fn a_forced_deletion_says_what_is_lost_and_lets_the_secret_go() {
    let stage = Stage::new("verbs-force");
    let scene = &stage.scene;
    let (old, new) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &old, 1);
    stage.say(FIRST, &old, "Retiring", false);
    stage.publish("sealing-key-2", &new, 2);
    stage.say("sealing-key-2", &new, "Active", true);
    let mut secret = identity_secret(FIRST, &old, 1);
    secret["metadata"]["finalizers"] = json!(["example.com/other", KEY_IN_USE]);
    scene.api().create(&scene.identities(""), &secret).unwrap();
    stage.commit("db", &old, &needs(&[&old]));
    let forced = stage.run(&["keys", "delete", FIRST, "--yes", "--force", "--wait=0"]);
    assert!(forced.stderr.contains(&format!("lost with it: {}/db", scene.namespace)), "{}", forced.stderr);
    assert!(String::from_utf8_lossy(&forced.stdout).contains("another finalizer holds Secret"));
    assert!(stage.key(FIRST)["spec"]["lossAcknowledged"].is_null(), "the key isn't lost yet");
    let left = scene.api().get(&scene.identities(FIRST)).unwrap();
    assert_eq!(left["metadata"]["finalizers"], json!(["example.com/other"]), "a finalizer of others stays");
    assert!(!holds(forced.stderr.as_bytes(), CANARY));
    // The run was cut short here, in a way; the next one finishes it.
    scene.api().merge(&scene.identities(FIRST), &json!({"metadata": {"finalizers": null}})).unwrap();
    stage.run(&["keys", "delete", FIRST, "--yes", "--force", "--wait=0"]);
    assert_eq!(stage.key(FIRST)["spec"]["lossAcknowledged"], true);
    // A key without a Secret has only its loss to be acknowledged.
    let gone = stage.run(&["keys", "delete", "sealing-key-2", "--yes", "--wait=0"]);
    assert_eq!(gone.code, 3, "{}", gone.stderr);
    stage.say("sealing-key-2", &new, "Lost", false);
    let gone = stage.run(&["keys", "delete", "sealing-key-2", "--yes", "--wait=0"]);
    assert!(gone.stderr.contains("no Secret in namespace"), "{}", gone.stderr);
    let acknowledged = || {
        stage.run(&["keys", "delete", "sealing-key-2", "--yes", "--force", "--wait=0"]);
        stage.key("sealing-key-2")["spec"]["lossAcknowledged"].clone()
    };
    assert_eq!([acknowledged(), acknowledged()], [true, true]);
    // An acknowledgement of a former loss is taken back, and written anew once the controller has seen that.
    let status = format!("{}/status", scene.sealing_keys("sealing-key-2"));
    let mut void = stage.key("sealing-key-2")["status"]["conditions"].clone();
    let mut condition = void[0].clone();
    condition["type"] = json!("AcknowledgementVoid");
    void.as_array_mut().unwrap().push(condition);
    scene.api().merge(&status, &json!({"status": {"conditions": void}})).unwrap();
    assert_eq!([acknowledged(), acknowledged()], [false, false]);
    stage.say("sealing-key-2", &new, "Lost", false);
    assert_eq!(acknowledged(), true);
}

#[test]
fn a_key_is_not_called_destroyed_while_only_its_sealing_key_is_gone() {
    let stage = Stage::new("verbs-pruned");
    let scene = &stage.scene;
    let (old, new) = (Identity::generate(), Identity::generate());
    stage.publish("sealing-key-2", &new, 2);
    stage.say("sealing-key-2", &new, "Active", true);
    let mut secret = identity_secret(FIRST, &old, 1);
    secret["metadata"]["finalizers"] = json!([KEY_IN_USE]);
    scene.api().create(&scene.identities(""), &secret).unwrap();
    // Somebody prunes the SealingKey as soon as the Secret is as this says.
    let delete = |more: &[&str], is_asked: &(dyn Fn() -> bool + Sync)| {
        stage.publish(FIRST, &old, 1);
        stage.say(FIRST, &old, "Retiring", false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                until("the deletion is asked for", is_asked);
                scene.api().delete(&scene.sealing_keys(FIRST)).unwrap();
            });
            stage.run(&[&["keys", "delete", FIRST, "--yes"], more].concat())
        })
    };
    let secret = || scene.api().get(&scene.identities(FIRST));
    let waits = delete(&["--wait=4s"], &|| !secret().unwrap()["metadata"]["deletionTimestamp"].is_null());
    let said = String::from_utf8(waits.stdout).unwrap();
    assert_eq!(waits.code, 1, "{said}{}", waits.stderr);
    assert!(said.contains("still waits") && said.contains("its SealingKey is gone, and its Secret is not"));
    assert!(!waits.stderr.contains("is destroyed"), "{}", waits.stderr);

    let gone = delete(&["--wait=30s", "--force"], &|| secret().is_none());
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    assert!(gone.stderr.contains("is destroyed"), "{}", gone.stderr);
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

#[test]
fn the_status_counts_cluster_work_tree_and_revisions() {
    let stage = Stage::new("verbs-status");
    let (old, new) = (Identity::generate(), Identity::generate());
    stage.publish(FIRST, &old, 1);
    stage.say(FIRST, &old, "Retiring", false);
    stage.publish("sealing-key-2", &new, 2);
    stage.say("sealing-key-2", &new, "Active", true);
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
    assert_eq!(counts("sealing-key-2"), (json!("Active"), json!(true), json!(1), json!(0)));
    assert!(!found.to_string().contains("\"evil\""), "{found}");
    let text = String::from_utf8(stage.done(&["keys", "status", "--rev", "v1"]).stdout).unwrap();
    assert!(text.contains("Active, primary") && text.contains("not looked at: files"), "{text}");
    assert!(items(&stage.scene.api().get(&stage.scene.sealing_keys("")).unwrap()).len() == 3);
}

/// On a control plane of its own, because the list takes in every object of a cluster. The rewrapped object names the
/// leaked key no more, so only the controller knows, once it has compared the object.
#[test]
fn a_revocation_waits_until_the_controller_has_compared_every_object_and_names_those_that_it_cannot() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let scene = Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned());
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "-q", "-b", "main"]);
    git(&sandbox, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let keys = |args: &[&str]| seal(&sandbox, &scene, plane.kubeconfig(), &[&["keys"], args].concat(), b"");
    let _controller = scene.start_as_shipped();
    until_primary(&scene, FIRST);
    let first = scene.recipient();
    let mut manifest = scene.seal("db").item("password", CANARY).to(&first).commit();
    scene.until_ready("db");
    assert_eq!(keys(&["renew", FIRST]).code, 0);
    until_primary(&scene, "sealing-key-2");
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
    plane.deploy();
    let scene = Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned());
    let sandbox = Sandbox::new();
    let keys = |args: &[&str]| seal(&sandbox, &scene, plane.kubeconfig(), &[&["keys"], args].concat(), b"");
    let mut controller = scene.start(&[]);
    until_primary(&scene, FIRST);
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    assert!(controller.terminate().success());
    plane.snapshot();
    let mut controller = scene.start(&[]);
    let revoked = keys(&["revoke", FIRST, "--yes", "-r", "cluster.pub", "--wait=0"]);
    assert!([0, 1].contains(&revoked.code), "{}", revoked.stderr);
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Revoked");
    until_primary(&scene, "sealing-key-2");
    assert!(controller.terminate().success());
    plane.restore();

    // The cluster seals to the leaked key again, and nobody with the pins does.
    let _controller = scene.start(&[]);
    until_primary(&scene, FIRST);
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
    until_primary(&scene, "sealing-key-2");
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let sealed = sandbox.run(["-r", "cluster.pub"], secret.to_string());
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
}

/// On a control plane of its own, because the controller proves a deletion only if it sees every object of a cluster.
#[test]
fn a_key_that_nothing_needs_any_more_is_deleted_and_stays_on_the_list() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let scene = Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned());
    let sandbox = Sandbox::new();
    let keys = |args: &[&str]| seal(&sandbox, &scene, plane.kubeconfig(), &[&["keys"], args].concat(), b"");
    let _controller = scene.start_as_shipped();
    until_primary(&scene, FIRST);
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let first = scene.recipient();
    scene.seal("db").item("password", CANARY).to(&first).commit();
    scene.until_ready("db");
    assert_eq!(keys(&["renew", FIRST]).code, 0);
    until_primary(&scene, "sealing-key-2");
    let needs = |fingerprint: &str| scene.sealed("db")["status"]["usage"]["only"] == json!([fingerprint]);
    until("the controller says what db needs", || needs(&first.recipient.fingerprint().to_string()));
    let needed = keys(&["delete", FIRST, "--yes"]);
    assert_eq!(needed.code, 3);
    assert!(needed.stderr.contains(&format!("is needed by {}/db", scene.namespace)), "{}", needed.stderr);

    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let pins = Pins::parse(&String::from_utf8(sandbox.read("cluster.pub")).unwrap()).unwrap();
    let second = NamedRecipient { recipient: pins.recipients()[0].clone(), name: None };
    scene.seal("db").item("password", CANARY).to(&second).commit();
    until("db needs the new key alone", || needs(&second.recipient.fingerprint().to_string()));
    let deleted = keys(&["delete", FIRST, "--yes"]);
    assert_eq!(deleted.code, 0, "{}{}", String::from_utf8_lossy(&deleted.stdout), deleted.stderr);
    assert!(deleted.stderr.contains("is destroyed"), "{}", deleted.stderr);
    assert!(scene.api().get(&scene.identities(FIRST)).is_none());
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let pins = Pins::parse(&String::from_utf8(sandbox.read("cluster.pub")).unwrap()).unwrap();
    assert_eq!(pins.marked(&first.recipient.fingerprint()).unwrap().mark, Mark::Destroyed);
}

/// On a control plane of its own, because every object of a cluster is tried.
#[test]
fn a_key_of_sealed_secrets_goes_only_after_every_object_opened_without_it() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    let (namespace, keys) = (plane.namespace("apps"), plane.namespace("peer"));
    let scene = Scene::on(&plane, namespace, keys);
    let sandbox = Sandbox::new();
    let delete = |key: &str, more: &[&str]| {
        let args = [&["keys", "delete", key, "--bitnami", "--yes"], more].concat();
        seal(&sandbox, &scene, plane.kubeconfig(), &args, b"")
    };
    for (name, key, label) in
        [("old", &OLDER, "active"), ("new", &NEWER, "active"), ("leaked", &OLDER, "compromised")]
    {
        scene.api().create(&scene.identities(""), &key.secret(name, &json!({LABEL: label}))).unwrap();
    }
    let objects = |name: &str| path("/apis/bitnami.com/v1alpha1", &scene.namespace, "sealedsecrets", name);
    scene.api().create(&objects(""), &OLDER.seal(&scene)).unwrap();
    let needed = delete("old", &[]);
    assert_eq!(needed.code, 3);
    assert!(needed.stderr.contains(&format!("is needed by {}/db", scene.namespace)), "{}", needed.stderr);

    scene.api().delete(&objects("db")).unwrap();
    scene.api().create(&objects(""), &NEWER.seal(&scene)).unwrap();
    let done = delete("old", &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("1 SealedSecret of bitnami.com opened without it"), "{}", done.stderr);
    for gone in ["old", "leaked"] {
        assert!(scene.api().get(&scene.identities(gone)).is_none(), "every Secret of the key goes: {gone}");
    }
    let last = delete("new", &[]);
    assert_eq!(last.code, 3);
    assert!(last.stderr.contains("is the only active key"), "{}", last.stderr);
    let forced = delete("new", &["--force"]);
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert!(forced.stderr.contains(&format!("lost with it: {}/db", scene.namespace)), "{}", forced.stderr);
    assert!(scene.api().get(&scene.identities("new")).is_none());
}
