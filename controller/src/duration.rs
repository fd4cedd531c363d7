//! Durations on the command line, such as `30s`, `5m` or `365d`.
//!
//! Invariant: a duration is never negative. A day has 24 hours.

use std::time::Duration;

use jiff::SignedDuration;

/// Parses a duration: a whole number of days, or units of hours and less as jiff reads them. `0` needs no unit.
///
/// # Errors
///
/// A fragment that says what a duration looks like, for the error of the flag.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let hint = || "not a duration such as 30s, 5m or 365d".to_owned();
    let duration = match text.strip_suffix('d') {
        _ if text == "0" => SignedDuration::ZERO,
        Some(days) => {
            let days: u32 = days.parse().map_err(|_| hint())?;
            SignedDuration::from_hours(24 * i64::from(days))
        }
        None => text.parse().map_err(|_| hint())?,
    };
    Duration::try_from(duration).map_err(|_| hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_may_be_in_days() {
        for (text, seconds) in
            [("0", 0), ("0d", 0), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("365d", 31_536_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "1", "-5s", "-1d", "1.5d", "soon", "1y", "4294967296d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
