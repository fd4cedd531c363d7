//! Why an object is not in place: one value for log, metric, Event and condition.
//!
//! Not an error chain: what a server or a library said stays behind, because the apiserver's validation
//! quotes the values it refuses. Invariant: `message` is made of fixed words, validated names and public
//! values only.

use std::fmt;

use seal_crds::UnsealError;
use seal_crds::resources::SpecError;

/// A reconcile that didn't get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// CamelCase, stable, for programs: the condition's reason, the Event's reason, the metric's label.
    pub reason: &'static str,
    /// One sentence for people: a lower-case fragment.
    pub message: String,
    /// Whether it waits for somebody's change, or may pass by itself.
    pub kind: FailureKind,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Waits for a change of the object, the keys or the Secret; a retry could only fail again.
    Permanent,
    /// May pass by itself; is tried again, for ever, ever more slowly.
    Transient,
}

impl Failure {
    /// A failure that waits for somebody's change.
    pub fn permanent(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), kind: FailureKind::Permanent }
    }

    /// A failure that may pass by itself.
    pub fn transient(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), kind: FailureKind::Transient }
    }

    /// Whether it waits for somebody's change.
    pub fn is_permanent(&self) -> bool {
        self.kind == FailureKind::Permanent
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Self::permanent("Malformed", format!("the spec {error}"))
    }
}

impl From<UnsealError> for Failure {
    /// Everything that can be wrong with an object waits for a change of it, or of the keys.
    fn from(error: UnsealError) -> Self {
        Self::permanent(error.reason(), error.to_string())
    }
}
