//! The two resources of `sealing.dev/v1alpha1` as they travel: plain serde types, their schema, and the
//! CustomResourceDefinitions made from them.
//!
//! Not the parsed form: strings here are unchecked. [`crate::native`] parses a SealedSecret before
//! anything is done with it; a SealingKey is output of the controller. Invariant: what the schema bounds,
//! the parser bounds too, so host mode and the command line, which have no API server in front of them,
//! accept the same objects.

pub mod bitnami;
mod condition;
mod definitions;
mod from_json;
mod group;
mod sealed_secret;
mod sealing_key;

pub use condition::{Condition, ConditionStatus, find_condition};
pub use definitions::definitions;
pub use from_json::SpecError;
pub use group::Group;
pub use sealed_secret::{
    Envelope, RecipientHint, SealedSecret, SealedSecretSpec, SealedSecretStatus, SecretVersion, Template,
    TemplateMetadata,
};
pub use sealing_key::{KeyState, PublishedState, SealingKey, SealingKeySpec, SealingKeyStatus};

/// The API group of the native format.
pub const GROUP: &str = "sealing.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// `sealing.dev/v1alpha1`, as manifests write it.
pub const API_VERSION: &str = "sealing.dev/v1alpha1";
/// The kind both groups share.
pub const SEALED_SECRET: &str = "SealedSecret";

/// On a managed Secret: digest of what it was made from (see [`crate::digest`]).
pub const DIGEST_ANNOTATION: &str = "sealing.dev/digest";
/// On a foreign Secret: the SealedSecret of this name may adopt it.
pub const ADOPT_ANNOTATION: &str = "sealing.dev/adopt";
/// On an immutable Secret that is another object's or nobody's: a SealedSecret wanted other values, so none may try again.
pub const NOT_TAKEN_OVER: &str = "sealing.dev/not-taken-over";
/// On the Secret that holds the private half of a sealing key, in the controller's namespace.
pub const SEALING_KEY_LABEL: &str = "sealing.dev/sealing-key";
/// The type of that Secret.
pub const SEALING_KEY_TYPE: &str = "sealing.dev/sealing-key";
/// On that Secret: the key's state, below which it never falls.
pub const STATE_ANNOTATION: &str = "sealing.dev/state";
