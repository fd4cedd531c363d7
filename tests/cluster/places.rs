//! Objects that were moved, taken apart or changed: the controller refuses them with a reason, and releases nothing.
//!
//! The contract crate's own tests hold every case; here is one of each kind, all the way to the status.

use seal_crds::Scope;
use serde_json::{Value, json};

use super::scene::Scene;

#[test]
fn an_object_in_another_place_than_it_was_sealed_for_names_both() {
    let scene = Scene::new("place");
    let _controller = scene.start(&[]);
    let here = &scene.namespace;

    scene.seal("moved").item("a", "1").for_namespace("elsewhere").commit();
    let message = scene.until_stalled("moved", "WrongPlace");
    assert_eq!(message, format!("sealed for elsewhere/moved, found in {here}/moved"));

    scene.seal("before").item("a", "1").found_as("after").commit();
    let message = scene.until_stalled("after", "WrongPlace");
    assert_eq!(message, format!("sealed for {here}/before, found in {here}/after"));

    let moved = scene.seal("wide").item("a", "1").scope(Scope::NamespaceWide).for_namespace("elsewhere");
    moved.commit();
    let message = scene.until_stalled("wide", "WrongPlace");
    assert_eq!(message, format!("sealed for namespace elsewhere, found in namespace {here}"));

    for name in ["moved", "after", "wide"] {
        assert_eq!(scene.secret(name), None, "{name}");
        assert_eq!(scene.sealed(name)["status"]["items"], Value::Null);
    }
}

#[test]
fn a_namespace_wide_object_opens_under_another_name_and_a_cluster_wide_one_anywhere() {
    let scene = Scene::new("wide");
    let _controller = scene.start(&["--allowed-scopes=namespace-wide,cluster-wide"]);
    scene.seal("one").item("a", "1").scope(Scope::NamespaceWide).found_as("other").commit();
    let anywhere = scene.seal("one").item("a", "2").scope(Scope::ClusterWide).for_namespace("elsewhere");
    anywhere.found_as("anywhere").commit();
    scene.until_ready("other");
    scene.until_ready("anywhere");
    assert_eq!((&scene.data("other")["a"], &scene.data("anywhere")["a"]), (&b"1".to_vec(), &b"2".to_vec()));
    // This controller doesn't allow the scope strict.
    scene.seal("strict").item("a", "1").commit();
    scene.until_stalled("strict", "ScopeRefused");
}

/// A name, the expected reason, and the change of the spec.
type Tampering<'a> = (&'a str, &'a str, Box<dyn Fn(&mut Value) + 'a>);

#[test]
fn an_object_that_was_tampered_with_is_refused_and_says_why() {
    let scene = Scene::new("tamper");
    let _controller = scene.start(&[]);
    let other = scene.seal("other").item("a", "spliced").item("c", "spliced").spec();
    let other = serde_json::to_value(other).unwrap();
    let cases: [Tampering<'_>; 8] = [
        (
            "swapped",
            "ItemAltered",
            Box::new(|spec| {
                let items = spec["encryptedData"].as_object_mut().unwrap();
                let (a, b) = (items["a"].clone(), items["b"].clone());
                items.extend([("a".to_owned(), b), ("b".to_owned(), a)]);
            }),
        ),
        ("flipped-item", "ItemAltered", Box::new(|spec| flip(&mut spec["encryptedData"]["a"], 80))),
        (
            "flipped-envelope",
            "EnvelopeAltered",
            Box::new(|spec| {
                let age = spec["envelopes"][0]["age"].as_str().unwrap().len();
                flip(&mut spec["envelopes"][0]["age"], age - 40);
            }),
        ),
        (
            "spliced-envelope",
            "WrongPlace",
            Box::new(|spec| {
                spec["envelopes"].as_array_mut().unwrap().push(other["envelopes"][0].clone());
                spec["encryptedData"]["c"] = other["encryptedData"]["c"].clone();
            }),
        ),
        (
            "spliced-item",
            "MissingKey",
            Box::new(|spec| spec["encryptedData"]["a"] = other["encryptedData"]["a"].clone()),
        ),
        ("widened", "WrongScope", Box::new(|spec| spec["scope"] = json!("namespace-wide"))),
        (
            "hinted",
            "WrongRecipients",
            Box::new(|spec| {
                spec["envelopes"][0]["recipients"][0]["fingerprint"] = json!("0".repeat(64));
            }),
        ),
        ("templated", "NotForTemplates", Box::new(|spec| spec["template"] = json!({"data": {"x": "$(a)"}}))),
    ];
    for (name, _, tamper) in &cases {
        let mut manifest = scene.seal(name).item("a", "1").item("b", "2").manifest();
        tamper(&mut manifest["spec"]);
        scene.commit(&manifest).unwrap();
    }
    for (name, reason, _) in &cases {
        scene.until_stalled(name, reason);
        assert_eq!(scene.secret(name), None, "{name}");
    }
}

#[test]
fn an_object_with_two_envelopes_opens_and_without_one_of_them_does_not() {
    let scene = Scene::new("dropped");
    let _controller = scene.start(&[]);
    let mut manifest = scene.seal("db").item("a", "1").manifest();
    let added = scene.seal("db").item("b", "2").manifest();
    manifest["spec"]["envelopes"].as_array_mut().unwrap().push(added["spec"]["envelopes"][0].clone());
    manifest["spec"]["encryptedData"]["b"] = added["spec"]["encryptedData"]["b"].clone();
    scene.commit(&manifest).unwrap();
    assert_eq!(scene.until_ready("db")["status"]["openedBy"].as_array().unwrap().len(), 2);
    let before = scene.secret("db");

    manifest["spec"]["envelopes"].as_array_mut().unwrap().pop();
    scene.commit(&manifest).unwrap();
    let message = scene.until_stalled("db", "MissingKey");
    assert!(message.contains("item b"), "{message}");
    assert_eq!(scene.secret("db"), before, "what worked keeps working");
}

/// Changes one character of base64 text into another that is base64.
fn flip(text: &mut Value, at: usize) {
    let mut bytes = text.as_str().unwrap().as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    *text = json!(String::from_utf8(bytes).unwrap());
}
