//! The bodies of the requests that write a Secret.
//!
//! [`super::write`] sends them. Invariant: this is the one place that puts values into a request.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use seal_crds::resources::DIGEST_ANNOTATION;
use seal_crds::{ItemName, Plaintext};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::fields::{FieldSet, moved};
use super::secret::{Manner, Owner, is_immutable};

/// A request body.
///
/// It is serialized straight from the plaintext. The serialized body is an ordinary buffer, which the HTTP
/// client takes over and doesn't wipe.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Value,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable: Option<Value>,
    data: Data<'a>,
}

/// The Secret's `data`: values to set, and keys to remove.
struct Data<'a> {
    values: &'a BTreeMap<ItemName, Plaintext>,
    gone: Vec<String>,
}

impl<'a> Body<'a> {
    /// The body of a creation or an apply; `over` is the resourceVersion that it may overwrite.
    pub(super) fn new(
        owner: &Owner<'a>,
        manner: Manner,
        data: &'a BTreeMap<ItemName, Plaintext>,
        over: Option<&str>,
    ) -> Self {
        let (place, shape) = (owner.sealed.place(), owner.sealed.shape());
        let mut annotations = shape.annotations.clone();
        annotations.insert(DIGEST_ANNOTATION.to_owned(), owner.sealed.digest().to_string());
        let mut metadata =
            json!({ "name": place.name, "namespace": place.namespace, "annotations": annotations });
        if manner.reference {
            metadata["ownerReferences"] = json!([owner.reference()]);
        }
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
            type_: manner.type_.then_some(shape.type_.as_str()),
            // Without the field, a Secret isn't immutable. So `false` is never sent, and an owner of the
            // field means true.
            immutable: (shape.immutable == Some(true)).then_some(Value::Bool(true)),
            data: Data { values: data, gone: Vec::new() },
        }
    }

    /// A merge patch that takes the Secret over as it was seen: it sets our fields, removes the fields in
    /// `gone`, and records that our fields are ours. One request does all of this, so a Secret with the right
    /// values changes once, and only in its metadata: an immutable one can be taken over, too.
    pub(super) fn taking_over(
        owner: &Owner<'a>,
        data: &'a BTreeMap<ItemName, Plaintext>,
        seen: &ObjectMeta,
        gone: &FieldSet,
    ) -> Self {
        let manner = owner.manner(Some(seen));
        let mut body = Self::new(owner, manner, data, seen.resource_version.as_deref());
        for annotation in gone.annotations() {
            body.metadata["annotations"][annotation] = Value::Null;
        }
        for label in gone.labels() {
            body.metadata["labels"][label] = Value::Null;
        }
        // A merge patch replaces a whole list, so the owners that don't control the Secret are repeated.
        let is_other = |other: &&OwnerReference| other.controller != Some(true) && other.uid != owner.uid;
        let others = seen.owner_references.iter().flatten().filter(is_other);
        let owners: Vec<_> = others.cloned().chain(manner.reference.then(|| owner.reference())).collect();
        if !owners.is_empty() || seen.owner_references.is_some() {
            body.metadata["ownerReferences"] = json!(owners);
        }
        let managed = seen.managed_fields.as_deref().unwrap_or_default();
        body.metadata["managedFields"] = json!(moved(managed, &owner.fields(manner)));
        if manner.type_ && body.immutable.is_none() && is_immutable(seen) {
            // An owner of the field must mean true. So null removes `false`. The API server
            // refuses to remove `true`, and with it this request.
            body.immutable = Some(Value::Null);
        }
        body.data.gone = gone.data().map(str::to_owned).collect();
        body
    }

    /// The serialized body, in a buffer that never grows, so no copy of a value is left behind.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let Data { values, gone } = &self.data;
        let values: usize =
            values.iter().map(|(key, value)| key.as_str().len() + 8 + value.len().div_ceil(3) * 4).sum();
        let gone: usize = gone.iter().map(|key| key.len() + 8).sum();
        let mut body = Vec::with_capacity(values + gone + self.metadata.to_string().len() + 512);
        serde_json::to_writer(&mut body, self).expect("plain data always serializes");
        body
    }

    #[cfg(test)]
    pub(super) fn metadata(&self) -> &Value {
        &self.metadata
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len() + self.gone.len()))?;
        for (key, value) in self.values {
            let encoded = Zeroizing::new(BASE64.encode(value.expose()));
            map.serialize_entry(key, encoded.as_str())?;
        }
        for key in &self.gone {
            map.serialize_entry(key, &())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::tests::{fake, owner_of};
    use super::*;

    fn body(body: &Body<'_>) -> Value {
        serde_json::from_slice(&body.to_json()).unwrap()
    }

    #[test]
    fn the_body_is_a_secret_with_base64_values() {
        let fake = fake();
        let owner = owner_of(&fake);
        let data = [("a".parse().unwrap(), Plaintext::from(b"\xffvalue".to_vec()))].into();
        let body = body(&Body::new(&owner, owner.manner(None), &data, Some("7")));
        assert_eq!(body["data"]["a"], "/3ZhbHVl");
        assert_eq!(body["metadata"]["resourceVersion"], "7");
        assert_eq!(body["metadata"]["ownerReferences"][0]["blockOwnerDeletion"], false);
        assert!(body.get("immutable").is_none() && body["metadata"].get("labels").is_none());
    }

    #[test]
    fn taking_over_removes_what_goes_and_keeps_other_owners() {
        let fake = fake();
        let owner = owner_of(&fake);
        let data = [("a".parse().unwrap(), Plaintext::from(b"x".to_vec()))].into();
        let reference = |name: &str, controller| {
            json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": name, "uid": name,
                   "controller": controller})
        };
        let seen: ObjectMeta = serde_json::from_value(json!({
            "resourceVersion": "7",
            "labels": {"theirs": "1"},
            "annotations": {"sealedsecrets.bitnami.com/managed": "true"},
            "ownerReferences": [reference("other", false), reference("db", true), reference("u-1", false)],
        }))
        .unwrap();
        let gone = FieldSet::of_metadata(&["theirs".to_owned()], &["mark".to_owned()]);
        let body = body(&Body::taking_over(&owner, &data, &seen, &gone));
        assert_eq!(
            (&body["metadata"]["labels"]["theirs"], &body["data"]["a"]),
            (&Value::Null, &json!("eA=="))
        );
        assert!(body["metadata"]["annotations"].as_object().unwrap().contains_key("mark"));
        let owners = body["metadata"]["ownerReferences"].as_array().unwrap();
        assert_eq!((owners.len(), &owners[0]["uid"], &owners[1]["uid"]), (2, &json!("other"), &json!("u-1")));
        assert_eq!(body["metadata"]["managedFields"][0]["manager"], "seal-controller");
        assert_eq!(body["metadata"]["resourceVersion"], "7");
    }
}
