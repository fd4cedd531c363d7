//! Keys of the native format: recipients to seal to, identities to open with, and their fingerprints.
//!
//! | type | is | text |
//! | --- | --- | --- |
//! | [`Recipient`] | a public key | `age1pq1…`, `age1…`, `ssh-ed25519 …` |
//! | [`Identity`] | a private key | `AGE-SECRET-KEY-PQ-1…`, `AGE-SECRET-KEY-1…`, OpenSSH PEM |
//! | [`Fingerprint`] | the name of a recipient | 64 hexadecimal digits |
//! | [`Keyring`] | the identities at hand | |
//!
//! The age crate does the classic kinds; its hybrid post-quantum kind is built here, from the inside out:
//! `xwing` (the KEM), `mlkem768x25519` (age's recipient type over it).
//!
//! Not here: dates, states and names of sealing keys (the controller's), RSA keys of the Bitnami format,
//! reading files.
//!
//! Invariant: private keys are in [`Identity`] and in what [`Identity::to_secret_string`] returns, and
//! nowhere else; no error of this module repeats its input.

mod encoding;
mod fingerprint;
mod identity;
mod keyring;
mod mlkem768x25519;
mod recipient;
mod xwing;

pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use identity::{IdentitiesError, Identity, IdentityError, parse_identities};
pub use keyring::Keyring;
pub use recipient::{Recipient, RecipientError, RecipientKind, RecipientsFileError, parse_recipients};
