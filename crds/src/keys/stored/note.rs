//! The note of a key's state beside its private half.
//!
//! The controller gives it its meaning. Invariant: a note that isn't a state is known to be one that can't be read, and
//! never taken for none.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::resources::{KeyState, STATE_ANNOTATION};

/// The state that the annotation `sealing.dev/state` of a key's Secret notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// There is no such annotation.
    Absent,
    /// The annotation says a state.
    Says(KeyState),
    /// The annotation says something that isn't a state.
    Unreadable,
}

impl Note {
    /// The note on the Secret with this metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let Some(text) = metadata.annotations.as_ref().and_then(|all| all.get(STATE_ANNOTATION)) else {
            return Self::Absent;
        };
        match serde_json::from_value(text.as_str().into()) {
            Ok(state) => Self::Says(state),
            Err(_) => Self::Unreadable,
        }
    }
}
