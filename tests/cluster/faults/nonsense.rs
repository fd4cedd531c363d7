//! Objects that are nonsense among good ones, by the thousand.

use seal_crds::Scope;
use serde_json::{Value, json};

use super::applied::Applied;
use crate::cluster::bitnami::scene::Peers;
use crate::cluster::scene::path;

const EACH: usize = 500;

/// What the schema of the native definition lets through, and no parser.
fn malform(manifest: &mut Value, n: usize) -> &'static str {
    let spec = &mut manifest["spec"];
    match n % 3 {
        0 => spec["envelopes"][0]["age"] = json!("AAAA"),
        1 => spec["encryptedData"]["a"] = json!(format!("{}.AAAA", "A".repeat(43))),
        _ => spec["template"] = json!({"data": {"b": "$(a|unknown)"}}),
    }
    ["Malformed", "Malformed", "InvalidTemplate"][n % 3]
}

#[test]
fn a_thousand_objects_of_nonsense_hold_up_none_of_a_thousand_good_ones() {
    let peers = Peers::new("nonsense");
    let scene = &peers.scene;
    let _controller = scene.start(&[]);
    let mut applied = Applied::to(scene);
    // One envelope that opens under any name: sealing a thousand would be most of the test's work.
    let good = scene.seal("any").item("a", "1").scope(Scope::NamespaceWide).manifest();
    let peers_good = peers.seal("any").scope(Scope::NamespaceWide).item("a", "1").manifest();
    let collections =
        [scene.sealed_secrets(""), path("/apis/bitnami.com/v1alpha1", &scene.namespace, "sealedsecrets", "")];
    let create = |collection: &str, manifest: &Value, name: String| {
        let mut manifest = manifest.clone();
        manifest["metadata"]["name"] = json!(name);
        scene.api().create(collection, &manifest).unwrap();
    };
    for n in 0..EACH {
        let mut bad = good.clone();
        let reason = malform(&mut bad, n);
        create(&collections[0], &bad, format!("bad-{n}"));
        applied.refuse(&format!("bad-{n}"), reason);
        create(&collections[0], &good, format!("good-{n}"));
        applied.expect(&format!("good-{n}"), "1");
        let mut bad = peers_good.clone();
        bad["spec"]["encryptedData"]["a"] = json!(if n % 2 == 0 { "!!" } else { "AAAA" });
        create(&collections[1], &bad, format!("peers-bad-{n}"));
        applied.refuse(&format!("peers-bad-{n}"), "Malformed");
        create(&collections[1], &peers_good, format!("peers-good-{n}"));
        applied.expect(&format!("peers-good-{n}"), "1");
    }
    applied.until_it_is_so();
}
