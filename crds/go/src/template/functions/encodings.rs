//! Functions that write a text in another alphabet, or in quotes.
//!
//! Invariant: decoding a malformed text gives the words of Go's error as a text, as in sprig, and no error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::arguments::{strval, text};
use crate::Buffer;
use crate::strconv::quote;
use crate::template::bound::Growth;
use crate::template::function::Type::{Any, Text as T};
use crate::template::function::{Function, Out, f, variadic};
use crate::template::print;
use crate::unicode::{is_print, runes};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    f("b64enc", &[T], Out::Text, Growth::Times(4, 3, 4), |a| Ok(b64enc(text(&a[0])))),
    f("b64dec", &[T], Out::Text, Growth::Times(1, 1, 64), |a| Ok(b64dec(text(&a[0])))),
    f("b32enc", &[T], Out::Text, Growth::Times(8, 5, 8), |a| Ok(b32enc(text(&a[0])))),
    f("b32dec", &[T], Out::Text, Growth::Times(1, 1, 64), |a| Ok(b32dec(text(&a[0])))),
    variadic("quote", &[], Any, Out::Text, Growth::Times(4, 1, 256), |a| {
        Ok(spaced(a, |value| quote(strval(value).bytes(), false)))
    }),
    variadic("squote", &[], Any, Out::Text, Growth::Times(4, 1, 256), |a| Ok(spaced(a, single_quotes))),
    variadic("html", &[], Any, Out::Text, Growth::Times(5, 1, 64), |a| Ok(html(printed(a).bytes()))),
    variadic("js", &[], Any, Out::Text, Growth::Times(6, 1, 64), |a| Ok(js(printed(a).bytes()))),
    variadic("urlquery", &[], Any, Out::Text, Growth::Times(3, 1, 64), |a| Ok(urlquery(printed(a).bytes()))),
];

/// Writes each argument but nil and "no value", with a space between two.
fn spaced(values: &[Value], mut write: impl FnMut(&Value) -> Buffer) -> Value {
    let there = values.iter().filter(|value| !matches!(value, Value::Nil | Value::Missing));
    let mut out = Buffer::default();
    for (at, value) in there.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend(write(value).bytes());
    }
    out.into()
}

fn single_quotes(value: &Value) -> Buffer {
    let text = strval(value);
    let mut out = Buffer::with_capacity(text.bytes().len() + 2);
    out.push(b'\'');
    out.extend(text.bytes());
    out.push(b'\'');
    out
}

fn b64enc(text: &[u8]) -> Value {
    let mut out = Buffer::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.chunks(3) {
        let mut encoded = [0; 4];
        // A chunk of three bytes or fewer fits into four letters.
        let len = STANDARD.encode_slice(chunk, &mut encoded).unwrap_or(0);
        out.extend(&encoded[..len]);
    }
    out.into()
}

fn b64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn b64dec(text: &[u8]) -> Value {
    match decode64(text) {
        Ok(out) => out.into(),
        Err(at) => Value::text(format!("illegal base64 data at input byte {at}").as_bytes()),
    }
}

/// The decoded bytes, or the position of the error as Go reports it.
fn decode64(text: &[u8]) -> Result<Buffer, usize> {
    let is_newline = |at: usize| matches!(text.get(at), Some(b'\r' | b'\n'));
    let mut out = Buffer::with_capacity(text.len() / 4 * 3 + 3);
    let mut at = 0;
    while at < text.len() {
        let mut quantum = [0_u8; 4];
        let mut len = 0;
        while len < 4 {
            let Some(byte) = text.get(at) else {
                if len == 0 {
                    return Ok(out);
                }
                return Err(at - len);
            };
            at += 1;
            match (b64_digit(*byte), byte) {
                (Some(digit), _) => {
                    quantum[len] = digit;
                    len += 1;
                }
                (None, b'\r' | b'\n') => {}
                (None, b'=') if len >= 2 => {
                    if len == 2 {
                        while is_newline(at) {
                            at += 1;
                        }
                        match text.get(at) {
                            Some(b'=') => at += 1,
                            _ => return Err(at),
                        }
                    }
                    while is_newline(at) {
                        at += 1;
                    }
                    if at < text.len() {
                        return Err(at);
                    }
                    break;
                }
                _ => return Err(at - 1),
            }
        }
        let [a, b, c, d] = quantum;
        let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        out.extend(&bytes[..len - 1]);
    }
    Ok(out)
}

