//! Marks: what tells two states of an object apart, in sixteen bytes.
//!
//! The states themselves would take up many times as much memory, and are only compared. Invariant: two states that could
//! lead to different looks have different marks, whoever wrote them: a mark is a part of a SHA-256 that nobody finds a
//! second text for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::resources::{SealedSecretStatus, SecretVersion};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark([u8; 16]);

impl Mark {
    /// Which object it is, and in which generation: so its spec, too.
    pub(super) fn of_spec(metadata: &ObjectMeta) -> Self {
        Self::of(&(&metadata.uid, metadata.generation))
    }

    /// Everything of an object that a look goes by.
    pub(super) fn of_object(metadata: &ObjectMeta, status: Option<&SealedSecretStatus>) -> Self {
        Self::of(&(&metadata.uid, metadata.generation, &metadata.annotations, status))
    }

    /// A version of a Secret.
    pub(super) fn of_secret(uid: &str, resource_version: &str) -> Self {
        Self::of(&(uid, resource_version))
    }

    /// The same, of a Secret that was written.
    pub(super) fn of_version(version: &SecretVersion) -> Self {
        Self::of_secret(&version.uid, &version.resource_version)
    }

    fn of(state: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        serde_json::to_writer(&mut hash, state)
            .expect("plain data has a JSON text, and a hash takes every text");
        let mut mark = [0; 16];
        mark.copy_from_slice(&hash.finalize()[..16]);
        Self(mark)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(of: serde_json::Value) -> ObjectMeta {
        serde_json::from_value(of).unwrap()
    }

    #[test]
    fn what_a_look_goes_by_has_marks_of_its_own_and_nothing_else_has() {
        let first = json!({"uid": "u-1", "generation": 1, "resourceVersion": "1"});
        let with = |field: &str, value: serde_json::Value| {
            let mut other = first.clone();
            other[field] = value;
            metadata(other)
        };
        let status = |items| SealedSecretStatus { items: Some(items), ..SealedSecretStatus::default() };
        let of =
            |metadata: &ObjectMeta, status: Option<&SealedSecretStatus>| Mark::of_object(metadata, status);
        let one = of(&metadata(first.clone()), Some(&status(1)));
        assert_eq!(one, of(&with("resourceVersion", json!("2")), Some(&status(1))));
        for other in [
            of(&with("uid", json!("u-2")), Some(&status(1))),
            of(&with("generation", json!(2)), Some(&status(1))),
            of(&with("annotations", json!({"a": "b"})), Some(&status(1))),
            of(&metadata(first.clone()), Some(&status(2))),
            of(&metadata(first.clone()), None),
        ] {
            assert_ne!(one, other);
        }
        let spec = Mark::of_spec(&metadata(first.clone()));
        assert_eq!(spec, Mark::of_spec(&with("annotations", json!({"a": "b"}))));
        assert_ne!(spec, Mark::of_spec(&with("generation", json!(2))));
    }

    #[test]
    fn a_secret_that_is_written_is_known_again_in_the_cache() {
        let version = SecretVersion { uid: "s-1".into(), resource_version: "7".into(), applied: None };
        assert_eq!(Mark::of_secret("s-1", "7"), Mark::of_version(&version));
        for (uid, resource_version) in [("s-1", "8"), ("s-2", "7"), ("s-17", "")] {
            assert_ne!(Mark::of_secret(uid, resource_version), Mark::of_version(&version));
        }
    }
}
