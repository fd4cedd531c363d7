//! What the controller says of an object's keys: which it needs, and an envelope for the current recipients.
//!
//! A controller examines an object once a minute at most; one that has just started has examined none, so tests start
//! another instead of waiting. Invariant: every offer is applied as `seal rotate` would, and no Secret changes by that.

use std::collections::BTreeSet;

use seal_crds::keys::{Fingerprint, Identity};
use seal_crds::native::{NamedRecipient, NativeSealed, target};
use seal_crds::resources::SealedSecretSpec;
use seal_crds::{Place, Scope};
use seal_tests::control_plane::succeed;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::keys::{FIRST, until_primary};
use super::scene::{Scene, condition};
use crate::end_to_end::seal;
use crate::sandbox::Sandbox;

const SECOND: &str = "sealing-key-2";

/// The object's status, once this holds of it.
#[track_caller]
fn until_status(scene: &Scene, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || {
        let object = scene.sealed(name);
        if holds(&object["status"]) { Ok(object) } else { Err(object["status"].clone()) }
    })
}

/// Has the controller make a newer key and waits for it; returns the new key's fingerprint.
pub(super) fn renew(scene: &Scene) -> Fingerprint {
    scene.api().merge(&scene.sealing_keys(FIRST), &json!({"spec": {"state": "Retiring"}})).unwrap();
    until_primary(scene, SECOND);
    fingerprint(scene, SECOND)
}

pub(super) fn fingerprint(scene: &Scene, key: &str) -> Fingerprint {
    let key = scene.api().get(&scene.sealing_keys(key)).unwrap();
    key["status"]["fingerprint"].as_str().unwrap().parse().unwrap()
}

/// The source of an object, as whoever has its file computes it.
fn source(scene: &Scene, name: &str, manifest: &Value) -> String {
    let spec: SealedSecretSpec = serde_json::from_value(manifest["spec"].clone()).unwrap();
    let place = Place { namespace: scene.namespace.parse().unwrap(), name: name.parse().unwrap() };
    NativeSealed::parse(place, &spec, &BTreeSet::new()).unwrap().source()
}

#[test]
fn after_a_renewal_an_object_gets_an_offer_and_applying_it_changes_no_secret() {
    let (scene, controller) = Scene::with_controller("offer");
    until_primary(&scene, FIRST);
    let manifest = scene.seal("db").item("a", "1").item("b", "2").commit();
    let object = until_status(&scene, "db", "it is examined", |status| status["usage"].is_object());
    let usage = &object["status"]["usage"];
    assert_eq!(usage["only"], json!([fingerprint(&scene, FIRST)]));
    assert_eq!(usage["source"], json!(source(&scene, "db", &manifest)));
    assert_eq!(object["status"]["rewrap"], Value::Null);
    assert_eq!(condition(&object, "RewrapOffered").1, "");

    let second = renew(&scene);
    let mut controller = scene.restart(controller);
    let object = until_status(&scene, "db", "an offer is made", |status| status["rewrap"].is_object());
    let rewrap = &object["status"]["rewrap"];
    assert_eq!(rewrap["source"], json!(source(&scene, "db", &manifest)));
    assert_eq!(rewrap["target"], json!(target([second])));
    assert_eq!(condition(&object, "RewrapOffered").1, "Offered");

    let before = scene.secret("db").unwrap()["metadata"]["resourceVersion"].clone();
    let mut rotated = manifest;
    rotated["spec"]["envelopes"] = json!([rewrap["envelope"]]);
    scene.commit(&rotated).unwrap();
    let object = scene.until_ready("db");
    assert_eq!(object["status"]["openedBy"], json!([second]));
    assert_eq!(object["status"]["rewrap"], Value::Null);
    assert_eq!(condition(&object, "RewrapOffered").1, "");
    assert_eq!(scene.secret("db").unwrap()["metadata"]["resourceVersion"], before);
    assert!(controller.terminate().success());

    // Another start over it opens it once more, for its turn, and then never again.
    let mut controller = scene.start(&[]);
    until_status(&scene, "db", "it is examined", |status| status["usage"]["only"] == json!([second]));
    assert!(controller.terminate().success());
    let controller = scene.start(&[]);
    scene.nudge("db");
    assert_eq!(controller.metric("seal_controller_unseals_total"), 0);
    assert_eq!(scene.secret("db").unwrap()["metadata"]["resourceVersion"], before);
}

