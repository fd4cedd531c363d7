//! The image as one file: an OCI image layout (image-spec 1.1) in a tar, with one layer of one file.
//!
//! `manifest.json` beside the layout is for what reads only `docker save`'s form: Docker before 25, older kind.
//!
//! Invariant: the bytes follow from the fields of [`Image`]. No clock, no user, no order of a hash map is in them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::digest::Digest;

/// The user that the images of Google's distroless call `nonroot`. Numeric, because the kubelet compares it for
/// `runAsNonRoot`, and the image has no /etc/passwd.
const USER: &str = "65532:65532";
const BLOBS: &str = "blobs/sha256";

/// What an image is made from.
pub struct Image<'a> {
    /// Name and tag. They are no part of the digest.
    pub name: &'a str,
    /// Under Go's name for it, such as `amd64`.
    pub architecture: &'a str,
    pub labels: BTreeMap<&'static str, String>,
    /// The date of all files.
    pub created: Timestamp,
    /// The name of the only file, and its content: a static program.
    pub program: (&'a str, &'a [u8]),
}

impl Image<'_> {
    /// The archive, and the digest of the manifest: what `name@sha256:…` pins.
    #[must_use]
    pub fn archive(&self) -> (Vec<u8>, Digest) {
        let (name, program) = self.program;
        let layer = self.tar(&[(name.to_owned(), program, 0o755)]);
        let config = self.config(&layer);
        let layer = compressed(&layer);
        let manifest = text(&json!({
            "schemaVersion": 2,
            "mediaType": media("manifest.v1+json"),
            "config": descriptor("config.v1+json", &config),
            "layers": [descriptor("layer.v1.tar+gzip", &layer)],
            "annotations": self.labels,
        }));
        let files = [
            ("oci-layout".to_owned(), text(&json!({"imageLayoutVersion": "1.0.0"}))),
            ("index.json".to_owned(), text(&self.index(&manifest))),
            ("manifest.json".to_owned(), text(&self.for_docker(&config, &layer))),
            (blob(&config), config),
            (blob(&layer), layer),
            (blob(&manifest), manifest.clone()),
        ];
        let files: Vec<_> =
            files.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice(), 0o644)).collect();
        (self.tar(&files), Digest::of(&manifest))
    }

    fn config(&self, layer: &[u8]) -> Vec<u8> {
        text(&json!({
            "architecture": self.architecture,
            "os": "linux",
            "created": self.created.to_string(),
            "config": {
                "User": USER,
                "Entrypoint": [format!("/{}", self.program.0)],
                "WorkingDir": "/",
                "Labels": self.labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(layer).to_string()]},
            "history": [{"created": self.created.to_string(), "created_by": "make image"}],
        }))
    }

    fn index(&self, manifest: &[u8]) -> Value {
        let (_, tag) = self.name.rsplit_once(':').unwrap_or((self.name, "latest"));
        let mut descriptor = descriptor("manifest.v1+json", manifest);
        descriptor["platform"] = json!({"architecture": self.architecture, "os": "linux"});
        // containerd, Docker and Podman take the whole name from the first; skopeo knows the second.
        descriptor["annotations"] =
            json!({"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag});
        json!({"schemaVersion": 2, "mediaType": media("index.v1+json"), "manifests": [descriptor]})
    }

    fn for_docker(&self, config: &[u8], layer: &[u8]) -> Value {
        json!([{"Config": blob(config), "RepoTags": [self.name], "Layers": [blob(layer)]}])
    }

    /// A tar of these files, which belong to root.
    fn tar(&self, files: &[(String, &[u8], u32)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes, mode) in files {
            let mut header = tar::Header::new_ustar();
            header.set_mode(*mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(u64::try_from(self.created.as_second()).unwrap_or_default());
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, *bytes).expect(IN_MEMORY);
        }
        tar.into_inner().expect(IN_MEMORY)
    }
}

const IN_MEMORY: &str = "memory takes every write, and the paths are short";

/// gzip with no date and no file name in its head.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let compress = || -> io::Result<Vec<u8>> {
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        gzip.write_all(bytes)?;
        gzip.finish()
    };
    compress().expect(IN_MEMORY)
}

fn blob(bytes: &[u8]) -> String {
    format!("{BLOBS}/{}", Digest::of(bytes).hex())
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media(kind), "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

fn media(kind: &str) -> String {
    format!("application/vnd.oci.image.{kind}")
}

/// The JSON that a digest is taken of: one form for one value.
fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
