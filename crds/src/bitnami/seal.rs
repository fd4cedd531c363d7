//! The verb seal, in the Bitnami format.
//!
//! The caller makes the manifest. Invariant: every value gets a session key of its own.

use super::Label;
use crate::keys::RsaPublicKey;
use crate::scope::Binding;

/// Seals one value of `encryptedData`: base64 that opens only under the same binding.
pub fn seal_item(key: &RsaPublicKey, binding: &Binding, value: &[u8]) -> String {
    Label::from(binding).seal_item(key, value)
}
