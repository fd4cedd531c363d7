//! YAML as Helm's `toYaml` writes it: by way of JSON, with the emitter of Go's `yaml.v2`.
//!
//! Sealed-secrets itself has no such function; people know it from charts. Not every text: line separators beyond
//! `\n`, byte order marks, and keys of more than one line or 128 bytes aren't written. Invariant: a text that another
//! reader could take for something else is in quotes.

use std::cmp::Ordering;

use super::super::float::{self, Layout};
use super::super::literal;
use super::super::unicode::runes;
use super::super::value::{Buffer, Text, Value};

/// The YAML without the last line's end; `Err` where this has no way to write it.
pub(super) fn write(value: &Value) -> Result<Buffer, &'static str> {
    let mut out = Buffer::default();
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

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Fine,
    Nothing,
    Unsupported,
}

fn can_be_read_back(value: &Value) -> Fate {
    match value {
        Value::Float(float) if !float.is_finite() => Fate::Nothing,
        Value::Text(text) => text_fate(text.bytes()),
        Value::List(_, items) => items.iter().map(can_be_read_back).max().unwrap_or(Fate::Fine),
        Value::Map(_, items) => items
            .iter()
            .map(|(key, item)| {
                let bytes = key.bytes();
                let is_long = bytes.len() > 128 || bytes.contains(&b'\n') || bytes == b"<<";
                let long = if is_long { Fate::Unsupported } else { Fate::Fine };
                long.max(text_fate(bytes)).max(can_be_read_back(item))
            })
            .max()
            .unwrap_or(Fate::Fine),
        _ => Fate::Fine,
    }
}

fn text_fate(text: &[u8]) -> Fate {
    let fate = |char: char| match char {
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => Fate::Unsupported,
        '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => Fate::Nothing,
        _ => Fate::Fine,
    };
    runes(text).map(|rune| fate(rune.value())).max().unwrap_or(Fate::Fine)
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
    if out.bytes().last() != Some(&b'\n') {
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

fn scalar(out: &mut Buffer, text: &[u8], indent: usize, is_key: bool) {
    let form = Form::of(text);
    if text.contains(&b'\n') {
        if form.literal && !is_key { literal_block(out, text, indent) } else { double_quoted(out, text) }
    } else if would_be_something_else(text) {
        double_quoted(out, text);
    } else if form.plain {
        runes(text).for_each(|rune| out.push_char(rune.value()));
    } else if form.single {
        out.push(b'\'');
        for rune in runes(text) {
            out.push_char(rune.value());
            if rune.value() == '\'' {
                out.push(b'\'');
            }
        }
        out.push(b'\'');
    } else {
        double_quoted(out, text);
    }
}

/// Which forms a text can be written in.
struct Form {
    plain: bool,
    single: bool,
    literal: bool,
}

impl Form {
    fn of(text: &[u8]) -> Self {
        let chars = || runes(text).map(|rune| rune.value());
        let is_special = |char: char| char != '\n' && (char < ' ' || u32::from(char) > 0xffff);
        let special = chars().any(is_special);
        let next_is_blank = |next: Option<char>| matches!(next, None | Some(' ' | '\t'));
        let mut indicators = text.starts_with(b"---") || text.starts_with(b"...");
        let (mut space_break, mut break_space) = (false, false);
        let mut before = None;
        let mut rest = chars().peekable();
        while let Some(char) = rest.next() {
            let next = rest.peek().copied();
            indicators |= match (char, before) {
                (
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                    | '`',
                    None,
                ) => true,
                ('?' | '-', None) | (':', _) => next_is_blank(next),
                ('#', Some(before)) => matches!(before, ' ' | '\t' | '\n'),
                _ => false,
            };
            space_break |= before == Some(' ') && char == '\n';
            break_space |= before == Some('\n') && char == ' ';
            before = Some(char);
        }
        let leads = text.starts_with(b" ") || text.starts_with(b"\n");
        let trails = text.ends_with(b" ") || text.ends_with(b"\n");
        let broken = space_break || special;
        Self {
            plain: !(indicators || leads || trails || break_space || broken || text.contains(&b'\n')),
            single: !(break_space || broken),
            literal: !(broken || text.ends_with(b" ")),
        }
    }
}

fn double_quoted(out: &mut Buffer, text: &[u8]) {
    out.push(b'"');
    for rune in runes(text) {
        let char = rune.value();
        let value = u32::from(char);
        let escape = match char {
            '\0' => b'0',
            '\u{7}' => b'a',
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{b}' => b'v',
            '\u{c}' => b'f',
            '\r' => b'r',
            '\u{1b}' => b'e',
            '"' | '\\' => rune.bytes[0],
            _ => 0,
        };
        if escape != 0 {
            out.extend(&[b'\\', escape]);
        } else if value < 0x20 {
            out.extend(format!("\\x{value:02X}").as_bytes());
        } else if value > 0xffff {
            out.extend(format!("\\U{value:08X}").as_bytes());
        } else {
            out.push_char(char);
        }
    }
    out.push(b'"');
}

fn literal_block(out: &mut Buffer, text: &[u8], indent: usize) {
    out.push(b'|');
    if matches!(text.first(), Some(b' ' | b'\n')) {
        out.push(b'2');
    }
    if !text.ends_with(b"\n") {
        out.push(b'-');
    } else if text.ends_with(b"\n\n") || text == b"\n" {
        out.push(b'+');
    }
    out.push(b'\n');
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line != b"\n" {
            out.repeat(b' ', indent);
        }
        runes(line).for_each(|rune| out.push_char(rune.value()));
    }
}

/// Whether a reader of YAML 1.1 would take the text for a number, a date, a bool or nothing.
fn would_be_something_else(text: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no", "No", "NO",
        "false", "False", "FALSE", "off", "Off", "OFF", "", "~", "null", "Null", "NULL", ".nan", ".NaN",
        ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ];
    if WORDS.iter().any(|word| word.as_bytes() == text) {
        return true;
    }
    match text.first() {
        Some(b'.') => is_float(text),
        Some(b'+' | b'-' | b'0'..=b'9') => is_number(text) || is_date(text) || is_sexagesimal(text),
        _ => false,
    }
}

