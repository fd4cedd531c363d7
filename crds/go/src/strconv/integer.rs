//! Integers out of texts, as Go's `strconv.ParseInt`, `ParseUint` and `Atoi` read them.
//!
//! Invariant: the results tell three things apart: a number, a number that doesn't fit, and a text that is no number.

use crate::Buffer;

/// The result of Go's `strconv.ParseInt(text, base, 64)`. `Err` holds the nearest integer that fits. With the base 0, a
/// prefix says the base, and underscores may stand between digits.
pub(crate) fn parse_int(text: &[u8], base: u32) -> Option<Result<i64, i64>> {
    let (negative, digits) = sign(text);
    let value = if base == 0 { prefixed(digits)? } else { magnitude(digits, base)? };
    let nearest = if negative { i64::MIN } else { i64::MAX };
    let value = value.map(|value| if negative { -value } else { value });
    Some(value.and_then(|value| i64::try_from(value).ok()).ok_or(nearest))
}

/// The result of Go's `strconv.ParseUint(text, 0, 64)`.
pub(crate) fn parse_uint(text: &[u8]) -> Option<u64> {
    prefixed(text)?.and_then(|value| u64::try_from(value).ok())
}

/// The value of digits whose prefix says the base, with underscores between them. `Some(None)` is a number that is too
/// large for any integer.
fn prefixed(digits: &[u8]) -> Option<Option<i128>> {
    let (base, digits, prefixed) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest, true),
        [b'0', b'b' | b'B', rest @ ..] => (2, rest, true),
        [b'0', b'o' | b'O', rest @ ..] => (8, rest, true),
        [b'0', rest @ ..] if !rest.is_empty() => (8, rest, true),
        _ => (10, digits, false),
    };
    let mut last_is_digit = prefixed;
    let mut plain = Buffer::with_capacity(digits.len());
    for byte in digits {
        match byte {
            b'_' if last_is_digit => last_is_digit = false,
            b'_' => return None,
            byte => {
                plain.push(*byte);
                last_is_digit = true;
            }
        }
    }
    if !last_is_digit {
        return None;
    }
    magnitude(plain.bytes(), base)
}

/// The number that Go's `strconv.Atoi` gives beside its error: the nearest integer for a number that doesn't fit, and 0
/// for a text that is no number.
pub(crate) fn atoi(text: &[u8]) -> i64 {
    parse_int(text, 10).map_or(0, |value| value.unwrap_or_else(|nearest| nearest))
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// The value of digits. `Some(None)` is a number that is too large for any integer.
fn magnitude(digits: &[u8], base: u32) -> Option<Option<i128>> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(Some(0_i128), |value, byte| {
        let digit = char::from(*byte).to_digit(base)?;
        Some(value.and_then(|value| value.checked_mul(base.into())?.checked_add(digit.into())))
    })
}
