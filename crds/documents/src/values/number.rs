//! The number that a plain scalar is to kubectl.
//!
//! Not whether it is one: [`plain`](crate::yaml::resolve::plain) says so. Invariant: a number is never a guess; where
//! JSON has no word for it, there is none.

use serde_json::Number;

/// The number that the scalar says; `None` where JSON can't say it: an infinity, or an integer that is too large.
pub(super) fn read(text: &str) -> Option<Number> {
    // yaml.v2 drops every underscore before it tries integers, but not before floats.
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    integer(&digits).or_else(|| float(text))
}

/// As `strconv.ParseInt(s, 0, 64)` reads it, and without a sign also as `ParseUint` does.
fn integer(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix('0').filter(|octal| !octal.is_empty()) {
        (8, octal)
    } else {
        (10, lower.as_str())
    };
    // Rust's parsers would take one more sign.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match sign {
        "" => u64::from_str_radix(digits, radix).ok().map(Number::from),
        sign => i64::from_str_radix(&format!("{sign}{digits}"), radix).ok().map(Number::from),
    }
}

fn float(text: &str) -> Option<Number> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let float = text.parse::<f64>().ok().filter(|float| is_decimal && float.is_finite())?;
    Number::from_f64(float)
}
