//! The name of a recipient for people and files: SHA-256 over its canonical text.
//!
//! An age file has no such id: age's own stanzas carry none for `X25519` and `mlkem768x25519`. A fingerprint says
//! which identity to try first, and it is a pin to compare; it never proves that the identity opens the file.
//!
//! Invariant: a [`Fingerprint`] is 32 bytes and has one text form, 64 lower-case hexadecimal digits.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// SHA-256 (FIPS 180-4) of the canonical recipient string, without a line end.
///
/// `Display`, `FromStr` and serde use all 64 lower-case hexadecimal digits; [`short`](Self::short) is for
/// people only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

/// Text that is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 lower-case hexadecimal digits")]
pub struct ParseFingerprintError;

impl Fingerprint {
    /// The fingerprint of a public key in its canonical text form: the text that
    /// [`Recipient`](super::Recipient) prints, or the text that another format defines as canonical.
    pub fn of(canonical: &str) -> Self {
        Self(Sha256::digest(canonical).into())
    }

    /// The fingerprint of a public key whose canonical form is DER: an RSA key's SubjectPublicKeyInfo.
    pub(super) fn of_der(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The name of a set of keys, whatever their order: `hex(SHA-256(sorted raw fingerprints))`, 64 digits.
    pub fn of_set(keys: impl IntoIterator<Item = Self>) -> String {
        let sorted: BTreeSet<Self> = keys.into_iter().collect();
        let hash = sorted.iter().fold(Sha256::new(), |hash, key| hash.chain_update(key.as_bytes()));
        hex(&hash.finalize())
    }

    /// The 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 digits, for messages and names. Too short for a pin.
    pub fn short(&self) -> String {
        hex(&self.0[..8])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(ParseFingerprintError),
        };
        if s.len() != 64 {
            return Err(ParseFingerprintError);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(s.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ParseFingerprintError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl JsonSchema for Fingerprint {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fingerprint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'abc' | sha256sum`, the first example of FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_fingerprint_is_the_sha256_of_the_text() {
        assert_eq!(Fingerprint::of("abc").to_string(), ABC);
        assert_eq!(Fingerprint::of("abc").short(), "ba7816bf8f01cfea");
    }

    #[test]
    fn a_fingerprint_reads_back_what_it_prints() {
        let fingerprint = Fingerprint::of("abc");
        assert_eq!(ABC.parse(), Ok(fingerprint));
        assert_eq!(serde_json::to_value(fingerprint).unwrap(), ABC);
        assert_eq!(serde_json::from_value::<Fingerprint>(ABC.into()).unwrap(), fingerprint);
    }

    /// `(printf '%s' A B | xxd -r -p) | sha256sum`, by hand.
    #[test]
    fn a_set_has_one_name_in_every_order() {
        let [a, b] = [[0x0a; 32], [0xb0; 32]].map(Fingerprint);
        let expected = hex(&Sha256::digest([[0x0a; 32], [0xb0; 32]].concat()));
        for order in [vec![a, b], vec![b, a], vec![a, b, a]] {
            assert_eq!(Fingerprint::of_set(order), expected);
        }
        assert_ne!(Fingerprint::of_set([a]), expected);
    }

    #[test]
    fn only_the_one_form_is_read() {
        let short = &ABC[..16];
        let spaced = format!(" {ABC}");
        let wide = format!("{}é", &ABC[..62]);
        for bad in ["", short, &ABC[..63], &ABC.to_uppercase(), &spaced, &wide, &ABC.replace('a', "g")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(ParseFingerprintError), "{bad:?}");
        }
    }

    #[test]
    fn the_schema_says_what_the_parser_takes() {
        let schema = schemars::schema_for!(Fingerprint);
        assert_eq!(schema.get("pattern").unwrap(), "^[0-9a-f]{64}$");
        assert_eq!(schema.get("type").unwrap(), "string");
    }
}
