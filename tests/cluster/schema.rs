//! The CustomResourceDefinitions on a real API server: what they refuse, what they explain, and how objects print.

use std::process::Command;

use seal_crds::keys::Identity;
use seal_crds::native::NamedRecipient;
use seal_tests::control_plane::{ControlPlane, succeed, succeed_with};
use serde_json::{Value, json};

use super::scene::Scene;

fn scene_without_controller(prefix: &str) -> (Scene<'static>, NamedRecipient) {
    let recipient = Identity::generate().recipient().clone();
    (Scene::new(prefix), NamedRecipient { recipient, name: None })
}

fn kubectl(scene: &Scene, args: &[&str]) -> Command {
    ControlPlane::shared().kubectl(args.iter().copied().chain(["--namespace", &scene.namespace]))
}

fn said(command: &mut Command) -> String {
    String::from_utf8(succeed(command).stdout).unwrap()
}

/// Sets the field that a JSON pointer names; the last segment may be new.
fn set(manifest: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap();
    match key.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[key] = value,
    }
}

#[test]
fn what_breaks_a_bound_or_a_pattern_is_refused_by_the_api_server() {
    let (scene, recipient) = scene_without_controller("schema");
    let valid = scene
        .seal("db")
        .template_item("a", "1")
        .label("l", "1")
        .template("t", "$(a)")
        .to(&recipient)
        .manifest();
    let line = valid["spec"]["encryptedData"]["a"].clone();
    let envelope = valid["spec"]["envelopes"][0].clone();
    let many = |count: usize, value: &Value| {
        Value::Object((0..count).map(|n| (format!("key-{n}"), value.clone())).collect())
    };
    let cases = [
        ("/spec", Value::Null, "spec: Required value"),
        ("/spec/scope", json!("galaxy-wide"), "spec.scope"),
        ("/spec/scope", Value::Null, "spec.scope"),
        ("/spec/envelopes", json!([]), "spec.envelopes"),
        ("/spec/envelopes", json!(vec![envelope; 17]), "spec.envelopes"),
        ("/spec/envelopes/0/age", json!(""), "spec.envelopes[0].age"),
        ("/spec/envelopes/0/age", json!("not base64!"), "spec.envelopes[0].age"),
        ("/spec/envelopes/0/age", json!("A".repeat(174_765)), "spec.envelopes[0].age"),
        ("/spec/envelopes/0/keys", json!([]), "spec.envelopes[0].keys"),
        ("/spec/envelopes/0/keys", json!(["short"]), "spec.envelopes[0].keys[0]"),
        ("/spec/envelopes/0/recipients", json!([]), "spec.envelopes[0].recipients"),
        ("/spec/envelopes/0/recipients/0/fingerprint", json!("3F9A"), "fingerprint"),
        ("/spec/envelopes/0/recipients/0/name", json!("x".repeat(254)), "name"),
        ("/spec/encryptedData", json!({}), "spec.encryptedData"),
        ("/spec/encryptedData", many(1025, &line), "spec.encryptedData"),
        ("/spec/encryptedData/b", json!("plaintext"), "spec.encryptedData.b"),
        ("/spec/template/type", json!(""), "spec.template.type"),
        ("/spec/template/immutable", json!("yes"), "spec.template.immutable"),
        ("/spec/template/metadata/labels", many(257, &json!("")), "spec.template.metadata.labels"),
        ("/spec/template/metadata/labels/l", json!("x".repeat(64)), "spec.template.metadata.labels.l"),
        ("/spec/template/data/a", json!("x"), "must not be the name of an item in encryptedData"),
    ];
    for (pointer, value, expected) in cases {
        let mut manifest = valid.clone();
        set(&mut manifest, pointer, value);
        let refused = scene.api().create(&scene.sealed_secrets(""), &manifest).unwrap_err();
        assert!(refused.code == 422 && refused.message.contains(expected), "{pointer}: {refused}");
    }
    // An age file of 128 KiB, the largest allowed.
    let mut longest = valid;
    set(&mut longest, "/spec/envelopes/0/age", json!("A".repeat(174_764)));
    scene.api().create(&scene.sealed_secrets(""), &longest).unwrap();
}

