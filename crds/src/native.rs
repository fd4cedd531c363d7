//! The native format, `sealing.dev/v1alpha1`, byte for byte.
//!
//! The schema of the manifest is in [`crate::resources`]. Each part is specified in the header of the file that
//! parses it: [`envelope`] (the age file), [`document`] (its plaintext), [`data_key`] (ids), [`item`] (one line of
//! `encryptedData`), [`padding`], and [`object`] for the object as a whole. `tests/vectors/` at the top of the
//! repository holds the format against change.
//!
//! The notation there: `‖` is concatenation; `lp(x)` is the length of `x` as a big-endian u32, then `x`;
//! HKDF is RFC 5869 with SHA-256 and an empty salt, 32 bytes of output; text is UTF-8.
//!
//! Invariant: [`Sealed::unseal`](crate::Sealed::unseal) opens every result of the verbs [`seal`],
//! [`put_items`], [`remove_items`], [`NativeSealed::rewrap`] and [`NativeSealed::reseal`], and only at the same place.

mod accept;
mod change;
mod data_key;
mod document;
mod envelope;
mod item;
mod object;
mod padding;
mod rewrap;
mod seal;
#[cfg(test)]
mod tests;

pub use accept::{Difference, OfferError, OfferPins};
pub use change::{
    ChangeError, CoverError, cover, data_key_of, drop_unused_envelopes, put_items, remove_items, set_items,
    tidy_envelopes, users_of,
};
pub use envelope::count_stanzas;
pub use object::NativeSealed;
pub use rewrap::{Resealed, RewrapError, assignment, source, target};
pub use seal::{Item, NamedRecipient, SealError, seal};

pub use crate::age_file::{MAX_AGE_SIZE, MAX_RECIPIENTS, MAX_STANZAS};

/// The most envelopes that an object may have.
pub const MAX_ENVELOPES: usize = 16;
/// The most data keys that an object may have.
pub const MAX_DATA_KEYS: usize = 256;
/// The most past recipients that an envelope remembers.
pub const MAX_PAST: usize = 64;
/// The most items that an object may have.
pub const MAX_ITEMS: usize = 1024;

/// `lp(bytes)`: big-endian u32 length, then the bytes.
///
/// Callers pass names and scopes, which are below 4 GiB by their own bounds.
fn push_lp(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("names and scopes are bounded far below 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
