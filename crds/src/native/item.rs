//! One item: a line of `encryptedData`.
//!
//! ```text
//! line       = id text ‖ "." ‖ base64(nonce ‖ ciphertext ‖ tag)
//! nonce      = 24 random bytes
//! ciphertext = XChaCha20-Poly1305(item key, nonce, aad, padded value)
//! aad        = "seal/v1" ‖ raw id, 32 bytes ‖ lp(item name)
//! ```
//! The id text is 43 characters of unpadded base64url. base64 is canonical and padded (RFC 4648 §4).
//! [`super::data_key`] specifies the item key and the id, [`super::padding`] the padded value.
//!
//! The caller chooses the data key. Invariant: a ciphertext opens only under the name and the data key that it was
//! sealed with, so items can't be swapped, renamed or moved.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use super::data_key::{DataKey, DataKeyId};
use super::padding::{max_length, pad, padded_length, unpad};
use super::push_lp;
use crate::names::ItemName;
use crate::plaintext::Plaintext;

const NONCE: usize = 24;
const TAG: usize = 16;

/// A parsed line of `encryptedData`.
pub(super) struct SealedItem {
    pub(super) id: DataKeyId,
    ciphertext: Vec<u8>,
}

/// Seals one value. `None` for a value of 4 GiB or more.
pub(super) fn seal_item(key: &DataKey, id: &DataKeyId, name: &ItemName, value: &[u8]) -> Option<String> {
    let mut nonce = [0; NONCE];
    OsRng.fill_bytes(&mut nonce);
    let mut buffer = pad(value, 0)?;
    let tag = cipher(key)
        .encrypt_in_place_detached(XNonce::from_slice(&nonce), &aad(id, name), &mut buffer)
        .ok()?;
    let mut sealed = Vec::with_capacity(NONCE + buffer.len() + TAG);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&buffer);
    sealed.extend_from_slice(&tag);
    Some(format!("{id}.{}", BASE64.encode(sealed)))
}

impl SealedItem {
    /// Parses a line. The error is the problem, as the rest of a sentence about the line.
    pub(super) fn parse(line: &str) -> Result<Self, &'static str> {
        let (id, ciphertext) = line.split_once('.').ok_or("is not <data key id>.<ciphertext>")?;
        let id = id.parse().map_err(|()| "does not begin with a data key id (43 characters of base64url)")?;
        let ciphertext = BASE64.decode(ciphertext).map_err(|_| "is not canonical base64 after the dot")?;
        if ciphertext.len() < NONCE + padded_length(0) + TAG {
            return Err("is cut short");
        }
        Ok(Self { id, ciphertext })
    }

    /// The most bytes that the value can have. Padding hides its exact length.
    pub(super) fn max_value_len(&self) -> usize {
        max_length(self.ciphertext.len() - NONCE - TAG)
    }

    /// Opens the item; `None` if any part of it was changed.
    pub(super) fn open(&self, key: &DataKey, name: &ItemName) -> Option<Plaintext> {
        let (nonce, rest) = self.ciphertext.split_at(NONCE);
        let (body, tag) = rest.split_at(rest.len() - TAG);
        let mut buffer = Zeroizing::new(body.to_vec());
        cipher(key)
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                &aad(&self.id, name),
                &mut buffer,
                Tag::from_slice(tag),
            )
            .ok()?;
        unpad(&buffer)
    }
}

fn cipher(key: &DataKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(Key::from_slice(&*key.item_key()))
}

fn aad(id: &DataKeyId, name: &ItemName) -> Vec<u8> {
    let mut aad = b"seal/v1".to_vec();
    aad.extend_from_slice(id.as_bytes());
    push_lp(&mut aad, name.as_str().as_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::{Binding, Place, Scope};

    fn key() -> (DataKey, DataKeyId) {
        let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
        let key = DataKey::generate(false);
        let id = key.id(&Binding::new(Scope::Strict, &place));
        (key, id)
    }

    #[test]
    fn an_item_opens_only_under_its_own_name_and_key() {
        let (key, id) = key();
        let name: ItemName = "password".parse().unwrap();
        let line = seal_item(&key, &id, &name, b"hunter2").unwrap();
        let sealed = SealedItem::parse(&line).unwrap();
        assert_eq!(sealed.open(&key, &name).unwrap().expose(), b"hunter2");
        assert!(sealed.open(&key, &"username".parse().unwrap()).is_none());
        assert!(sealed.open(&DataKey::generate(false), &name).is_none());
    }

    #[test]
    fn no_bit_of_an_item_can_be_flipped() {
        let (key, id) = key();
        let name: ItemName = "a".parse().unwrap();
        let sealed = SealedItem::parse(&seal_item(&key, &id, &name, b"v").unwrap()).unwrap();
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut ciphertext = sealed.ciphertext.clone();
            ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert!(SealedItem { id: sealed.id, ciphertext }.open(&key, &name).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn values_below_61_bytes_have_equally_long_lines() {
        let (key, id) = key();
        let name: ItemName = "a".parse().unwrap();
        let length = |value: &[u8]| seal_item(&key, &id, &name, value).unwrap().len();
        assert_eq!(length(b""), length(&[1; 60]));
        assert!(length(&[1; 61]) > length(&[1; 60]));
    }

    #[test]
    fn malformed_lines_say_what_is_wrong() {
        let (key, id) = key();
        let line = seal_item(&key, &id, &"a".parse().unwrap(), b"v").unwrap();
        for (bad, problem) in [
            (line.replace('.', ""), "is not <data key id>.<ciphertext>"),
            (line[1..].to_owned(), "does not begin with a data key id (43 characters of base64url)"),
            (format!("{}!", &line[..line.len() - 1]), "is not canonical base64 after the dot"),
            (line[..48].to_owned(), "is cut short"),
        ] {
            assert_eq!(SealedItem::parse(&bad).err(), Some(problem), "{bad}");
        }
    }
}
