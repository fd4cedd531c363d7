//! The time of a look at the keys: the API server's, as its answer says.
//!
//! Keys are dated and renewed by that clock, so that every replica decides alike. The threat is a node whose clock is
//! years ahead: its controller would renew every key at once. Invariant: a clock that isn't known to be right renews
//! nothing.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// The most that two clocks may differ and still count as one.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The time of a look, by the API server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerTime {
    now: Timestamp,
    fault: Option<ClockFault>,
}

/// Why the time isn't known well enough to renew keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockFault {
    /// The controller's clock and the API server's differ.
    Differs,
    /// The API server's answer has no date: something between drops it.
    NoDate,
}

impl ServerTime {
    /// The time by the header `Date` of an answer, and the controller's own time when the answer came.
    pub(super) fn of_answer(date: Option<&str>, own: Timestamp) -> Self {
        Self::new(date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok()), own)
    }

    /// The time by the API server's clock, and the controller's own time at the same moment.
    pub(super) fn new(server: Option<Timestamp>, own: Timestamp) -> Self {
        let Some(now) = server else { return Self { now: own, fault: Some(ClockFault::NoDate) } };
        let differs = now.duration_since(own).abs() > TOLERANCE;
        Self { now, fault: differs.then_some(ClockFault::Differs) }
    }

    /// The API server's time; the controller's own if the answer had none.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn fault(&self) -> Option<ClockFault> {
        self.fault
    }

    /// Whether this time is still to come, by more than clocks may differ.
    pub(super) fn is_ahead(&self, time: Timestamp) -> bool {
        time.duration_since(self.now) > TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read_as_http_writes_it() {
        let own = Timestamp::from_second(1_793_932_032).unwrap();
        let time = |date| ServerTime::of_answer(date, own);
        let read = time(Some("Fri, 06 Nov 2026 02:27:44 GMT"));
        assert_eq!((read.now(), read.fault()), (own + SignedDuration::from_secs(32), None));
        for bad in [None, Some(""), Some("yesterday"), Some("2026-11-05T22:27:12Z")] {
            assert_eq!(time(bad).fault(), Some(ClockFault::NoDate), "{bad:?}");
        }
    }

    #[test]
    fn the_time_is_the_api_servers_and_renews_nothing_if_the_clocks_differ() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        for (server, own, now, fault) in [
            (Some(at(0)), at(300), at(0), None),
            (Some(at(0)), at(-300), at(0), None),
            (Some(at(0)), at(301), at(0), Some(ClockFault::Differs)),
            (Some(at(0)), at(-301), at(0), Some(ClockFault::Differs)),
            (None, at(7), at(7), Some(ClockFault::NoDate)),
        ] {
            let time = ServerTime::new(server, own);
            assert_eq!((time.now(), time.fault()), (now, fault));
        }
        let time = ServerTime::new(Some(at(0)), at(0));
        assert!(!time.is_ahead(at(300)) && time.is_ahead(at(301)));
    }
}
