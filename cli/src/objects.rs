//! Objects: a Secret as its author wrote it, a SealedSecret as it stands in Git, and the ways from one to the other.
//!
//! Not documents and not files: an object here was found in a manifest already, and what becomes of it is text that the
//! caller writes. Invariant: values live in memory that is wiped.

pub(crate) mod migration;
pub(crate) mod name;
pub(crate) mod sealed;
pub(crate) mod sealing;
pub(crate) mod secret;
