//! A Secret: whose it is, by its metadata, and what we write, as a request body.
//!
//! Not the decision to write. Invariant: whether a Secret is ours, somebody else's, or in sync is decided
//! from metadata; the one place where values are put into a request is [`Body`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use seal_crds::resources::{ADOPT_ANNOTATION, API_VERSION, DIGEST_ANNOTATION, GROUP, SEALED_SECRET};
use seal_crds::{ItemName, Place, Plaintext, Sealed};
use serde::{Serialize, Serializer};
use serde_json::json;
use zeroize::Zeroizing;

use super::fields::{FieldSet, owns_exactly};
use crate::store::Target;

/// The group of the peer's SealedSecrets. A Secret that one of those owns is ours too, so that moving an
/// object from one format to the other never deletes its Secret.
const PEER_GROUP: &str = "bitnami.com";

/// The SealedSecret on whose behalf a Secret is looked at or written.
pub(super) struct Owner<'a> {
    pub(super) sealed: &'a dyn Sealed,
    pub(super) uid: &'a str,
}

impl Owner<'_> {
    /// The fields an apply owns.
    pub(super) fn fields(&self) -> FieldSet {
        FieldSet::expected(self.sealed.shape(), self.uid)
    }

    /// `blockOwnerDeletion: false`: no finalizer is wanted, and true would need a permission on finalizers.
    fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: API_VERSION.to_owned(),
            kind: SEALED_SECRET.to_owned(),
            name: self.sealed.place().name.to_string(),
            uid: self.uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(false),
        }
    }

    /// The uid of the owner reference of a Secret of ours that an apply has to replace: one object has one
    /// controller, and the apiserver refuses a second beside it.
    pub(super) fn replaced_uid<'m>(&self, found: &'m ObjectMeta) -> Option<&'m str> {
        let owner = controller(found).filter(|owner| is_ours(owner, self.sealed.place()))?;
        (owner.uid != self.uid).then_some(owner.uid.as_str())
    }

    /// What a Secret's metadata says of it.
    pub(super) fn classify(&self, found: Option<&ObjectMeta>) -> Target {
        let Some(found) = found else { return Target::Absent };
        let place = self.sealed.place();
        match controller(found) {
            Some(owner) if is_ours(owner, place) => Target::Ours { in_sync: self.is_in_sync(found, owner) },
            // Whoever controls it would write it back; a permission to adopt doesn't change that.
            Some(_) => Target::Foreign { adoptable: false },
            None => Target::Foreign {
                adoptable: annotation(found, ADOPT_ANNOTATION) == Some(place.name.as_str()),
            },
        }
    }

    fn is_in_sync(&self, found: &ObjectMeta, owner: &OwnerReference) -> bool {
        let digest = self.sealed.digest().to_string();
        annotation(found, DIGEST_ANNOTATION) == Some(&digest)
            && *owner == self.reference()
            && owns_exactly(found.managed_fields.as_deref().unwrap_or_default(), &self.fields())
    }
}

/// Drops what [`Owner::classify`] doesn't need. Annotations, because kubectl's last-applied-configuration holds
/// the values of Secrets that were applied in plain; managedFields of what isn't ours, because a cluster holds
/// many such Secrets, and they are most of their metadata.
pub(super) fn trim(metadata: &mut ObjectMeta) {
    metadata.labels = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| key == ADOPT_ANNOTATION || key == DIGEST_ANNOTATION);
    }
    if controller(metadata).is_none_or(|owner| owner.kind != SEALED_SECRET) {
        metadata.managed_fields = None;
    }
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// Any uid: an object that was deleted and made again keeps its Secret.
fn is_ours(owner: &OwnerReference, place: &Place) -> bool {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    owner.kind == SEALED_SECRET && [GROUP, PEER_GROUP].contains(&group) && owner.name == place.name.as_str()
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The request body that makes a Secret what its SealedSecret says.
///
/// Serialized straight from the plaintext into the body. The body itself is an ordinary buffer, which the
/// HTTP client takes over and doesn't wipe.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: serde_json::Value,
    #[serde(rename = "type")]
    type_: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable: Option<bool>,
    #[serde(serialize_with = "base64_values")]
    data: &'a BTreeMap<ItemName, Plaintext>,
}

impl<'a> Body<'a> {
    /// A body; with `over`, the resourceVersion it may overwrite.
    pub(super) fn new(
        owner: &Owner<'a>,
        data: &'a BTreeMap<ItemName, Plaintext>,
        over: Option<&str>,
    ) -> Self {
        let (place, shape) = (owner.sealed.place(), owner.sealed.shape());
        let mut annotations = shape.annotations.clone();
        annotations.insert(DIGEST_ANNOTATION.to_owned(), owner.sealed.digest().to_string());
        let mut metadata = json!({
            "name": place.name,
            "namespace": place.namespace,
            "annotations": annotations,
            "ownerReferences": [owner.reference()],
        });
        if !shape.labels.is_empty() {
            metadata["labels"] = json!(shape.labels);
        }
        if let Some(over) = over {
            metadata["resourceVersion"] = json!(over);
        }
        Self {
            api_version: "v1",
            kind: "Secret",
            metadata,
            type_: &shape.type_,
            immutable: shape.immutable,
            data,
        }
    }

    /// The bytes, in a buffer that was large enough from the start.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let values: usize =
            self.data.iter().map(|(key, value)| key.as_str().len() + 8 + value.len().div_ceil(3) * 4).sum();
        let mut body = Vec::with_capacity(values + self.metadata.to_string().len() + 512);
        serde_json::to_writer(&mut body, self).expect("plain data always serializes");
        body
    }
}

