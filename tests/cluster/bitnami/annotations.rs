//! The peer's annotations on Secrets that exist already.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Peers;

const MANAGED: &str = "sealedsecrets.bitnami.com/managed";
const PATCH: &str = "sealedsecrets.bitnami.com/patch";
const SKIP: &str = "sealedsecrets.bitnami.com/skip-set-owner-references";

/// A foreign Secret `db`, with these annotations.
fn theirs(peers: &Peers, annotations: &[&str]) -> Value {
    let annotations: serde_json::Map<_, _> =
        annotations.iter().map(|&key| (key.to_owned(), json!("true"))).collect();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "example.com/theirs",
        "metadata": {"name": "db", "labels": {"theirs": "1"}, "annotations": annotations},
        "data": {"a": "dGhlaXJz", "theirs": "MQ=="},
    });
    peers.scene.api().create(&peers.scene.secrets(""), &secret).unwrap()
}

fn owner(secret: &Value) -> &Value {
    &secret["metadata"]["ownerReferences"][0]["uid"]
}

#[test]
fn a_managed_secret_is_taken_over_as_a_whole() {
    let (peers, _controller) = Peers::with_controller("managed");
    let before = theirs(&peers, &[MANAGED]);
    let mut manifest = peers.seal("db").item("a", "ours").label("app", "db").manifest();
    manifest["spec"]["template"]["type"] = json!("example.com/theirs");
    let object = peers.commit(&manifest);
    peers.until_ready("db");
    let secret = peers.scene.secret("db").unwrap();
    assert_eq!(
        (&secret["data"], &secret["metadata"]["labels"]),
        (&json!({"a": "b3Vycw=="}), &json!({"app": "db"}))
    );
    assert_eq!(
        secret["metadata"]["annotations"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["sealing.dev/digest"]
    );
    assert_eq!(
        (owner(&secret), &secret["metadata"]["uid"]),
        (&object["metadata"]["uid"], &before["metadata"]["uid"])
    );
}

#[test]
fn a_patched_secret_has_our_items_put_in_and_stays_its_owners() {
    let (peers, controller) = Peers::with_controller("patch");
    let scene = &peers.scene;
    theirs(&peers, &[PATCH]);
    peers.seal("db").item("a", "ours").item("b", "1").label("app", "db").commit();
    peers.until_ready("db");
    let secret = scene.secret("db").unwrap();
    assert_eq!(secret["data"], json!({"a": "b3Vycw==", "b": "MQ==", "theirs": "MQ=="}));
    assert_eq!(secret["metadata"]["labels"], json!({"app": "db", "theirs": "1"}));
    assert_eq!((owner(&secret), &secret["type"]), (&Value::Null, &json!("example.com/theirs")));
    let controller = scene.restart(controller);
    peers.after("later");
    assert_eq!(scene.secret("db").unwrap(), secret, "it is right");
    assert_eq!(controller.metric("seal_controller_heals_total"), 0);

    peers.seal("db").item("a", "ours").label("app", "db").commit();
    until("the item went", || scene.data("db").into_keys().eq(["a".to_owned(), "theirs".to_owned()]));
    scene.api().merge(&scene.secrets("db"), &json!({"data": {"a": "eA=="}})).unwrap();
    until("drift is healed", || scene.data("db")["a"] == b"ours");

    // Without the annotation the Secret is foreign again.
    peers.until_ready("db");
    scene.api().merge(&scene.secrets("db"), &json!({"metadata": {"annotations": {PATCH: null}}})).unwrap();
    peers.until_stalled("db", "ForeignSecret");
    scene.api().merge(&scene.secrets("db"), &json!({"metadata": {"annotations": {PATCH: "true"}}})).unwrap();
    peers.until_ready("db");
    scene.api().delete(&peers.path("db")).unwrap();
    peers.after("much-later");
    assert_eq!(scene.data("db").len(), 2, "it outlives the object");
}

#[test]
fn a_secret_that_is_patched_and_managed_is_ours_with_what_it_had() {
    let (peers, _controller) = Peers::with_controller("both");
    theirs(&peers, &[PATCH, MANAGED]);
    let object = peers.seal("db").item("a", "ours").commit();
    peers.until_ready("db");
    let secret = peers.scene.secret("db").unwrap();
    assert_eq!(secret["data"], json!({"a": "b3Vycw==", "theirs": "MQ=="}));
    assert_eq!(owner(&secret), &object["metadata"]["uid"]);
    assert_eq!(secret["metadata"]["annotations"][PATCH], "true");
}

#[test]
fn a_secret_without_owner_outlives_its_object_and_is_known_again() {
    let (peers, _controller) = Peers::with_controller("skip");
    let scene = &peers.scene;
    peers.seal("db").item("a", "1").annotation(SKIP, "true").commit();
    peers.until_ready("db");
    let before = scene.secret("db").unwrap();
    assert_eq!(owner(&before), &Value::Null);
    scene.api().merge(&scene.secrets("db"), &json!({"data": {"a": "eA=="}})).unwrap();
    until("drift is healed", || scene.data("db")["a"] == b"1");
    scene.api().delete(&peers.path("db")).unwrap();
    peers.after("later");
    assert!(scene.secret("db").is_some());
    peers.seal("db").item("b", "2").annotation(SKIP, "true").commit();
    peers.until_ready("db");
    assert_eq!(scene.data("db").into_keys().collect::<Vec<_>>(), ["b"]);

    // A copy of the marks doesn't make a Secret ours.
    let mut copy = scene.secret("db").unwrap();
    copy["metadata"] = json!({"name": "copy", "annotations": copy["metadata"]["annotations"]});
    copy["metadata"]["annotations"][SKIP] = Value::Null;
    scene.api().create(&scene.secrets(""), &copy).unwrap();
    peers.seal("copy").item("b", "2").annotation(SKIP, "true").commit();
    peers.until_stalled("copy", "ForeignSecret");
}

#[test]
fn a_foreign_secret_is_refused_in_the_peers_words_and_never_touched() {
    let (peers, _controller) = Peers::with_controller("theirs");
    let theirs = theirs(&peers, &[]);
    peers.seal("db").item("a", "ours").commit();
    peers.until_stalled("db", "ForeignSecret");
    until("it is told", || peers.scene.events("db").iter().any(|(reason, _)| reason == "ErrUpdateFailed"));
    assert_eq!(peers.scene.secret("db").unwrap(), theirs);
}
