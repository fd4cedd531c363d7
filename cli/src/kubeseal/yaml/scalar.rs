//! Scalars as yaml.v2 writes them: which style, and where a long one is folded.
//!
//! The rules are libyaml's (its emitter), the numbers of which yaml.v2 keeps: 80 columns, two spaces. Not for keys
//! with values of another kind. Invariant: what is written reads back as the same text.

use std::fmt::Write as _;

use super::Printer;
use crate::yaml::resolve::{Plain, plain};

/// From here on, a line is broken at the next space.
const WIDTH: usize = 80;

/// What a text is made of, as far as it decides on its style.
#[derive(Default)]
struct Analysis {
    breaks: bool,
    /// Something that only double quotes can hold.
    special: bool,
    /// At the first or the last place.
    edge_space: bool,
    trailing_space: bool,
    edge_break: bool,
    break_space: bool,
    space_break: bool,
    indicators: bool,
}

enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Printer {
    /// A text, of which each further line is indented by two more than `indent`. A key stays on one line.
    pub(super) fn scalar(&mut self, text: &str, indent: usize, is_key: bool) {
        match style(text, is_key) {
            Style::Plain => self.folded(text, indent + 2, !is_key, None),
            Style::Single => {
                self.put('\'');
                self.folded(text, indent + 2, !is_key, Some('\''));
                self.put('\'');
            }
            Style::Double => self.double(text, indent + 2, !is_key),
            Style::Literal => self.literal(text, indent + 2),
        }
    }

    /// Plain or single-quoted, without breaks within: those texts go elsewhere.
    fn folded(&mut self, text: &str, indent: usize, may_fold: bool, quote: Option<char>) {
        let chars: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (index, &c) in chars.iter().enumerate() {
            let next = chars.get(index + 1);
            // At its ends, a quoted text isn't folded; a plain one has no space there.
            let is_inside = index > 0 && next.is_some();
            let is_fold = c == ' '
                && may_fold
                && !after_space
                && self.column > WIDTH
                && next != Some(&' ')
                && is_inside;
            after_space = c == ' ';
            if is_fold {
                self.start_line(indent);
                continue;
            }
            if quote == Some(c) {
                self.put(c);
            }
            self.put(c);
        }
    }

    fn double(&mut self, text: &str, indent: usize, may_fold: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut after_space = false;
        self.put('"');
        for (index, &c) in chars.iter().enumerate() {
            let next = chars.get(index + 1);
            if !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escaped(c);
                after_space = false;
            } else if c == ' ' {
                if may_fold && !after_space && self.column > WIDTH && index > 0 && next.is_some() {
                    self.start_line(indent);
                    if next == Some(&' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.put('"');
    }

    fn escaped(&mut self, c: char) {
        let mut escape = String::new();
        let _ = match c {
            '\0' => write!(escape, "\\0"),
            '\u{7}' => write!(escape, "\\a"),
            '\u{8}' => write!(escape, "\\b"),
            '\t' => write!(escape, "\\t"),
            '\n' => write!(escape, "\\n"),
            '\u{b}' => write!(escape, "\\v"),
            '\u{c}' => write!(escape, "\\f"),
            '\r' => write!(escape, "\\r"),
            '\u{1b}' => write!(escape, "\\e"),
            '"' | '\\' => write!(escape, "\\{c}"),
            '\u{85}' => write!(escape, "\\N"),
            '\u{a0}' => write!(escape, "\\_"),
            '\u{2028}' => write!(escape, "\\L"),
            '\u{2029}' => write!(escape, "\\P"),
            c if c <= '\u{ff}' => write!(escape, "\\x{:02X}", c as u32),
            c if c <= '\u{ffff}' => write!(escape, "\\u{:04X}", c as u32),
            c => write!(escape, "\\U{:08X}", c as u32),
        };
        self.put_all(&escape);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put('2');
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next().is_none_or(is_break)) {
            (false, _) => self.put('-'),
            (true, true) => self.put('+'),
            (true, false) => {}
        }
        self.put('\n');
        for c in text.chars() {
            if is_break(c) {
                self.put(c);
                if c != '\n' {
                    self.column = 0;
                }
            } else {
                if self.column == 0 {
                    (0..indent).for_each(|_| self.put(' '));
                }
                self.put(c);
            }
        }
    }
}

/// Whether a text has several lines.
pub(super) fn has_breaks(text: &str) -> bool {
    text.chars().any(is_break)
}

fn style(text: &str, is_key: bool) -> Style {
    let found = analyze(text);
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if is_text(text) {
        Style::Plain
    } else {
        Style::Double
    };
    let only_double = found.break_space || found.space_break || found.special;
    match wanted {
        // A carriage return alone breaks a line too, and then neither plain nor single quotes keep it.
        _ if is_key && found.breaks => Style::Double,
        Style::Literal if is_key || found.trailing_space || found.space_break || found.special => {
            Style::Double
        }
        Style::Plain
            if found.edge_space || found.edge_break || found.breaks || found.indicators || only_double =>
        {
            if only_double {
                Style::Double
            } else {
                Style::Single
            }
        }
        wanted => wanted,
    }
}

fn analyze(text: &str) -> Analysis {
    let mut found =
        Analysis { indicators: text.starts_with("---") || text.starts_with("..."), ..Analysis::default() };
    let chars: Vec<char> = text.chars().collect();
    let mut before: Option<char> = None;
    for (index, &c) in chars.iter().enumerate() {
        let next = chars.get(index + 1).copied();
        let (is_first, is_last) = (index == 0, next.is_none());
        let before_blank = next.is_none_or(|c| c == ' ' || c == '\t');
        let after_blank = before.is_none_or(|c| c == ' ' || c == '\t' || is_break(c) || c == '\0');
        found.indicators |= match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`'
                if is_first =>
            {
                true
            }
            '?' | '-' if is_first => before_blank,
            ':' => before_blank,
            '#' => after_blank,
            _ => false,
        };
        found.special |= !is_printable(c);
        if c == ' ' {
            found.edge_space |= is_first || is_last;
            found.trailing_space |= is_last;
            found.break_space |= before.is_some_and(is_break);
        } else if is_break(c) {
            found.breaks = true;
            found.edge_break |= is_first || is_last;
            found.space_break |= before == Some(' ');
        }
        before = Some(c);
    }
    found
}

/// Whether yaml.v2 reads the unquoted text as a text, and other readers as no number to the base of 60.
fn is_text(text: &str) -> bool {
    match plain(text) {
        Plain::Null | Plain::Bool(_) => false,
        // As for the reader, but that one doesn't compute: what is out of range is text to yaml.v2.
        Plain::Number | Plain::Text => !is_number(text) && !is_timestamp(text) && !is_base60(text),
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.as_bytes() {
        [b'.', ..] if matches!(&unsigned[1..], "inf" | "Inf" | "INF") => true,
        [b'.', ..] if matches!(text, ".nan" | ".NaN" | ".NAN") => true,
        [b'.' | b'0'..=b'9', ..] => {
            let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
            let digits = if text.starts_with('.') { unsigned.to_owned() } else { digits };
            is_integer(&digits, text.starts_with('-')) || is_float(&digits)
        }
        _ => false,
    }
}

/// `strconv.ParseInt(s, 0, 64)`, or `ParseUint` of the same.
fn is_integer(digits: &str, is_negative: bool) -> bool {
    let lower = digits.to_ascii_lowercase();
    let of = |digits: &str, base| u64::from_str_radix(digits, base).ok();
    let number = match lower.as_bytes() {
        _ if lower.contains(['+', '-']) => None,
        [b'0', b'x', ..] => of(&lower[2..], 16),
        [b'0', b'o', ..] => of(&lower[2..], 8),
        [b'0', b'b', ..] => of(&lower[2..], 2),
        [b'0', _, ..] => of(&lower[1..], 8),
        _ => of(&lower, 10),
    };
    number.is_some_and(|number| !is_negative || number <= 1 << 63)
}

/// `[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?`, and within the range of a float.
fn is_float(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && digits.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `190:20:30.15`: a number in YAML 1.1, as yaml.v2 knows it.
fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let is_digit = |b: u8| b.is_ascii_digit();
    let is_part = |part: &str| match part.as_bytes() {
        [one] => is_digit(*one),
        [ten, one] => (b'0'..=b'5').contains(ten) && is_digit(*one),
        _ => false,
    };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| is_digit(b) || b == b'_')
        && middle.iter().all(|part| is_part(part))
        && is_part(last)
        && fraction.bytes().all(|b| is_digit(b) || b == b'_')
}

/// A date, or a date and a time, in the forms that yaml.v2 knows.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let number = |part: &str, longest: usize| {
        let fits = (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| part.parse::<i16>().ok()).flatten()
    };
    let year = parts.next().filter(|year| year.len() == 4).and_then(|year| number(year, 4));
    let mut short = || parts.next().and_then(|part| number(part, 2)).and_then(|part| i8::try_from(part).ok());
    let (month, day) = (short(), short());
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else { return false };
    if jiff::civil::Date::new(year, month, day).is_err() {
        return false;
    }
    let Some(time) = time else { return true };
    let time = match time.strip_prefix(['T', 't']) {
        Some(time) => without_zone(time),
        None => Some(&time[1..]),
    };
    let Some(time) = time else { return false };
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, Some(fraction)),
        None => (time, None),
    };
    let below =
        |part: Option<&str>, end: i16| part.and_then(|part| number(part, 2)).is_some_and(|part| part < end);
    let mut parts = time.split(':');
    below(parts.next(), 24)
        && below(parts.next(), 60)
        && below(parts.next(), 60)
        && parts.next().is_none()
        && fraction
            .is_none_or(|fraction| !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()))
}

/// A time without the `Z` or the `+01:00` at its end.
fn without_zone(time: &str) -> Option<&str> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some(time);
    }
    let at = time.len().checked_sub(6)?;
    let (time, zone) = (time.get(..at)?, time.get(at..)?.as_bytes());
    let is_zone =
        matches!(zone, [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|b| b.is_ascii_digit()));
    is_zone.then_some(time)
}

#[cfg(test)]
mod tests;
