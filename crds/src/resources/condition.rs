//! A condition, in the shape of `metav1.Condition`.
//!
//! The controller decides which conditions an object gets. Invariant: `reason` and `message` hold only fixed words and
//! validated names, never a text of a server or a library.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One aspect of an object's state, in the shape of Kubernetes' `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect: one CamelCase word, such as `Ready` or `Stalled`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub type_: String,
    /// `True` if the aspect holds, `False` if it doesn't, `Unknown` if the controller can't tell.
    pub status: ConditionStatus,
    /// The `metadata.generation` of the object that this condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// The time when `status` last changed: RFC 3339, in UTC, to the second.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// The time when the condition was last written: RFC 3339. Only `bitnami.com` has this field, in a schema of its
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub last_update_time: Option<String>,
    /// The reason for the status: one CamelCase word for programs, which never changes its meaning.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// The reason for the status: one sentence for people, whose words may change.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// The aspect holds.
    True,
    /// The aspect doesn't hold.
    False,
    /// The controller can't tell.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// The condition of this type, if the list has one.
pub fn find_condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}
