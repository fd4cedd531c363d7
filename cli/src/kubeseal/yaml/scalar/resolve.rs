//! Which texts yaml.v2 would read as something else, and so writes in quotes.
//!
//! Not [`seal_documents::yaml::resolve`], which needs no ranges. Invariant: a text that yaml.v2 leaves alone is left alone.

use seal_documents::yaml::resolve::{Plain, plain};

/// Whether yaml.v2 reads the unquoted text as a text, and other readers as no number to the base of 60.
pub(super) fn is_text(text: &str) -> bool {
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
