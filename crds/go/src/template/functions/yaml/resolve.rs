//! What a plain YAML scalar would be taken for.
//!
//! By the rules of `yaml.v2`, which are those of YAML 1.1 and its own. Invariant: they err towards quotes.

use crate::Buffer;
use crate::template::literal;

/// Whether a reader of YAML 1.1 would take the text for a number, a date, a bool or nothing.
pub(super) fn would_be_something_else(text: &[u8]) -> bool {
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
