//! The status an outcome becomes: conditions by kstatus' rules.
//!
//! Not the publishing. kstatus reads, in this order: deletion, `observedGeneration`, `Reconciling=True` (in
//! progress), `Stalled=True` (failed), `Ready`. So `Reconciling` and `Stalled` are present only while they
//! hold, and a permanent failure is Stalled, for Flux and Argo CD to fail fast.
//!
//! Invariant: `Ready=True` is said only of the generation whose Secret is in place, and a condition keeps
//! its transition time while its status stays.

use jiff::Timestamp;
use jiff::fmt::strtime;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{Condition, ConditionStatus, SealedSecretStatus, find_condition};

use crate::failure::Failure;
use crate::store::{Last, Notice};

/// The reason of `Ready=True`.
pub const IN_SYNC: &str = "InSync";

/// What a reconcile that got through found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// How many keys the Secret has.
    pub items: usize,
    /// Which sealing key opened each envelope.
    pub by: Vec<Fingerprint>,
}

/// The status after an outcome.
pub fn next_status(last: &Last, outcome: Result<&Opened, &Failure>, now: Timestamp) -> SealedSecretStatus {
    let mut conditions = vec![match outcome {
        Ok(_) => (READY, true, IN_SYNC, "the Secret is what this SealedSecret says".to_owned()),
        Err(failure) => (READY, false, failure.reason, failure.message.clone()),
    }];
    if let Err(failure) = outcome {
        let type_ = if failure.is_permanent() { STALLED } else { RECONCILING };
        conditions.push((type_, true, failure.reason, failure.message.clone()));
    }
    let opened = outcome.ok();
    SealedSecretStatus {
        observed_generation: last.generation,
        conditions: conditions
            .into_iter()
            .map(|(type_, status, reason, message)| condition(last, type_, status, reason, message, now))
            .collect(),
        items: opened.map(|opened| opened.items as i64),
        key: opened.and_then(|opened| opened.by.first()).map(|by| by.short().to_string()),
        opened_by: opened.map_or_else(Vec::new, |opened| opened.by.iter().map(ToString::to_string).collect()),
        last_handled_reconcile_at: last.requested_at.clone(),
    }
}

const READY: &str = "Ready";
const STALLED: &str = "Stalled";
const RECONCILING: &str = "Reconciling";

/// What people should hear of the step from the last status to this one, if anything.
pub fn transition(last: &Last, next: &SealedSecretStatus) -> Option<Notice> {
    let ready = find_condition(&next.conditions, READY)?;
    let before = last.status.as_ref().and_then(|status| find_condition(&status.conditions, READY));
    if before.is_some_and(|before| before.status == ready.status && before.reason == ready.reason) {
        return None;
    }
    // Reasons come from this program's own fixed words; leaking one would be a new word, not a secret.
    let warning = ready.status != ConditionStatus::True;
    let reason = if warning { "NotReady" } else { "Ready" };
    Some(Notice { warning, reason, message: format!("{}: {}", ready.reason, ready.message) })
}

fn condition(
    last: &Last,
    type_: &str,
    status: bool,
    reason: &str,
    message: String,
    now: Timestamp,
) -> Condition {
    let status = ConditionStatus::from(status);
    let unchanged_since = last
        .status
        .as_ref()
        .and_then(|last| find_condition(&last.conditions, type_))
        .filter(|before| before.status == status)
        .map(|before| before.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status,
        observed_generation: Some(last.generation),
        last_transition_time: unchanged_since.unwrap_or_else(|| rfc3339(now)),
        reason: reason.to_owned(),
        message,
    }
}

/// RFC 3339 with seconds, as `metav1.Time` writes it.
pub fn rfc3339(time: Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%SZ", time).expect("a timestamp has a year, month, day and time")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn last(status: Option<SealedSecretStatus>) -> Last {
        Last { generation: 3, status, requested_at: Some("now".into()) }
    }

    fn opened() -> Opened {
        Opened { items: 2, by: vec!["ab".repeat(32).parse().unwrap()] }
    }

    fn of<'a>(status: &'a SealedSecretStatus, type_: &str) -> Option<&'a Condition> {
        find_condition(&status.conditions, type_)
    }

    #[test]
    fn success_is_ready_alone() {
        let status = next_status(&last(None), Ok(&opened()), at(0));
        assert_eq!(status.conditions.len(), 1);
        assert_eq!(of(&status, "Ready").unwrap().status, ConditionStatus::True);
        assert_eq!(of(&status, "Ready").unwrap().last_transition_time, "1970-01-01T00:00:00Z");
        assert_eq!((status.observed_generation, status.items), (3, Some(2)));
        assert_eq!(status.key.as_deref(), Some("abababababababab"));
        assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
    }

    #[test]
    fn a_permanent_failure_is_stalled_and_a_transient_one_reconciling() {
        let permanent = next_status(&last(None), Err(&Failure::permanent("NoMatchingKey", "x")), at(0));
        assert_eq!(of(&permanent, "Stalled").unwrap().status, ConditionStatus::True);
        assert!(of(&permanent, "Reconciling").is_none());
        let transient = next_status(&last(None), Err(&Failure::transient("ApiUnavailable", "x")), at(0));
        assert_eq!(of(&transient, "Reconciling").unwrap().status, ConditionStatus::True);
        assert!(of(&transient, "Stalled").is_none());
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let first = next_status(&last(None), Err(&Failure::permanent("A", "a")), at(0));
        let same = next_status(&last(Some(first.clone())), Err(&Failure::permanent("B", "b")), at(9));
        assert_eq!(of(&same, "Ready").unwrap().last_transition_time, "1970-01-01T00:00:00Z");
        let other = next_status(&last(Some(same)), Ok(&opened()), at(9));
        assert_eq!(of(&other, "Ready").unwrap().last_transition_time, "1970-01-01T00:00:09Z");
    }

    #[test]
    fn the_same_outcome_makes_the_same_status() {
        let first = next_status(&last(None), Ok(&opened()), at(0));
        assert_eq!(next_status(&last(Some(first.clone())), Ok(&opened()), at(9)), first);
        assert_eq!(transition(&last(Some(first.clone())), &first), None);
    }

    #[test]
    fn people_hear_of_transitions_only() {
        let failed = next_status(&last(None), Err(&Failure::permanent("WrongPlace", "moved")), at(0));
        let notice = transition(&last(None), &failed).unwrap();
        assert!(notice.warning && notice.message == "WrongPlace: moved");
        assert_eq!(transition(&last(Some(failed.clone())), &failed), None);
        let healthy = next_status(&last(Some(failed.clone())), Ok(&opened()), at(1));
        assert!(!transition(&last(Some(failed)), &healthy).unwrap().warning);
    }
}
