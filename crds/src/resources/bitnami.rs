//! `SealedSecret` of `bitnami.com/v1alpha1`: the resource of sealed-secrets, as it travels.
//!
//! These types check only its shape; [`crate::bitnami`] parses it. Invariant: our definition accepts every spec and
//! status that the definition of sealed-secrets accepts, so that either controller can serve the objects of the
//! other. Unknown fields are ignored, as in sealed-secrets.

#![expect(clippy::duplicated_attributes, reason = "every printcolumn has a name and a type_")]

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{SealedSecretStatus, SpecError};

/// The API group of sealed-secrets.
pub const GROUP: &str = "bitnami.com";
/// The version of the API group of sealed-secrets.
pub const VERSION: &str = "v1alpha1";
/// `bitnami.com/v1alpha1`, as manifests write it.
pub const API_VERSION: &str = "bitnami.com/v1alpha1";

/// The prefix of all annotations and labels of sealed-secrets.
pub const PREFIX: &str = "sealedsecrets.bitnami.com/";
/// Annotation of a SealedSecret, `"true"`: its items are sealed with the empty label.
pub const CLUSTER_WIDE: &str = "sealedsecrets.bitnami.com/cluster-wide";
/// Annotation of a SealedSecret, `"true"`: its items are sealed with the namespace as label.
pub const NAMESPACE_WIDE: &str = "sealedsecrets.bitnami.com/namespace-wide";
/// Annotation of a Secret, `"true"`: the SealedSecret of its name may take it over as a whole.
pub const MANAGED: &str = "sealedsecrets.bitnami.com/managed";
/// Annotation of a Secret, `"true"`: the SealedSecret of its name may put items into it; the rest stays.
pub const PATCH: &str = "sealedsecrets.bitnami.com/patch";
/// Annotation of a template, `"true"`: the Secret gets no owner reference and outlives its SealedSecret.
pub const SKIP_SET_OWNER_REFERENCES: &str = "sealedsecrets.bitnami.com/skip-set-owner-references";
/// Label of the TLS Secret that holds a sealing key: `active`, or another value (`compromised`) for a key that no
/// longer counts.
pub const SEALING_KEY_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";

/// The sealed items, and the shape of the Secret that they become.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "bitnami.com",
    version = "v1alpha1",
    kind = "SealedSecret",
    namespaced,
    status = "SealedSecretStatus",
    derive = "PartialEq",
    doc = "A Secret that is safe to commit, in the format of Bitnami's sealed-secrets.",
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Synced")].message"#
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Synced")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Key", type_ = "string", json_path = ".status.key", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SealedSecretSpec {
    /// The shape of the Secret: everything about it that isn't an item. Public, and not authenticated.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Template::is_default")]
    #[schemars(schema_with = "template_schema")]
    pub template: Template,
    /// Deprecated: a whole Secret as JSON, sealed at once, in base64. An object has either this or encryptedData.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_schema")]
    pub data: Option<String>,
    /// The items: from the name of each to its sealed value in base64. At most 1024 items.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "encrypted_data_schema")]
    pub encrypted_data: BTreeMap<String, String>,
}

/// The shape of the Secret: everything about it that isn't an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Labels and annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "TemplateMetadata::is_empty")]
    pub metadata: TemplateMetadata,
    /// The type of the Secret; `Opaque` if absent or empty.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Make the Secret immutable. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// Further keys of the Secret: Go templates over the items. `None` leaves the item of that name out of the Secret;
    /// templates still see it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Option<String>>,
}

impl Template {
    /// `true` if the template says nothing, so that it need not be written.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The labels and annotations of the Secret. A name or namespace in here is ignored: the Secret has those of the
/// SealedSecret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateMetadata {
    /// The labels of the Secret.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The annotations of the Secret.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl TemplateMetadata {
    /// `true` if there is neither a label nor an annotation.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl SealedSecretSpec {
    /// Reads a spec from JSON. Unknown fields are ignored, and `null` reads as absent, as in sealed-secrets.
    ///
    /// # Errors
    ///
    /// [`SpecError::WrongForm`].
    pub fn from_json(spec: &Value) -> Result<Self, SpecError> {
        // serde would also accept an array of a struct's values, in order, for the struct.
        let is_struct =
            |value: Option<&Value>| value.is_none_or(|value| value.is_object() || value.is_null());
        let template = spec.get("template");
        let metadata = template.and_then(|template| template.get("metadata"));
        if !spec.is_object() || !is_struct(template) || !is_struct(metadata) {
            return Err(SpecError::WrongForm);
        }
        Self::deserialize(spec).map_err(|_| SpecError::WrongForm)
    }
}

/// Reads `null` as the default.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn data_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "byte" })
}

fn encrypted_data_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string" },
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// The schema has no bounds: sealed-secrets has none, and stored objects must stay readable. The parser refuses an
/// object that is too large. `definitions` allows `null` in some places.
fn template_schema(_: &mut SchemaGenerator) -> Schema {
    let strings = |description: &str| {
        json_schema!({
            "type": "object",
            "description": description,
            "additionalProperties": { "type": "string" },
        })
    };
    json_schema!({
        "type": "object",
        "properties": {
            "data": strings(
                "Further keys of the Secret: Go templates over the items. null leaves the item of that name out of the \
                 Secret; templates still see it."
            ),
            "immutable": { "type": "boolean", "description": "Make the Secret immutable. Default: false." },
            "metadata": {
                "type": "object",
                "description":
                    "Labels and annotations of the Secret. Its name and namespace are those of the SealedSecret.",
                "x-kubernetes-preserve-unknown-fields": true,
                "properties": {
                    "annotations": strings("The annotations of the Secret."),
                    "labels": strings("The labels of the Secret."),
                },
            },
            "type": { "type": "string", "description": "The type of the Secret; Opaque if absent or empty." },
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_peer_reads_is_read() {
        let spec = json!({
            "encryptedData": {"a": "x"},
            "template": {
                "data": null,
                "metadata": {"creationTimestamp": null, "name": "db", "namespace": "prod", "labels": null},
                "type": "Opaque",
                "unknown": 1,
            },
        });
        let spec = SealedSecretSpec::from_json(&spec).unwrap();
        assert_eq!(spec.template.type_.as_deref(), Some("Opaque"));
        assert!(spec.template.metadata.is_empty() && spec.template.data.is_empty());
        let omitted = json!({"template": {"data": {"a": null, "b": ""}}});
        let omitted = SealedSecretSpec::from_json(&omitted).unwrap().template.data;
        assert_eq!(omitted, [("a".to_owned(), None), ("b".to_owned(), Some(String::new()))].into());
        for spec in [json!({}), json!({"template": null, "encryptedData": null, "data": null})] {
            assert_eq!(SealedSecretSpec::from_json(&spec).unwrap(), SealedSecretSpec::default());
        }
    }

    #[test]
    fn what_has_another_form_is_refused_without_quoting_it() {
        for spec in [
            json!(null),
            json!([null, null, {}]),
            json!({"encryptedData": {"a": 1}}),
            json!({"encryptedData": ["hunter2"]}),
            json!({"template": [{}, null, null, {}]}),
            json!({"template": {"metadata": [{}, {}]}}),
            json!({"template": {"metadata": {"labels": {"a": 1}}}}),
        ] {
            assert_eq!(SealedSecretSpec::from_json(&spec), Err(SpecError::WrongForm), "{spec}");
        }
    }
}