/// The overlay gives the object another name and another template than the file has; no file has a namespace.
#[test]
fn a_base_that_a_kustomize_overlay_renames_and_patches_is_rotated_by_the_offer() {
    let (scene, controller) = Scene::with_controller("overlay");
    until_primary(&scene, FIRST);
    let sandbox = Sandbox::new();
    let file = scene.seal("db").scope(Scope::NamespaceWide).item("a", "1").manifest();
    sandbox.write("base/db.yaml", format!("# the team's\n{}", serde_yaml::to_string(&file).unwrap()));
    sandbox.write("base/kustomization.yaml", "resources: [db.yaml]\n");
    let overlay = json!({
        "resources": ["../base"], "namePrefix": "blue-", "namespace": scene.namespace,
        "patches": [{
            "target": {"kind": "SealedSecret"},
            "patch": r#"[{"op": "add", "path": "/spec/template", "value": {"metadata": {"labels": {"team": "blue"}}}}]"#,
        }],
    });
    sandbox.write("blue/kustomization.yaml", overlay.to_string());
    let apply = || {
        let built = succeed(scene.plane.kubectl(["kustomize"]).arg(sandbox.path("blue"))).stdout;
        scene.commit(&serde_yaml::from_slice(&built).unwrap()).unwrap();
    };
    apply();
    scene.until_ready("blue-db");
    let before = scene.secret("blue-db").unwrap();
    assert_eq!(before["metadata"]["labels"]["team"], "blue");

    let second = renew(&scene);
    let _controller = scene.restart(controller);
    let object = until_status(&scene, "blue-db", "an offer is made", |status| status["rewrap"].is_object());
    assert_eq!(object["status"]["rewrap"]["source"], json!(source(&scene, "db", &file)));
    let run = |args: &[&str]| seal(&sandbox, &scene, scene.plane.kubeconfig(), args, b"");
    let fetched = run(&["keys", "fetch", "-o", "pins.pub"]);
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let rotated = run(&["rotate", "-r", "pins.pub", "--from-cluster", "base"]);
    assert_eq!(rotated.code, 0, "{}{}", String::from_utf8_lossy(&rotated.stdout), rotated.stderr);
    let text = String::from_utf8(sandbox.read("base/db.yaml")).unwrap();
    assert!(text.starts_with("# the team's\n") && text.contains(&second.to_string()), "{text}");
    apply();
    assert_eq!(scene.until_ready("blue-db")["status"]["openedBy"], json!([second]));
    assert_eq!(scene.secret("blue-db").unwrap(), before, "the Secret was written");
}

#[test]
fn an_object_that_is_also_sealed_to_somebody_elses_recipient_is_left_alone() {
    let (scene, _controller) = Scene::with_controller("shared");
    let theirs = Identity::generate();
    let named = NamedRecipient { recipient: theirs.recipient().clone(), name: None };
    scene.seal("db").to(&scene.recipient()).to(&named).item("a", "1").commit();
    let object = until_status(&scene, "db", "it is examined", |status| status["usage"].is_object());
    let (status, reason, message) = condition(&object, "RewrapOffered");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ForeignRecipients"));
    assert!(message.contains(&theirs.fingerprint().short()), "{message}");
    assert_eq!(object["status"]["rewrap"], Value::Null);
}

#[test]
fn the_largest_object_has_its_whole_status_without_an_offer_and_a_smaller_one_with_it() {
    let (scene, controller) = Scene::with_controller("large");
    until_primary(&scene, FIRST);
    // As text, a value is a third longer.
    for (name, size) in [("largest", 940_000), ("large", 600_000)] {
        scene.seal(name).item("a", vec![b'x'; size]).commit();
        scene.until_ready(name);
    }
    renew(&scene);
    let _controller = scene.restart(controller);
    let of = |name: &str, reason: &str| {
        until_status(&scene, name, "it is examined", |status| {
            condition(&json!({ "status": status }), "RewrapOffered").1 == reason
        })
    };
    let largest = of("largest", "OfferTooLarge");
    assert!(largest["status"]["rewrap"].is_null() && largest["status"]["usage"].is_object());
    assert_eq!(condition(&largest, "Ready").0, "True");
    assert!(of("large", "Offered")["status"]["rewrap"].is_object());
}

/// A controller counts when it starts, and then once a minute.
#[test]
fn a_sealing_key_says_how_many_objects_need_it() {
    let (scene, controller) = Scene::with_controller("count");
    until_primary(&scene, FIRST);
    for name in ["one", "two"] {
        scene.seal(name).item("a", "1").commit();
        until_status(&scene, name, "it is examined", |status| status["usage"].is_object());
    }
    let _controller = scene.restart(controller);
    until("two objects are counted", || {
        let key = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
        key["status"]["usage"]["objects"] == 2
    });
}
