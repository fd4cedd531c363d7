//! The contract of seal: what a SealedSecret is, and the two verbs [`native::seal`] and
//! [`Sealed::unseal`].
//!
//! Both programs and every test agree through this crate: resource types, names, scopes, keys,
//! envelopes, templates and digests. It is not a Kubernetes client, reads no file, keeps no clock and
//! starts no task; randomness comes only from the operating system, inside the primitives. So
//! everything here is a function of its arguments, and can be held by vectors.
//!
//! Invariant: plaintext and private keys live only in types that wipe on drop and have no `Debug`,
//! `Display`, `Serialize` or `Clone` ([`Plaintext`], [`keys::Identity`]); no error of this crate is
//! derived from them.
//!
//! Reading order: [`names`] and [`scope`] (where a Secret belongs), [`resources`] (what is in Git),
//! [`format`](mod@format) (what a reconciler may ask of any sealed object), [`reason`] (the words for why not), [`native`] (the format of
//! `sealing.dev/v1alpha1`, byte for byte) and [`bitnami`] (the peer's format, whose templates are [`seal_go`]'s).

#![warn(missing_docs)]

pub mod bitnami;
pub mod digest;
pub mod format;
pub mod keys;
pub mod names;
pub mod native;
pub mod plaintext;
pub mod reason;
pub mod resources;
pub mod scope;
pub mod secret;
pub mod template;
#[cfg(test)]
mod tests;

pub use digest::Digest;
pub use format::{Format, Sealed, SealedTo, Shape, UnsealError, Unsealed};
pub use names::{ItemName, Name, NameError, Namespace};
pub use plaintext::Plaintext;
pub use reason::Reason;
pub use scope::{Binding, Place, Scope};
