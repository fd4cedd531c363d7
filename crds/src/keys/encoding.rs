//! Bech32 as age uses it: BIP 173's alphabet and checksum, without its limit on length.
//!
//! Bech32m is another encoding and is refused. The caller says which prefix it expects. Invariant: [`encode`] gives
//! back every text that [`decode`] takes, apart from letter case (BIP 173 allows all-lower and all-upper), so one key
//! has one text. Buffers wipe on drop, since half of the keys that pass through here are private.

use age_core::primitives::{bech32_decode, bech32_encode_to_fmt};
use bech32::Hrp;
use bech32::primitives::decode::{CheckedHrpstringError, ChecksumError};
use zeroize::Zeroizing;

/// The reason why text isn't the expected Bech32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EncodingError {
    /// The form is right and the checksum is wrong: the text is mistyped or cut short.
    Checksum,
    /// Anything else is wrong: another prefix or alphabet, mixed case, padding that isn't zero.
    Malformed,
}

/// Encodes bytes as lower-case Bech32.
pub(super) fn encode(hrp: Hrp, bytes: &[u8]) -> Zeroizing<String> {
    // Reserved in full (separator and 6 checksum characters included), so that growing leaves no copies.
    let length = hrp.len() + 1 + (bytes.len() * 8).div_ceil(5) + 6;
    let mut text = Zeroizing::new(String::with_capacity(length));
    bech32_encode_to_fmt(&mut *text, hrp, bytes).expect("writing to a String can't fail");
    text
}

/// Decodes Bech32 of either case that has exactly this prefix.
pub(super) fn decode(hrp: Hrp, text: &str) -> Result<Zeroizing<Vec<u8>>, EncodingError> {
    let bytes = bech32_decode(
        text,
        |error| match error {
            CheckedHrpstringError::Checksum(ChecksumError::InvalidResidue) => EncodingError::Checksum,
            _ => EncodingError::Malformed,
        },
        |_| Ok(()),
        |_, decoded| {
            let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
            bytes.extend(decoded);
            Ok(bytes)
        },
    )?;
    // Checks the prefix, and that the bits which don't fill a byte are zero, as age requires; the library drops
    // those bits.
    if !encode(hrp, &bytes).eq_ignore_ascii_case(text) {
        return Err(EncodingError::Malformed);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HRP: Hrp = Hrp::parse_unchecked("age");

    #[test]
    fn any_length_survives_the_round_trip() {
        for length in [0, 1, 32, 33, 1216] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let text = encode(HRP, &bytes);
            assert_eq!(text.capacity(), text.len());
            assert_eq!(*decode(HRP, &text).unwrap(), bytes);
            assert_eq!(*decode(HRP, &text.to_uppercase()).unwrap(), bytes);
        }
    }

    #[test]
    fn one_wrong_character_is_a_checksum_error() {
        let text = encode(HRP, &[7; 32]);
        let wrong = format!("{}{}", &text[..text.len() - 1], if text.ends_with('q') { 'p' } else { 'q' });
        assert_eq!(decode(HRP, &wrong), Err(EncodingError::Checksum));
        assert_eq!(decode(HRP, &text[..text.len() - 1]), Err(EncodingError::Checksum));
    }

    #[test]
    fn other_forms_are_malformed() {
        let text = encode(HRP, &[7; 32]);
        let mixed = format!("AGE{}", &text[3..]);
        let other = encode(Hrp::parse_unchecked("ago"), &[7; 32]);
        for bad in ["", "age", "age1", "age1b", &mixed, &other] {
            assert_eq!(decode(HRP, bad), Err(EncodingError::Malformed), "{bad}");
        }
    }

    #[test]
    fn spare_bits_must_be_zero() {
        // 32 bytes are 51.2 characters of 5 bits, so the last character carries 4 spare bits. This text has a
        // valid checksum over spare bits that aren't zero, made with the same polynomial.
        use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
        let mut symbols: Vec<_> = [7_u8; 32].iter().copied().bytes_to_fes().collect();
        *symbols.last_mut().unwrap() = bech32::Fe32::P;
        let text: String = symbols.into_iter().with_checksum::<bech32::Bech32>(&HRP).chars().collect();
        assert_eq!(decode(HRP, &text), Err(EncodingError::Malformed));
    }
}
