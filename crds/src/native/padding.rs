//! Padding, which hides the exact length of a value.
//!
//! ```text
//! padded = length as big-endian u32 ‖ value ‖ zeros up to max(64, Padmé(4 + length))
//! ```
//! Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
//! 2019, §4) rounds L up so that only the top ⌊log2 ⌊log2 L⌋⌋+1 bits of it may be set: at most 12 % more, and
//! O(log log L) bits of leak. Passwords and tokens, all below 61 bytes, become indistinguishable.
//!
//! Padding doesn't hide that a value is long. Invariant: one value has one padded form. Any other form is refused, so
//! padding can't carry bytes that nobody reviewed.

use zeroize::Zeroizing;

use crate::plaintext::Plaintext;

const MIN: usize = 64;
const PREFIX: usize = 4;

/// The padded length of a value of `length` bytes.
pub(super) fn padded_length(length: usize) -> usize {
    padme(PREFIX + length).max(MIN)
}

/// The length of the longest value that `padded` bytes can hold.
pub(super) fn max_length(padded: usize) -> usize {
    padded.saturating_sub(PREFIX)
}

fn padme(length: usize) -> usize {
    let exponent = length.ilog2();
    let kept = exponent.checked_ilog2().map_or(1, |log| log + 1);
    let mask = (1 << exponent.saturating_sub(kept)) - 1;
    (length + mask) & !mask
}

/// The padded form, with `spare` bytes of capacity left for an authentication tag, so that encrypting in
/// place doesn't move the buffer and leave plaintext behind. `None` for a value of 4 GiB or more.
pub(super) fn pad(value: &[u8], spare: usize) -> Option<Zeroizing<Vec<u8>>> {
    let prefix = u32::try_from(value.len()).ok()?.to_be_bytes();
    let length = padded_length(value.len());
    let mut out = Zeroizing::new(Vec::with_capacity(length + spare));
    out.extend_from_slice(&prefix);
    out.extend_from_slice(value);
    out.resize(length, 0);
    Some(out)
}

/// The value in a padded form, or `None` where it isn't the one padded form of any value.
pub(super) fn unpad(padded: &[u8]) -> Option<Plaintext> {
    let (prefix, rest) = padded.split_first_chunk::<PREFIX>()?;
    let length = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
    let (value, zeros) = rest.split_at_checked(length)?;
    let canonical = padded.len() == padded_length(length) && zeros.iter().all(|&byte| byte == 0);
    canonical.then(|| Plaintext::from(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_padmés() {
        // From the definition in the paper: 9 -> 10, 17 -> 18, 1000 -> 1024; and the floor of 64 bytes.
        assert_eq!([9, 17, 1000, 10_000].map(padme), [10, 18, 1024, 10_240]);
        assert_eq!([0, 1, 60].map(padded_length), [64; 3]);
        assert_eq!(padded_length(61), 72);
        for length in (64..5_000).chain([500_000, 1 << 20]) {
            let padded = padme(length);
            assert!(padded >= length && (padded - length) * 100 <= length * 12, "{length} -> {padded}");
            assert_eq!(padme(padded), padded, "rounding is idempotent");
        }
    }

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, 59, 60, 61, 64, 1_000, 70_000] {
            let value = vec![0xa5; length];
            let padded = pad(&value, 16).unwrap();
            assert_eq!(padded.len(), padded_length(length));
            assert_eq!(unpad(&padded).unwrap().expose(), value);
        }
    }

    #[test]
    fn padding_that_is_not_the_one_form_is_refused() {
        let padded = pad(b"value", 0).unwrap();
        let mut dirty = padded.to_vec();
        dirty[63] = 1;
        let mut longer = padded.to_vec();
        longer.push(0);
        let mut lying = padded.to_vec();
        lying[3] = 61;
        for bad in [&dirty[..], &longer, &lying, &padded[..63], &[], &[0, 0, 0]] {
            assert!(unpad(bad).is_none(), "{bad:?}");
        }
    }
}
