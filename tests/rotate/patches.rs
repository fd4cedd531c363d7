//! `seal rotate` where a kustomize overlay has items of its own, rendered by the real kustomize.
//!
//! Invariant: what kustomize makes of base and overlay opens after a rotation, or the overlay is named.

use std::process::Command;

use seal_crds::keys::Identity;
use seal_tests::control_plane::succeed;
use seal_tests::toolchain;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A base with one item, and an overlay with another one, which is sealed under a data key of the base.
fn repository() -> (Sandbox, Identity) {
    let (sandbox, old) = (Sandbox::new(), Identity::generate());
    sandbox.write("old.key", old.to_secret_string().as_bytes());
    sandbox.write("old.pub", format!("{}\n", old.recipient()));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "prod"},
        "stringData": {"password": "of the base", "token": "of the overlay"},
    });
    let sealed = sandbox.succeed(["-r", "old.pub"], secret.to_string());
    let mut base: Value = serde_json::from_slice(&sealed).unwrap();
    let token = base["spec"]["encryptedData"].as_object_mut().unwrap().remove("token").unwrap();
    let patch = json!({
        "apiVersion": base["apiVersion"], "kind": "SealedSecret", "metadata": {"name": "db", "namespace": "prod"},
        "spec": {"encryptedData": {"token": token}},
    });
    for (file, content) in [
        ("base/db.yaml", serde_yaml::to_string(&base).unwrap()),
        ("base/kustomization.yaml", "resources: [db.yaml]\n".to_owned()),
        ("overlay/token.yaml", serde_yaml::to_string(&patch).unwrap()),
        ("overlay/kustomization.yaml", "resources: [../base]\npatches: [{path: token.yaml}]\n".to_owned()),
    ] {
        sandbox.write(file, content);
    }
    (sandbox, old)
}

/// The value of an item in what kustomize makes of the overlay.
fn rendered(sandbox: &Sandbox, identity: &str, item: &str) -> String {
    let overlay = sandbox.path("overlay");
    let rendered = succeed(Command::new(toolchain::bin("kubectl")).arg("kustomize").arg(overlay)).stdout;
    let opened = sandbox.succeed(["unseal", "-i", identity, "--item", item], rendered);
    String::from_utf8(opened).unwrap()
}

#[test]
fn a_base_keeps_the_data_keys_of_an_overlays_items_and_needs_nothing_more() {
    let (sandbox, _) = repository();
    assert_eq!(rendered(&sandbox, "old.key", "token"), "of the overlay");
    let rotate =
        |args: &[&str]| sandbox.run([&["rotate", "-i", "old.key", "-r", "prod.pub"], args].concat(), "");
    let run = rotate(&["."]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.ends_with("1 SealedSecret was rotated in 1 file\n"), "{}", run.stderr);
    for (item, value) in [("password", "of the base"), ("token", "of the overlay")] {
        assert_eq!(rendered(&sandbox, "prod.key", item), value);
    }
    let again = rotate(&["."]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.ends_with("nothing to rotate; 1 doesn't need it\n"), "{}", again.stderr);
}

#[test]
fn an_overlay_whose_items_would_lose_their_data_key_is_named_and_nothing_is_lost() {
    let (sandbox, _) = repository();
    let before = sandbox.files();
    let rotate =
        |args: &[&str]| sandbox.run([&["rotate", "-i", "old.key", "-r", "prod.pub"], args].concat(), "");
    // Fresh data keys for the base would shut the overlay's item out.
    let fresh = rotate(&["--reseal", "."]);
    assert_ne!(fresh.code, 0);
    assert!(fresh.stderr.contains("prod/db is patched: items of a patch are sealed"), "{}", fresh.stderr);
    let alone = rotate(&["overlay"]);
    assert_eq!(alone.code, 1, "{}", alone.stderr);
    let said = String::from_utf8(alone.stdout).unwrap();
    let expected =
        "overlay/token.yaml:1: prod/db: left: it is a patch, and no object in these files has the data keys";
    assert!(said.starts_with(expected), "{said}");
    assert!(sandbox.files() == before, "it wrote");
}

#[test]
fn a_drill_and_a_count_pass_over_patches_without_items_and_name_those_with_items() {
    let (sandbox, old) = repository();
    let template = "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\nspec: {template: {type: Opaque}}\n";
    sandbox.write("overlay/type.yaml", template);
    let recovery = Identity::generate();
    let date = serde_json::from_value("2026-01-02T03:04:05Z".into()).unwrap();
    let set = std::slice::from_ref(recovery.recipient());
    let backup = seal_crds::keys::backup::encrypt(&old, 1, &date, set).unwrap();
    sandbox.write(format!("backups/{}", seal_crds::keys::backup::file_name(&old.fingerprint())), backup);
    sandbox.write("recovery.key", recovery.to_secret_string().as_bytes());
    let named = "overlay/token.yaml:1: not opened: it is a patch with items";
    for way in [&["-i", "recovery.key"][..], &["--public", "-r", "old.pub"]] {
        let drill = |paths: &[&str]| {
            let run = sandbox.run([&["keys", "drill", "backups"], way, paths].concat(), "");
            (run.code, String::from_utf8(run.stdout).unwrap() + &run.stderr)
        };
        let (code, said) = drill(&["base", "overlay/type.yaml"]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = drill(&["base", "overlay"]);
        assert!(code == 1 && said.contains(named) && !said.contains("type.yaml"), "{said}");
    }
    let counted = sandbox.succeed(["keys", "status", "--offline", "base", "overlay"], "");
    let counted = String::from_utf8(counted).unwrap();
    assert!(
        counted.contains("not looked at: overlay/token.yaml") && !counted.contains("type.yaml"),
        "{counted}"
    );
}
