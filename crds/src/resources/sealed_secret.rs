//! `SealedSecret` of `sealing.dev/v1alpha1`: the manifest that is safe to commit, as it travels.
//!
//! These types check only its shape; [`crate::native`] parses it. Invariant: unknown fields of the spec are refused,
//! because a field that this version doesn't know may be meant to restrict something.

#![expect(clippy::duplicated_attributes, reason = "every printcolumn has a name and a type_")]

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::scope::Scope;

/// The sealed items, the recipients who can open them, and the shape of the Secret that they become.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sealing.dev",
    version = "v1alpha1",
    kind = "SealedSecret",
    namespaced,
    status = "SealedSecretStatus",
    shortname = "sls",
    category = "sealed",
    derive = "PartialEq",
    doc = "A Secret that is safe to commit: sealed to recipients, opened by the controller into a Secret of the same name.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Items", type_ = "integer", json_path = ".status.items"),
    printcolumn(name = "Key", type_ = "string", json_path = ".status.key"),
    printcolumn(name = "Scope", type_ = "string", json_path = ".spec.scope", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.template) || !has(self.template.data) || self.template.data.all(key, !(key in self.encryptedData))",
    "message": "a key of template.data must not be the name of an item in encryptedData",
}]))]
pub struct SealedSecretSpec {
    /// How firmly the object is tied to its place. `strict`: it opens only under its namespace and name.
    /// `namespace-wide`: it opens under any name in its namespace. `cluster-wide`: it opens anywhere. The scope that
    /// is sealed in decides; this copy must agree with it.
    pub scope: Scope,
    /// The data keys of the items, sealed to recipients: 1 to 16 envelopes.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub envelopes: Vec<Envelope>,
    /// The items: from the name of each to its sealed value, `<data key id>.<base64(nonce ‖ ciphertext)>`. 1 to 1024
    /// items.
    #[schemars(schema_with = "encrypted_data_schema")]
    pub encrypted_data: BTreeMap<String, String>,
    /// The shape of the Secret: everything about it that isn't an item. Public, and not authenticated.
    #[serde(default, skip_serializing_if = "Template::is_default")]
    #[schemars(with = "Option<Template>")]
    pub template: Template,
}

/// An envelope: data keys, sealed to all its recipients at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The ids of the data keys inside, in their order: 32 bytes each, as unpadded base64url.
    #[schemars(schema_with = "key_ids_schema")]
    pub keys: Vec<String>,
    /// The recipients who can open the envelope, 1 to 16: hints for people and for finding the key. The list that
    /// counts is sealed inside.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub recipients: Vec<RecipientHint>,
    /// A binary age v1 file, as padded base64; at most 128 KiB when decoded.
    #[schemars(length(min = 1, max = 174_764), regex(pattern = r"^[A-Za-z0-9+/]+={0,2}$"))]
    pub age: String,
}

/// A recipient in the form that people know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipientHint {
    /// A name for people. Programs ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// The SHA-256 of the canonical recipient string: 64 lower-case hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub fingerprint: String,
}

/// The shape of the Secret: everything about it that isn't an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// The type of the Secret. Default: `Opaque`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub type_: Option<String>,
    /// Make the Secret immutable. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// Labels and annotations of the Secret. Items are not substituted in them.
    #[serde(default, skip_serializing_if = "TemplateMetadata::is_empty")]
    #[schemars(with = "Option<TemplateMetadata>")]
    pub metadata: TemplateMetadata,
    /// Further keys of the Secret: text in which `$(item)`, or `$(item|base64)` with an encoder, stands for the value
    /// of an item. The encoders are base64, hex, json and url; `$$(` stands for a literal `$(`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "template_data_schema")]
    pub data: BTreeMap<String, String>,
}

impl Template {
    /// `true` if the template says nothing, so that it need not be written.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The labels and annotations of the Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateMetadata {
    /// The labels of the Secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels_schema")]
    pub labels: BTreeMap<String, String>,
    /// The annotations of the Secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations_schema")]
    pub annotations: BTreeMap<String, String>,
}

