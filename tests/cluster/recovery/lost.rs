//! The way back of a whole cluster: it is gone, its etcd is an earlier one, or its namespace was deleted.
//!
//! Invariant: every Secret is as before, and nothing has to be committed.

use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::wait::until;
use serde_json::json;

use super::{OnCall, assert_discreet, commit};
use crate::cluster::keys::{FIRST, until_primary, until_said};
use crate::cluster::scene::{Scene, condition, items};

#[test]
fn a_lost_cluster_comes_back_from_git_and_the_recovery_identity_and_nothing_has_to_be_committed() {
    for before_the_start in [false, true] {
        let on_call = OnCall::new("lost");
        let scene = &on_call.scene;
        let mut controller = scene.start(&[&on_call.flag()]);
        until_primary(scene, FIRST);
        // What is in Git: the pins, the backup, and the SealedSecrets.
        on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
        let backed_up = on_call.done(&["keys", "backup", "-o", "backups"]);
        assert!(backed_up.ends_with(".age: added\n"), "{backed_up}");
        let again = on_call.done(&["keys", "backup", "-o", "backups"]);
        assert!(again.ends_with(".age: there already\n"), "{again}");
        let names = ["db", "mail", "cache"];
        let mut committed = Vec::new();
        for name in names {
            committed.push(commit(&on_call, name));
            scene.until_ready(name);
        }
        let before: Vec<_> = names.iter().map(|name| scene.data(name)).collect();
        let opened_by = scene.sealed("db")["status"]["openedBy"].clone();

        assert!(controller.terminate().success());
        on_call.lose_the_cluster();
        let started = (!before_the_start).then(|| {
            let controller = scene.start(&[&on_call.flag()]);
            until_primary(scene, FIRST);
            controller
        });
        let restored = on_call.restore(&["--keep-primary"]);
        let said = String::from_utf8_lossy(&restored.stdout).into_owned();
        assert_eq!(restored.code, 0, "{said}{}", restored.stderr);
        assert_discreet(&restored, &[&on_call.recovery()]);
        let sequence = if before_the_start { 1 } else { 2 };
        assert!(said.ends_with(&format!(", sequence {sequence}, Active\n")), "{said}");
        let _controller = started.unwrap_or_else(|| scene.start(&[&on_call.flag()]));

        let name = on_call.held().into_keys().find(|name| name != FIRST).unwrap();
        until_primary(scene, &name);
        for manifest in &committed {
            scene.commit(manifest).unwrap();
        }
        for (name, values) in names.iter().zip(&before) {
            scene.until_ready(name);
            assert_eq!(&scene.data(name), values);
        }
        assert_eq!(scene.sealed("db")["status"]["openedBy"], opened_by);
        // The set and the backup came along, and people seal as before with the pins that they have.
        let key = until_said(scene, &name, |key| condition(key, "Primary").0 == "True");
        assert_eq!(key["status"]["recoveryRecipients"], json!([on_call.recovery().recipient().to_string()]));
        // A second run, as after one that was cut off, finds everything there.
        let again = on_call.restore(&["--keep-primary"]);
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert!(String::from_utf8_lossy(&again.stdout).contains("there already"));
        let same = on_call.done(&["keys", "backup", "-o", "backups"]);
        assert!(same.contains(".age: there already\n"), "{same}");
    }
}

