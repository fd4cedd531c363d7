//! What `make image` made: the archive, and the bill of materials beside it.
//!
//! Invariant: they are read as anybody reads them who got the two files, by `tar` and a digest.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use seal_image::Digest;
use seal_tests::control_plane::succeed;
use seal_tests::toolchain;
use serde_json::Value;

use super::cluster::built;

/// A file of an archive, unpacked.
fn unpacked(archive: &Path, file: &str) -> Vec<u8> {
    succeed(Command::new("tar").arg("-xOf").arg(archive).arg(file)).stdout
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The blob that a descriptor of OCI speaks of.
fn blob(archive: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let bytes = unpacked(archive, &format!("blobs/{}", digest.replace(':', "/")));
    assert_eq!(Digest::of(&bytes).to_string(), digest);
    bytes
}

#[test]
#[ignore = "make e2e"]
fn the_bill_of_materials_is_of_the_very_program_in_the_archive_and_no_path_of_the_machine_is_in_either() {
    let (archive, bom) = (built("tar"), fs::read(built("cdx.json")).unwrap());
    let index = json(&unpacked(&archive, "index.json"));
    let manifest = blob(&archive, &index["manifests"][0]);
    let layers = json(&manifest)["layers"].as_array().unwrap().clone();
    assert_eq!(layers.len(), 1);
    let dir = tempfile::tempdir().unwrap();
    let layer = dir.path().join("layer.tar.gz");
    fs::write(&layer, blob(&archive, &layers[0])).unwrap();
    let files = succeed(Command::new("tar").arg("-tf").arg(&layer)).stdout;
    assert_eq!(String::from_utf8(files).unwrap(), "seal-controller\n");
    let program = unpacked(&layer, "seal-controller");

    let application = &json(&bom)["metadata"]["component"];
    assert_eq!(application["hashes"][0]["content"], Digest::of(&program).hex());
    let image = application["properties"][0]["value"].as_str().unwrap();
    assert!(image.ends_with(&format!("@{}", Digest::of(&manifest))), "{image}");
    assert_locked(&json(&bom));

    let home = env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo")));
    let repository = toolchain::repository().to_str().unwrap();
    for (what, bytes) in [("the program", &program), ("the bill of materials", &bom)] {
        for path in [repository, &home.clone().unwrap()] {
            assert!(!String::from_utf8_lossy(bytes).contains(path), "{path} is in {what}");
        }
    }
}

/// Each crate of the registry is in Cargo.lock with its version and checksum, and what opens values is among them.
fn assert_locked(bom: &Value) {
    let lock = fs::read_to_string(toolchain::repository().join("Cargo.lock")).unwrap();
    let crates = bom["components"].as_array().unwrap().iter().filter(|it| it["purl"].is_string());
    let names: Vec<&str> = crates
        .map(|it| {
            let [name, version, checksum] =
                [&it["name"], &it["version"], &it["hashes"][0]["content"]].map(|it| it.as_str().unwrap());
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            let entry = lock.split("[[package]]\n").find(|it| it.starts_with(&entry));
            assert!(entry.is_some_and(|it| it.contains(checksum)), "{name} {version}");
            name
        })
        .collect();
    for linked in ["age", "kube-client", "rsa", "rustls", "tokio"] {
        assert!(names.contains(&linked), "{linked} isn't in {names:?}");
    }
}
