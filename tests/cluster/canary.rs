//! Plaintext shows only in the Secret. It never shows in a log at its most verbose, nor in the controller's
//! report of an API server's error that quotes the refused value.
//!
//! The audit log isn't searched: it is the API server's, and at this level holds no bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_tests::wait::until;
use serde_json::json;

use super::scene::Scene;

const CANARY: &str = "canary-7b1e52c0-value";
/// Go's JSON decoder quotes a number that no float64 can hold, and the API server passes that on.
const NUMBER: &str = "71520934887e999";

/// The forms in which a canary may show: the first also in each of the three alignments of base64, in hex, and as
/// a list of bytes.
fn disguises() -> Vec<String> {
    let base64 = (0..3).map(|shift| {
        let text = BASE64.encode([&vec![b'x'; shift], CANARY.as_bytes()].concat());
        // The characters at the ends depend on the bytes around the text.
        text[4..text.len() - 4].to_owned()
    });
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let bytes = CANARY.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    // A prefix, since an error may cut the value short.
    let half = CANARY[..12].to_owned();
    base64.chain([half, hex.to_uppercase(), hex, bytes, NUMBER.to_owned()]).collect()
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for disguise in disguises() {
        if let Some(at) = text.find(&disguise) {
            let (start, end) = (at.saturating_sub(200), (at + 200).min(text.len()));
            panic!("{what} shows the canary as {disguise}: …{}…", &text[start..end]);
        }
    }
}

#[test]
fn the_search_finds_each_disguise() {
    let secret = json!({"data": {"password": BASE64.encode(format!("a{CANARY}b"))}}).to_string();
    assert!(disguises().iter().any(|disguise| secret.contains(disguise)));
    assert!(disguises().iter().any(|disguise| format!("{:?}", CANARY.as_bytes()).contains(disguise)));
}

#[test]
fn plaintext_shows_nowhere_but_in_the_secret() {
    let scene = Scene::new("canary");
    let mut text = scene.start(&[]);
    let api = scene.api();

    // Values that are written, read, changed, healed and in conflict.
    scene.seal("good").item("password", CANARY).template_item("t", CANARY).template("url", "x$(t)").commit();
    scene.until_ready("good");
    api.merge(&scene.secrets("good"), &json!({"data": {"password": BASE64.encode(format!("x{CANARY}"))}}))
        .unwrap();
    until("it is healed", || scene.data("good")["password"] == CANARY.as_bytes());
    let rival = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": BASE64.encode(format!("xx{CANARY}"))}});
    api.apply(&scene.secrets("good"), "rival", true, &rival).unwrap();
    scene.until_stalled("good", "FieldConflict");

    // Values that the API server refuses and quotes, in each of the ways it has.
    let docker = |name: &str| scene.seal(name).of_type("kubernetes.io/dockerconfigjson");
    docker("not-json").item(".dockerconfigjson", CANARY).commit();
    docker("number").item(".dockerconfigjson", format!(r#"{{"auths": {NUMBER}}}"#)).commit();
    scene.seal("dockercfg").of_type("kubernetes.io/dockercfg").item(".dockercfg", CANARY).commit();
    for name in ["not-json", "number", "dockercfg"] {
        let message = scene.until_stalled(name, "SecretRefused");
        assert!(message.contains("data[.docker"), "{message}");
        assert_eq!(scene.secret(name), None);
    }
    scene.seal("immutable").item("password", CANARY).immutable().commit();
    scene.until_ready("immutable");
    scene.seal("immutable").item("password", format!("{CANARY}{CANARY}")).immutable().commit();
    scene.until_stalled("immutable", "ImmutableSecret");

    // Objects that the controller refuses after it has opened some of their items.
    let mut manifest = scene.seal("altered").item("a", CANARY).item("b", CANARY).manifest();
    manifest["spec"]["encryptedData"]["b"] = manifest["spec"]["encryptedData"]["a"].clone();
    scene.commit(&manifest).unwrap();
    scene.until_stalled("altered", "ItemAltered");

    let (_, metrics) = text.http("/metrics").unwrap();
    assert!(text.terminate().success());
    // The same objects again, for the other form of the log.
    let mut json = scene.start(&["--log-format=json"]);
    // Sealed anew, because the controller doesn't log again what the status already says.
    docker("not-json").item(".dockerconfigjson", CANARY).commit();
    scene.until_stalled("not-json", "SecretRefused");
    let mut manifest = scene.seal("altered").item("a", CANARY).item("b", CANARY).manifest();
    manifest["spec"]["encryptedData"]["b"] = manifest["spec"]["encryptedData"]["a"].clone();
    scene.commit(&manifest).unwrap();
    scene.until_stalled("altered", "ItemAltered");
    assert!(json.terminate().success());

    for (what, log) in [("the log", text.log()), ("the JSON log", json.log())] {
        assert!(log.contains("not-json"), "{what} is of this controller");
        assert_clean(what, &log);
    }
    assert_clean("the metrics", &metrics);
    let statuses = api.get(&scene.sealed_secrets("")).unwrap();
    for object in super::scene::items(&statuses) {
        assert_clean("a status", &object["status"].to_string());
    }
    for group in ["/api/v1", "/apis/events.k8s.io/v1"] {
        let events = api.get(&format!("{group}/namespaces/{}/events", scene.namespace)).unwrap();
        assert!(!super::scene::items(&events).is_empty());
        assert_clean("an Event", &events.to_string());
    }
}

/// The test above would prove nothing if the API server didn't quote the value.
#[test]
fn the_api_server_does_quote_what_it_refuses() {
    let scene = Scene::new("quote");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "db"}, "data": {".dockerconfigjson": BASE64.encode(format!(r#"{{"auths": {NUMBER}}}"#))},
    });
    let refused = scene.api().create(&scene.secrets(""), &secret).unwrap_err();
    assert!(refused.code == 422 && refused.message.contains(NUMBER), "{refused}");
}
