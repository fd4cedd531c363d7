//! Texts and characters in quotes, as Go's `strconv.Quote` writes them.
//!
//! Invariant: a result has at most four bytes for each byte of the text, and the two quotes.

use crate::Buffer;
use crate::unicode::{REPLACEMENT, is_print, runes};

/// The text in double quotes. With `ascii`, every character outside of ASCII is escaped.
pub(crate) fn quote(text: &[u8], ascii: bool) -> Buffer {
    let mut out = Buffer::with_capacity(text.len() + 2);
    out.push(b'"');
    for rune in runes(text) {
        match rune.char {
            Some(char) => escape(&mut out, char, '"', ascii),
            None => rune.bytes.iter().for_each(|byte| hex(&mut out, b'x', u32::from(*byte), 2)),
        }
    }
    out.push(b'"');
    out
}

/// A character in single quotes, with the same meaning of `ascii`.
pub(crate) fn quote_char(value: i64, ascii: bool) -> Buffer {
    let char = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(REPLACEMENT);
    let mut out = Buffer::default();
    out.push(b'\'');
    escape(&mut out, char, '\'', ascii);
    out.push(b'\'');
    out
}

/// `true` if the text can stand in backquotes.
pub(crate) fn can_backquote(text: &[u8]) -> bool {
    runes(text).all(|rune| match rune.char {
        Some(char) => (char >= ' ' || char == '\t') && !matches!(char, '`' | '\u{7f}' | '\u{feff}'),
        None => false,
    })
}

fn escape(out: &mut Buffer, char: char, quote: char, ascii: bool) {
    let simple = match char {
        '\u{7}' => b'a',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{b}' => b'v',
        _ => 0,
    };
    if char == quote || char == '\\' {
        out.push(b'\\');
        out.push_char(char);
    } else if (char.is_ascii() || !ascii) && is_print(char) {
        out.push_char(char);
    } else if simple != 0 {
        out.extend(&[b'\\', simple]);
    } else {
        let value = u32::from(char);
        match value {
            0..0x20 | 0x7f => hex(out, b'x', value, 2),
            0..0x1_0000 => hex(out, b'u', value, 4),
            _ => hex(out, b'U', value, 8),
        }
    }
}

fn hex(out: &mut Buffer, letter: u8, value: u32, digits: u32) {
    out.extend(&[b'\\', letter]);
    for at in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * at) & 15) as usize]);
    }
}
