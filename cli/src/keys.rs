//! Keys: the recipients to seal to, and the private keys that open.
//!
//! Recipients come from flags, files or a cluster. The certificate of sealed-secrets comes from a file, a URL
//! or its controller. Sealing itself is in [`crate::objects`]. Invariant: no error and no message repeats a
//! private key.

pub(crate) mod backups;
pub(crate) mod certificate;
pub(crate) mod cluster;
pub(crate) mod identities;
pub(crate) mod recipients;
pub(crate) mod reference;
mod request;
pub(crate) mod url;
