//! Checksums and digests, in the hexadecimal or decimal form that sprig gives them.
//!
//! SHA-1 and Adler-32 are here because sprig has them; they protect nothing.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};

use super::arguments::text;
use crate::Buffer;
use crate::template::bound::Growth;
use crate::template::function::Type::Text as T;
use crate::template::function::{Function, Out, f};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    f("sha1sum", &[T], Out::Text, Growth::Constant(40), |a| Ok(sum(&SHA1_FOR_LEGACY_USE_ONLY, text(&a[0])))),
    f("sha256sum", &[T], Out::Text, Growth::Constant(64), |a| Ok(sum(&SHA256, text(&a[0])))),
    f("sha512sum", &[T], Out::Text, Growth::Constant(128), |a| Ok(sum(&SHA512, text(&a[0])))),
    f("adler32sum", &[T], Out::Text, Growth::Constant(10), |a| {
        Ok(Value::text(adler32(text(&a[0])).to_string().as_bytes()))
    }),
];

fn sum(algorithm: &'static Algorithm, text: &[u8]) -> Value {
    let digest = digest(algorithm, text);
    let mut out = Buffer::with_capacity(128);
    for byte in digest.as_ref() {
        let digits = b"0123456789abcdef";
        out.extend(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
    }
    out.into()
}

/// Adler-32 (RFC 1950, chapter 9).
fn adler32(text: &[u8]) -> u32 {
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = text.iter().fold((1, 0), step);
    b << 16 | a
}
