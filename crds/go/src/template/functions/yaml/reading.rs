//! What Helm's YAML reader makes of the JSON that it is given, before anything is written.
//!
//! Invariant: [`as_read`] changes nothing but U+0085 and the spaces around it.

use std::collections::BTreeMap;

use super::scalar::is_break;
use crate::Buffer;
use crate::template::unicode::runes;
use crate::template::value::{Text, Value};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Fine,
    Unsupported,
    Nothing,
}

pub(super) fn can_be_read_back(value: &Value) -> Fate {
    match value {
        Value::Float(float) if !float.is_finite() => Fate::Nothing,
        Value::Text(text) => text_fate(text.bytes()),
        Value::List(_, items) => items.iter().map(can_be_read_back).max().unwrap_or(Fate::Fine),
        Value::Map(_, items) => items
            .iter()
            .map(|(key, item)| {
                let bytes = key.bytes();
                let mut chars = runes(bytes).map(|rune| rune.value());
                let is_long = bytes.len() > 128 || chars.any(is_break) || bytes == b"<<";
                let key_fate = match std::str::from_utf8(bytes) {
                    Ok(key) if key.contains('\u{85}') => Fate::Nothing,
                    _ if is_long => Fate::Unsupported,
                    _ => text_fate(bytes),
                };
                key_fate.max(can_be_read_back(item))
            })
            .max()
            .unwrap_or(Fate::Fine),
        _ => Fate::Fine,
    }
}

fn text_fate(text: &[u8]) -> Fate {
    let is_refused =
        |char| matches!(char, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    if runes(text).any(|rune| is_refused(rune.value())) { Fate::Nothing } else { Fate::Fine }
}

/// What a YAML reader makes of the JSON: it takes U+0085, which JSON doesn't escape, for the end of a line, and
/// folds lines.
pub(super) fn as_read(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(folded(text)),
        Value::List(of, items) => Value::List(*of, items.iter().map(as_read).collect::<Vec<_>>().into()),
        Value::Map(of, items) => {
            let items = items.iter().map(|(key, item)| (folded(key), as_read(item)));
            Value::Map(*of, items.collect::<BTreeMap<_, _>>().into())
        }
        other => other.clone(),
    }
}

fn folded(text: &Text) -> Text {
    let mut out = Buffer::with_capacity(text.bytes().len());
    let (mut spaces, mut ends) = (0, 0);
    for rune in runes(text.bytes()) {
        match rune.value() {
            ' ' => spaces += 1,
            '\u{85}' => ends += 1,
            char => {
                fold(&mut out, spaces, ends);
                (spaces, ends) = (0, 0);
                out.push_char(char);
            }
        }
    }
    fold(&mut out, spaces, ends);
    out.into()
}

/// One end of a line is a space, several are one fewer, and what spaces are around them are gone.
fn fold(out: &mut Buffer, spaces: usize, ends: usize) {
    match ends {
        0 => out.repeat(b' ', spaces),
        1 => out.push(b' '),
        ends => out.repeat(b'\n', ends - 1),
    }
}
