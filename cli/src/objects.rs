//! Objects: a Secret as its author wrote it, a SealedSecret as it stands in Git, and the ways from one to the
//! other.
//!
//! [`seal_documents`] finds the objects in a manifest, and the caller writes the text that comes out.
//! Invariant: values live in memory that is wiped.

pub(crate) mod change;
pub(crate) mod claimed;
pub(crate) mod conflict;
pub(crate) mod difference;
pub(crate) mod keeping;
pub(crate) mod live;
pub(crate) mod merge;
pub(crate) mod migration;
pub(crate) mod name;
pub(crate) mod outline;
pub(crate) mod remembered;
pub(crate) mod resolve;
pub(crate) mod rotation;
pub(crate) mod sealed;
pub(crate) mod sealing;
pub(crate) mod secret;
pub(crate) mod short;
