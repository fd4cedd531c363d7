//! Functions that look at words, as the library `goutils` under sprig does.
//!
//! Some functions of `goutils` take bytes for characters; these do the same. Invariant: each function consumes at
//! least one byte for each insertion.

use super::arguments::{int, text};
use crate::Buffer;
use crate::template::bound::{Computed, Growth};
use crate::template::function::Type::{Int, Text as T};
use crate::template::function::{Function, Out, f};
use crate::unicode::{map, to_lower, to_title, to_upper};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    f("untitle", &[T], Out::Text, Growth::Times(3, 1, 10), |a| Ok(untitle(text(&a[0])))),
    f("swapcase", &[T], Out::Text, Growth::Times(3, 1, 10), |a| Ok(swapcase(text(&a[0])))),
    f("initials", &[T], Out::Text, Growth::Times(2, 1, 10), |a| Ok(initials(text(&a[0])))),
    f("wrap", &[Int, T], Out::Text, Growth::By(wrap_growth), |a| {
        Ok(wrap(text(&a[1]), int(&a[0]), b"\n", false))
    }),
    f("wrapWith", &[Int, T, T], Out::Text, Growth::By(wrap_growth), |a| {
        let between = if text(&a[1]).is_empty() { b"\n" } else { text(&a[1]) };
        Ok(wrap(text(&a[2]), int(&a[0]), between, true))
    }),
];

fn untitle(text: &[u8]) -> Value {
    let mut starts = true;
    let mapped = map(text, |char| {
        if char.is_whitespace() {
            starts = true;
            return char;
        }
        if std::mem::take(&mut starts) { to_lower(char) } else { char }
    });
    mapped.into()
}

fn swapcase(text: &[u8]) -> Value {
    let mut after_space = true;
    let mapped = map(text, |char| {
        // These characters have case, but aren't letters to Go.
        let is_letter = !matches!(u32::from(char),
            0x345 | 0x2160..=0x217f | 0x24b6..=0x24e9 | 0x1f130..=0x1f149 | 0x1f150..=0x1f169 | 0x1f170..=0x1f189);
        let is_title = to_title(char) == char && to_lower(char) != char;
        let (upper, lower) = (char.is_uppercase() && is_letter, char.is_lowercase() && is_letter);
        if upper || (is_title && is_letter) {
            after_space = false;
            to_lower(char)
        } else if lower {
            if std::mem::take(&mut after_space) { to_title(char) } else { to_upper(char) }
        } else {
            after_space = char.is_whitespace();
            char
        }
    });
    mapped.into()
}

fn initials(text: &[u8]) -> Value {
    let mut out = Buffer::default();
    let mut after_space = true;
    for byte in text {
        let char = char::from(*byte);
        if char.is_whitespace() {
            after_space = true;
        } else if std::mem::take(&mut after_space) {
            out.push_char(char);
        }
    }
    out.into()
}

fn wrap_growth(a: &[Computed]) -> Option<u64> {
    let (text, between) = match a {
        [_, text] => (text.bound.size, 1),
        [_, between, text] => (text.bound.size, between.bound.size.max(1)),
        _ => return None,
    };
    Some(text.saturating_add((text + 1).saturating_mul(between)))
}

fn wrap(text: &[u8], len: i64, between: &[u8], breaks_words: bool) -> Value {
    let len = usize::try_from(len).unwrap_or(0).max(1);
    let mut out = Buffer::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > len {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let end = match rest[..=len].iter().rposition(|byte| *byte == b' ') {
            Some(space) => Some(space),
            None if breaks_words => None,
            None => match rest[len..].iter().position(|byte| *byte == b' ') {
                Some(space) => Some(len + space),
                None => break,
            },
        };
        let (line, after) = match end {
            Some(space) => (&rest[..space], &rest[space + 1..]),
            None => rest.split_at(len),
        };
        out.extend(line);
        out.extend(between);
        rest = after;
    }
    out.extend(rest);
    out.into()
}
