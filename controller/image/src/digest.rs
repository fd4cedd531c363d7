//! SHA-256, as OCI and CycloneDX write it.
//!
//! Invariant: a digest is lower-case hexadecimal, which both demand.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A SHA-256; shown as OCI does, `sha256:…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digest without the name of its algorithm.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}
