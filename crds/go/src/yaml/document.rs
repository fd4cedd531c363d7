//! The document that yaml.v2 reads out of the JSON of a value, before it writes the YAML.
//!
//! `sigs.k8s.io/yaml` writes any value as JSON first, and gives that to yaml.v2's reader. Here no JSON is made, because
//! the reader changes only three things. JSON doesn't escape U+0085; the reader takes it for a line end and folds the
//! lines. The reader turns whole floats into integers. And it refuses some texts.
//!
//! Invariant: every text of a document is UTF-8 and is wiped on drop.

use zeroize::Zeroizing;

use crate::strconv::{self, Layout};
use crate::unicode::runes;
use crate::{Node, View};

/// The most characters of a key's JSON, quotes included. A reader of YAML looks no further for the colon.
const LONGEST_KEY: usize = 1024;

/// A value that `sigs.k8s.io/yaml` doesn't write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
    /// A float that is infinite or NaN; JSON has neither.
    #[error("JSON has no number that isn't finite")]
    NotFinite,
    /// A character that a reader of YAML refuses.
    #[error("YAML has no control characters")]
    Control,
    /// A key of several lines, or one that is too long for a reader of YAML.
    #[error("a key is longer than YAML's keys may be, or has several lines")]
    Key,
}

/// A value as yaml.v2 reads it.
pub(super) enum Document {
    Null,
    Bool(bool),
    Number(Zeroizing<String>),
    Text(Zeroizing<String>),
    List(Vec<Document>),
    Map(Vec<(Zeroizing<String>, Document)>),
}

pub(super) fn read(value: &impl Node) -> Result<Document, NotWritten> {
    Ok(match value.view() {
        View::Null => Document::Null,
        View::Bool(value) => Document::Bool(value),
        View::Int(value) => Document::Number(Zeroizing::new(value.to_string())),
        View::Float(value) => Document::Number(Zeroizing::new(float(value).ok_or(NotWritten::NotFinite)?)),
        View::Text(text) => Document::Text(read_text(text)?),
        View::List(items) => Document::List(items.iter().map(read).collect::<Result<_, _>>()?),
        View::Map(entries) => {
            let read = entries.into_iter().map(|(key, value)| Ok((read_key(key)?, read(value)?)));
            let mut read = read.collect::<Result<Vec<_>, _>>()?;
            // Two keys with bytes that aren't UTF-8 may have become one key. The last of them counts.
            read.reverse();
            read.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
            read.dedup_by(|(one, _), (other, _)| one == other);
            Document::Map(read)
        }
    })
}

/// The text of a float by way of JSON: a whole number has no point there, so it reads as an integer.
fn float(value: f64) -> Option<String> {
    let json = strconv::json_float(value)?;
    if json == "-0" {
        return Some("0".to_owned());
    }
    let is_whole = json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok();
    Some(if is_whole { json } else { strconv::format_float(value, Layout::Shorter, None) })
}

fn read_key(key: &[u8]) -> Result<Zeroizing<String>, NotWritten> {
    let in_json = |char: char| match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
        _ => 1,
    };
    let length: usize = runes(key).map(|rune| rune.char.map_or(6, in_json)).sum();
    let has_lines = runes(key).any(|rune| rune.char == Some('\u{85}'));
    if has_lines || length + 2 > LONGEST_KEY {
        return Err(NotWritten::Key);
    }
    read_text(key)
}

/// The text as yaml.v2 reads it: U+0085 and the spaces around it are folded, as line ends between quotes are.
fn read_text(text: &[u8]) -> Result<Zeroizing<String>, NotWritten> {
    // A byte that isn't UTF-8 becomes a character of three bytes. Nothing else grows.
    let mut out = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    let (mut spaces, mut ends) = (0, 0);
    for rune in runes(text) {
        match rune.value() {
            ' ' => spaces += 1,
            '\u{85}' => ends += 1,
            '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => return Err(NotWritten::Control),
            char => {
                fold(&mut out, spaces, ends);
                (spaces, ends) = (0, 0);
                out.push(char);
            }
        }
    }
    fold(&mut out, spaces, ends);
    Ok(out)
}

/// Folds line ends: one becomes a space, several become one fewer, and the spaces around them go.
fn fold(out: &mut String, spaces: usize, ends: usize) {
    match ends {
        0 => out.extend(std::iter::repeat_n(' ', spaces)),
        1 => out.push(' '),
        ends => out.extend(std::iter::repeat_n('\n', ends - 1)),
    }
}
