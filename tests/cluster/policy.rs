//! Objects that a controller refuses to open because of its own flags.

use super::scene::Scene;

#[test]
fn sealed_secrets_beside_the_controllers_keys_are_refused() {
    let scene = Scene::in_one_namespace("own");
    let _controller = scene.start(&[]);
    scene.seal("sealing-key-planted").item("identity", "AGE-SECRET-KEY-…").commit();
    let message = scene.until_stalled("sealing-key-planted", "NamespaceRefused");
    assert!(message.contains("--allow-own-namespace"), "{message}");
    assert_eq!(scene.secret("sealing-key-planted"), None);
}

#[test]
fn the_flag_allows_sealed_secrets_beside_the_controllers_keys() {
    let scene = Scene::in_one_namespace("own-allowed");
    let _controller = scene.start(&["--allow-own-namespace"]);
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert_eq!(scene.data("db")["a"], b"1");
}

/// The contract's own tests know which types are refused; this test covers the flag from the command line to the
/// Secret.
#[test]
fn a_type_that_the_control_plane_acts_on_is_refused_unless_a_flag_allows_it() {
    let scene = Scene::new("type");
    let mut controller = scene.start(&[]);
    let mut manifest = scene.seal("release").item("release", "H4sI").manifest();
    manifest["spec"]["template"] = serde_json::json!({"type": "helm.sh/release.v1"});
    scene.commit(&manifest).unwrap();
    let message = scene.until_stalled("release", "InvalidTemplate");
    assert!(message.contains("helm.sh/release.v1"), "{message}");
    assert_eq!(scene.secret("release"), None);

    assert!(controller.terminate().success());
    let _controller = scene.start(&["--allow-type=helm.sh/release.v1"]);
    scene.until_ready("release");
    assert_eq!(scene.secret("release").unwrap()["type"], "helm.sh/release.v1");
}