#[test]
fn kubectl_refuses_fields_that_do_not_exist() {
    let (scene, recipient) = scene_without_controller("unknown");
    let mut manifest = scene.seal("db").item("a", "1").to(&recipient).manifest();
    set(&mut manifest, "/spec/scopes", json!(["strict"]));
    let mut create = kubectl(&scene, &["create", "-f", "-"]);
    let output =
        create.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut output.stdin.as_ref().unwrap(), manifest.to_string().as_bytes()).unwrap();
    let output = output.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(r#"unknown field "spec.scopes""#), "{error}");
}

#[test]
fn the_status_starts_as_never_observed_and_users_cannot_write_it_with_the_object() {
    let (scene, recipient) = scene_without_controller("default");
    let mut manifest = scene.seal("db").item("a", "1").to(&recipient).manifest();
    manifest["status"] = json!({"observedGeneration": 1});
    let created = scene.api().create(&scene.sealed_secrets(""), &manifest).unwrap();
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
}

#[test]
fn kubectl_prints_what_people_want_to_know() {
    let (scene, _controller) = Scene::with_controller("columns");
    scene.seal("good").item("a", "1").item("b", "2").commit();
    scene.seal("moved").item("a", "1").found_as("astray").commit();
    scene.until_ready("good");
    scene.until_stalled("astray", "WrongPlace");
    let table = said(&mut kubectl(&scene, &["get", "sls"]));
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let key = scene.recipient().recipient.fingerprint().short().to_string();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "ITEMS", "KEY", "AGE"]);
    assert_eq!(rows[1][..3], ["astray", "False", "WrongPlace"]);
    assert_eq!(rows[2][..5], ["good", "True", "InSync", "2", &key]);
    let wide = said(&mut kubectl(&scene, &["get", "sls", "-o", "wide"]));
    assert!(wide.contains("sealed for ") && wide.contains("strict"), "{wide}");

    let keys = said(&mut ControlPlane::shared().kubectl(["get", "slk", "--namespace", &scene.keys]));
    let rows: Vec<Vec<&str>> = keys.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "STATE", "PRIMARY", "SEQUENCE", "CREATED", "USAGE", "RENEWAL"]);
    assert_eq!(rows[1][..4], ["sealing-key-first", "Active", "True", "1"]);
    let renewal = rows[1].last().unwrap();
    assert!(
        renewal.ends_with('Z') && renewal.contains('T'),
        "kubectl prints a date to come as a text: {keys}"
    );
    for (namespace, name) in [(&scene.namespace, "good"), (&scene.keys, "sealing-key-first")] {
        let all = said(&mut ControlPlane::shared().kubectl(["get", "sealed", "--namespace", namespace]));
        assert!(all.contains(name), "{all}");
    }
}

#[test]
fn kubectl_explains_every_field() {
    let plane = ControlPlane::shared();
    for resource in ["sealedsecrets.sealing.dev", "sealingkeys.sealing.dev"] {
        let text = said(&mut plane.kubectl(["explain", resource, "--recursive"]));
        assert!(text.contains("<Object>") && text.contains("status"), "{text}");
        let crd = plane.object(["crd", resource]);
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            every_field_is_described(&schema[part], part);
        }
    }
}

fn every_field_is_described(schema: &Value, path: &str) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        assert!(field["description"].is_string(), "{path} has no description");
        every_field_is_described(field, &path);
        every_field_is_described(&field["items"], &path);
    }
}

#[test]
fn applying_the_same_manifest_again_changes_nothing() {
    let (scene, _controller) = Scene::with_controller("apply");
    let manifest = scene.seal("db").item("a", "1").template_item("t", "1").template("x", "$(t)").manifest();
    for flags in [&["apply", "-f", "-"][..], &["apply", "--server-side", "-f", "-"]] {
        succeed_with(&mut kubectl(&scene, flags), &manifest.to_string());
        scene.until_ready("db");
        scene.nudge("db");
        let before = scene.sealed("db");
        succeed_with(&mut kubectl(&scene, flags), &manifest.to_string());
        scene.nudge("db");
        let after = scene.sealed("db");
        assert_eq!(
            (&after["metadata"]["generation"], &after["spec"]),
            (&json!(1), &before["spec"]),
            "{flags:?}"
        );
        let resource_version = after["metadata"]["resourceVersion"].clone();
        succeed_with(&mut kubectl(&scene, flags), &manifest.to_string());
        assert_eq!(scene.sealed("db")["metadata"]["resourceVersion"], resource_version, "{flags:?}");
    }
}
