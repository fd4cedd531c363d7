//! The contract of seal: the definition of a SealedSecret, and the two verbs [`native::seal`] and [`Sealed::unseal`].
//!
//! Both programs and every test agree through this crate: resource types, names, scopes, keys, envelopes, templates
//! and digests. It is no Kubernetes client. It reads no file and no YAML, has no clock and starts no task. Randomness
//! comes only from the operating system, inside of the primitives. So every result is a function of the arguments,
//! and test vectors can hold it.
//!
//! Invariant: plaintext and private keys live only in types that wipe on drop and have no `Debug`, `Display`,
//! `Serialize` or `Clone` ([`Plaintext`], [`keys::Identity`]); no error of this crate is derived from them.
//!
//! Reading order:
//!
//! 1. [`names`] and [`scope`]: the place of a Secret, and the part of it that is sealed in.
//! 2. [`resources`]: the objects in Git and in the cluster, as they travel.
//! 3. [`format`](mod@format): the questions that a program may ask of any sealed object. [`reason`]: the stable words
//!    for the answer "no".
//! 4. [`keys`]: recipients, identities and RSA keys. [`plaintext`]: the bytes that they protect.
//! 5. [`native`]: the format `sealing.dev/v1alpha1`, byte for byte, with the templates of [`template`].
//! 6. [`bitnami`]: the format of sealed-secrets, byte for byte, with Go's templates.
//! 7. [`secret`]: the rules of Kubernetes for the Secret that comes out. [`digest`]: the proof that it is up to date.
//! 8. [`duration`](mod@duration): lengths of time as people type them.
//!
//! Two crates stand below: [`seal_go`] renders Go's templates and prints Go's YAML, and `seal_foreign` escapes words of
//! others for messages. The crate `seal-documents` stands above, and reads YAML into the types of this crate.

#![warn(missing_docs)]

mod age_file;
pub mod bitnami;
pub mod digest;
pub mod duration;
pub mod format;
pub mod hex;
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
pub use format::{Examined, Format, Sealed, SealedTo, Shape, UnsealError, Unsealed};
pub use names::{ItemName, Name, NameError, Namespace};
pub use plaintext::Plaintext;
pub use reason::Reason;
pub use scope::{Binding, Place, Scope};