fn is_number(text: &[u8]) -> bool {
    let mut plain = Buffer::with_capacity(text.len());
    text.iter().filter(|byte| **byte != b'_').for_each(|byte| plain.push(*byte));
    let plain = plain.bytes();
    let is_large = !plain.starts_with(b"-")
        && !plain.starts_with(b"+")
        && std::str::from_utf8(plain).is_ok_and(|plain| match plain.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).is_ok(),
            None => !plain.starts_with('0') && plain.parse::<u64>().is_ok(),
        });
    literal::integer(plain).is_some() || is_large || is_float(plain)
}

fn is_float(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    let is_plain = text.iter().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte));
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    is_plain && parsed.is_some_and(f64::is_finite)
}

/// Numbers to the base of 60, which YAML 1.1 has.
fn is_sexagesimal(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    let mut parts = text.split(|byte| *byte == b':');
    let is_digits = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&[u8]> = parts.collect();
    let Some((last, middle)) = rest.split_last() else {
        return false;
    };
    let is_sixtieth = |part: &[u8]| match part {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let (last, fraction) = match last.iter().position(|byte| *byte == b'.') {
        Some(at) => (&last[..at], &last[at + 1..]),
        None => (*last, &b""[..]),
    };
    first.first().is_some_and(u8::is_ascii_digit)
        && is_digits(first)
        && middle.iter().all(|part| is_sixtieth(part))
        && is_sixtieth(last)
        && is_digits(fraction)
}

/// A date, or a date and a time, in the forms that `yaml.v2` knows.
fn is_date(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let number = |text: &str, most: usize| {
        let is_number = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<u32>().ok() } else { None }
    };
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) =
        (number(year, 4).filter(|_| year.len() == 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => 0,
    };
    if !(1..=days).contains(&day) {
        return false;
    }
    let Some(time) = time else {
        return true;
    };
    let (clock, zone) = match time[1..].find(['Z', '+', '-']) {
        Some(at) => (&time[1..1 + at], Some(&time[1 + at..])),
        None => (&time[1..], None),
    };
    let has_zone = match zone {
        Some("Z") => true,
        Some(zone) => {
            let mut parts = zone[1..].split(':');
            let mut two = |limit| {
                parts
                    .next()
                    .filter(|part| part.len() == 2)
                    .and_then(|part| number(part, 2))
                    .is_some_and(|n| n <= limit)
            };
            zone.len() == 6 && two(24) && two(60)
        }
        None => false,
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return false;
    };
    let (second, fraction) = second.split_once(['.', ',']).unwrap_or((second, "0"));
    has_zone != time.starts_with(' ')
        && number(hour, 2).is_some_and(|hour| hour < 24)
        && number(minute, 2).is_some_and(|minute| minute < 60)
        && number(second, 2).is_some_and(|second| second < 60)
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
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
