//! Data keys and their ids.
//!
//! ```text
//! data key = 32 random bytes
//! id       = HKDF(data key, info = "seal/v1/id" ‖ lp(scope) ‖ lp(namespace) ‖ lp(name) ‖ flag)
//! flag     = one byte: 1 if items of the key may be substituted into templates, else 0
//! item key = HKDF(data key, info = "seal/v1/item")
//! text     = unpadded base64url (RFC 4648 §5) of the id, 43 characters
//! ```
//! The namespace is empty for cluster-wide; the name is empty unless the scope is strict.
//!
//! A data key travels in an [`envelope`](super::envelope). Invariant: the id commits to the key, to its binding and
//! to its flag. Every item names the id. So an attacker can't move or rewrap a data key and widen its use unnoticed:
//! the id would change.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hkdf::Hkdf;
use rand_core::{OsRng, RngCore};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::push_lp;
use crate::scope::Binding;

/// A data key: the 32 bytes that encrypt the items of one envelope, and the flag that lets those items go into
/// templates.
pub(super) struct DataKey {
    bytes: Zeroizing<[u8; 32]>,
    pub(super) template: bool,
}

/// The public name of a data key under one binding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DataKeyId([u8; 32]);

impl DataKey {
    pub(super) fn generate(template: bool) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *bytes);
        Self { bytes, template }
    }

    /// Reads the base64url text of an envelope; `None` if it isn't 32 bytes.
    pub(super) fn from_text(text: &str, template: bool) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        // The decoder estimates the room that it needs (33 bytes for 43 characters), so it decodes into a larger
        // buffer, which is wiped.
        let mut spare = Zeroizing::new([0; 36]);
        let length = (text.len() == 43).then(|| BASE64URL.decode_slice(text, &mut *spare).ok())??;
        (length == 32).then(|| bytes.copy_from_slice(&spare[..32]))?;
        Some(Self { bytes, template })
    }

    /// The text for an envelope.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64URL.encode(*self.bytes))
    }

    pub(super) fn id(&self, binding: &Binding) -> DataKeyId {
        let mut info = b"seal/v1/id".to_vec();
        push_lp(&mut info, binding.scope().as_str().as_bytes());
        push_lp(&mut info, binding.namespace().map_or("", |namespace| namespace.as_str()).as_bytes());
        push_lp(&mut info, binding.name().map_or("", |name| name.as_str()).as_bytes());
        info.push(u8::from(self.template));
        DataKeyId(*self.derive(&info))
    }

    /// The key of the item cipher.
    pub(super) fn item_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(b"seal/v1/item")
    }

    fn derive(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &*self.bytes)
            .expand(info, &mut *out)
            .expect("32 bytes are far below HKDF's limit of 8160");
        out
    }
}

impl DataKeyId {
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL.encode(self.0))
    }
}

impl FromStr for DataKeyId {
    type Err = ();

    /// Takes canonical text only: the decoder refuses stray bits in the last character, so one id has one text.
    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = BASE64URL.decode(text).map_err(drop)?;
        bytes.try_into().map(Self).map_err(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::{Place, Scope};

    fn place(namespace: &str, name: &str) -> Place {
        Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
    }

    #[test]
    fn the_id_commits_to_key_binding_and_flag() {
        let bytes = BASE64URL.encode([7; 32]);
        let key = |template| DataKey::from_text(&bytes, template).unwrap();
        let prod = place("prod", "db");
        let id = key(false).id(&Binding::new(Scope::Strict, &prod));
        let others = [
            key(true).id(&Binding::new(Scope::Strict, &prod)),
            key(false).id(&Binding::new(Scope::NamespaceWide, &prod)),
            key(false).id(&Binding::new(Scope::ClusterWide, &prod)),
            key(false).id(&Binding::new(Scope::Strict, &place("prod", "cache"))),
            key(false).id(&Binding::new(Scope::Strict, &place("staging", "db"))),
            DataKey::generate(false).id(&Binding::new(Scope::Strict, &prod)),
        ];
        assert!(others.iter().all(|other| *other != id));
        // Length prefixes keep "a"+"bc" and "ab"+"c" apart.
        let split = |namespace, name| key(false).id(&Binding::new(Scope::Strict, &place(namespace, name)));
        assert!(split("a", "bc") != split("ab", "c"));
    }

    #[test]
    fn an_id_has_one_text() {
        let id = DataKeyId([255; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), 43);
        assert!(text.parse() == Ok(id));
        assert!(text.ends_with('8') && format!("{}9", &text[..42]).parse::<DataKeyId>().is_err());
        assert!(format!("{text}=").parse::<DataKeyId>().is_err());
        assert!("".parse::<DataKeyId>().is_err());
    }

    #[test]
    fn a_data_key_of_another_length_is_refused() {
        let key = DataKey::generate(true);
        let text = key.to_text();
        assert!(DataKey::from_text(&text, true).is_some());
        assert!(DataKey::from_text(&text[..42], true).is_none());
        assert!(DataKey::from_text("", true).is_none());
        assert!(DataKey::from_text(&"=".repeat(43), true).is_none());
    }
}
