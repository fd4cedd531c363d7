//! age's tagged recipient types (<https://c2sp.org/age>), for keys in hardware: `age1tagpq1…` (ML-KEM-768 and P-256
//! together) and `age1tag1…` (P-256).
//!
//! A stanza says whom it is for, to whoever knows the recipient:
//!
//! ```text
//! -> mlkem768p256tag <tag> <encapsulated key>       or: -> p256tag <tag> <encapsulated key>
//! tag  = the first 4 bytes of HKDF-Extract(salt = info, ikm = encapsulated key ‖ SHA-256(point)[..4])
//! info = age-encryption.org/mlkem768p256tag         or: age-encryption.org/p256tag
//! ```
//!
//! `point` is the P-256 part of the recipient: uncompressed in the hybrid type, compressed in the other one. So an
//! identity in hardware needs no touch for a stanza that isn't its own.
//!
//! There are recipients only. The identities are in hardware, behind an age plugin, which the command line runs; the
//! age crate encrypts. Invariant: a hybrid stanza carries age's label `postquantum`, so that it never stands beside a
//! stanza that a quantum computer opens.

use std::collections::HashSet;
use std::fmt;

use age::EncryptError;
use age_core::format::{FileKey, Stanza};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::Hrp;
use hkdf::Hkdf;
use libcrux_ml_kem::mlkem768;
use sha2::{Digest, Sha256};

use super::encoding::{self, EncodingError};

const HYBRID_HRP: Hrp = Hrp::parse_unchecked("age1tagpq");
const CLASSIC_HRP: Hrp = Hrp::parse_unchecked("age1tag");
const HYBRID_STANZA: &str = "mlkem768p256tag";
const CLASSIC_STANZA: &str = "p256tag";
/// The length of an ML-KEM-768 encapsulation key, which stands before the point.
const ML_KEM_BYTES: usize = 1184;

/// A public key of either type.
#[derive(Clone)]
pub(super) struct Recipient {
    key: Key,
    /// The first bytes of the SHA-256 of the P-256 part.
    point: [u8; 4],
}

#[derive(Clone)]
enum Key {
    Hybrid(Box<age::tagpq::Recipient>),
    Classic(age::tag::Recipient),
}

impl Recipient {
    /// Reads `age1tagpq1…`. A key that fails FIPS 203's check, or whose point isn't on the curve, is malformed.
    pub(super) fn parse_hybrid(text: &str) -> Result<Self, EncodingError> {
        let bytes = encoding::decode(HYBRID_HRP, text)?;
        let (ml_kem, point) = bytes.split_at_checked(ML_KEM_BYTES).ok_or(EncodingError::Malformed)?;
        let ml_kem: [u8; ML_KEM_BYTES] = ml_kem.try_into().expect("split at this length");
        // The age crate leaves this check out.
        if !mlkem768::validate_public_key(&ml_kem.into()) {
            return Err(EncodingError::Malformed);
        }
        let key = text.to_ascii_lowercase().parse().map_err(|_| EncodingError::Malformed)?;
        Ok(Self { key: Key::Hybrid(Box::new(key)), point: short_hash(point) })
    }

    /// Reads `age1tag1…`. A key whose point isn't on the curve is malformed.
    pub(super) fn parse_classic(text: &str) -> Result<Self, EncodingError> {
        let bytes = encoding::decode(CLASSIC_HRP, text)?;
        let key = text.to_ascii_lowercase().parse().map_err(|_| EncodingError::Malformed)?;
        Ok(Self { key: Key::Classic(key), point: short_hash(&bytes) })
    }

    /// `true` if a quantum computer can't open what is sealed to this recipient.
    pub(super) fn is_hybrid(&self) -> bool {
        matches!(self.key, Key::Hybrid(_))
    }

    /// `true` if the stanza says that it is for this recipient. In one of 2³² cases another recipient's says so too.
    pub(super) fn is_named_by(&self, stanza: &Stanza) -> bool {
        let kind = if self.is_hybrid() { HYBRID_STANZA } else { CLASSIC_STANZA };
        let [tag, enc] = &stanza.args[..] else { return false };
        let Ok(mut input) = BASE64_STANDARD_NO_PAD.decode(enc) else { return false };
        input.extend_from_slice(&self.point);
        let (expected, _) =
            Hkdf::<Sha256>::extract(Some(format!("age-encryption.org/{kind}").as_bytes()), &input);
        stanza.tag == kind && *tag == BASE64_STANDARD_NO_PAD.encode(&expected[..4])
    }
}

