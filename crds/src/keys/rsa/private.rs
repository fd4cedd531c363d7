//! The private half of an RSA key.
//!
//! Not a store, and no dates: those are the certificate's and the controller's. Invariant: the key is in this type,
//! in what [`RsaPrivateKey::to_secret_pem`] returns, and in aws-lc's own memory, which it wipes; nothing here
//! has `Debug`, `Display`, `Serialize` or `Clone`, and no error repeats its input.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::traits::PublicKeyParts as _;
use zeroize::Zeroizing;

use super::RsaPublicKey;
use crate::keys::Fingerprint;

/// An RSA private key.
pub struct RsaPrivateKey {
    /// What can be printed again; wiped on drop by its crate.
    key: rsa::RsaPrivateKey,
    decrypting: OaepPrivateDecryptingKey,
    public: RsaPublicKey,
}

/// Text that isn't an RSA private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaKeyError {
    /// No PEM block of a private key.
    #[error("no block \"RSA PRIVATE KEY\" or \"PRIVATE KEY\" in PEM")]
    NoPem,
    /// A block that can't be read.
    #[error("the private key in PEM is malformed, or isn't an RSA key")]
    Malformed,
    /// Too small or too large.
    #[error("the RSA key doesn't have 2048 to 8192 bits")]
    WrongSize,
}

impl RsaPrivateKey {
    /// A fresh key of 4096 bits, the peer's default, from aws-lc's generator.
    ///
    /// # Panics
    ///
    /// If the operating system gives no randomness.
    pub fn generate() -> Self {
        let key =
            PrivateDecryptingKey::generate(KeySize::Rsa4096).expect("key generation needs randomness only");
        let der: Pkcs8V1Der<'static> = key.as_der().expect("a fresh key has a DER form");
        let key = rsa::RsaPrivateKey::from_pkcs8_der(der.as_ref()).expect("aws-lc writes PKCS #8");
        Self::new(key).expect("4096 bits are within the bounds")
    }

    /// From PEM: the first block that is PKCS #1 (as in the peer's Secrets) or PKCS #8; other blocks beside
    /// it, such as a certificate, are passed over.
    ///
    /// # Errors
    ///
    /// Any [`RsaKeyError`].
    pub fn from_pem(text: &str) -> Result<Self, RsaKeyError> {
        let pkcs1 = block(text, "RSA PRIVATE KEY");
        let pkcs8 = block(text, "PRIVATE KEY");
        let key = match (pkcs1, pkcs8) {
            (Some(pem), _) => rsa::RsaPrivateKey::from_pkcs1_pem(pem).map_err(|_| RsaKeyError::Malformed)?,
            (None, Some(pem)) => {
                rsa::RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| RsaKeyError::Malformed)?
            }
            (None, None) => return Err(RsaKeyError::NoPem),
        };
        Self::new(key)
    }

    fn new(key: rsa::RsaPrivateKey) -> Result<Self, RsaKeyError> {
        let public =
            RsaPublicKey::from_parts(key.n().clone(), key.e().clone()).ok_or(RsaKeyError::WrongSize)?;
        let der = key.to_pkcs8_der().map_err(|_| RsaKeyError::Malformed)?;
        let decrypting = PrivateDecryptingKey::from_pkcs8(der.as_bytes())
            .map_err(|_| RsaKeyError::Malformed)
            .and_then(|key| OaepPrivateDecryptingKey::new(key).map_err(|_| RsaKeyError::Malformed))?;
        Ok(Self { key, decrypting, public })
    }

    /// The public half.
    pub fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    /// The public half's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint()
    }

    /// The key as `RSA PRIVATE KEY` in PEM (PKCS #1), as the peer stores it.
    pub fn to_secret_pem(&self) -> Zeroizing<String> {
        self.key.to_pkcs1_pem(LineEnding::LF).expect("a checked key has a PEM form")
    }

    /// RSA-OAEP (RFC 8017, 7.1.2) with SHA-256 and MGF1 of SHA-256, in constant time. `None` for every failure
    /// alike: telling a wrong padding from a wrong label is Manger's oracle.
    pub(crate) fn open_oaep(&self, ciphertext: &[u8], label: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; self.decrypting.min_output_size()]);
        let plaintext =
            self.decrypting.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut buffer, Some(label)).ok()?;
        Some(Zeroizing::new(plaintext.to_vec()))
    }
}

/// The first PEM block with this label, from its first dash to its last.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let start = text.find(&format!("-----BEGIN {label}-----"))?;
    let end = format!("-----END {label}-----");
    let length = text[start..].find(&end)? + end.len();
    Some(&text[start..start + length])
}
