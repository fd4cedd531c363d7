//! Decides whether a key of sealed-secrets' kind is missing.
//!
//! sealed-secrets makes one every 30 days, and so does this controller where it serves kubeseal. A key of either maker
//! that is younger keeps both from making another, so they may stand beside each other. The state of a key is its
//! label; a key that no longer counts doesn't keep its successor from being made, so marking the newest key as
//! compromised means a renewal.
//!
//! Invariant: the decision is a function of the keys, the period and the time. It is the same for every controller that
//! sees the same keys, and its name is, too.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use seal_crds::keys::Fingerprint;

use crate::keys::server_time::ServerTime;

/// The name of the first key. It begins like the names of sealed-secrets' own keys.
pub(super) const FIRST: &str = "sealed-secrets-key-first";

/// The most keys of a day: nothing that goes wrong may fill the namespace.
const MAX_A_DAY: usize = 8;

/// The public facts about a key that decide on the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) fingerprint: Fingerprint,
    /// The notBefore of the certificate, in seconds; `None` without a certificate.
    pub(super) not_before: Option<u64>,
    pub(super) is_active: bool,
}

impl Dated {
    /// The date of the key; without a certificate, before all others.
    fn date(&self) -> Timestamp {
        let Some(seconds) = self.not_before else { return Timestamp::UNIX_EPOCH };
        i64::try_from(seconds).ok().and_then(|it| Timestamp::from_second(it).ok()).unwrap_or(Timestamp::MAX)
    }

    /// Whether Secrets may be sealed to the key: it counts, and its certificate is valid by now.
    pub(super) fn may_be_primary(&self, time: &ServerTime) -> bool {
        self.is_active && self.not_before.is_some() && !time.is_ahead(self.date())
    }
}

/// The name of the key to make after these, if none that counts is younger than the period. `None` also if there is no
/// key at all.
pub(super) fn due(keys: &[Dated], period: Duration, time: &ServerTime) -> Option<String> {
    if time.fault().is_some() {
        return None;
    }
    let period = SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX);
    let is_younger = |key: &&Dated, age: SignedDuration| time.now().duration_since(key.date()) < age;
    let present = || keys.iter().filter(|key| !time.is_ahead(key.date()));
    let is_young = present().any(|key| key.may_be_primary(time) && is_younger(&key, period));
    let today = present().filter(|key| is_younger(key, SignedDuration::from_hours(24))).count();
    if is_young || today >= MAX_A_DAY {
        return None;
    }
    // A key whose time is still to come comes after all others only if there are no others.
    let newest =
        |keys: Vec<&Dated>| keys.into_iter().max_by_key(|key| (key.date(), key.fingerprint)).copied();
    let predecessor = newest(present().collect()).or_else(|| newest(keys.iter().collect()))?;
    Some(format!("sealed-secrets-key-after-{}", predecessor.fingerprint.short()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;
    const PERIOD: Duration = Duration::from_secs(30 * 86_400);

    fn time() -> ServerTime {
        let now = Timestamp::from_second(NOW).unwrap();
        ServerTime::new(Some(now), now)
    }

    fn fingerprint(number: u8) -> Fingerprint {
        format!("{number:02x}").repeat(32).parse().unwrap()
    }

    /// A key that is this many days old.
    fn key(number: u8, days: i64) -> Dated {
        let not_before = Some((NOW - days * DAY).try_into().unwrap());
        Dated { fingerprint: fingerprint(number), not_before, is_active: true }
    }

    fn after(number: u8) -> Option<String> {
        Some(format!("sealed-secrets-key-after-{}", fingerprint(number).short()))
    }

    #[test]
    fn a_key_is_due_when_none_that_counts_is_younger_than_the_period_and_is_named_after_the_newest() {
        let due = |keys: &[Dated]| due(keys, PERIOD, &time());
        assert_eq!(due(&[]), None, "the first one has a name of its own");
        assert_eq!(due(&[key(1, 29)]), None);
        assert_eq!(due(&[key(1, 30)]), after(1));
        assert_eq!(due(&[key(1, 90), key(2, 60), key(3, 400)]), after(2));
        assert_eq!(due(&[key(1, 90), key(2, 10), key(3, 400)]), None);
        // Whoever marks the newest key gets a newer one, named after the marked one: so this happens once.
        let marked = Dated { is_active: false, ..key(2, 10) };
        assert_eq!(due(&[key(1, 90), marked]), after(2));
        assert_eq!(due(&[key(1, 20), marked]), None, "as in sealed-secrets, the one before counts again");
        assert_eq!(due(&[key(1, 90), marked, key(3, 0)]), None);
        // A key without a certificate can't be sealed to.
        let bare = Dated { not_before: None, ..key(4, 0) };
        assert_eq!(due(&[bare]), after(4));
        assert_eq!(due(&[bare, key(1, 40)]), after(1));
    }

    #[test]
    fn a_key_whose_time_is_still_to_come_is_no_primary_and_keeps_none_from_being_made() {
        let early = key(7, -1);
        assert!(!early.may_be_primary(&time()));
        assert_eq!(due(&[early], PERIOD, &time()), after(7));
        assert_eq!(due(&[early, key(1, 31)], PERIOD, &time()), after(1));
        assert_eq!(due(&[early, key(1, 2)], PERIOD, &time()), None);
        // Clocks differ by a little.
        let soon = Dated { not_before: Some(u64::try_from(NOW).unwrap() + 60), ..key(8, 0) };
        assert!(soon.may_be_primary(&time()));
        assert_eq!(due(&[soon], PERIOD, &time()), None);
        // A date beyond all dates.
        assert!(!Dated { not_before: Some(u64::MAX), ..key(9, 0) }.may_be_primary(&time()));
    }

    #[test]
    fn nothing_is_made_by_a_clock_that_is_wrong_nor_again_and_again() {
        let now = Timestamp::from_second(NOW).unwrap();
        let wrong = ServerTime::new(Some(now), now + SignedDuration::from_hours(24 * 365));
        assert_eq!(due(&[key(1, 90)], PERIOD, &wrong), None);
        let marked: Vec<Dated> = (1..=8).map(|n| Dated { is_active: false, ..key(n, 0) }).collect();
        assert!(due(&marked[1..], PERIOD, &time()).is_some());
        assert_eq!(due(&marked, PERIOD, &time()), None);
    }
}
