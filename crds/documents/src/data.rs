//! Values as they stand under `data`: base64 as the API server reads it.

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};
use seal_crds::Plaintext;
use zeroize::Zeroizing;

/// Go's `base64.StdEncoding`: padded, and lenient about the last bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes as Go's encoding/json does for `[]byte`: line breaks don't count.
pub fn decode(text: &str) -> Result<Plaintext, DecodeError> {
    let unbroken;
    let text = if text.contains(['\n', '\r']) {
        let mut buffer = Zeroizing::new(String::with_capacity(text.len()));
        buffer.extend(text.chars().filter(|c| !matches!(c, '\n' | '\r')));
        unbroken = buffer;
        unbroken.as_str()
    } else {
        text
    };
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    match BASE64.decode_slice(text, &mut bytes) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(Plaintext::from(bytes))
        }
        Err(base64::DecodeSliceError::DecodeError(error)) => Err(error),
        Err(base64::DecodeSliceError::OutputSliceTooSmall) => unreachable!("the estimate is never too small"),
    }
}
