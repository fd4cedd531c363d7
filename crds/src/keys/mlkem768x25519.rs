//! age's hybrid post-quantum recipient type (<https://c2sp.org/age>): recipients `age1pq1…`, identities
//! `AGE-SECRET-KEY-PQ-1…`.
//!
//! A file key is sealed with HPKE (RFC 9180, base mode, single shot): KEM [`XWing`], HKDF-SHA-256,
//! ChaCha20-Poly1305, info `age-encryption.org/mlkem768x25519`, empty associated data. The stanza:
//!
//! ```text
//! -> mlkem768x25519 <base64, unpadded, of the encapsulated key: 1,120 bytes>
//! <base64, unpadded, of the sealed file key: 16 bytes and a tag of 16>
//! ```
//!
//! Not anonymous to whoever holds the identity, but to everyone else: nothing in a stanza names its
//! recipient, so an identity finds its stanza by trial.
//!
//! Invariant: every stanza carries the label `postquantum`, so that age refuses to put one beside a stanza
//! that a quantum computer opens.

use std::collections::HashSet;
use std::fmt;

use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{hpke_open, hpke_seal};
use age_core::secrecy::ExposeSecret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::Hrp;
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use rand_core::OsRng;
use zeroize::Zeroizing;

use super::encoding::{self, EncodingError};
use super::xwing::{EncappedKey, PrivateKey, PublicKey, XWing};

const RECIPIENT_HRP: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY_HRP: Hrp = Hrp::parse_unchecked("age-secret-key-pq-");
const STANZA_TAG: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const LABEL: &str = "postquantum";
/// The file key and the Poly1305 tag.
const BODY_BYTES: usize = FILE_KEY_BYTES + 16;

/// The public half: an X-Wing public key.
#[derive(Clone)]
pub(super) struct Recipient(PublicKey);

/// The private half: an X-Wing seed, wiped on drop.
pub(super) struct Identity(PrivateKey);

impl Recipient {
    /// Reads `age1pq1…`. A key that fails FIPS 203's check is malformed.
    pub(super) fn parse(text: &str) -> Result<Self, EncodingError> {
        let bytes = encoding::decode(RECIPIENT_HRP, text)?;
        PublicKey::from_bytes(&bytes).map(Self).map_err(|_| EncodingError::Malformed)
    }
}

impl fmt::Display for Recipient {
    /// `age1pq1…`, lower-case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoding::encode(RECIPIENT_HRP, &self.0.to_bytes()))
    }
}

impl age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        // Panics only if encapsulation fails, which PublicKey rules out.
        let (enc, body) = hpke_seal::<XWing, _>(&self.0, INFO, file_key.expose_secret(), &mut OsRng);
        let args = vec![BASE64_STANDARD_NO_PAD.encode(enc.to_bytes())];
        let stanza = Stanza { tag: STANZA_TAG.to_owned(), args, body };
        Ok((vec![stanza], HashSet::from([LABEL.to_owned()])))
    }
}

impl Identity {
    /// A fresh identity from the operating system's generator.
    ///
    /// # Panics
    /// If the operating system gives no randomness.
    pub(super) fn generate() -> Self {
        Self(XWing::gen_keypair(&mut OsRng).0)
    }

    /// Reads `AGE-SECRET-KEY-PQ-1…`.
    pub(super) fn parse(text: &str) -> Result<Self, EncodingError> {
        let seed = encoding::decode(IDENTITY_HRP, text)?;
        PrivateKey::from_bytes(&seed).map(Self).map_err(|_| EncodingError::Malformed)
    }

    /// `AGE-SECRET-KEY-PQ-1…`, upper-case.
    pub(super) fn to_secret_string(&self) -> Zeroizing<String> {
        let mut text = encoding::encode(IDENTITY_HRP, self.0.seed());
        text.make_ascii_uppercase();
        text
    }

    /// The public half.
    pub(super) fn recipient(&self) -> Recipient {
        Recipient(XWing::sk_to_pk(&self.0))
    }
}

impl age::Identity for Identity {
    /// `None` for another's stanza: another tag, or a body that doesn't open. An error for a stanza of this
    /// type that breaks the specification, whoever it is for: argument count, base64, lengths, or an X25519
    /// share of low order.
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let Some(enc) = encapped_key(stanza) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        match hpke_open::<XWing>(&enc, &self.0, INFO, &stanza.body).map(Zeroizing::new) {
            Ok(opened) => Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(&opened)))),
            Err(HpkeError::OpenError) => None,
            Err(_) => Some(Err(DecryptError::InvalidHeader)),
        }
    }
}

/// The encapsulated key of a well-formed stanza. The length of the body is part of the form: age fixes it
/// so that one ciphertext can't be made to open under many keys.
fn encapped_key(stanza: &Stanza) -> Option<EncappedKey> {
    let [enc] = &stanza.args[..] else { return None };
    if stanza.body.len() != BODY_BYTES {
        return None;
    }
    EncappedKey::from_bytes(&BASE64_STANDARD_NO_PAD.decode(enc).ok()?).ok()
}
