//! YAML as Helm's `toYaml` writes it: by way of JSON, with the emitter of Go's `yaml.v2`.
//!
//! Sealed-secrets itself has no such function; people know it from charts. Not every map: keys of more
//! than one line or 128 bytes, and `<<`, aren't written. Invariant: a text that another
//! reader could take for something else is in quotes.

use std::cmp::Ordering;

use self::reading::{Fate, as_read, can_be_read_back};
use self::scalar::scalar;
use super::super::float::{self, Layout};
use super::super::unicode::runes;
use super::super::value::{Text, Value};
use crate::Buffer;

mod reading;
mod resolve;
mod scalar;

/// The YAML without the last line's end; `Err` where this has no way to write it.
pub(super) fn write(value: &Value) -> Result<Buffer, &'static str> {
    let mut out = Buffer::default();
    // A key that goes over lines isn't one to a YAML reader.
    if can_be_read_back(value) == Fate::Nothing {
        return Ok(out);
    }
    let value = &as_read(value);
    match can_be_read_back(value) {
        Fate::Fine => {}
        // What isn't JSON, or no YAML reader takes, is nothing to Helm.
        Fate::Nothing => return Ok(out),
        Fate::Unsupported => return Err("YAML can't be written for such text"),
    }
    node(&mut out, value, 0, Place::Root);
    let len = out.bytes().strip_suffix(b"\n").map_or(out.len(), <[u8]>::len);
    let mut trimmed = Buffer::with_capacity(len);
    trimmed.extend(&out.bytes()[..len]);
    Ok(trimmed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// Behind `- `
    Item,
    /// Behind `key:`
    Field,
}

fn node(out: &mut Buffer, value: &Value, indent: usize, place: Place) {
    match value {
        Value::List(_, items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                start_line(out, indent, at == 0, place);
                out.extend(b"- ");
                node(out, item, indent + 2, Place::Item);
            }
        }
        Value::Map(_, items) if !items.is_empty() => {
            let mut items: Vec<_> = items.iter().collect();
            items.sort_by(|(one, _), (other, _)| natural_order(one, other));
            for (at, (key, item)) in items.into_iter().enumerate() {
                start_line(out, indent, at == 0, place);
                scalar(out, key.bytes(), indent, true);
                out.push(b':');
                // A list stands below its key, a map is indented.
                let below = if matches!(item, Value::List(..)) { indent } else { indent + 2 };
                let has_lines = match item {
                    Value::List(_, items) => !items.is_empty(),
                    Value::Map(_, items) => !items.is_empty(),
                    _ => false,
                };
                if !has_lines {
                    out.push(b' ');
                }
                node(out, item, below, Place::Field);
            }
        }
        // Its own lines are indented below what it belongs to.
        Value::Text(text) => {
            let lines = match place {
                Place::Root => 2,
                Place::Item | Place::Field => indent,
            };
            scalar(out, text.bytes(), lines, false);
            end_line(out);
        }
        other => {
            match other {
                Value::List(..) => out.extend(b"[]"),
                Value::Map(..) => out.extend(b"{}"),
                Value::Bool(value) => out.extend(if *value { b"true" } else { b"false" }),
                Value::Int(_, int) => out.extend(int.to_string().as_bytes()),
                Value::Float(float) => out.extend(number(*float).as_bytes()),
                _ => out.extend(b"null"),
            }
            end_line(out);
        }
    }
}

/// The first item or field of a list's item is on its line.
fn start_line(out: &mut Buffer, indent: usize, first: bool, place: Place) {
    if first && place == Place::Item {
        return;
    }
    if first && place == Place::Field {
        out.push(b'\n');
    }
    out.repeat(b' ', indent);
}

fn end_line(out: &mut Buffer) {
    let breaks = ["\n", "\u{2028}", "\u{2029}"];
    if !breaks.iter().any(|end| out.bytes().ends_with(end.as_bytes())) {
        out.push(b'\n');
    }
}

/// The float after its way through JSON, where whole numbers become integers.
fn number(value: f64) -> String {
    let json = float::json(value).unwrap_or_default();
    if json == "-0" {
        return "0".to_owned();
    }
    let is_whole = json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok();
    if is_whole { json } else { float::format(value, Layout::Shorter, None) }
}

/// The order of keys in `yaml.v2`: numbers in them by their value, letters behind all else.
fn natural_order(one: &Text, other: &Text) -> Ordering {
    let chars = |text: &Text| runes(text.bytes()).map(|rune| rune.value()).collect::<Vec<_>>();
    let (one, other) = (chars(one), chars(other));
    let Some(at) = one.iter().zip(&other).position(|(one, other)| one != other) else {
        return one.len().cmp(&other.len());
    };
    let (a, b) = (one[at], other[at]);
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a.cmp(&b),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let mut start = 0_i64;
    if a == '0' || b == '0' {
        let digits = one[..at].iter().rev().take_while(|char| char.is_ascii_digit());
        start = i64::from(digits.into_iter().any(|char| *char != '0'));
    }
    let number = |chars: &[char]| {
        let digits = chars[at..].iter().map_while(|char| char.to_digit(10));
        digits.fold((0_usize, start), |(len, number), digit| {
            (len + 1, number.wrapping_mul(10).wrapping_add(digit.into()))
        })
    };
    let ((one_len, one), (other_len, other)) = (number(&one), number(&other));
    one.cmp(&other).then(one_len.cmp(&other_len)).then(a.cmp(&b))
}
