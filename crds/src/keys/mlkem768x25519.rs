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
//! A stanza doesn't name its recipient. An identity finds its stanza by trial, and without the identity the
//! recipient can't be told.
//!
//! Invariant: every stanza carries the label `postquantum`, so that age refuses to put one beside a stanza that
//! a quantum computer opens.

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
    /// `None` for the stanza of another recipient: it has another tag, or a body that doesn't open. An error
    /// for a stanza of this type that breaks the specification, for any recipient: argument count, base64,
    /// lengths, or an X25519 share of low order.
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

#[cfg(test)]
mod tests {
    use age::{Identity as _, Recipient as _};

    use super::*;
    use crate::keys::tests::{MLKEM768X25519 as EXAMPLES, records};

    fn identity() -> Identity {
        Identity::parse(records(EXAMPLES)[0]["identity"]).unwrap()
    }

    fn stanza() -> Stanza {
        let example = &records(EXAMPLES)[0];
        Stanza {
            tag: "mlkem768x25519".to_owned(),
            args: vec![example["argument"].to_owned()],
            body: BASE64_STANDARD_NO_PAD.decode(example["body"]).unwrap(),
        }
    }

    #[test]
    fn the_examples_of_the_specification_hold() {
        let example = &records(EXAMPLES)[0];
        assert_eq!(*identity().to_secret_string(), example["identity"]);
        assert_eq!(identity().recipient().to_string(), example["recipient"]);
        assert_eq!(Recipient::parse(example["recipient"]).unwrap().to_string(), example["recipient"]);
        assert!(matches!(identity().unwrap_stanza(&stanza()), Some(Ok(_))));
    }

    #[test]
    fn a_wrapped_file_key_comes_back() {
        let identity = Identity::generate();
        let file_key = FileKey::new(Box::new([7; 16]));
        let (stanzas, labels) = identity.recipient().wrap_file_key(&file_key).unwrap();
        assert_eq!(labels, HashSet::from(["postquantum".to_owned()]));
        assert_eq!(stanzas.len(), 1);
        assert_eq!((stanzas[0].args[0].len(), stanzas[0].body.len()), (1494, 32));
        let opened = identity.unwrap_stanza(&stanzas[0]).unwrap().ok().unwrap();
        assert_eq!(opened.expose_secret(), &[7; 16]);
    }

    #[test]
    fn no_two_stanzas_are_alike() {
        let recipient = identity().recipient();
        let wrap = || recipient.wrap_file_key(&FileKey::new(Box::new([7; 16]))).unwrap().0;
        assert_ne!(wrap(), wrap());
    }

    #[test]
    fn what_does_not_open_is_for_somebody_else() {
        assert!(Identity::generate().unwrap_stanza(&stanza()).is_none());
        let changed = Stanza { body: vec![0; 32], ..stanza() };
        assert!(identity().unwrap_stanza(&changed).is_none());
        for tag in ["X25519", "MLKEM768X25519", "mlkem768p256tag"] {
            assert!(identity().unwrap_stanza(&Stanza { tag: tag.to_owned(), ..stanza() }).is_none(), "{tag}");
        }
    }

    #[test]
    fn a_stanza_that_breaks_the_specification_is_an_error() {
        let enc = stanza().args.remove(0);
        let without_last = enc[..enc.len() - 1].to_owned();
        // 1,120 bytes leave 4 spare bits in the last character; a canonical encoding has zeros there.
        let not_canonical = without_last.clone() + "R";
        assert!(enc.ends_with('Q'), "the example must differ in a spare bit only");
        let low_order = {
            let mut bytes = BASE64_STANDARD_NO_PAD.decode(&enc).unwrap();
            bytes[1088..].fill(0);
            BASE64_STANDARD_NO_PAD.encode(bytes)
        };
        let padded = format!("{enc}==");
        for args in [
            vec![],
            vec![enc.clone(), enc.clone()],
            vec![String::new()],
            vec![without_last],
            vec![format!("{enc}AAAA")],
            vec![padded],
            vec![not_canonical],
            vec![low_order],
        ] {
            let changed = Stanza { args, ..stanza() };
            let outcome = identity().unwrap_stanza(&changed);
            assert!(matches!(outcome, Some(Err(DecryptError::InvalidHeader))), "{:?}", changed.args);
        }
        for length in [0, 31, 33, 48] {
            let outcome = identity().unwrap_stanza(&Stanza { body: vec![0; length], ..stanza() });
            assert!(matches!(outcome, Some(Err(DecryptError::InvalidHeader))), "{length}");
        }
    }

    #[test]
    fn keys_of_the_wrong_length_or_prefix_are_malformed() {
        let example = &records(EXAMPLES)[0];
        for length in [0, 32, 1215, 1217] {
            let text = encoding::encode(RECIPIENT_HRP, &vec![0; length]);
            assert_eq!(Recipient::parse(&text).err(), Some(EncodingError::Malformed), "{length}");
        }
        for length in [0, 31, 33, 64] {
            let text = encoding::encode(IDENTITY_HRP, &vec![0; length]);
            assert_eq!(Identity::parse(&text).err(), Some(EncodingError::Malformed), "{length}");
        }
        assert_eq!(Identity::parse(example["recipient"]).err(), Some(EncodingError::Malformed));
        assert_eq!(Recipient::parse(example["identity"]).err(), Some(EncodingError::Malformed));
    }
}
