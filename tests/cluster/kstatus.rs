//! How Flux and Argo CD judge a SealedSecret, by the real rules (`kstatus`, see `tests/toolchain/kstatus`).

use std::process::Command;

use seal_crds::keys::Identity;
use seal_crds::native::NamedRecipient;
use seal_tests::control_plane::{ControlPlane, succeed_with};
use seal_tests::toolchain;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::{ACCOUNT, Scene, condition};

/// The verdict of kstatus: `Current`, `InProgress`, `Failed` or `Terminating`.
pub(crate) fn verdict(object: &Value) -> String {
    let output = succeed_with(&mut Command::new(toolchain::bin("kstatus")), &object.to_string());
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned()
}

fn stranger() -> NamedRecipient {
    NamedRecipient { recipient: Identity::generate().recipient().clone(), name: Some("stranger".into()) }
}

/// The controller's own tests hold the file: every reason, in both groups, with the verdict that the status should get.
#[test]
fn every_status_that_the_controller_can_write_has_the_verdict_that_it_should_have() {
    let file = toolchain::repository().join("tests/cluster/kstatus/statuses.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let found = verdict(&case["object"]);
        if case["verdict"] != found {
            wrong.push(format!("{}: {found}", case["what"]));
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(text.lines().count() > 100, "the file is whole");
}

#[test]
fn an_object_that_no_controller_has_touched_is_in_progress() {
    let scene = Scene::new("untouched");
    scene.seal("db").item("a", "1").to(&stranger()).commit();
    let object = scene.sealed("db");
    assert_eq!(object["status"], json!({"observedGeneration": -1}));
    assert_eq!(verdict(&object), "InProgress");
}

#[test]
fn a_ready_object_is_current_and_a_stalled_one_failed() {
    let (scene, _controller) = Scene::with_controller("verdict");
    scene.seal("good").item("a", "1").commit();
    assert_eq!(verdict(&scene.until_ready("good")), "Current");
    scene.seal("bad").item("a", "1").to(&stranger()).commit();
    scene.until_stalled("bad", "NoMatchingKey");
    assert_eq!(verdict(&scene.sealed("bad")), "Failed");
    // A new generation is in progress until the controller has seen it.
    let mut changed = scene.sealed("good");
    changed["metadata"]["generation"] = json!(2);
    assert_eq!(verdict(&changed), "InProgress");
}

/// For a while the controller may do everything except create Secrets.
#[test]
fn a_transient_failure_is_in_progress_and_passes_by_itself() {
    let (scene, _controller) = Scene::with_controller("transient");
    let bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", scene.namespace);
    let binding = format!("{bindings}/{ACCOUNT}-clusterrole");
    let saved = scene.api().get(&binding).unwrap();
    let rules = json!([
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["sealing.dev"], "resources": ["sealedsecrets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["sealing.dev"], "resources": ["sealedsecrets/status"], "verbs": ["update"]},
    ]);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "lame"}, "rules": rules});
    scene.api().create(&bindings.replace("rolebindings", "roles"), &role).unwrap();
    let mut lame = saved.clone();
    lame["metadata"] = json!({"name": "lame"});
    lame["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lame"});
    scene.api().create(&bindings, &lame).unwrap();
    scene.api().delete(&binding).unwrap();
    let user = format!("system:serviceaccount:{}:{ACCOUNT}", scene.keys);
    until("creating Secrets is forbidden", || {
        let plane = ControlPlane::shared();
        let args = ["auth", "can-i", "create", "secrets", "-n", &scene.namespace, "--as", &user];
        !plane.kubectl(args).output().unwrap().status.success()
    });

    scene.seal("db").item("a", "1").commit();
    until("the failure shows", || condition(&scene.sealed("db"), "Reconciling").1 == "Forbidden");
    let object = scene.sealed("db");
    assert_eq!(condition(&object, "Ready").0, "False");
    assert_eq!(condition(&object, "Stalled").0, "");
    assert_eq!(verdict(&object), "InProgress");

    let mut restored = saved;
    restored["metadata"] = json!({"name": format!("{ACCOUNT}-clusterrole")});
    scene.api().create(&bindings, &restored).unwrap();
    let object = scene.until_ready("db");
    assert_eq!(condition(&object, "Reconciling").0, "");
    assert_eq!(verdict(&object), "Current");
}
