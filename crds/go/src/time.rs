//! Dates as Go's `time.Parse` takes them, in the layouts that yaml.v2 tries.
//!
//! The answer is yes or no: no function computes a time. Invariant: a text is a date here exactly if Go 1.26 takes it,
//! with Go's oddities: a comma before the fraction, offsets of up to 24 hours and 60 minutes, a run of spaces for one.

/// The part of a layout of yaml.v2's that may follow a date.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone {
    Required,
    Absent,
}

/// `true` if yaml.v2 reads the text as a date, or as a date and a time of day.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let mut rest = Rest(text.as_bytes());
    if rest.date().is_none() {
        return false;
    }
    match rest.0.first() {
        None => true,
        Some(b'T' | b't') => {
            rest.0 = &rest.0[1..];
            rest.time_of_day(Zone::Required).is_some()
        }
        // Go takes a run of spaces for the one in the layout.
        Some(b' ') => {
            let spaces = rest.0.iter().take_while(|byte| **byte == b' ').count();
            rest.0 = &rest.0[spaces..];
            rest.time_of_day(Zone::Absent).is_some()
        }
        Some(_) => false,
    }
}

/// The unread rest of a text. Each step gives `None` where Go's parser fails.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    /// `2006-1-2`
    fn date(&mut self) -> Option<()> {
        let year = self.digits(4)?;
        self.eat(b'-')?;
        let month = self.short()?;
        self.eat(b'-')?;
        let day = self.short()?;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&day).then_some(())
    }

    /// `15:4:5.999999999`, or `15:4:5.999999999Z07:00`, and then the end of the text.
    fn time_of_day(&mut self, zone: Zone) -> Option<()> {
        let hour = self.short()?;
        self.eat(b':')?;
        let minute = self.short()?;
        self.eat(b':')?;
        let second = self.short()?;
        if hour >= 24 || minute >= 60 || second >= 60 {
            return None;
        }
        if let [b'.' | b',', b'0'..=b'9', ..] = self.0 {
            let digits = self.0[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.0 = &self.0[1 + digits..];
        }
        if zone == Zone::Required && self.eat(b'Z').is_none() {
            self.eat(b'+').or_else(|| self.eat(b'-'))?;
            let hours = self.digits(2)?;
            self.eat(b':')?;
            let minutes = self.digits(2)?;
            // Go's own comparison: 24 and 60 are taken.
            if hours > 24 || minutes > 60 {
                return None;
            }
        }
        self.0.is_empty().then_some(())
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, byte| Some(number * 10 + char::from(*byte).to_digit(10)?))
    }

    /// One digit or two.
    fn short(&mut self) -> Option<u32> {
        let is_pair = matches!(self.0, [b'0'..=b'9', b'0'..=b'9', ..]);
        self.digits(if is_pair { 2 } else { 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each expectation comes from `time.Parse` of Go 1.26, by way of yaml.v2, which quotes dates.
    #[test]
    fn dates_are_what_they_are_to_go() {
        for text in [
            "2001-01-01",
            "2001-1-1",
            "2004-02-29",
            "0000-01-01",
            "2001-01-01T00:00:00Z",
            "2001-01-01t1:2:3.5+01:00",
            "2001-01-01T00:00:00,5Z",
            "2001-01-01 00:00:00,5",
            "2001-01-01    00:00:00",
            "2001-01-01T00:00:00.0123456789012-24:60",
            "2001-01-01 1:1:1",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "",
            "2001",
            "2001-",
            "02001-01-01",
            "2001-13-01",
            "2001-02-29",
            "2001-01-00",
            "2001-01-01-",
            "2001-01-01 ",
            "2001-01-01T",
            "2001-01-01T00:00:00",
            "2001-01-01T00:00Z",
            "2001-01-01T24:00:00Z",
            "2001-01-01T00:00:60Z",
            "2001-01-01T00:00:00.Z",
            "2001-01-01T00:00:00z",
            "2001-01-01T00:00:00+99:99",
            "2001-01-01T00:00:00+25:00",
            "2001-01-01T00:00:00+24:61",
            "2001-01-01T00:00:00+1:00",
            "2001-01-01T00:00:00 Z",
            "2001-01-01 00:00:00Z",
            "2001-01-01\t00:00:00",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
