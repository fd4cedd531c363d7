//! Sealing keys: made once, published, loaded while the controller runs, never replaced in silence.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::jiff::Timestamp;
use seal_crds::keys::Identity;
use seal_crds::native::NamedRecipient;
use seal_tests::controller::Controller;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::scene::{Scene, condition, items};

pub(super) const FIRST: &str = "sealing-key-first";

/// The date of the keys that tests make: yesterday, so that none is old enough to be renewed.
pub(super) fn yesterday() -> String {
    days_ago(1)
}

/// A date as keys have it.
pub(super) fn days_ago(days: i64) -> String {
    static NOW: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);
    let seconds = NOW.as_second() - days * 24 * 60 * 60;
    Timestamp::from_second(seconds).unwrap().to_string()
}

/// Keeps the controller from making another key: it waits for the update that reads this Secret.
pub(super) fn hold_up_renewals(scene: &Scene) {
    let mut later = identity_secret("of-a-later-version", &Identity::generate(), 1);
    later["data"]["format"] = json!(BASE64.encode("3"));
    scene.api().create(&scene.identities(""), &later).unwrap();
}

/// A SealingKey as a user who may write SealingKeys could plant it.
pub(super) fn planted(name: &str, identity: &Identity, sequence: u32) -> Value {
    json!({
        "apiVersion": "sealing.dev/v1alpha1", "kind": "SealingKey", "metadata": {"name": name},
        "spec": {"recipient": identity.recipient().as_str(), "sequence": sequence,
                 "createdAt": yesterday(), "state": "Active"},
    })
}

/// The Secret with a private half, as the controller writes it.
pub(super) fn identity_secret(name: &str, identity: &Identity, sequence: u32) -> Value {
    dated_secret(name, identity, sequence, &yesterday())
}

/// The same, of a key that was made at this time.
pub(super) fn dated_secret(name: &str, identity: &Identity, sequence: u32, created_at: &str) -> Value {
    let values = [
        ("identity", identity.to_secret_string().to_string()),
        ("recipient", identity.recipient().to_string()),
        ("sequence", sequence.to_string()),
        ("createdAt", created_at.to_owned()),
    ];
    let data: serde_json::Map<_, _> =
        values.into_iter().map(|(key, value)| (key.to_owned(), json!(BASE64.encode(value)))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "sealing.dev/sealing-key", "immutable": true,
        "metadata": {"name": name, "labels": {"sealing.dev/sealing-key": ""}}, "data": data,
    })
}

pub(super) fn recipient_of(identity: &Identity) -> NamedRecipient {
    NamedRecipient { recipient: identity.recipient().clone(), name: None }
}

#[track_caller]
pub(super) fn until_primary(scene: &Scene, name: &str) {
    until(&format!("{name} is the only primary"), || {
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
        items(&keys)
            .iter()
            .all(|key| (condition(key, "Primary").0 == "True") == (key["metadata"]["name"] == name))
    });
}

/// The SealingKey, as soon as it meets a condition.
#[track_caller]
pub(super) fn until_said(scene: &Scene, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("SealingKey {name}"), || {
        let key = scene.api().get(&scene.sealing_keys(name)).unwrap_or_default();
        if is_so(&key) { Ok(key) } else { Err(key) }
    })
}

fn count(scene: &Scene, path: &str) -> usize {
    items(&scene.api().get(path).unwrap()).len()
}

#[test]
fn two_controllers_started_together_make_one_key_and_both_open_with_it() {
    let scene = Scene::new("pair");
    let pair = [scene.launch(&[]), scene.launch(&[])];
    let [mut one, mut other] = pair.map(Controller::ready);
    let labelled = format!("{}?labelSelector=sealing.dev/sealing-key", scene.identities(""));
    assert_eq!((count(&scene, &labelled), count(&scene, &scene.sealing_keys(""))), (1, 1));
    assert_eq!(scene.api().get(&scene.identities(FIRST)).unwrap()["immutable"], true);

    scene.seal("both").item("a", "1").commit();
    scene.until_ready("both");
    assert!(one.terminate().success());
    scene.seal("other").item("a", "1").commit();
    scene.until_ready("other");
    assert!(other.terminate().success());
    let _one = scene.start(&[]);
    scene.seal("one").item("a", "1").commit();
    scene.until_ready("one");
    assert_eq!(count(&scene, &labelled), 1);
}

#[test]
fn a_deleted_sealing_key_is_published_again() {
    let (scene, _controller) = Scene::with_controller("publish");
    let before = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
    scene.api().delete(&scene.sealing_keys(FIRST)).unwrap();
    until("it is back", || scene.api().get(&scene.sealing_keys(FIRST)).is_some());
    until_primary(&scene, FIRST);
    let again = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
    assert_eq!(again["spec"], before["spec"]);
    assert_eq!(again["status"]["fingerprint"], before["status"]["fingerprint"]);
}

