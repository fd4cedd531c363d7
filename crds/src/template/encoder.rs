//! The encoders, which write a value into the text of a template.
//!
//! The parser of references is in [`super`]. Invariant: every encoder takes every value, and the length of the value
//! alone bounds the length of the result.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

/// An encoder of values. Every encoder takes every value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoder {
    /// The bytes as they are.
    Raw,
    /// Padded base64 (RFC 4648 §4).
    Base64,
    /// Lower-case hexadecimal digits.
    Hex,
    /// The inside of a JSON string (RFC 8259 §7), without the quotes. Bytes that aren't UTF-8 become U+FFFD, as
    /// in Go's encoding/json: an error would tell something about the value.
    Json,
    /// Percent-encoding of everything but RFC 3986's unreserved characters.
    Url,
}

impl Encoder {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64" => Self::Base64,
            "hex" => Self::Hex,
            "json" => Self::Json,
            "url" => Self::Url,
            _ => return None,
        })
    }

    /// The most bytes that a value of `len` bytes can become.
    pub(super) fn max_len(self, len: usize) -> usize {
        match self {
            Self::Raw => len,
            Self::Base64 => len.div_ceil(3) * 4,
            Self::Hex => len * 2,
            // One byte becomes at most six (`\u001b`); a byte that isn't UTF-8 becomes three.
            Self::Json => len * 6,
            Self::Url => len * 3,
        }
    }

    /// The encoded value; its own buffer, wiped by the caller's type.
    pub(super) fn encode(self, value: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Raw => value.to_vec(),
            Self::Base64 => BASE64.encode(value).into_bytes(),
            Self::Hex => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let digits = |b: &u8| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]];
                // Each byte becomes two, so the buffer never moves.
                let mut out = Vec::with_capacity(value.len() * 2);
                value.iter().for_each(|b| out.extend(digits(b)));
                out
            }
            Self::Json => {
                // Both buffers get their full room at once: growing would leave copies behind. One byte becomes at most
                // six (`\u001b`); a byte that isn't UTF-8 becomes three.
                let mut text = Zeroizing::new(String::with_capacity(value.len() * 3));
                for chunk in value.utf8_chunks() {
                    text.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        text.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                let mut out = Vec::with_capacity(value.len() * 6 + 2);
                serde_json::to_writer(&mut out, &*text).expect("writing a string to memory can't fail");
                out.pop();
                out.remove(0);
                out
            }
            Self::Url => {
                let mut out = Vec::with_capacity(value.len() * 3);
                for &byte in value {
                    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                        out.push(byte);
                    } else {
                        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                        out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
                    }
                }
                out
            }
        })
    }
}
