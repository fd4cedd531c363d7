//! Labels and annotations of the template reach the Secret as their author wrote them, in both formats.
//!
//! The contract crate tests which ones are left out. Invariant: the Secrets of this file are those that public
//! bug reports are about.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::bitnami::scene::Peers;
use super::scene::condition;

const LABELS: [(&str, &str); 3] = [
    ("argocd.argoproj.io/secret-type", "repository"),
    ("reconcile.fluxcd.io/watch", "Enabled"),
    ("app.kubernetes.io/instance", "gitops"),
];
const ANNOTATIONS: [(&str, &str); 2] =
    [("meta.helm.sh/release-name", "gitops"), ("meta.helm.sh/release-namespace", "argocd")];

fn strings(entries: &[(&str, &str)]) -> Value {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The annotations, without the controller's digest.
fn annotations(secret: &Value) -> Value {
    let mut annotations = secret["metadata"]["annotations"].clone();
    annotations.as_object_mut().unwrap().remove("sealing.dev/digest");
    annotations
}

#[test]
fn what_other_tools_act_by_is_on_the_secret_and_comes_back_with_it() {
    let (peers, _controller) = Peers::with_controller("labels");
    let scene = &peers.scene;
    let native = scene.seal("native").item("url", "x");
    let native = LABELS.iter().fold(native, |it, (key, value)| it.label(key, value));
    ANNOTATIONS.iter().fold(native, |it, (key, value)| it.annotation(key, value)).commit();
    let peer = peers.seal("peer").item("url", "x");
    let peer = LABELS.iter().fold(peer, |it, (key, value)| it.label(key, value));
    ANNOTATIONS.iter().fold(peer, |it, (key, value)| it.annotation(key, value)).commit();
    let ready = [scene.until_ready("native"), peers.until_ready("peer")];
    for (name, object) in ["native", "peer"].iter().zip(ready) {
        assert_eq!(condition(&object, "Ready").2, "the Secret is what this SealedSecret says");
        for round in ["made", "made again"] {
            let secret = scene.secret(name).unwrap();
            assert_eq!(secret["metadata"]["labels"], strings(&LABELS), "{name}, {round}");
            assert_eq!(annotations(&secret), strings(&ANNOTATIONS), "{name}, {round}");
            scene.api().delete(&scene.secrets(name)).unwrap();
            until("it is made again", || scene.secret(name).is_some());
        }
    }
}

#[test]
fn what_is_left_out_is_said_in_status_and_in_an_event_and_the_rest_is_made() {
    let (peers, controller) = Peers::with_controller("left-out");
    let scene = &peers.scene;
    let mark = "kustomize.toolkit.fluxcd.io/name";
    scene.seal("native").item("a", "1").label("app", "db").label(mark, "apps").commit();
    peers.seal("peer").item("a", "1").label("app", "db").label(mark, "apps").commit();
    let ready = [scene.until_ready("native"), peers.until_ready("peer")];
    for (name, object) in ["native", "peer"].iter().zip(&ready) {
        let message = condition(object, "Ready").2;
        assert!(message.contains(mark) && message.contains("Flux"), "{message}");
        assert_eq!(scene.secret(name).unwrap()["metadata"]["labels"], json!({"app": "db"}));
        until("it is told", || {
            scene.events(name).iter().any(|(reason, note)| reason == "LeftOut" && note.contains(mark))
        });
    }
    // The controller says it once: neither a restart nor a change of the Secret repeats it.
    let controller = scene.restart(controller);
    scene.api().merge(&scene.secrets("native"), &json!({"data": {"a": "eA=="}})).unwrap();
    until("it is healed", || scene.data("native")["a"] == b"1");
    scene.nudge("native");
    assert_eq!(controller.log().matches("what the Secret doesn't get").count(), 0);
    // A change of the template adds an annotation that is left out, to an object that is ready.
    let before = scene.seal("late").item("a", "1").commit();
    scene.until_ready("late");
    let mut after = before;
    after["spec"]["template"] = json!({"metadata": {"annotations": {"sealing.dev/adopt": "db"}}});
    scene.commit(&after).unwrap();
    until("it is told", || scene.events("late").iter().any(|(reason, _)| reason == "LeftOut"));
    assert!(scene.secret("late").unwrap()["metadata"]["annotations"].get("sealing.dev/adopt").is_none());
}

#[test]
fn items_that_are_not_of_the_object_are_named() {
    let (peers, _controller) = Peers::with_controller("beside");
    let scene = &peers.scene;
    // One item was in the Secret before it was adopted, and one is added later.
    let theirs = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "native", "annotations": {"sealing.dev/adopt": "native"}},
        "data": {"old": "MQ==", "a": "MQ=="},
    });
    scene.api().create(&scene.secrets(""), &theirs).unwrap();
    scene.seal("native").item("a", "1").commit();
    peers.seal("peer").item("a", "1").commit();
    peers.until_ready("peer");
    let message = condition(&scene.until_ready("native"), "Ready").2;
    assert!(message.ends_with("it also holds items that are not from it: old"), "{message}");

    scene.api().merge(&scene.secrets("peer"), &json!({"data": {"added": "MQ=="}})).unwrap();
    until("it is named", || condition(&peers.sealed("peer"), "Ready").2.ends_with("not from it: added"));
    assert_eq!(condition(&peers.sealed("peer"), "Synced").2, "", "the peer's has no words while all is well");
    scene.api().merge(&scene.secrets("native"), &json!({"data": {"old": null}})).unwrap();
    until("it is gone", || {
        condition(&scene.sealed("native"), "Ready").2 == "the Secret is what this SealedSecret says"
    });
}
