//! The meaning of an unquoted word to yaml.v2: YAML 1.1, with the rules of Go's `strconv` and `time`.
//!
//! The emitter asks which texts need quotes, and a reader of YAML asks what a scalar is; both get the same answer.
//! Invariant: it is the answer of yaml.v2's own `resolve`.

use zeroize::Zeroizing;

use crate::{strconv, time};

/// The value that yaml.v2 reads from an unquoted word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved {
    /// YAML's null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits into 64 bits with sign.
    Int(i64),
    /// An integer that fits only into 64 bits without sign.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A date, with or without a time of day. yaml.v2 keeps it as text, unless the reader asks for a time.
    Timestamp,
    /// A text.
    Text,
}

/// The value that yaml.v2 reads from this unquoted word.
pub fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            // Go's own syntax of floats, underscores included; YAML's syntax comes below.
            b'.' => strconv::parse_float(text).map_or(Resolved::Text, Resolved::Float),
            b'+' | b'-' | b'0'..=b'9' => number_or_date(text),
            _ => Resolved::Text,
        },
    }
}

fn number_or_date(text: &str) -> Resolved {
    if time::is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    plain.extend(text.chars().filter(|char| *char != '_'));
    let integer = |digits: &str, base| strconv::parse_int(digits.as_bytes(), base).and_then(Result::ok);
    if let Some(int) = integer(&plain, 0) {
        return Resolved::Int(int);
    }
    if let Some(uint) = strconv::parse_uint(plain.as_bytes()) {
        return Resolved::Uint(uint);
    }
    if let Some(float) = strconv::parse_float(&plain).filter(|_| is_float(&plain)) {
        return Resolved::Float(float);
    }
    // Binary numbers with a sign behind the prefix. All other binary numbers are integers and were found above.
    plain.strip_prefix("0b").and_then(|digits| integer(digits, 2)).map_or(Resolved::Text, Resolved::Int)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && are_digits(fraction),
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => !mantissa.is_empty() && are_digits(mantissa),
    };
    let has_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    has_mantissa && has_exponent
}

/// `true` if the text is a number to the base of 60 in YAML 1.1: `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
///
/// yaml.v2 itself reads such a number as a text. It writes the text in quotes for readers that don't.
pub(super) fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((first, rest)) = unsigned.split_once(':') else { return false };
    let (sixtieths, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let is_sixtieth = |part: &str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|char: char| char.is_ascii_digit())
        && are_digits(first)
        && sixtieths.split(':').all(is_sixtieth)
        && are_digits(fraction)
}
