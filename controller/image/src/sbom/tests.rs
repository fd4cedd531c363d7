//! The document for a build that didn't happen: what it lists, and who uses what.

use std::collections::BTreeSet;

use super::*;

fn document() -> Value {
    let built = Built::of(&["seal-controller", "seal-crds", "age", "aws-lc-rs", "aws-lc-sys"]);
    let source = Source::of(built.root()).unwrap();
    let text = write(&built, &source, b"program", "localhost/x:1", &Digest::of(b"manifest")).unwrap();
    assert_eq!(text, write(&built, &source, b"program", "localhost/x:1", &Digest::of(b"manifest")).unwrap());
    serde_json::from_str(&text).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().split('@').next().unwrap()).collect()
}

#[test]
fn it_is_a_cyclonedx_document_of_the_very_program_in_the_very_image() {
    let document = document();
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    let application = &document["metadata"]["component"];
    assert_eq!(
        (&application["type"], &application["name"]),
        (&json!("application"), &json!("seal-controller"))
    );
    let program = Digest::of(b"program");
    assert_eq!(application["hashes"], json!([{"alg": "SHA-256", "content": program.hex()}]));
    let image = format!("localhost/x:1@{}", Digest::of(b"manifest"));
    assert_eq!(application["properties"], json!([{"name": "seal:image", "value": image}]));
    // The graph begins with it.
    assert_eq!(document["dependencies"][0]["ref"], application["bom-ref"]);
}

#[test]
fn a_crate_of_the_registry_has_its_licence_and_the_checksum_of_the_lock_file() {
    let document = document();
    let find = |name: &str| {
        document["components"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
    };
    let age = find("age");
    let version = age["version"].as_str().unwrap();
    assert_eq!(age["purl"], format!("pkg:cargo/age@{version}"));
    assert_eq!(age["licenses"], json!([{"expression": "MIT OR Apache-2.0"}]));
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let checksum = age["hashes"][0]["content"].as_str().unwrap();
    assert!(lock.contains(&format!("checksum = \"{checksum}\"")) && checksum.len() == 64);
    // Ours are published nowhere.
    assert_eq!(find("seal-crds").get("purl"), None);
    assert!(find("glibc")["version"].as_str().unwrap().starts_with("2."));
}

#[test]
fn the_graph_names_what_was_linked_and_nothing_else() {
    let document = document();
    let listed: BTreeSet<_> = document["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["bom-ref"].clone().to_string())
        .collect();
    assert_eq!(listed.len(), 7, "four crates and what the compilers link");
    for node in document["dependencies"].as_array().unwrap() {
        for used in node["dependsOn"].as_array().unwrap() {
            assert!(listed.contains(&used.to_string()), "{used}");
        }
    }
    let uses = |name: &str| {
        let nodes = document["dependencies"].as_array().unwrap();
        let node = nodes.iter().find(|it| it["ref"].as_str().unwrap().starts_with(name)).unwrap();
        names(&node["dependsOn"]).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(uses("seal-controller@"), ["seal-crds", "rust-std", "glibc", "libgcc"]);
    assert_eq!(uses("seal-crds@"), ["age", "aws-lc-rs"]);
    assert_eq!(uses("aws-lc-rs@"), ["aws-lc-sys"]);
}
