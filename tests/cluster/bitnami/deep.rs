//! Objects that are nested too deep for a recursive reader. A list is one text, so it must be readable whatever
//! is in it.

use seal_tests::control_plane::{succeed, succeed_with};
use seal_tests::wait::until;
use serde_json::json;

use super::scene::Peers;

/// Maps nested `depth` times.
fn nested(key: &str, depth: usize) -> String {
    format!("{{\"{key}\":").repeat(depth) + "{}" + &"}".repeat(depth)
}

#[test]
fn one_object_that_is_too_deep_stops_no_other() {
    let (peers, controller) = Peers::with_controller("deep");
    let scene = &peers.scene;
    let plane = scene.plane;
    let namespace = format!("--namespace={}", scene.namespace);
    peers.seal("before").item("a", "1").commit();
    peers.until_ready("before");

    let mut manifest = peers.seal("deep").item("a", "1").manifest();
    manifest["spec"]["template"] = json!({"metadata": {"x": "DEEP"}});
    let text = manifest.to_string().replace("\"DEEP\"", &nested("a", 125));
    let reason = || {
        let path = "jsonpath={.status.conditions[?(@.type==\"Stalled\")].reason}";
        let get = ["get", "sealedsecrets.bitnami.com", "deep", &namespace, "-o", path];
        String::from_utf8(succeed(&mut plane.kubectl(get)).stdout).unwrap()
    };
    succeed_with(&mut plane.kubectl(["create", &namespace, "-f", "-"]), &text);
    until("the watch brings it", || reason() == "Malformed");

    // A Secret with managedFields of the same depth.
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "deep-fields"}});
    scene.api().create(&scene.secrets(""), &secret).unwrap();
    let fields = format!("{{\"f:metadata\":{{\"f:annotations\":{}}}}}", nested("f:a", 125));
    let patch = format!(
        r#"{{"metadata":{{"managedFields":[{{"manager":"x","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{fields}}}]}}}}"#
    );
    succeed(&mut plane.kubectl([
        "patch",
        "secret",
        "deep-fields",
        &namespace,
        "--type=merge",
        "--patch",
        &patch,
    ]));
    let stored = ["get", "secret", "deep-fields", &namespace, "-o", "json", "--show-managed-fields"];
    let stored = String::from_utf8(succeed(&mut plane.kubectl(stored)).stdout).unwrap();
    assert!(stored.matches("f:a\"").count() >= 125, "{stored}");
    peers.seal("beside").item("a", "1").commit();
    peers.until_ready("beside");

    // The lists of the next controller hold both objects.
    let _controller = scene.restart(controller);
    peers.seal("before").item("a", "2").commit();
    until("the others are served", || scene.data("before").get("a").is_some_and(|a| a == b"2"));
    peers.seal("after").item("a", "1").commit();
    peers.until_ready("after");
    assert_eq!(reason(), "Malformed");
}
