//! JSON as Go's `encoding/json` writes it.
//!
//! Invariant: the result has at most six bytes for each byte of a text, and punctuation; keys come in the order in
//! which the value shows them.

use crate::strconv;
use crate::unicode::runes;
use crate::{Buffer, Node, View};

/// The style of the JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// On one line, with `<`, `>` and `&` escaped.
    Compact,
    /// On one line, with `<`, `>` and `&` as they are.
    Raw,
    /// Each element on a line of its own, indented by two spaces a level; the last line has no line end.
    Pretty,
}

/// The JSON of a value; `None` if a float in it is infinite or NaN.
pub fn marshal(value: &impl Node, style: Style) -> Option<Buffer> {
    let mut out = Buffer::default();
    write_into(&mut out, value, style, 0)?;
    Some(out)
}

fn write_into(out: &mut Buffer, value: &impl Node, style: Style, depth: usize) -> Option<()> {
    match value.view() {
        View::Null => out.extend(b"null"),
        View::Bool(true) => out.extend(b"true"),
        View::Bool(false) => out.extend(b"false"),
        View::Int(int) => out.extend(int.to_string().as_bytes()),
        View::Float(float) => out.extend(strconv::json_float(float)?.as_bytes()),
        View::Text(text) => write_string(out, text, style != Style::Raw),
        View::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                separate(out, at, style, depth + 1);
                write_into(out, item, style, depth + 1)?;
            }
            close(out, items.is_empty(), style, depth, b']');
        }
        View::Map(entries) => {
            out.push(b'{');
            for (at, (key, item)) in entries.iter().enumerate() {
                separate(out, at, style, depth + 1);
                write_string(out, key, style != Style::Raw);
                out.extend(if style == Style::Pretty { b": " } else { b":" });
                write_into(out, *item, style, depth + 1)?;
            }
            close(out, entries.is_empty(), style, depth, b'}');
        }
    }
    Some(())
}

fn separate(out: &mut Buffer, at: usize, style: Style, depth: usize) {
    if at > 0 {
        out.push(b',');
    }
    if style == Style::Pretty {
        out.push(b'\n');
        out.repeat(b' ', 2 * depth);
    }
}

fn close(out: &mut Buffer, is_empty: bool, style: Style, depth: usize, bracket: u8) {
    if style == Style::Pretty && !is_empty {
        out.push(b'\n');
        out.repeat(b' ', 2 * depth);
    }
    out.push(bracket);
}

fn write_string(out: &mut Buffer, text: &[u8], html: bool) {
    out.push(b'"');
    write_characters(out, text, html);
    out.push(b'"');
}

/// Writes a text in the form that stands between the quotes of a JSON string.
pub(crate) fn escape_into(out: &mut Buffer, text: &[u8]) {
    write_characters(out, text, false);
}

fn write_characters(out: &mut Buffer, text: &[u8], html: bool) {
    for rune in runes(text) {
        match rune.char {
            None => out.extend(b"\\ufffd"),
            Some('"') => out.extend(b"\\\""),
            Some('\\') => out.extend(b"\\\\"),
            Some('\u{8}') => out.extend(b"\\b"),
            Some('\u{c}') => out.extend(b"\\f"),
            Some('\n') => out.extend(b"\\n"),
            Some('\r') => out.extend(b"\\r"),
            Some('\t') => out.extend(b"\\t"),
            Some(char @ ('\0'..' ' | '\u{2028}' | '\u{2029}')) => {
                out.extend(format!("\\u{:04x}", u32::from(char)).as_bytes());
            }
            Some(char @ ('<' | '>' | '&')) if html => {
                out.extend(format!("\\u{:04x}", u32::from(char)).as_bytes());
            }
            Some(_) => out.extend(rune.bytes),
        }
    }
}
