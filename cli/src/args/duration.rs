//! A length of time as it is typed: seconds, a duration of Go's without fractions (`90s`, `1h30m`, `500ms`), or a whole
//! number of days (`2d`), which the flags of seal-controller take too and Go doesn't.
//!
//! The callers say what zero means. Invariant: a text that overflows is refused and never wraps.

use std::time::Duration;

/// Reads a length of time. A day has 24 hours.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    days.map(|days| Duration::from_secs(24 * 3600 * u64::from(days)))
        .or_else(|| read(text))
        .ok_or_else(|| "it is a number of seconds, or a duration such as 90s, 1h30m or 2d".to_owned())
}

/// As [`parse`] without days, which kubeseal doesn't take; `None` for any other text.
pub(crate) fn read(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let (unit, millis) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = &rest[unit.len()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_seconds_or_a_duration_of_gos() {
        for (text, millis) in
            [("0", 0), ("30", 30_000), ("30s", 30_000), ("1h1m1s", 3_661_000), ("500ms", 500)]
        {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["x", "1d1h", "d", "s", "-1s", "1.5h", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_counts_except_for_kubeseal() {
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(read("2d"), None);
        for text in ["-1d", "1.5d", "4294967296d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
