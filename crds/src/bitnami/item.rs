//! One sealed value of the Bitnami format.
//!
//! ```text
//! value = base64(u16 big-endian n ‖ RSA ciphertext, n bytes ‖ AES ciphertext ‖ tag, 16 bytes)
//! RSA ciphertext = RSA-OAEP (RFC 8017) of a 32-byte session key; SHA-256, MGF1 of SHA-256, the label of the scope
//! AES ciphertext = AES-256-GCM (SP 800-38D) under the session key, nonce zero (the key is used once), no associated data
//! ```
//! base64 is the form that Go's `StdEncoding` accepts: padded, with line ends anywhere and any bits after the last
//! byte.
//!
//! [`super::trial`] chooses the keys. Invariant: errors of the form have different messages, because the bytes are
//! public. A wrong key, a wrong label and a changed ciphertext all give the same `None`.

use std::ops::RangeInclusive;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as BASE64};
use zeroize::Zeroizing;

use crate::keys::{RsaPrivateKey, RsaPublicKey};
use crate::plaintext::Plaintext;

/// The bytes of the session key.
const SESSION_KEY: usize = 32;
/// The bytes of the tag of AES-GCM.
const TAG: usize = 16;
/// The bytes of an RSA ciphertext, for keys of 2048 to 8192 bits.
const RSA_SIZES: RangeInclusive<usize> = 256..=1024;

/// base64 in the form that Go's decoder accepts, once line ends are removed.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A sealed value of the right form.
#[derive(Clone)]
pub(super) struct SealedItem {
    session_key: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl SealedItem {
    /// Reads a sealed value from base64.
    ///
    /// # Errors
    ///
    /// The problem, as the rest of a sentence about the value.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let compact: String;
        let text = if text.contains(['\r', '\n']) {
            compact = text.replace(['\r', '\n'], "");
            &compact
        } else {
            text
        };
        let bytes = LENIENT.decode(text).map_err(|_| "is not base64".to_owned())?;
        let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
            return Err(format!("is cut off: it has {} bytes", bytes.len()));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if !RSA_SIZES.contains(&length) {
            return Err(format!(
                "says that its RSA ciphertext has {length} bytes; keys of 2048 to 8192 bits give 256 to 1024"
            ));
        }
        if rest.len() < length + TAG {
            return Err(format!(
                "is cut off: it has {} bytes, and needs at least {}",
                bytes.len(),
                2 + length + TAG
            ));
        }
        let (session_key, ciphertext) = rest.split_at(length);
        Ok(Self { session_key: session_key.to_vec(), ciphertext: ciphertext.to_vec() })
    }

    /// The bytes of the value. The format hides no lengths, so this is public.
    pub(super) fn value_len(&self) -> usize {
        self.ciphertext.len() - TAG
    }

    /// The bits of the key to which the value is sealed. The RSA ciphertext shows them, so this is public.
    pub(super) fn key_bits(&self) -> usize {
        self.session_key.len() * 8
    }

    /// Opens the value; `None` for every cryptographic failure alike.
    pub(super) fn open(&self, key: &RsaPrivateKey, label: &str) -> Option<Plaintext> {
        let session_key = key.open_oaep(&self.session_key, label.as_bytes())?;
        let mut buffer = Zeroizing::new(self.ciphertext.clone());
        let value_len = aes(&session_key)?.open_in_place(nonce(), Aad::empty(), &mut buffer).ok()?.len();
        buffer.truncate(value_len);
        Some(buffer.into())
    }
}

/// Seals a value. The result is base64.
pub(super) fn seal(key: &RsaPublicKey, label: &str, value: &[u8]) -> String {
    let mut session_key = Zeroizing::new([0; SESSION_KEY]);
    rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut *session_key);
    let sealed_key = key.seal_oaep(&*session_key, label.as_bytes());

    let mut ciphertext = Zeroizing::new(Vec::with_capacity(value.len() + TAG));
    ciphertext.extend_from_slice(value);
    aes(&*session_key)
        .and_then(|aes| aes.seal_in_place_append_tag(nonce(), Aad::empty(), &mut *ciphertext).ok())
        .expect("a Secret's values are far below AES-GCM's limit of 64 GiB");

    let length = u16::try_from(sealed_key.len()).expect("8192 bits are 1024 bytes");
    let mut bytes = Vec::with_capacity(2 + sealed_key.len() + ciphertext.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&sealed_key);
    bytes.extend_from_slice(&ciphertext);
    BASE64.encode(bytes)
}

/// `None` if the session key doesn't have 32 bytes: the sealer chooses the content of the RSA ciphertext.
fn aes(session_key: &[u8]) -> Option<LessSafeKey> {
    (session_key.len() == SESSION_KEY)
        .then(|| UnboundKey::new(&AES_256_GCM, session_key).ok().map(LessSafeKey::new))
        .flatten()
}

/// The nonce zero, as in sealed-secrets: every session key is used once, so the pair never repeats.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
