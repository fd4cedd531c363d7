//! The private half of an RSA key.
//!
//! Not a store, and without dates: those are the certificate's and the controller's. Invariant: only this type,
//! the result of [`RsaPrivateKey::to_secret_pem`], and aws-lc's own memory, which aws-lc wipes, hold the key;
//! nothing here has `Debug`, `Display`, `Serialize` or `Clone`, and no error repeats its input.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::{rand::SystemRandom, signature::RSA_PKCS1_SHA256};
use pkcs1::LineEnding;
use pkcs8::{PrivateKeyInfo, SecretDocument};
use zeroize::Zeroizing;

use super::{PublicKeyProblem, RsaPublicKey, pem};
use crate::keys::Fingerprint;

/// An RSA private key.
pub struct RsaPrivateKey {
    /// The key as DER of PKCS #1, for writing and signing; its type wipes it on drop.
    pkcs1: SecretDocument,
    decrypting: OaepPrivateDecryptingKey,
    public: RsaPublicKey,
}

/// The reason why text isn't an RSA private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaKeyError {
    /// The text has no PEM block of a private key.
    #[error("no block \"RSA PRIVATE KEY\" or \"PRIVATE KEY\" in PEM")]
    NoPem,
    /// The block can't be read.
    #[error("the private key in PEM is malformed or cut off")]
    Malformed,
    /// The block needs a passphrase.
    #[error("the private key in PEM is encrypted with a passphrase")]
    Encrypted,
    /// The key is of another kind.
    #[error("the private key in PEM isn't an RSA key")]
    NotRsa,
    /// The key has this many bits, which is too few, too many or no multiple of 8.
    #[error("the RSA key has {0} bits; it can have 2048 to 8192, a multiple of 8")]
    WrongSize(usize),
}

impl RsaPrivateKey {
    /// Makes a key of 4096 bits, sealed-secrets' default, with aws-lc's generator.
    ///
    /// # Panics
    ///
    /// If the operating system gives no randomness.
    pub fn generate() -> Self {
        let key =
            PrivateDecryptingKey::generate(KeySize::Rsa4096).expect("key generation needs randomness only");
        let der: Pkcs8V1Der<'static> = key.as_der().expect("a fresh key has a DER form");
        Self::from_pkcs8(der.as_ref()).expect("aws-lc writes PKCS #8, and 4096 bits are within the bounds")
    }

    /// Reads the first usable RSA key in PEM: PKCS #1 (as in the Secrets of sealed-secrets) or PKCS #8. Other
    /// blocks beside it, such as a certificate, are passed over. People often copy the wrong thing, so an error
    /// says what was found instead.
    ///
    /// # Errors
    ///
    /// Any [`RsaKeyError`].
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, RsaKeyError> {
        let text = std::str::from_utf8(text.as_ref()).map_err(|_| RsaKeyError::NoPem)?;
        let mut problem = RsaKeyError::NoPem;
        for found in pem::blocks(text).filter_map(|block| Self::from_block(&block)) {
            match found {
                Ok(key) => return Ok(key),
                Err(error) if problem == RsaKeyError::NoPem => problem = error,
                Err(_) => {}
            }
        }
        Err(problem)
    }

    /// Reads every key in PEM, PKCS #1 or PKCS #8, in order; none if the text has none. Other blocks, and text
    /// around them, are passed over.
    ///
    /// # Errors
    ///
    /// The [`RsaKeyError`] of the first key that can't be used: no key is left out without a word.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, RsaKeyError> {
        pem::blocks(text)
            .filter(|block| matches!(block.label, "RSA PRIVATE KEY" | "PRIVATE KEY"))
            .filter_map(|block| Self::from_block(&block))
            .collect()
    }

    /// `None` if the block isn't a private key.
    fn from_block(block: &pem::Block<'_>) -> Option<Result<Self, RsaKeyError>> {
        let read: fn(&[u8]) -> Result<Self, RsaKeyError> = match block.label {
            "RSA PRIVATE KEY" => Self::from_pkcs1,
            "PRIVATE KEY" => Self::from_pkcs8,
            "ENCRYPTED PRIVATE KEY" => |_| Err(RsaKeyError::Encrypted),
            other if other.ends_with(" PRIVATE KEY") => |_| Err(RsaKeyError::NotRsa),
            _ => return None,
        };
        Some(match block.decode() {
            Some(der) => read(&der),
            None if block.has_headers() => Err(RsaKeyError::Encrypted),
            None => Err(RsaKeyError::Malformed),
        })
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, RsaKeyError> {
        let info = PrivateKeyInfo::try_from(der).map_err(|_| RsaKeyError::Malformed)?;
        if info.algorithm.oid != pkcs1::ALGORITHM_OID {
            return Err(RsaKeyError::NotRsa);
        }
        Self::from_pkcs1(info.private_key)
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, RsaKeyError> {
        let numbers = pkcs1::RsaPrivateKey::try_from(der).map_err(|_| RsaKeyError::Malformed)?;
        let public = RsaPublicKey::new(&numbers.public_key()).map_err(|problem| match problem {
            PublicKeyProblem::Malformed => RsaKeyError::Malformed,
            PublicKeyProblem::Size(bits) => RsaKeyError::WrongSize(bits),
        })?;
        let pkcs1 = SecretDocument::try_from(numbers).map_err(|_| RsaKeyError::Malformed)?;
        let pkcs8 = SecretDocument::try_from(PrivateKeyInfo::new(pkcs1::ALGORITHM_ID, pkcs1.as_bytes()))
            .map_err(|_| RsaKeyError::Malformed)?;
        // Also checks that the numbers belong together.
        let decrypting = PrivateDecryptingKey::from_pkcs8(pkcs8.as_bytes())
            .map_err(|_| RsaKeyError::Malformed)
            .and_then(|key| OaepPrivateDecryptingKey::new(key).map_err(|_| RsaKeyError::Malformed))?;
        Ok(Self { pkcs1, decrypting, public })
    }

    /// The public half.
    pub fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    /// The public half's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint()
    }

    /// The key as `RSA PRIVATE KEY` in PEM (PKCS #1), as sealed-secrets stores it.
    pub fn to_secret_pem(&self) -> Zeroizing<String> {
        self.pkcs1.to_pem("RSA PRIVATE KEY", LineEnding::LF).expect("DER has a PEM form")
    }

    /// Decrypts RSA-OAEP (RFC 8017, 7.1.2), with SHA-256 and MGF1 of SHA-256, in constant time. `None` for
    /// every failure alike: telling a wrong padding from a wrong label is Manger's oracle.
    pub(crate) fn open_oaep(&self, ciphertext: &[u8], label: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; self.decrypting.min_output_size()]);
        let plaintext =
            self.decrypting.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut buffer, Some(label)).ok()?;
        Some(Zeroizing::new(plaintext.to_vec()))
    }

    /// Signs with RSASSA-PKCS1-v1_5 (RFC 8017, 8.2) and SHA-256.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.public.size()];
        KeyPair::from_der(self.pkcs1.as_bytes())
            .ok()
            .and_then(|key| key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok())
            .expect("the key was read once before");
        signature
    }
}
