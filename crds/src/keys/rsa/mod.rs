//! RSA keys of the peer's format: what its SealedSecrets are sealed to, and what opens them.
//!
//! Not recipients of envelopes: age has no RSA recipient of this kind, and the native format refuses classic
//! RSA. The private operation is aws-lc-rs', which takes the same time whatever the key and the ciphertext;
//! the `rsa` crate (RUSTSEC-2023-0071) only parses, prints and encrypts.
//!
//! Invariant: a modulus has 2048 to 8192 bits, and a multiple of 8: anything smaller is broken, anything
//! larger lets one object cost seconds.

mod certificate;
mod private;

use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;

use super::Fingerprint;

pub use certificate::{Certificate, CertificateError};
pub use private::{RsaKeyError, RsaPrivateKey};

/// Bits of the smallest modulus.
const MIN_BITS: usize = 2048;
/// Bits of the largest modulus.
const MAX_BITS: usize = 8192;

/// A public key: PKCS #1 (RFC 8017).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublicKey {
    key: rsa::RsaPublicKey,
    fingerprint: Fingerprint,
}

impl RsaPublicKey {
    /// From the SubjectPublicKeyInfo of a certificate or a private key, or `None` where it isn't an RSA key
    /// of 2048 to 8192 bits.
    fn from_parts(n: rsa::BigUint, e: rsa::BigUint) -> Option<Self> {
        let key = rsa::RsaPublicKey::new_with_max_size(n, e, MAX_BITS).ok()?;
        let bits = key.n().bits();
        if !(MIN_BITS..=MAX_BITS).contains(&bits) || bits % 8 != 0 {
            return None;
        }
        let fingerprint = Fingerprint::of_der(key.to_public_key_der().ok()?.as_bytes());
        Some(Self { key, fingerprint })
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo, as RFC 7469 pins keys:
    /// `openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum`.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Bytes of the modulus, which is also the length of every RSA ciphertext for this key.
    pub fn size(&self) -> usize {
        self.key.size()
    }

    /// The key for the public operation.
    pub(crate) fn as_rsa(&self) -> &rsa::RsaPublicKey {
        &self.key
    }
}