fn b32enc(text: &[u8]) -> Value {
    let mut out = Buffer::with_capacity(text.len().div_ceil(5) * 8);
    for chunk in text.chunks(5) {
        let bits = (0..5).fold(0_u64, |bits, at| bits << 8 | u64::from(chunk.get(at).copied().unwrap_or(0)));
        let letters = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let letter = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits >> (35 - 5 * at) & 31) as usize];
            out.push(if at < letters { letter } else { b'=' });
        }
    }
    out.into()
}

fn b32dec(text: &[u8]) -> Value {
    match decode32(text) {
        Ok(out) => out.into(),
        Err(at) => Value::text(format!("illegal base32 data at input byte {at}").as_bytes()),
    }
}

/// The decoded bytes, or the position of the error as Go reports it, which doesn't count newlines.
fn decode32(text: &[u8]) -> Result<Buffer, usize> {
    let mut letters = Buffer::with_capacity(text.len());
    text.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).for_each(|byte| letters.push(*byte));
    let all = letters.bytes();
    let mut out = Buffer::with_capacity(all.len() / 8 * 5 + 5);
    let mut rest = all;
    let mut ended = false;
    while !rest.is_empty() && !ended {
        let mut bits = 0_u64;
        let mut len = 0;
        while len < 8 {
            let Some((byte, after)) = rest.split_first() else {
                return Err(all.len() - len);
            };
            rest = after;
            if *byte == b'=' && len >= 2 && rest.len() < 8 {
                if rest.len() + len < 7 {
                    return Err(all.len());
                }
                if let Some(at) = rest.iter().take(7 - len).position(|byte| *byte != b'=') {
                    return Err(all.len() - rest.len() + at - 1);
                }
                if matches!(len, 3 | 6) {
                    return Err(all.len() - rest.len() - 1);
                }
                ended = true;
                break;
            }
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'2'..=b'7' => byte - b'2' + 26,
                _ => return Err(all.len() - rest.len() - 1),
            };
            bits |= u64::from(digit) << (35 - 5 * len);
            len += 1;
        }
        let bytes = bits.to_be_bytes();
        out.extend(&bytes[3..3 + len * 5 / 8]);
    }
    Ok(out)
}

/// The arguments of an escaper as one text. Nil has a text of its own here.
fn printed(values: &[Value]) -> Buffer {
    let nothing = || Value::text(b"<no value>");
    let shown = values.iter().map(|value| match value {
        Value::Nil | Value::Missing => nothing(),
        other => other.clone(),
    });
    print::sprint(&shown.collect::<Vec<_>>())
}

fn html(text: &[u8]) -> Value {
    let mut out = Buffer::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend("\u{fffd}".as_bytes()),
            b'"' => out.extend(b"&#34;"),
            b'\'' => out.extend(b"&#39;"),
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            byte => out.push(*byte),
        }
    }
    out.into()
}

fn js(text: &[u8]) -> Value {
    let mut out = Buffer::with_capacity(text.len());
    for rune in runes(text) {
        match rune.value() {
            '\\' => out.extend(b"\\\\"),
            '\'' => out.extend(b"\\'"),
            '"' => out.extend(b"\\\""),
            char @ ('<' | '>' | '&' | '=' | '\0'..' ') => {
                out.extend(format!("\\u{:04X}", u32::from(char)).as_bytes());
            }
            char if char.is_ascii() || is_print(char) => out.extend(rune.bytes),
            char => out.extend(format!("\\u{:04X}", u32::from(char)).as_bytes()),
        }
    }
    out.into()
}

fn urlquery(text: &[u8]) -> Value {
    let mut out = Buffer::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            byte => out.extend(format!("%{byte:02X}").as_bytes()),
        }
    }
    out.into()
}
