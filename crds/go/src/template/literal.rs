//! Constants as Go writes them: strings, characters, numbers.
//!
//! Not complex numbers, hexadecimal floats, or underscores in floats; each is refused. Also what Go's `strconv`
//! makes of a text at run time. Invariant: what is accepted has the value that Go gives it.

/// A number of the template's text: what it is depends on where it is used, as in Go.
#[derive(Clone, Copy)]
pub(super) struct Number {
    /// Its value as an integer, if it has one.
    pub(super) int: Option<i64>,
    /// Its value as a float.
    pub(super) float: f64,
    /// Whether it is a float where nothing says what it should be.
    pub(super) looks_like_float: bool,
}

/// The bytes of a string constant with its quotes.
pub(super) fn string(quoted: &str) -> Option<Vec<u8>> {
    let inside = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if quoted.starts_with('`') {
        return Some(inside.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut rest = inside;
    let mut out = Vec::with_capacity(inside.len());
    while !rest.is_empty() {
        let (unit, after) = unquote(rest, '"')?;
        match unit {
            Unit::Byte(byte) => out.push(byte),
            Unit::Char(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = after;
    }
    Some(out)
}

/// A character constant with its quotes.
pub(super) fn character(quoted: &str) -> Option<Number> {
    let (unit, rest) = unquote(quoted.strip_prefix('\'')?, '\'')?;
    let value = match unit {
        Unit::Byte(byte) => u32::from(byte),
        Unit::Char(char) => char.into(),
    };
    (rest == "'").then_some(Number { int: Some(value.into()), float: value.into(), looks_like_float: false })
}

/// A number constant.
pub(super) fn number(text: &str) -> Option<Number> {
    if let Some(int) = integer(text.as_bytes()) {
        #[expect(clippy::cast_precision_loss, reason = "as Go does")]
        return Some(Number { int: Some(int), float: int as f64, looks_like_float: false });
    }
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let float: f64 = text.parse().ok().filter(|float: &f64| is_decimal && float.is_finite())?;
    #[expect(clippy::cast_possible_truncation, reason = "only what comes back unchanged is used")]
    let int = float as i64;
    #[expect(clippy::cast_precision_loss, reason = "this is the check")]
    let exact = int as f64 == float && int != i64::MAX;
    // Without a point or an exponent it is an integer that fits nowhere.
    text.contains(['.', 'e', 'E']).then_some(Number {
        int: exact.then_some(int),
        float,
        looks_like_float: true,
    })
}

enum Unit {
    Byte(u8),
    Char(char),
}

fn unquote(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        return (first != quote && first != '\n').then_some((Unit::Char(first), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let simple = |char| Some((Unit::Char(char), rest));
    let hex = |len: usize| {
        let digits = rest.get(..len).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some((u32::from_str_radix(digits, 16).ok()?, &rest[len..]))
    };
    match escape {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{b}'),
        '\\' => simple('\\'),
        '\'' | '"' => (escape == quote).then_some((Unit::Char(escape), rest)),
        'x' => hex(2).and_then(|(value, rest)| Some((Unit::Byte(u8::try_from(value).ok()?), rest))),
        'u' => hex(4).and_then(|(value, rest)| Some((Unit::Char(char::from_u32(value)?), rest))),
        'U' => hex(8).and_then(|(value, rest)| Some((Unit::Char(char::from_u32(value)?), rest))),
        '0'..='7' => {
            let digits = text.get(1..4)?;
            let value = u32::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+'))?;
            Some((Unit::Byte(u8::try_from(value).ok()?), &text[4..]))
        }
        _ => None,
    }
}

/// What Go's `strconv.ParseInt(text, 0, 64)` gives: prefixes say the base, underscores may be between digits.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    let (base, digits, prefixed) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest, true),
        [b'0', b'b' | b'B', rest @ ..] => (2, rest, true),
        [b'0', b'o' | b'O', rest @ ..] => (8, rest, true),
        [b'0', rest @ ..] if !rest.is_empty() => (8, rest, true),
        _ => (10, digits, false),
    };
    let mut last_is_digit = prefixed;
    let mut plain = Vec::with_capacity(digits.len().min(70));
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
    if !last_is_digit || plain.is_empty() {
        return None;
    }
    signed(negative, &plain, base).and_then(Result::ok)
}

/// What Go's `strconv.Atoi` gives, with the nearest integer where it doesn't fit and 0 where it isn't one.
pub(super) fn decimal(text: &[u8]) -> i64 {
    let (negative, digits) = sign(text);
    signed(negative, digits, 10).map_or(0, |value| value.unwrap_or_else(|nearest| nearest))
}

/// What Go's `strconv.ParseInt(text, base, 64)` gives; `Err` is the nearest one that fits.
pub(super) fn in_base(text: &[u8], base: u32) -> Option<Result<i64, i64>> {
    let (negative, digits) = sign(text);
    signed(negative, digits, base)
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn signed(negative: bool, digits: &[u8], base: u32) -> Option<Result<i64, i64>> {
    if digits.is_empty() {
        return None;
    }
    let mut value = Some(0_i128);
    for byte in digits {
        let digit = char::from(*byte).to_digit(base)?;
        value = value
            .and_then(|value| value.checked_mul(base.into()))
            .and_then(|value| value.checked_add(digit.into()));
    }
    let nearest = if negative { i64::MIN } else { i64::MAX };
    let value = value.map(|value| if negative { -value } else { value });
    Some(value.and_then(|value| i64::try_from(value).ok()).ok_or(nearest))
}
