//! RSA keys of the Bitnami format: its SealedSecrets are sealed to the public half, and the private half opens them.
//!
//! They can't be recipients of envelopes: age has no RSA recipient of this kind, and the native format refuses classic
//! RSA. aws-lc-rs does every operation. Its private-key operation takes the same time for every key and
//! ciphertext, and nothing here computes with a private number in any other way.
//!
//! Invariant: a modulus has 2048 to 8192 bits, and a multiple of 8: a smaller one is broken, a larger one lets
//! one object cost seconds.

mod certificate;
pub(super) mod pem;
mod private;
mod sealing_key;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use pkcs1::der::Encode as _;
use pkcs1::der::asn1::BitStringRef;
use pkcs8::SubjectPublicKeyInfoRef;

use super::Fingerprint;

pub use certificate::{Certificate, CertificateError};
pub use private::{RsaKeyError, RsaPrivateKey};
pub use sealing_key::{RsaSealingKey, RsaSealingKeyError};

/// The range of a modulus, in bits.
const BITS: RangeInclusive<usize> = 2048..=8192;

/// A public key: PKCS #1 (RFC 8017).
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey {
    /// DER SubjectPublicKeyInfo (RFC 5280), in the one form that DER has for it.
    spki: Vec<u8>,
    bits: usize,
    fingerprint: Fingerprint,
}

/// The reason why a public key can't be used.
enum PublicKeyProblem {
    Malformed,
    /// The modulus has this many bits, which is too few, too many or no multiple of 8.
    Size(usize),
}

impl RsaPublicKey {
    /// Makes a key from the numbers in a certificate or a private key.
    fn new(numbers: &pkcs1::RsaPublicKey<'_>) -> Result<Self, PublicKeyProblem> {
        // The bytes have no leading zeros: the first byte says how many bits are missing from whole bytes.
        let modulus = numbers.modulus.as_bytes();
        let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
        if !BITS.contains(&bits) || !bits.is_multiple_of(8) {
            return Err(PublicKeyProblem::Size(bits));
        }
        let der = numbers.to_der().map_err(|_| PublicKeyProblem::Malformed)?;
        let spki = BitStringRef::from_bytes(&der)
            .and_then(|subject_public_key| {
                SubjectPublicKeyInfoRef { algorithm: pkcs1::ALGORITHM_ID, subject_public_key }.to_der()
            })
            .map_err(|_| PublicKeyProblem::Malformed)?;
        PublicEncryptingKey::from_der(&spki).map_err(|_| PublicKeyProblem::Malformed)?;
        let fingerprint = Fingerprint::of_der(&spki);
        Ok(Self { spki, bits, fingerprint })
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo, as RFC 7469 pins keys:
    /// `openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum`.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The number of bits of the modulus.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The number of bytes of the modulus, which is also the length of every RSA ciphertext for this key.
    pub fn size(&self) -> usize {
        self.bits / 8
    }

    /// Encrypts with RSA-OAEP (RFC 8017, 7.1.1), with SHA-256 and MGF1 of SHA-256.
    ///
    /// # Panics
    ///
    /// If the plaintext is longer than 190 bytes, or the operating system gives no randomness.
    pub(crate) fn seal_oaep(&self, plaintext: &[u8], label: &[u8]) -> Vec<u8> {
        let key = PublicEncryptingKey::from_der(&self.spki).expect("the key was read once before");
        let mut ciphertext = vec![0; self.size()];
        OaepPublicEncryptingKey::new(key)
            .expect("every public key can encrypt")
            .encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, Some(label))
            .expect("a session key fits into every key of 2048 bits and more");
        ciphertext
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({})", self.fingerprint)
    }
}
