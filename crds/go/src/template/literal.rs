//! Constants as Go writes them: strings, characters, numbers.
//!
//! Complex numbers, hexadecimal floats and underscores in floats are refused. Invariant: an accepted constant has the
//! value that Go gives it.

use crate::strconv::{self, Unit, unquote_char};

/// A number in the text of the template. Its type depends on its use, as in Go.
#[derive(Clone, Copy)]
pub(super) struct Number {
    /// Its value as an integer, if it has one.
    pub(super) int: Option<i64>,
    /// Its value as a float.
    pub(super) float: f64,
    /// `true` if it is a float where its use doesn't say a type.
    pub(super) looks_like_float: bool,
}

/// A character constant with its quotes.
pub(super) fn character(quoted: &str) -> Option<Number> {
    let (unit, rest) = unquote_char(quoted.strip_prefix('\'')?, '\'')?;
    let value = match unit {
        Unit::Byte(byte) => u32::from(byte),
        Unit::Char(char) => char.into(),
    };
    (rest == "'").then_some(Number { int: Some(value.into()), float: value.into(), looks_like_float: false })
}

/// A number constant.
pub(super) fn number(text: &str) -> Option<Number> {
    if let Some(int) = strconv::parse_int(text.as_bytes(), 0).and_then(Result::ok) {
        #[expect(clippy::cast_precision_loss, reason = "as Go does")]
        return Some(Number { int: Some(int), float: int as f64, looks_like_float: false });
    }
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let float: f64 = text.parse().ok().filter(|float: &f64| is_decimal && float.is_finite())?;
    #[expect(clippy::cast_possible_truncation, reason = "only what comes back unchanged is used")]
    let int = float as i64;
    #[expect(clippy::cast_precision_loss, reason = "this is the check")]
    let exact = int as f64 == float && int != i64::MAX;
    // A number without a point or an exponent is an integer, and this one fits into no type.
    text.contains(['.', 'e', 'E']).then_some(Number {
        int: exact.then_some(int),
        float,
        looks_like_float: true,
    })
}