#[test]
fn an_etcd_that_is_restored_to_before_a_renewal_gets_its_lost_key_back_and_keeps_all_backups() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let on_call = OnCall::at(Scene::on(&plane, plane.namespace("etcd"), "seal-system".to_owned()));
    let scene = &on_call.scene;
    let start = || scene.start(&[&on_call.flag()]);
    // A pins file of its own: people's other recipients aren't at issue here.
    std::fs::remove_file(on_call.sandbox.path("prod.pub")).unwrap();
    let mut controller = start();
    until_primary(scene, FIRST);
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    on_call.done(&["keys", "backup", "-o", "backups"]);
    assert!(controller.terminate().success());
    plane.snapshot();

    // A renewal that the snapshot doesn't have, and a Secret that is sealed after it.
    let renewed = |count: usize| {
        on_call.done(&["keys", "renew"]);
        until_primary(scene, "sealing-key-2");
        until("the backup is published", || {
            on_call.done(&["keys", "backup", "-o", "backups"]);
            std::fs::read_dir(on_call.sandbox.path("backups")).unwrap().count() == count
        });
    };
    let mut controller = start();
    renewed(2);
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    let after = commit(&on_call, "after");
    let opened_by = scene.until_ready("after")["status"]["openedBy"].clone();
    assert!(controller.terminate().success());
    plane.restore();

    // The cluster has forgotten the key, and makes another one of the same name and number.
    let _controller = start();
    until_primary(scene, FIRST);
    renewed(3);
    scene.commit(&after).unwrap();
    scene.until_stalled("after", "NoMatchingKey");
    let restored = on_call.restore(&[]);
    // The other key of the same number isn't pinned, and is named.
    assert_eq!(restored.code, 1, "{}", restored.stderr);
    assert_discreet(&restored, &[&on_call.recovery()]);
    assert_eq!(scene.until_ready("after")["status"]["openedBy"], opened_by);
    let name = format!("sealing-key-{}", &opened_by[0].as_str().unwrap()[..16]);
    until_said(scene, &name, |key| key["status"]["state"] == "Retiring");
    until_primary(scene, "sealing-key-2");
}

/// `kubectl delete namespace` ends the controller before it could prove anything.
#[test]
fn a_namespace_that_was_deleted_by_mistake_gives_its_keys_back_from_the_secrets_that_the_finalizer_holds() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let on_call = OnCall::at(Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned()));
    let scene = &on_call.scene;
    let mut controller = scene.start_as_shipped();
    until_primary(scene, FIRST);
    // A pins file of its own: people's other recipients aren't at issue here.
    std::fs::remove_file(on_call.sandbox.path("prod.pub")).unwrap();
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    commit(&on_call, "db");
    let opened_by = scene.until_ready("db")["status"]["openedBy"].clone();
    let before = scene.secret("db").unwrap();
    assert!(controller.terminate().success());

    let namespace = format!("/api/v1/namespaces/{}", scene.keys);
    scene.api().delete(&namespace).unwrap();
    until("all but the private halves is gone", || {
        let phase = scene.api().get(&namespace).unwrap()["status"]["phase"].clone();
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
        phase == "Terminating" && items(&keys).is_empty()
    });
    let saved = plane.object(["secrets", "-n", &scene.keys, "-l", "sealing.dev/sealing-key"]);
    assert!(saved["items"][0]["metadata"]["deletionTimestamp"].is_string());
    assert!(saved["items"][0]["data"]["identity"].is_string());
    on_call.sandbox.write("saved.yaml", serde_yaml::to_string(&saved).unwrap());
    let no_finalizers = json!({"metadata": {"finalizers": null}});
    scene.api().merge(&scene.identities(FIRST), &no_finalizers).unwrap();
    until("the namespace is gone", || scene.api().get(&namespace).is_none());

    plane.deploy();
    let restore = ["keys", "restore", "saved.yaml", "-r", "prod.pub", "--keep-primary", "--yes"];
    let restored = on_call.run(&restore);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert!(String::from_utf8_lossy(&restored.stdout).ends_with(", Active\n"));
    // The new service account has another token.
    let again = Scene::on(&plane, scene.namespace.clone(), scene.keys.clone());
    let _controller = again.start_as_shipped();
    let name = on_call.held().into_keys().find(|name| name != FIRST).unwrap();
    until_primary(scene, &name);
    assert_eq!(scene.nudge("db")["status"]["openedBy"], opened_by);
    assert_eq!(scene.secret("db").unwrap(), before);
    // People seal as before with the pins that they have.
    commit(&on_call, "mail");
    assert_eq!(scene.until_ready("mail")["status"]["openedBy"], opened_by);
}
