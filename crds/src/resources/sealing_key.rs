//! `SealingKey`: the public half of a sealing key as an API object.
//!
//! Not the source of anything but its own state: the controller writes it and reads back only that it
//! exists and `spec.state`. Whom the controller seals to is never read from here; otherwise writing a
//! SealingKey would equal reading every Secret. Invariant: Revoked is final, and the recipient, sequence
//! and date of a key never change (held by CEL, so also against an administrator's slip).

#![expect(clippy::duplicated_attributes, reason = "every printcolumn has a name and a type_")]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;

/// The public half, its order and its state.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sealing.dev",
    version = "v1alpha1",
    kind = "SealingKey",
    namespaced,
    status = "SealingKeyStatus",
    shortname = "slk",
    category = "sealed",
    derive = "PartialEq",
    doc = "The public half of a sealing key. Counts only in the controller's namespace.",
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(
        name = "Primary",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Primary")].status"#
    ),
    printcolumn(name = "Sequence", type_ = "integer", json_path = ".spec.sequence"),
    printcolumn(name = "Created", type_ = "date", json_path = ".spec.createdAt"),
    printcolumn(name = "Fingerprint", type_ = "string", json_path = ".status.fingerprint", priority = 1),
    printcolumn(
        name = "Stalled",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Stalled")].reason"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "oldSelf.state != 'Revoked' || self.state == 'Revoked'",
        "message": "Revoked is final: whoever holds a leaked key still holds it",
    },
    {
        "rule": "self.recipient == oldSelf.recipient && self.sequence == oldSelf.sequence && self.createdAt == oldSelf.createdAt",
        "message": "recipient, sequence and createdAt of a sealing key never change; a new key is a new object",
    },
]))]
pub struct SealingKeySpec {
    /// The recipient, in its canonical form (`age1pq1…`).
    #[schemars(length(min = 1, max = 4096))]
    pub recipient: String,
    /// Higher is newer; the primary is the highest among Active keys whose identity is loaded.
    #[schemars(range(min = 1))]
    pub sequence: i64,
    /// When the key was made, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// What the key may be used for.
    pub state: KeyState,
}

/// What a sealing key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// May be sealed to; opens.
    Active,
    /// Isn't sealed to any more; opens.
    Retiring,
    /// Compromised: isn't sealed to; opens what it must, and marks what it opened.
    Revoked,
}

/// What the controller knows of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealingKeyStatus {
    /// SHA-256 of the canonical recipient string, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub fingerprint: Option<String>,
    /// `Primary`, `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map"),
        extend("x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// On the primary: the recovery recipients the controller was started with, in their canonical form,
    /// so that `seal keys fetch` prints both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 15),
        inner(length(min = 1, max = 4096)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub recovery_recipients: Vec<String>,
}