fn short_hash(point: &[u8]) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::digest(point).into();
    [hash[0], hash[1], hash[2], hash[3]]
}

impl fmt::Display for Recipient {
    /// `age1tagpq1…` or `age1tag1…`, lower-case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Key::Hybrid(key) => key.fmt(f),
            Key::Classic(key) => key.fmt(f),
        }
    }
}

impl age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        match &self.key {
            Key::Hybrid(key) => key.wrap_file_key(file_key),
            Key::Classic(key) => key.wrap_file_key(file_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use age::Recipient as _;

    use super::*;
    use crate::keys::tests::{TAGGED, from_hex, records};

    fn examples() -> [(Recipient, Stanza); 2] {
        let records = records(TAGGED);
        let stanza = |index: usize| Stanza {
            tag: records[index]["stanza"].to_owned(),
            args: vec![records[index]["tag"].to_owned(), records[index]["argument"].to_owned()],
            body: BASE64_STANDARD_NO_PAD.decode(records[index]["body"]).unwrap(),
        };
        [
            (Recipient::parse_hybrid(records[0]["recipient"]).unwrap(), stanza(0)),
            (Recipient::parse_classic(records[1]["recipient"]).unwrap(), stanza(1)),
        ]
    }

    #[test]
    fn a_stanza_that_age_made_names_its_recipient_and_no_other() {
        let [(hybrid, for_hybrid), (classic, for_classic)] = examples();
        assert!(hybrid.is_named_by(&for_hybrid) && classic.is_named_by(&for_classic));
        assert!(!hybrid.is_named_by(&for_classic) && !classic.is_named_by(&for_hybrid));
        let with = |args: &[&str]| Stanza {
            tag: for_hybrid.tag.clone(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            body: for_hybrid.body.clone(),
        };
        let (tag, enc) = (for_hybrid.args[0].as_str(), for_hybrid.args[1].as_str());
        assert!(hybrid.is_named_by(&with(&[tag, enc])));
        for args in [&[][..], &[tag], &[tag, enc, enc], &["AAAAAA", enc], &[tag, &enc[4..]], &[tag, "!"]] {
            assert!(!hybrid.is_named_by(&with(args)), "{args:?}");
        }
    }

    #[test]
    fn what_is_wrapped_here_names_its_recipient() {
        let file_key = FileKey::new(Box::new([7; 16]));
        for (recipient, example) in examples() {
            let (stanzas, labels) = recipient.wrap_file_key(&file_key).unwrap();
            assert_eq!(labels.contains("postquantum"), recipient.is_hybrid());
            assert_eq!(stanzas.len(), 1);
            assert_eq!(stanzas[0].tag, example.tag);
            assert_eq!(stanzas[0].args[1].len(), example.args[1].len());
            assert!(recipient.is_named_by(&stanzas[0]));
        }
    }

    #[test]
    fn keys_that_nobody_can_have_are_malformed() {
        let [hybrid, classic] = [HYBRID_HRP, CLASSIC_HRP].map(|hrp| {
            let record = &records(TAGGED)[usize::from(hrp == CLASSIC_HRP)];
            encoding::decode(hrp, record["recipient"]).unwrap().to_vec()
        });
        let refuses_hybrid = |bytes: &[u8]| {
            let text = encoding::encode(HYBRID_HRP, bytes);
            Recipient::parse_hybrid(&text).err() == Some(EncodingError::Malformed)
        };
        // 3,329 isn't a number below the modulus.
        let mut unreduced = hybrid.clone();
        unreduced[..3].copy_from_slice(&from_hex("010d00"));
        let mut off_the_curve = hybrid.clone();
        *off_the_curve.last_mut().unwrap() ^= 1;
        let compressed = [&hybrid[..ML_KEM_BYTES], &classic[..]].concat();
        for bytes in [
            &unreduced,
            &off_the_curve,
            &compressed,
            &hybrid[1..].to_vec(),
            &vec![],
            &[&hybrid[..], &[0]].concat(),
        ] {
            assert!(refuses_hybrid(bytes), "{}", bytes.len());
        }
        assert!(!refuses_hybrid(&hybrid));
        for bytes in [&hybrid[ML_KEM_BYTES..], &classic[..32], &[0; 33], &[]] {
            let text = encoding::encode(CLASSIC_HRP, bytes);
            assert_eq!(
                Recipient::parse_classic(&text).err(),
                Some(EncodingError::Malformed),
                "{}",
                bytes.len()
            );
        }
    }
}