impl TemplateMetadata {
    /// `true` if there is neither a label nor an annotation.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The state of the object, as the controller last saw it. Only the controller writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealedSecretStatus {
    /// The generation of the object that this status speaks of. Default: -1, which no controller has seen yet; so
    /// kstatus doesn't read a new object as Current.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// The conditions of the object: `Ready`, `Reconciling`, `Stalled` and `Synced`; `Exposed` while an item was sealed
    /// to a recipient that is revoked, and as False once the items were sealed afresh; `RewrapOffered` while the object
    /// isn't sealed to the current recipients, which says whether there is an offer and, if not, why; `KeyMissing` while
    /// a key that opened it is at hand no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map"),
        extend("x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// The number of keys in the `data` of the Secret. Absent while the object isn't Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub items: Option<i64>,
    /// The sealing key that opened the object first, as the first 16 hex digits of its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub key: Option<String>,
    /// The fingerprints of the sealing keys that opened the object: one for each envelope, in their order. For
    /// `bitnami.com`: one for each key that opened an item, in the order of first use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "fingerprints_schema")]
    pub opened_by: Vec<String>,
    /// The last value of the annotation `reconcile.fluxcd.io/requestedAt` that the controller acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_handled_reconcile_at: Option<String>,
    /// The last value of the annotation `sealing.dev/reconcile-requested-at` that the controller acted on, cut after 253
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_handled_request_at: Option<String>,
    /// The version of the Secret that the controller last wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVersion>,
    /// The sealing keys that the object needs, as last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// An envelope for the current recipients, in place of the object's own: `seal rotate --from-cluster` writes it into
    /// the file. Absent if the object is sealed to them already. Only in `sealing.dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrap: Option<Rewrap>,
    /// The items whose data key a recipient has seen that is revoked: their values should change at the source. These are
    /// the first ones, and `exposedCount` is the number of all. Only in `sealing.dev`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "items_schema")]
    pub exposed: Vec<String>,
    /// The number of all exposed items: `exposed` names fewer of them if there is no room for more. Absent if there are
    /// none. Only in `sealing.dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub exposed_count: Option<i64>,
    /// The fingerprints of the revoked recipients that have seen those data keys, and of keys whose backup a revoked
    /// recipient opens; the first 32. Only in `sealing.dev`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "fingerprints_schema")]
    pub exposed_to: Vec<String>,
}

/// The most [`SealedSecretStatus::exposed_to`]. Where there are so many, there may be more.
pub const MAX_EXPOSED_TO: usize = 32;

/// The sealing keys that an object needs: the result of trying each key at hand on each part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// What was tried: the SHA-256 of what the object is sealed to, as 64 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub source: String,
    /// Which data key each item uses: the SHA-256 of that, as 64 hex digits. Items may come and go under the same envelopes,
    /// and one under an exposed data key is exposed. Only in `sealing.dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub items: Option<String>,
    /// The keys that were tried: the SHA-256 of their sorted fingerprints, as 64 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub keyring: String,
    /// The fingerprints of the keys without which the object doesn't open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "fingerprints_schema")]
    pub only: Vec<String>,
    /// The revoked recipients that the items were compared with: the SHA-256 of their sorted fingerprints, as 64 hex
    /// digits. Absent if none was revoked. The SealingKey that is the primary lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub revoked: Option<String>,
    /// The recipients to which an offer was tried, as in an offer. Absent if none was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub target: Option<String>,
}

/// An offer to seal the object to the current recipients. It holds ciphertext only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rewrap {
    /// The envelopes that the offer takes the place of: the SHA-256 of their age files, as 64 hex digits. A file with
    /// these envelopes is the one that the offer is for.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub source: String,
    /// The recipients of the offer: the SHA-256 of their sorted fingerprints, as 64 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), length(max = 64))]
    pub target: String,
    /// One envelope with all data keys of the object.
    pub envelope: Envelope,
}

/// The version of a Secret that was known to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersion {
    /// The uid of the Secret.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// The resourceVersion of the Secret.
    #[schemars(length(max = 128))]
    pub resource_version: String,
    /// The time when the controller last changed the Secret: that of its entry in managedFields. Absent if the entry
    /// has no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub applied: Option<String>,
}

fn never_observed() -> i64 {
    -1
}

impl Default for SealedSecretStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: Vec::new(),
            items: None,
            key: None,
            opened_by: Vec::new(),
            last_handled_reconcile_at: None,
            last_handled_request_at: None,
            secret: None,
            usage: None,
            rewrap: None,
            exposed: Vec::new(),
            exposed_count: None,
            exposed_to: Vec::new(),
        }
    }
}

/// 1,572,864 characters hold the largest value the apiserver takes (1 MiB) after padding and base64, and
/// stay within what etcd takes for an object.
fn encrypted_data_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1024,
        "additionalProperties": {
            "type": "string",
            "maxLength": 1_572_864,
            "pattern": r"^[A-Za-z0-9_-]{43}\.[A-Za-z0-9+/]+={0,2}$",
        },
    })
}

fn key_ids_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 256,
        "items": { "type": "string", "maxLength": 43, "pattern": "^[A-Za-z0-9_-]{43}$" },
        "x-kubernetes-list-type": "atomic",
    })
}

/// At most as many fingerprints as an object has items: in the Bitnami format each item may be sealed to another key.
fn fingerprints_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 1024,
        "items": { "type": "string", "maxLength": 64, "pattern": "^[0-9a-f]{64}$" },
        "x-kubernetes-list-type": "atomic",
    })
}

fn items_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 1024,
        "items": { "type": "string", "maxLength": 253 },
        "x-kubernetes-list-type": "atomic",
    })
}

fn template_data_schema(_: &mut SchemaGenerator) -> Schema {
    string_map(1024, 262_144)
}

fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    string_map(256, 63)
}

fn annotations_schema(_: &mut SchemaGenerator) -> Schema {
    string_map(256, 262_144)
}

/// A map of at most `max_properties` strings, each of at most `max_length` characters.
fn string_map(max_properties: u32, max_length: u32) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": max_properties,
        "additionalProperties": { "type": "string", "maxLength": max_length },
    })
}
