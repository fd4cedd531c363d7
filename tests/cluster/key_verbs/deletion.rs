//! Deletions: asked for, proven by the controller, or forced.
//!
//! Invariant: no command reads a private half of our keys, and without `--force` no finalizer is touched.

use std::path::PathBuf;

use seal_crds::keys::Identity;
use seal_crds::keys::pins::Mark;
use seal_crds::native::NamedRecipient;
use seal_tests::api::Api;
use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::wait::until;
use serde_json::json;

use super::{KEY_IN_USE, SECOND, Stage, needs};
use crate::cluster::bitnami_keys::{LABEL, NEWER, OLDER};
use crate::cluster::keys::{FIRST, until_primary};
use crate::cluster::scene::{Scene, path};
use crate::end_to_end::seal;
use crate::sandbox::{CANARY, Sandbox, holds};

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
    let [old, new] = stage.renewed();
    // The Secret of the old key has another name than its SealingKey, and that name belongs to the new one.
    for (name, identity) in [("restored", &old), (FIRST, &new)] {
        stage.hold(name, identity, &[KEY_IN_USE]);
    }
    stage.commit("db", &old, &needs(&[&old]));
    let delete = |more: &[&str]| stage.run(&[&["keys", "delete", FIRST, "--yes", "--wait=0"], more].concat());

    let primary = stage.run(&["keys", "delete", SECOND, "--yes"]);
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
    let [old, new] = stage.renewed();
    stage.hold(FIRST, &old, &["example.com/other", KEY_IN_USE]);
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
    let gone = stage.run(&["keys", "delete", SECOND, "--yes", "--wait=0"]);
    assert_eq!(gone.code, 3, "{}", gone.stderr);
    stage.say(SECOND, &new, "Lost", false);
    let gone = stage.run(&["keys", "delete", SECOND, "--yes", "--wait=0"]);
    assert!(gone.stderr.contains("no Secret in namespace"), "{}", gone.stderr);
    let acknowledged = || {
        stage.run(&["keys", "delete", SECOND, "--yes", "--force", "--wait=0"]);
        stage.key(SECOND)["spec"]["lossAcknowledged"].clone()
    };
    assert_eq!([acknowledged(), acknowledged()], [true, true]);
    // An acknowledgement of a former loss is taken back, and written anew once the controller has seen that.
    let status = format!("{}/status", scene.sealing_keys(SECOND));
    let mut void = stage.key(SECOND)["status"]["conditions"].clone();
    let mut condition = void[0].clone();
    condition["type"] = json!("AcknowledgementVoid");
    void.as_array_mut().unwrap().push(condition);
    scene.api().merge(&status, &json!({"status": {"conditions": void}})).unwrap();
    assert_eq!([acknowledged(), acknowledged()], [false, false]);
    stage.say(SECOND, &new, "Lost", false);
    assert_eq!(acknowledged(), true);
}

#[test]
fn a_key_is_not_called_destroyed_while_only_its_sealing_key_is_gone() {
    let stage = Stage::new("verbs-pruned");
    let scene = &stage.scene;
    let (old, new) = (Identity::generate(), Identity::generate());
    stage.publish(SECOND, &new, 2);
    stage.say(SECOND, &new, "Active", true);
    stage.hold(FIRST, &old, &[KEY_IN_USE]);
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

/// On a control plane of its own, because the controller proves a deletion only if it sees every object of a cluster.
#[test]
fn a_key_that_nothing_needs_any_more_is_deleted_and_stays_on_the_list() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    let stage = Stage::alone(&plane);
    let scene = &stage.scene;
    let keys = |args: &[&str]| stage.run(&[&["keys"], args].concat());
    let _controller = scene.start_as_shipped();
    until_primary(scene, FIRST);
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let first = scene.recipient();
    scene.seal("db").item("password", CANARY).to(&first).commit();
    scene.until_ready("db");
    assert_eq!(keys(&["renew", FIRST]).code, 0);
    until_primary(scene, SECOND);
    let needs = |fingerprint: &str| scene.sealed("db")["status"]["usage"]["only"] == json!([fingerprint]);
    until("the controller says what db needs", || needs(&first.recipient.fingerprint().to_string()));
    let needed = keys(&["delete", FIRST, "--yes"]);
    assert_eq!(needed.code, 3);
    assert!(needed.stderr.contains(&format!("is needed by {}/db", scene.namespace)), "{}", needed.stderr);

    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let pins = stage.pins("cluster.pub");
    let second = NamedRecipient { recipient: pins.recipients()[0].clone(), name: None };
    scene.seal("db").item("password", CANARY).to(&second).commit();
    until("db needs the new key alone", || needs(&second.recipient.fingerprint().to_string()));
    let deleted = keys(&["delete", FIRST, "--yes"]);
    assert_eq!(deleted.code, 0, "{}{}", String::from_utf8_lossy(&deleted.stdout), deleted.stderr);
    assert!(deleted.stderr.contains("is destroyed"), "{}", deleted.stderr);
    assert!(scene.api().get(&scene.identities(FIRST)).is_none());
    assert_eq!(keys(&["fetch", "-o", "cluster.pub"]).code, 0);
    let pins = stage.pins("cluster.pub");
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
