//! Texts in quotes, read as Go's `strconv.Unquote` reads them.
//!
//! Invariant: a text that Go refuses gives `None`.

/// The result of Go's `strconv.Unquote` for a text in quotes or backquotes: bytes, which need not be UTF-8.
pub(crate) fn unquote(quoted: &str) -> Option<Vec<u8>> {
    let inside = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if quoted.starts_with('`') {
        return Some(inside.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut rest = inside;
    let mut out = Vec::with_capacity(inside.len());
    while !rest.is_empty() {
        let (unit, after) = unquote_char(rest, '"')?;
        match unit {
            Unit::Byte(byte) => out.push(byte),
            Unit::Char(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = after;
    }
    Some(out)
}

/// One unit of a text in quotes.
pub(crate) enum Unit {
    /// A byte, from an escape that names one.
    Byte(u8),
    /// A character.
    Char(char),
}

/// The first unit of a text between quotes, and the rest of that text.
pub(crate) fn unquote_char(text: &str, quote: char) -> Option<(Unit, &str)> {
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