fn base64_values<S: Serializer>(
    data: &&BTreeMap<ItemName, Plaintext>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let encode = |value: &Plaintext| Zeroizing::new(BASE64.encode(value.expose()));
    serializer.collect_map(data.iter().map(|(key, value)| (key, Encoded(encode(value)))))
}

struct Encoded(Zeroizing<String>);

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Keyring;
    use seal_crds::{Digest, Scope, Shape, UnsealError, Unsealed};

    use super::*;

    struct Fake {
        place: Place,
        shape: Shape,
    }

    impl Sealed for Fake {
        fn format(&self) -> seal_crds::Format {
            seal_crds::Format::Native
        }
        fn place(&self) -> &Place {
            &self.place
        }
        fn scope(&self) -> Scope {
            Scope::Strict
        }
        fn shape(&self) -> &Shape {
            &self.shape
        }
        fn digest(&self) -> Digest {
            Digest::of(&seal_crds::resources::SealedSecretSpec {
                scope: Scope::Strict,
                envelopes: vec![],
                encrypted_data: Default::default(),
                template: Default::default(),
            })
        }
        fn unseal(&self, _: &Keyring) -> Result<Unsealed, UnsealError> {
            unreachable!("metadata decides without opening")
        }
    }

    fn fake() -> Fake {
        Fake {
            place: Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() },
            shape: Shape { keys: ["a".parse().unwrap()].into(), ..Shape::default() },
        }
    }

    /// The metadata the apiserver returns for what we apply.
    fn applied(owner: &Owner<'_>) -> ObjectMeta {
        let empty = BTreeMap::new();
        let body = Body::new(owner, &empty, None);
        let mut metadata: ObjectMeta = serde_json::from_value(body.metadata).unwrap();
        metadata.managed_fields = super::super::fields::settled(&[], &owner.fields());
        metadata
    }

    #[test]
    fn what_we_applied_is_in_sync_until_something_changes() {
        let fake = fake();
        let owner = Owner { sealed: &fake, uid: "u-1" };
        let found = applied(&owner);
        assert_eq!(owner.classify(Some(&found)), Target::Ours { in_sync: true });

        let changes: [fn(&mut ObjectMeta); 4] = [
            |found| found.managed_fields = None,
            |found| found.annotations = None,
            |found| found.owner_references.as_mut().unwrap()[0].uid = "u-0".into(),
            |found| found.owner_references.as_mut().unwrap()[0].api_version = "bitnami.com/v1alpha1".into(),
        ];
        for change in changes {
            let mut found = found.clone();
            change(&mut found);
            assert_eq!(owner.classify(Some(&found)), Target::Ours { in_sync: false });
        }
    }

    #[test]
    fn somebody_elses_secret_is_foreign() {
        let fake = fake();
        let owner = Owner { sealed: &fake, uid: "u-1" };
        assert_eq!(owner.classify(None), Target::Absent);
        let adoptable = |adoptable| Target::Foreign { adoptable };
        let mut found = ObjectMeta::default();
        assert_eq!(owner.classify(Some(&found)), adoptable(false));
        found.annotations = Some([(ADOPT_ANNOTATION.to_owned(), "db".to_owned())].into());
        assert_eq!(owner.classify(Some(&found)), adoptable(true));
        found.annotations = Some([(ADOPT_ANNOTATION.to_owned(), "cache".to_owned())].into());
        assert_eq!(owner.classify(Some(&found)), adoptable(false));
        // Controlled by somebody else, a permission means nothing; nor does another object's Secret count.
        let changes: [fn(&mut OwnerReference); 3] = [
            |owner| owner.kind = "Certificate".into(),
            |owner| owner.name = "cache".into(),
            |owner| owner.api_version = "example.com/v1".into(),
        ];
        for change in changes {
            let mut found = applied(&owner);
            found.annotations.as_mut().unwrap().insert(ADOPT_ANNOTATION.to_owned(), "db".to_owned());
            change(&mut found.owner_references.as_mut().unwrap()[0]);
            assert_eq!(owner.classify(Some(&found)), adoptable(false));
        }
    }

    #[test]
    fn trimming_changes_no_decision() {
        let fake = fake();
        let owner = Owner { sealed: &fake, uid: "u-1" };
        let mut foreign = ObjectMeta {
            annotations: Some([(ADOPT_ANNOTATION.to_owned(), "db".to_owned())].into()),
            managed_fields: Some(vec![Default::default()]),
            ..Default::default()
        };
        for mut found in [applied(&owner), foreign.clone()] {
            let before = owner.classify(Some(&found));
            trim(&mut found);
            assert_eq!(owner.classify(Some(&found)), before);
        }
        trim(&mut foreign);
        assert_eq!(foreign.managed_fields, None);
    }

    #[test]
    fn the_body_is_a_secret_with_base64_values() {
        let fake = fake();
        let owner = Owner { sealed: &fake, uid: "u-1" };
        let data = [("a".parse().unwrap(), Plaintext::from(b"\xffvalue".to_vec()))].into();
        let body: serde_json::Value =
            serde_json::from_slice(&Body::new(&owner, &data, Some("7")).to_json()).unwrap();
        assert_eq!(body["data"]["a"], "/3ZhbHVl");
        assert_eq!(body["metadata"]["resourceVersion"], "7");
        assert_eq!(body["metadata"]["ownerReferences"][0]["blockOwnerDeletion"], false);
        assert!(body.get("immutable").is_none() && body["metadata"].get("labels").is_none());
    }
}
