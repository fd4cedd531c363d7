//! Makes a condition that follows an object's last conditions.
//!
//! [`crate::status`] and [`crate::keys`] say which conditions an object gets. Invariant: a condition keeps
//! its transition time while its status stays.

use jiff::Timestamp;
use jiff::fmt::strtime;
use seal_crds::Reason;
use seal_crds::resources::{Condition, ConditionStatus, find_condition};

/// The facts about an object that all its conditions share.
pub(crate) struct Conditions<'a> {
    /// The object's last conditions.
    pub(crate) before: &'a [Condition],
    /// The `metadata.generation` that the next conditions speak of.
    pub(crate) generation: Option<i64>,
    /// The time of the next conditions.
    pub(crate) now: Timestamp,
}

impl Conditions<'_> {
    /// The next condition of this type.
    pub(crate) fn next(
        &self,
        type_: &str,
        holds: impl Into<ConditionStatus>,
        reason: Reason,
        message: &str,
    ) -> Condition {
        let status = holds.into();
        let unchanged = find_condition(self.before, type_).filter(|before| before.status == status);
        Condition {
            type_: type_.to_owned(),
            status,
            observed_generation: self.generation,
            last_transition_time: unchanged
                .map_or_else(|| rfc3339(self.now), |before| before.last_transition_time.clone()),
            last_update_time: None,
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
        }
    }
}

/// The time as RFC 3339 with seconds, the format of `metav1.Time`.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%SZ", time).expect("a timestamp has a year, month, day and time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut before = Vec::new();
        let mut said = |second: i64, holds, reason| {
            let now = Timestamp::from_second(second).unwrap();
            let conditions = Conditions { before: &before, generation: Some(second), now };
            let next = conditions.next("Primary", holds, reason, "");
            let time = next.last_transition_time.clone();
            before = vec![next];
            time
        };
        assert_eq!(said(0, true, Reason::NewestActive), "1970-01-01T00:00:00Z");
        assert_eq!(said(1, true, Reason::Revoked), "1970-01-01T00:00:00Z", "another reason is no transition");
        assert_eq!(said(2, false, Reason::Revoked), "1970-01-01T00:00:02Z");
        assert_eq!((before[0].observed_generation, before[0].status), (Some(2), ConditionStatus::False));
    }
}
