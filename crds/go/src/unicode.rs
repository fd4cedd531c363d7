//! Characters as Go sees them: in bytes that need not be UTF-8, with simple case mappings.
//!
//! The answers are those of Rust's standard library, corrected where Go differs. Invariant: every byte of a text is in
//! exactly one [`Rune`], and a byte that isn't UTF-8 is a rune of its own.

use self::newer::is_newer;
use crate::Buffer;

mod newer;

/// The character that Go puts in the place of bytes that aren't UTF-8.
pub(crate) const REPLACEMENT: char = '\u{fffd}';

/// A character, or a byte that belongs to no character.
#[derive(Clone, Copy)]
pub(crate) struct Rune<'t> {
    pub(crate) char: Option<char>,
    pub(crate) bytes: &'t [u8],
}

impl Rune<'_> {
    /// The character that Go's `range` over a string gives.
    pub(crate) fn value(&self) -> char {
        self.char.unwrap_or(REPLACEMENT)
    }
}

pub(crate) fn runes(text: &[u8]) -> impl Iterator<Item = Rune<'_>> {
    text.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let chars = valid.char_indices().map(move |(at, char)| Rune {
            char: Some(char),
            bytes: &valid.as_bytes()[at..at + char.len_utf8()],
        });
        chars.chain(chunk.invalid().chunks(1).map(|bytes| Rune { char: None, bytes }))
    })
}

/// Go's `strings.Map`, which also turns invalid bytes into replacement characters.
pub(crate) fn map(text: &[u8], mut mapping: impl FnMut(char) -> char) -> Buffer {
    let mut out = Buffer::with_capacity(text.len());
    runes(text).for_each(|rune| out.push_char(mapping(rune.value())));
    out
}

/// Go's `unicode.ToUpper`: one character for one.
pub(crate) fn to_upper(char: char) -> char {
    let mut upper = char.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if !is_newer(one) && !is_newer(char) => one,
        (_, None) => char,
        // A Greek letter with iota below has a capital of one character, which Rust writes as two.
        _ => match u32::from(char) {
            value @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => {
                char::from_u32(value + 8).unwrap_or(char)
            }
            value @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(value + 9).unwrap_or(char),
            _ => char,
        },
    }
}

/// Go's `unicode.ToLower`: one character for one.
pub(crate) fn to_lower(char: char) -> char {
    char.to_lowercase().next().filter(|lower| !is_newer(*lower) && !is_newer(char)).unwrap_or(char)
}

/// Go's `unicode.ToTitle`. It differs from upper case for digraphs (two letters in one) and for Georgian.
pub(crate) fn to_title(char: char) -> char {
    match u32::from(char) {
        0x1c4..=0x1c6 => '\u{1c5}',
        0x1c7..=0x1c9 => '\u{1c8}',
        0x1ca..=0x1cc => '\u{1cb}',
        0x1f1..=0x1f3 => '\u{1f2}',
        0x10d0..=0x10fa | 0x10fd..=0x10ff => char,
        _ => to_upper(char),
    }
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII space.
pub(crate) fn is_print(char: char) -> bool {
    if char.is_ascii() {
        return matches!(char, ' '..='~');
    }
    // `escape_debug` escapes unprintable characters. Behind another character it leaves marks alone, hence the `a`.
    let mut bytes = [b'a'; 5];
    let len = 1 + char.encode_utf8(&mut bytes[1..]).len();
    std::str::from_utf8(&bytes[..len]).is_ok_and(|text| text.escape_debug().count() == 2) && !is_newer(char)
}
