//! X-Wing against the draft's vectors, and against inputs that must be refused.

use super::*;
use crate::keys::tests::{from_hex, records};

/// Hands out the bytes it was given: the draft's `eseed`.
struct Fixed<'a>(&'a [u8]);

impl RngCore for Fixed<'_> {
    fn next_u32(&mut self) -> u32 {
        unreachable!("X-Wing draws bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("X-Wing draws bytes")
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        let (drawn, rest) = self.0.split_at(dest.len());
        dest.copy_from_slice(drawn);
        self.0 = rest;
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Fixed<'_> {}

/// A key pair, an encapsulated key and its shared secret: the draft's first vector.
fn example() -> (PrivateKey, PublicKey, EncappedKey, Vec<u8>) {
    let vector = &records(include_str!("../testdata/xwing.txt"))[0];
    (
        PrivateKey::from_bytes(&from_hex(vector["seed"])).unwrap(),
        PublicKey::from_bytes(&from_hex(vector["pk"])).unwrap(),
        EncappedKey::from_bytes(&from_hex(vector["ct"])).unwrap(),
        from_hex(vector["ss"]),
    )
}

fn decap(sk: &PrivateKey, enc: &EncappedKey) -> Result<Vec<u8>, HpkeError> {
    XWing::decap(sk, None, enc).map(|shared| shared.0.to_vec())
}

#[test]
fn the_vectors_of_the_draft_hold() {
    let vectors = records(include_str!("../testdata/xwing.txt"));
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let sk = PrivateKey::from_bytes(&from_hex(vector["seed"])).unwrap();
        let pk = PublicKey::from_bytes(&from_hex(vector["pk"])).unwrap();
        assert!(XWing::sk_to_pk(&sk) == pk);
        assert_eq!(XWing::gen_keypair(&mut Fixed(&from_hex(vector["seed"]))).1, pk);

        let (shared, enc) = XWing::encap(&pk, None, &mut Fixed(&from_hex(vector["eseed"]))).unwrap();
        assert_eq!(enc.to_bytes().as_slice(), from_hex(vector["ct"]));
        assert_eq!(shared.0.as_slice(), from_hex(vector["ss"]));
        assert_eq!(decap(&sk, &enc).unwrap(), from_hex(vector["ss"]));
    }
}

#[test]
fn keys_read_back_what_they_write() {
    let (sk, pk, enc, _) = example();
    assert!(PrivateKey::from_bytes(&sk.to_bytes()).unwrap() == sk);
    assert_eq!(PublicKey::from_bytes(&pk.to_bytes()).unwrap(), pk);
    assert_eq!(EncappedKey::from_bytes(&enc.to_bytes()).unwrap().to_bytes(), enc.to_bytes());
    assert_eq!((PrivateKey::size(), PublicKey::size(), EncappedKey::size()), (32, 1216, 1120));
}

#[test]
fn keys_of_another_length_are_refused() {
    for length in [0, 31, 33, 1119, 1121, 1215, 1217] {
        let bytes = vec![0; length];
        assert!(PrivateKey::from_bytes(&bytes).is_err(), "{length}");
        assert!(PublicKey::from_bytes(&bytes).is_err(), "{length}");
        assert!(EncappedKey::from_bytes(&bytes).is_err(), "{length}");
    }
}

#[test]
fn a_private_key_opens_only_what_is_meant_for_it() {
    let (sk, _, enc, shared) = example();
    let (other, _) = XWing::derive_keypair(b"somebody else");
    assert!(other != sk);
    assert_ne!(decap(&other, &enc).unwrap(), shared);
}

#[test]
fn a_change_anywhere_in_the_encapsulated_key_changes_the_secret() {
    let (sk, _, enc, shared) = example();
    // First and last byte of both halves. (RFC 7748 ignores the top bit of a share, but the combiner
    // hashes the share as it came.)
    for (byte, bit) in [(0, 1), (1087, 1), (1088, 1), (1119, 1), (1119, 0x80)] {
        let mut bytes = enc.to_bytes();
        bytes[byte] ^= bit;
        let changed = EncappedKey::from_bytes(&bytes).unwrap();
        assert_ne!(decap(&sk, &changed).unwrap(), shared, "{byte}");
    }
}

#[test]
fn an_unreduced_coefficient_makes_an_ml_kem_key_invalid() {
    let (_, pk, _, _) = example();
    let mut bytes = pk.to_bytes();
    // The first coefficient, 12 bits little-endian: q = 3329 = 0xd01.
    (bytes[0], bytes[1]) = (0x01, bytes[1] & 0xf0 | 0x0d);
    assert_eq!(PublicKey::from_bytes(&bytes), Err(HpkeError::ValidationError));
    bytes[0] = 0x00;
    assert!(PublicKey::from_bytes(&bytes).is_ok(), "3328 is reduced");
}

#[test]
fn points_of_low_order_are_refused_on_both_sides() {
    let (sk, pk, enc, _) = example();
    for point in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let (mut public, mut encapped) = (pk.to_bytes(), enc.to_bytes());
        public[EK..].copy_from_slice(&from_hex(point));
        encapped[CT..].copy_from_slice(&from_hex(point));
        assert_eq!(PublicKey::from_bytes(&public), Err(HpkeError::ValidationError), "{point}");
        let encapped = EncappedKey::from_bytes(&encapped).unwrap();
        assert_eq!(decap(&sk, &encapped), Err(HpkeError::DecapError), "{point}");
    }
}

#[test]
fn a_senders_key_is_refused_because_x_wing_does_not_authenticate() {
    let (sk, pk, enc, _) = example();
    let sealed = XWing::encap(&pk, Some((&sk, &pk)), &mut Fixed(&[7; 64]));
    assert_eq!(sealed.err(), Some(HpkeError::EncapError));
    assert_eq!(XWing::decap(&sk, Some(&pk), &enc).err(), Some(HpkeError::DecapError));
}
