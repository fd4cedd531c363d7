//! The verb seal, in the peer's format.
//!
//! Not the manifest around it. Invariant: every value gets a session key of its own.

use super::Label;
use crate::keys::RsaPublicKey;
use crate::scope::Binding;

/// One value of `encryptedData`, base64: what opens under the same binding only.
pub fn seal_item(key: &RsaPublicKey, binding: &Binding, value: &[u8]) -> String {
    Label::from(binding).seal_item(key, value)
}
