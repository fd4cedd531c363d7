//! The resources as they travel: plain serde types, their schemas, and the CustomResourceDefinitions made from them.
//!
//! The types are those of `sealing.dev/v1alpha1` and, in [`bitnami`], that of `bitnami.com/v1alpha1`. Their strings
//! are unchecked: [`crate::native`] and [`crate::bitnami`] parse a SealedSecret before any program acts on it. The
//! controller writes the SealingKeys. Invariant: every bound of the schema of `sealing.dev` is a bound of the parser
//! too. So host mode and the command line, which have no API server in front of them, accept the same objects.

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
    Envelope, MAX_EXPOSED_TO, RecipientHint, Rewrap, SealedSecret, SealedSecretSpec, SealedSecretStatus,
    SecretVersion, Template, TemplateMetadata, Usage,
};
pub use sealing_key::{
    ACKNOWLEDGEMENT_VOID, DELETABLE, KeyState, KeyUsage, MAX_BACKUP_ONLY, MAX_REVOKED, PublishedState,
    SealingKey, SealingKeySpec, SealingKeyStatus,
};

/// The API group of the native format.
pub const GROUP: &str = "sealing.dev";
/// The version of the native API group.
pub const VERSION: &str = "v1alpha1";
/// `sealing.dev/v1alpha1`, as manifests write it.
pub const API_VERSION: &str = "sealing.dev/v1alpha1";
/// The kind that both API groups share.
pub const SEALED_SECRET: &str = "SealedSecret";

/// Annotation of a managed Secret: the digest of the ciphertext and template that it was made from ([`crate::digest`]).
pub const DIGEST_ANNOTATION: &str = "sealing.dev/digest";
/// Annotation of a Secret that isn't managed: the name of the SealedSecret that may adopt it.
pub const ADOPT_ANNOTATION: &str = "sealing.dev/adopt";
/// Annotation of a SealedSecret: asks the controller to look at the object now. Any new value is a new request.
pub const REQUEST_ANNOTATION: &str = "sealing.dev/reconcile-requested-at";
/// Annotation of a SealedSecret by which Flux asks for the same.
pub const FLUX_REQUEST_ANNOTATION: &str = "reconcile.fluxcd.io/requestedAt";
/// Annotation of an immutable Secret that belongs to another object, or to none: a SealedSecret asked for other
/// values, so none may try to take the Secret over again.
pub const NOT_TAKEN_OVER: &str = "sealing.dev/not-taken-over";
/// Label of a Secret that holds the private half of a sealing key, in the controller's namespace.
pub const SEALING_KEY_LABEL: &str = "sealing.dev/sealing-key";
/// The type of a Secret that holds the private half of a sealing key.
pub const SEALING_KEY_TYPE: &str = "sealing.dev/sealing-key";
/// Finalizer of a Secret that holds the private half of a sealing key. It makes a deletion a request, which waits
/// until nothing needs the key.
pub const KEY_IN_USE: &str = "sealing.dev/key-in-use";
/// Label of a ConfigMap that publishes the backup of a sealing key, in the controller's namespace.
pub const KEY_BACKUP_LABEL: &str = "sealing.dev/sealing-key-backup";
/// Annotation of a Secret that holds the private half of a sealing key: the state below which the key never falls.
pub const STATE_ANNOTATION: &str = "sealing.dev/state";
