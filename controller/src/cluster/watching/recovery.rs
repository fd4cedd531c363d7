//! What is done after a watch or a list broke, and when.
//!
//! Pure: [`super`] does what it says. Invariants: while the API server is away, no wait is longer than [`CAP`], so that
//! an outage costs no more than itself; a version that is gone costs no wait, but a list that is gone as soon as it is
//! there does, so that no list is taken in a loop.

use std::time::Duration;

use rand_core::{OsRng, RngCore as _};

/// The wait after the first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait for an API server that is away, busy or starting.
const CAP: Duration = Duration::from_secs(2);
/// The wait after a refusal, which lasts until somebody changes a role or installs a definition.
const REFUSED: Duration = Duration::from_secs(5);

/// Why a watch or a list broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The API server didn't answer, or no longer.
    Away,
    /// The API server ended the watch as soon as it had begun.
    Ended,
    /// The API server answered with an error: its code, and the seconds that it asks to wait.
    Answered { code: u16, retry_after: u32 },
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// The watch is taken up from the last version, or the list from the last page.
    Resume,
    /// The list is taken anew.
    Relist,
}

/// The failures of one watch since it last brought something.
#[derive(Debug, Default)]
pub(super) struct Spell {
    failures: u32,
    /// The list was taken anew, and nothing came since.
    is_fresh: bool,
}

impl Spell {
    /// The watch brought something.
    pub(super) fn ends(&mut self) {
        *self = Self::default();
    }

    /// What to do after this, and the longest wait until then.
    pub(super) fn after(&mut self, broken: Broken) -> (Restart, Duration) {
        let is_gone = matches!(broken, Broken::Answered { code: 410, .. });
        if is_gone && !self.is_fresh {
            self.is_fresh = true;
            return (Restart::Relist, Duration::ZERO);
        }
        let grown = FIRST.saturating_mul(1 << self.failures.min(10)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        let wait = match broken {
            // A login that has ended is obtained anew, by the next request.
            Broken::Away | Broken::Ended | Broken::Answered { code: 401 | 408 | 410, .. } => grown,
            Broken::Answered { code: 429 | 500.., retry_after } => {
                grown.max(Duration::from_secs(retry_after.into()).min(CAP))
            }
            Broken::Answered { .. } => REFUSED,
        };
        (if is_gone { Restart::Relist } else { Restart::Resume }, wait)
    }
}

/// A time between half and all of `wait`, so that replicas don't come back together.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + f64::from(OsRng.next_u32()) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: Broken = Broken::Answered { code: 410, retry_after: 0 };

    #[test]
    fn an_outage_costs_two_seconds_at_most_however_long_it_lasts() {
        let mut spell = Spell::default();
        let waits: Vec<u128> = (0..1000).map(|_| spell.after(Broken::Away).1.as_millis()).collect();
        assert_eq!(waits[..5], [250, 500, 1000, 2000, 2000]);
        assert_eq!(waits.iter().max(), Some(&2000));
        // An API server that has just started asks for a second, and a hostile one for years.
        for (retry_after, expected) in [(0, 250), (1, 1000), (u32::MAX, 2000)] {
            let busy = Broken::Answered { code: 429, retry_after };
            let expected = (Restart::Resume, Duration::from_millis(expected));
            assert_eq!(Spell::default().after(busy), expected);
        }
    }

    #[test]
    fn a_version_that_is_gone_costs_no_wait_but_no_list_is_taken_in_a_loop() {
        let mut spell = Spell::default();
        for _ in 0..10 {
            spell.after(Broken::Away);
        }
        assert_eq!(spell.after(GONE), (Restart::Relist, Duration::ZERO), "after an outage of any length");
        for _ in 0..3 {
            assert_eq!(spell.after(GONE), (Restart::Relist, CAP), "the new list is gone too");
        }
        spell.ends();
        assert_eq!(spell.after(GONE), (Restart::Relist, Duration::ZERO));
    }

    #[test]
    fn a_refusal_waits_for_somebody_and_a_login_for_the_next_request() {
        let after = |code| Spell::default().after(Broken::Answered { code, retry_after: 0 });
        for code in [400, 403, 404, 405] {
            assert_eq!(after(code), (Restart::Resume, REFUSED), "{code}");
        }
        for code in [401, 500, 503, 504] {
            assert_eq!(after(code), (Restart::Resume, FIRST), "{code}");
        }
    }

    #[test]
    fn waits_are_spread() {
        let waits: Vec<Duration> = (0..100).map(|_| jittered(CAP)).collect();
        assert!(waits.iter().all(|wait| (CAP / 2..=CAP).contains(wait)));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