#[test]
fn a_recorded_key_whose_private_half_is_gone_is_stalled_and_never_replaced() {
    let (scene, mut controller) = Scene::with_controller("missing");
    let recipient = scene.recipient();
    let mut saved = scene.api().get(&scene.identities(FIRST)).unwrap();
    scene.lose_key(FIRST);
    until("the loss shows", || {
        let key = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
        let (stalled, reason, _) = condition(&key, "Stalled");
        (stalled.as_str(), reason.as_str()) == ("True", "IdentityMissing")
            && condition(&key, "Primary").0 == "False"
    });
    assert!(controller.terminate().success());

    // A controller that starts and has never seen the private half doesn't replace the key either.
    let before = scene.requests().len();
    let controller = scene.launch(&[]);
    until("the new one has looked for keys", || {
        scene.requests()[before..].iter().any(|request| request["objectRef"]["resource"] == "sealingkeys")
    });
    let said =
        format!("the newest is {FIRST}, and its private half is missing; no older key takes its place");
    until("it isn't ready, and says why", || {
        controller.http("/readyz").is_some_and(|(status, text)| status == 503 && text.contains(&said))
    });
    assert!(controller.log().contains(&said), "{}", controller.log());
    assert!(controller.log().contains("the loss is acknowledged (seal keys delete --force)"));
    let created =
        |request: &&Value| request["verb"] == "create" && request["objectRef"]["resource"] == "secrets";
    assert_eq!(scene.requests()[before..].iter().find(created), None);

    // The key comes back from the backup as it was.
    saved["metadata"] = json!({"name": FIRST, "labels": saved["metadata"]["labels"]});
    scene.api().create(&scene.identities(""), &saved).unwrap();
    let _controller = controller.ready();
    until_primary(&scene, FIRST);
    assert_eq!(condition(&scene.api().get(&scene.sealing_keys(FIRST)).unwrap(), "Stalled").0, "");
    scene.seal("db").item("a", "1").to(&recipient).commit();
    scene.until_ready("db");
}

#[test]
fn a_key_that_is_added_is_picked_up_without_a_restart_and_never_the_primary_by_itself() {
    let (scene, _controller) = Scene::with_controller("added-key");
    scene.seal("first").item("a", "1").commit();
    scene.until_ready("first");
    let second = Identity::generate();
    scene.seal("second").item("a", "2").to(&recipient_of(&second)).commit();
    let message = scene.until_stalled("second", "NoMatchingKey");
    assert!(message.contains(&second.fingerprint().short().to_string()), "{message}");

    // The Secret as it comes from a backup, with the note that the key was Active.
    let mut backup = identity_secret("restored-second", &second, 2);
    backup["metadata"]["annotations"] = json!({"sealing.dev/state": "Active"});
    scene.api().create(&scene.identities(""), &backup).unwrap();
    let object = scene.until_ready("second");
    assert_eq!(object["status"]["openedBy"], json!([second.fingerprint().to_string()]));
    assert_eq!(object["status"]["key"], second.fingerprint().short().to_string());
    until_said(&scene, "restored-second", |key| key["status"]["state"] == "Retiring");
    until_primary(&scene, FIRST);
    // Every added key is announced in an Event.
    let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", scene.keys);
    until("the added key is announced", || {
        items(&scene.api().get(&events).unwrap())
            .iter()
            .any(|event| event["reason"] == "KeyAdded" && event["regarding"]["name"] == "restored-second")
    });
}

#[test]
fn a_secret_that_only_claims_to_be_a_key_does_no_harm() {
    let (scene, _controller) = Scene::with_controller("not-a-key");
    let mut broken = identity_secret("sealing-key-broken", &Identity::generate(), 7);
    broken["data"]["identity"] = json!("bm90IGEga2V5");
    scene.api().create(&scene.identities(""), &broken).unwrap();
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    until_primary(&scene, FIRST);
    assert_eq!(scene.api().get(&scene.sealing_keys("sealing-key-broken")), None);
}

#[test]
fn the_schema_of_sealing_keys_keeps_what_is_final() {
    let scene = Scene::new("final");
    scene.api().create(&scene.sealing_keys(""), &planted("key", &Identity::generate(), 1)).unwrap();
    let change = |patch: Value| scene.api().merge(&scene.sealing_keys("key"), &json!({ "spec": patch }));
    let other = Identity::generate();
    for patch in [
        json!({"recipient": other.recipient().as_str()}),
        json!({"sequence": 2}),
        json!({"createdAt": "2026-01-02T00:00:00Z"}),
        json!({"state": "Lost"}),
    ] {
        assert_eq!(change(patch.clone()).unwrap_err().code, 422, "{patch}");
    }
    change(json!({"state": "Retiring"})).unwrap();
    change(json!({"state": "Active"})).unwrap();
    change(json!({"state": "Revoked"})).unwrap();
    let refused = change(json!({"state": "Active"})).unwrap_err();
    assert!(refused.message.contains("Revoked is final"), "{refused}");
}
