//! A token bucket: how often something may be done.
//!
//! Not fair, and not by client: what a request says of who sent it (`X-Forwarded-For`, which the peer goes by) is
//! whatever its sender likes. Invariant: in any `n` seconds at most `1 + burst + n * rate` are let through.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often something may be done.
pub(super) struct Limit {
    /// Tokens that come back in a second.
    rate: f64,
    /// Tokens at most.
    capacity: f64,
    state: Mutex<State>,
}

struct State {
    tokens: f64,
    at: Instant,
}

impl Limit {
    /// `rate` a second, which is at least 1, and `burst` beyond the first after a rest.
    pub(super) fn new(rate: u32, burst: u32, now: Instant) -> Self {
        let capacity = 1.0 + f64::from(burst);
        let state = Mutex::new(State { tokens: capacity, at: now });
        Self { rate: f64::from(rate.max(1)), capacity, state }
    }

    /// Lets one through, or says after how long to come again.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + passed * self.rate).min(self.capacity);
        state.at = state.at.max(now);
        if state.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - state.tokens) / self.rate));
        }
        state.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_as_many_as_the_rate() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let limit = Limit::new(2, 2, start);
        let at_once: Vec<_> = (0..4).map(|_| limit.take(start).is_ok()).collect();
        assert_eq!(at_once, [true, true, true, false]);
        assert_eq!(limit.take(at(100)), Err(Duration::from_millis(400)));
        let in_ten_seconds = (1..=10_000).filter(|millis| limit.take(at(*millis)).is_ok()).count();
        assert_eq!(in_ten_seconds, 20);
    }

    #[test]
    fn a_long_rest_gives_one_burst_and_no_more() {
        let start = Instant::now();
        let limit = Limit::new(1000, 1, start);
        let later = start + Duration::from_secs(3600);
        let at_once: Vec<_> = (0..3).map(|_| limit.take(later).is_ok()).collect();
        assert_eq!(at_once, [true, true, false]);
        assert!(limit.take(start).is_err(), "a clock that stands still gives nothing");
    }
}
