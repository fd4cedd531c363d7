//! The archive as a container runtime reads it: from the index to the program, with each digest compared.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::*;

const DOCKERFILE: &str = include_str!("../../../Dockerfile");

fn image() -> Image<'static> {
    Image {
        name: "localhost/seal-controller:0.1.0",
        architecture: "amd64",
        labels: BTreeMap::from([("org.opencontainers.image.title", "seal-controller".to_owned())]),
        created: Timestamp::from_second(1_700_000_000).unwrap(),
        program: ("seal-controller", b"\x7fELF and so on"),
    }
}

/// The files of a tar with their modes.
fn files(tar: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let read = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.mtime().unwrap(), 1_700_000_000);
        let mode = header.mode().unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (path, (mode, bytes))
    });
    read.collect()
}

fn json(files: &BTreeMap<String, (u32, Vec<u8>)>, path: &str) -> Value {
    serde_json::from_slice(&files[path].1).unwrap()
}

/// The blob that a descriptor points to, after both its digest and its size were compared.
fn follow(files: &BTreeMap<String, (u32, Vec<u8>)>, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let (_, bytes) = &files[&format!("blobs/{}", digest.replace(':', "/"))];
    assert_eq!(Digest::of(bytes).to_string(), digest);
    assert_eq!(descriptor["size"], bytes.len());
    bytes.clone()
}

#[test]
fn the_index_leads_to_one_file_that_an_unprivileged_user_runs() {
    let (archive, digest) = image().archive();
    let files = files(&archive);
    assert_eq!(json(&files, "oci-layout")["imageLayoutVersion"], "1.0.0");
    let descriptor = &json(&files, "index.json")["manifests"][0];
    assert_eq!(descriptor["digest"], digest.to_string());
    assert_eq!(descriptor["annotations"]["io.containerd.image.name"], "localhost/seal-controller:0.1.0");
    assert_eq!(descriptor["annotations"]["org.opencontainers.image.ref.name"], "0.1.0");
    let manifest: Value = serde_json::from_slice(&follow(&files, descriptor)).unwrap();
    let config: Value = serde_json::from_slice(&follow(&files, &manifest["config"])).unwrap();
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"], json!(["/seal-controller"]));
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.title"], "seal-controller");

    let mut layer = Vec::new();
    let zipped = follow(&files, &manifest["layers"][0]);
    flate2::read::GzDecoder::new(zipped.as_slice()).read_to_end(&mut layer).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], json!([Digest::of(&layer).to_string()]));
    let inside = self::files(&layer);
    assert_eq!(
        inside.into_iter().collect::<Vec<_>>(),
        [("seal-controller".to_owned(), (0o755, image().program.1.to_vec()))]
    );
}

#[test]
fn the_form_of_docker_save_names_the_same_blobs() {
    let (archive, _) = image().archive();
    let files = files(&archive);
    let docker = &json(&files, "manifest.json")[0];
    let manifest: Value =
        serde_json::from_slice(&follow(&files, &json(&files, "index.json")["manifests"][0])).unwrap();
    let path =
        |descriptor: &Value| format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
    assert_eq!(docker["Config"], path(&manifest["config"]));
    assert_eq!(docker["Layers"], json!([path(&manifest["layers"][0])]));
    assert_eq!(docker["RepoTags"], json!(["localhost/seal-controller:0.1.0"]));
}

#[test]
fn the_same_image_has_the_same_bytes_and_its_name_is_no_part_of_the_digest() {
    assert!(image().archive() == image().archive());
    let renamed = Image { name: "registry.example.com/seal-controller:0.1.0", ..image() }.archive();
    assert!(renamed.0 != image().archive().0 && renamed.1 == image().archive().1);
    let changed = Image { program: ("seal-controller", b"another"), ..image() }.archive();
    assert!(changed.1 != image().archive().1);
}

#[test]
fn the_dockerfile_makes_the_same_image() {
    let program = format!("/{}", image().program.0);
    for line in [
        format!("USER {USER}"),
        format!("ENTRYPOINT [\"{program}\"]"),
        format!("COPY --from=build {program} {program}"),
        "FROM scratch".to_owned(),
        "WORKDIR /".to_owned(),
    ] {
        assert!(DOCKERFILE.lines().any(|it| it == line), "{line}");
    }
    assert!(DOCKERFILE.contains(&format!("RUSTFLAGS=\"{}\"", crate::STATIC)));
}
