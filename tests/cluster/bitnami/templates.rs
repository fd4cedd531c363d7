//! Go templates on a real kube-apiserver: which results it takes, and that no template keeps the controller from
//! its work.
//!
//! Not what they render to (`tests/gotemplate.rs`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::scene::Peers;
use crate::endless::doubling;

/// An object with this text as a template of this key.
fn with(peers: &Peers<'_>, name: &str, key: &str, text: &str) -> Value {
    let mut manifest = peers.seal(name).item("a", "x").manifest();
    manifest["spec"]["template"]["data"] = json!({ key: text });
    manifest
}

#[test]
fn templates_that_never_end_keep_the_controller_from_nothing() {
    let (peers, mut controller) = Peers::with_controller("endless");
    let names = ["one", "two", "three"];
    for name in names {
        peers.commit(&with(&peers, name, "t", &doubling()));
    }
    assert_eq!(controller.http("/healthz").map(|(status, _)| status), Some(200));
    peers.seal("good").item("a", "1").commit();
    peers.until_ready("good");
    for name in names {
        let message = peers.until_stalled(name, "InvalidTemplate");
        assert!(message.ends_with("the template is too much work"), "{message}");
    }
    // The same objects change, and the controller is told to end in the middle of its work.
    for name in names {
        peers.commit(&with(&peers, name, "t", &format!("{} ", doubling())));
    }
    let asked = Instant::now();
    assert_eq!(controller.terminate().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

/// With this many labels, etcd would refuse the template's result for one value, and take the result for the other.
#[test]
fn how_much_is_stored_tells_nothing_of_an_item() {
    let (peers, _controller) = Peers::with_controller("stored");
    let text = r#"{{ ternary (repeat 900000 "a") "" (hasPrefix "S3" .a) }}"#;
    let mut outcomes = Vec::new();
    for (name, pin) in [("one", "S3cr3t"), ("two", "hunter")] {
        let mut manifest = peers.seal(name).item("a", pin).manifest();
        let prefix = ["a", "b", "c", "d"].map(|letter| letter.repeat(62)).join(".");
        let labels = (0..1000).map(|n| (format!("{prefix}/{n:063}"), json!("")));
        manifest["spec"]["template"]["metadata"] =
            json!({ "labels": labels.collect::<serde_json::Map<_, _>>() });
        manifest["spec"]["template"]["data"] = json!({ "q": text });
        peers.commit(&manifest);
        outcomes.push(peers.until_stalled(name, "InvalidTemplate"));
    }
    assert_eq!(outcomes[0], outcomes[1]);
}

#[test]
fn the_api_server_takes_a_docker_configuration_whatever_the_items_in_it_are() {
    let (peers, _controller) = Peers::with_controller("docker");
    let text =
        r#"{"auths": {"r": {"username": "{{ .a }}", "password": {{ quote .a }}, "x": {{ toJson .a }}}}}"#;
    for (number, (value, expected)) in [
        ("plain", "plain"),
        ("a\"b", "a\"b"),
        ("a\\", "a\\"),
        ("\u{1}\u{7f}\u{7}\n", "\u{1}\u{7f}\u{7}\n"),
        // The value was escaped before it was sealed, to fit into the string around it.
        (r"a\tb", "a\tb"),
        ("\",\"b\":1e999,\"c\":\"", "\",\"b\":1e999,\"c\":\""),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("docker-{number}");
        let mut manifest = peers.seal(&name).item("a", value).manifest();
        manifest["spec"]["template"]["data"] = json!({ ".dockerconfigjson": text });
        manifest["spec"]["template"]["type"] = json!("kubernetes.io/dockerconfigjson");
        peers.commit(&manifest);
        peers.until_ready(&name);
        let made: Value = serde_json::from_slice(&peers.scene.data(&name)[".dockerconfigjson"]).unwrap();
        let made = &made["auths"]["r"];
        assert_eq!((&made["username"], &made["x"]), (&json!(expected), &json!(value)));
    }
}
