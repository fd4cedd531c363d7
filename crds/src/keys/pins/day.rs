//! A day of the Gregorian calendar. It is only read, compared and written, so no clock or library of times is needed.
//!
//! Invariant: a [`Day`] is a day that there is, from the year 1 to 9999, and has one text form, `YYYY-MM-DD`.

use std::fmt;
use std::str::FromStr;

/// A day, `YYYY-MM-DD`. Days compare in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

/// Text that is not a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a day is written YYYY-MM-DD")]
pub struct ParseDayError;

impl Day {
    /// The day at the beginning of a time in RFC 3339, as the API server writes it; `None` if there is none.
    pub fn of_time(rfc3339: &str) -> Option<Self> {
        rfc3339.split_at_checked(10).and_then(|(day, _)| day.parse().ok())
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, ParseDayError> {
        let bytes = text.as_bytes();
        let is_form = bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_form {
            return Err(ParseDayError);
        }
        let number =
            |from, to| bytes[from..to].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return Err(ParseDayError),
        };
        let byte = |number| u8::try_from(number).map_err(|_| ParseDayError);
        if year == 0 || day == 0 || day > days {
            return Err(ParseDayError);
        }
        Ok(Self { year, month: byte(month)?, day: byte(day)? })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_reads_back_what_it_prints_and_days_come_in_order() {
        let days = ["0001-01-01", "1999-12-31", "2000-02-29", "2024-02-29", "2026-11-27", "9999-12-31"];
        let parsed: Vec<Day> = days.iter().map(|day| day.parse().unwrap()).collect();
        assert!(parsed.is_sorted());
        assert_eq!(parsed.iter().map(ToString::to_string).collect::<Vec<_>>(), days);
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-1-1",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-04-31",
            "2026-02-29",
            "1900-02-29",
            "0000-01-01",
            "2026/01/01",
            "+026-01-01",
            "2026-01-01 ",
            "2026-01-0é",
            "20260-1-01",
        ] {
            assert_eq!(text.parse::<Day>(), Err(ParseDayError), "{text:?}");
        }
    }

    #[test]
    fn a_time_has_its_day_in_front() {
        assert_eq!(
            Day::of_time("2026-11-21T10:00:00Z").map(|day| day.to_string()).as_deref(),
            Some("2026-11-21")
        );
        assert_eq!(Day::of_time("2026-11"), None);
        assert_eq!(Day::of_time("yesterday, at noon"), None);
    }
}
