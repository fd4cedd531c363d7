//! `seal keys backup`, by a user with the role that is shipped for it.
//!
//! Invariant: a file that is there stays as it is.

use std::path::PathBuf;

use seal_crds::keys::{Identity, backup};
use seal_tests::control_plane::ControlPlane;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::OnCall;
use crate::cluster::scene::path;
use crate::end_to_end::seal;

/// A user with the shipped Role for backups, and nothing else.
fn backup_reader(on_call: &OnCall<'_>) -> PathBuf {
    let scene = &on_call.scene;
    let user = ControlPlane::shared().service_account(&scene.keys, "backups");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let file =
        std::fs::read_to_string(seal_tests::toolchain::repository().join("controller/deploy/users.yaml"));
    let file = file.unwrap();
    let documents = serde_yaml::Deserializer::from_str(&file);
    let mut roles = documents.map(|it| <Value as serde::Deserialize>::deserialize(it).unwrap());
    let mut role = roles.find(|role| role["metadata"]["name"] == "sealing-key-backup-reader").unwrap();
    role["metadata"]["namespace"] = json!(scene.keys);
    scene.api().create(&path(rbac, &scene.keys, "roles", ""), &role).unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "backups"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sealing-key-backup-reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "backups", "namespace": scene.keys}],
    });
    scene.api().create(&path(rbac, &scene.keys, "rolebindings", ""), &binding).unwrap();
    user
}

#[test]
fn the_shipped_role_copies_backups_and_a_file_that_is_there_is_kept() {
    let on_call = OnCall::new("copies");
    let scene = &on_call.scene;
    let nobody = crate::end_to_end::somebody(&scene.keys);
    let back_up = |user: &std::path::Path| {
        seal(&on_call.sandbox, scene, user, &["keys", "backup", "-o", "backups"], b"")
    };
    let refused = back_up(&nobody);
    assert_eq!(refused.code, 3);
    assert!(
        refused.stderr.contains("(403)") && refused.stderr.contains("sealing-key-backup-reader"),
        "{}",
        refused.stderr
    );

    let user = backup_reader(&on_call);
    until("the role is in force", || !back_up(&user).stderr.contains("(403)"));
    let none = back_up(&user);
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("publishes no backup of a key"), "{}", none.stderr);

    let [kept, added] = [(); 2].map(|()| Identity::generate());
    let publish = |key: &Identity, text: &str| {
        let name = backup::config_map_name(&key.fingerprint());
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {backup::file_name(&key.fingerprint()): text},
        });
        scene.api().create(&on_call.config_maps(), &map).unwrap();
    };
    let file = on_call.back_up(&kept, 1);
    let original = on_call.sandbox.read(&file);
    let other = on_call.back_up(&added, 2);
    let text = String::from_utf8(on_call.sandbox.read(&other)).unwrap();
    std::fs::remove_file(on_call.sandbox.path(&other)).unwrap();
    publish(&added, &text);
    // Somebody who may write ConfigMaps publishes something else under the first key's name.
    publish(&kept, &text);
    let run = back_up(&user);
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(said.contains(&format!("{other}: added\n")), "{said}");
    assert!(said.contains(&format!("{file}: kept, and differs from the cluster's\n")), "{said}");
    assert_eq!(on_call.sandbox.read(&file), original);
    assert_eq!(on_call.sandbox.read(&other), text.as_bytes());
}
