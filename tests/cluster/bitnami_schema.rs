//! The peer's CustomResourceDefinition and ours on a real API server: ours keeps the objects that the peer's
//! programs write.
//!
//! Not what the controller makes of them. Invariant: an object comes back as it was written, so that either
//! controller can serve what the other left.

use seal_tests::api::Refused;
use serde_json::{Value, json};

use super::scene::Scene;

fn path(scene: &Scene, rest: &str) -> String {
    format!("/apis/bitnami.com/v1alpha1/namespaces/{}/sealedsecrets{rest}", scene.namespace)
}

fn create(scene: &Scene, name: &str, spec: &Value) -> Result<Value, Refused> {
    let manifest = json!({
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name, "annotations": {"sealedsecrets.bitnami.com/cluster-wide": "true"}},
        "spec": spec,
    });
    scene.api().create(&path(scene, ""), &manifest)
}

#[test]
fn what_the_peers_programs_write_is_kept_as_it_was_written() {
    let scene = Scene::new("bitnami-schema");
    let line = "AQBwemkHHhKx".repeat(400);
    for (name, spec) in [
        ("plain", json!({"encryptedData": {"a": line, ".b_C-d": ""}})),
        (
            // The form of kubeseal until 0.32, and of every object that Go's encoder wrote through a struct.
            "nulls",
            json!({
                "encryptedData": {"a": line},
                "template": {
                    "data": null,
                    "metadata": {"creationTimestamp": null, "name": "db", "namespace": "prod"},
                },
            }),
        ),
        ("no-metadata", json!({"encryptedData": {"a": line}, "template": {"metadata": null, "type": ""}})),
        (
            "everything",
            json!({
                "encryptedData": {"a": line},
                "template": {
                    "type": "kubernetes.io/dockerconfigjson",
                    "immutable": true,
                    // The `null` leaves an item out and must not be lost: the item would be in the Secret.
                    "data": {".dockerconfigjson": "{\"auths\": \"{{ .a }}\"}", "a": null},
                    "metadata": {
                        "name": "db",
                        "labels": {"app": "db"},
                        "annotations": {"sealedsecrets.bitnami.com/managed": "true", "long": "x".repeat(9_999)},
                        "finalizers": ["example.com/x"],
                        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
                        "anything": {"else": [1]},
                    },
                },
            }),
        ),
        ("deprecated", json!({"data": "AQBwemkH", "encryptedData": {}})),
        ("nothing", json!({"encryptedData": {}})),
    ] {
        let created = create(&scene, name, &spec).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(created["spec"], spec, "{name}");
    }
}

#[test]
fn the_status_that_the_peers_controller_writes_is_kept() {
    let scene = Scene::new("bitnami-status");
    let created = create(&scene, "db", &json!({"encryptedData": {"a": "x"}})).unwrap();
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
    for status in [
        json!({
            "observedGeneration": 1,
            "conditions": [{
                "type": "Synced",
                "status": "True",
                "lastUpdateTime": "2026-11-21T15:00:00Z",
                "lastTransitionTime": "2026-11-21T15:00:00Z",
            }],
        }),
        json!({
            "observedGeneration": 0,
            "conditions": [{
                "type": "Synced",
                "status": "False",
                "message": format!("no key could decrypt secret ({})", "x".repeat(40_000)),
                "lastUpdateTime": "2026-11-21T15:00:00Z",
                "lastTransitionTime": "2026-11-21T15:00:00Z",
            }],
        }),
    ] {
        let mut object = scene.api().get(&path(&scene, "/db")).unwrap();
        object["status"] = status.clone();
        let written = scene.api().replace(&path(&scene, "/db/status"), &object).unwrap();
        assert_eq!(written["status"], status);
    }
}

#[test]
fn what_is_no_sealed_secret_is_refused() {
    let scene = Scene::new("bitnami-refused");
    for (name, spec, field) in [
        ("null", Value::Null, "spec"),
        ("number", json!({"encryptedData": {"a": 1}}), "spec.encryptedData.a"),
        ("list", json!({"encryptedData": ["a"]}), "spec.encryptedData"),
        ("type", json!({"encryptedData": {}, "template": {"type": 1}}), "spec.template.type"),
        (
            "labels",
            json!({"template": {"metadata": {"labels": {"a": 1}}}}),
            "spec.template.metadata.labels.a",
        ),
    ] {
        let refused = create(&scene, name, &spec).unwrap_err();
        assert!(refused.code == 422 && refused.message.contains(field), "{name}: {refused}");
    }
}
