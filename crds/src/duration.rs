//! Lengths of time as people type them: flags of both programs, and the maximum age in rules.
//!
//! A length is `0`, a whole number of days (`365d`), or what Go writes without fractions (`90s`, `1h30m`, `500ms`). A day
//! has 24 hours. A number without a unit is refused: some readers would take it for seconds, others for days. The callers
//! say what zero means. Invariant: a text that overflows is refused, and never wraps.

use std::time::Duration;

/// The text isn't a length of time. The message says what one looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is a duration with a unit, such as 90s, 1h30m or 365d")]
pub struct DurationError;

/// The seconds of a day.
const DAY: u64 = 24 * 3600;

/// Reads a length of time.
///
/// # Errors
///
/// [`DurationError`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    match text.strip_suffix('d') {
        _ if text == "0" => Ok(Duration::ZERO),
        Some(days) => {
            let days: u32 = number(days).ok_or(DurationError)?;
            Ok(Duration::from_secs(DAY * u64::from(days)))
        }
        None => parse_go(text).ok_or(DurationError),
    }
}

/// The days of a length of time; `None` if it isn't of whole days.
pub fn whole_days(length: Duration) -> Option<u32> {
    let is_whole = length.as_secs().is_multiple_of(DAY) && length.subsec_nanos() == 0;
    is_whole.then(|| u32::try_from(length.as_secs() / DAY).ok()).flatten()
}

/// Reads a duration as Go writes it, without a sign and without fractions; `None` for any other text. Go knows no days.
pub fn parse_go(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let (mut total, mut rest) = (Duration::ZERO, text);
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = number(&rest[..digits])?;
        rest = &rest[digits..];
        let (unit, millis) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        total = total.checked_add(Duration::from_millis(count.checked_mul(millis)?))?;
        rest = &rest[unit.len()..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

/// A number of digits alone. Rust's own parser takes a plus sign, too.
fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_a_unit_and_may_be_in_days() {
        for (text, millis) in [
            ("0", 0),
            ("0d", 0),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h1m1s", 3_661_000),
            ("500ms", 500),
            ("365d", 31_536_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "d",
            "s",
            "1",
            "-5s",
            "+5s",
            "-1d",
            "+1d",
            "1.5d",
            "1.5h",
            "1d1h",
            "1h 30m",
            "soon",
            "1y",
            "4294967296d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(parse(text), Err(DurationError), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_may_be_of_whole_days() {
        for (text, days) in
            [("0", Some(0)), ("2d", Some(2)), ("48h", Some(2)), ("25h", None), ("24h1ms", None)]
        {
            assert_eq!(whole_days(parse(text).unwrap()), days, "{text}");
        }
    }

    #[test]
    fn go_knows_no_days() {
        assert_eq!(parse_go("1h30m"), Some(Duration::from_secs(5400)));
        for text in ["2d", "0", "", "30"] {
            assert_eq!(parse_go(text), None, "{text}");
        }
    }
}
