//! Turns the outcome of a reconcile into a status, with conditions by kstatus' rules.
//!
//! [`crate::reconcile`] publishes it. kstatus reads, in this order: deletion, `observedGeneration`,
//! `Reconciling=True` (in progress), `Stalled=True` (failed), `Ready`. So `Reconciling` and `Stalled` are
//! present only while they hold, and a permanent failure is Stalled, for Flux and Argo CD to fail fast.
//!
//! Invariant: `Ready=True` speaks only of the generation whose Secret is in place, and a condition keeps its
//! transition time while its status stays.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use seal_crds::keys::Fingerprint;
use seal_crds::reason::About;
use seal_crds::resources::{Condition, SealedSecretStatus, SecretVersion, find_condition};
use seal_crds::secret::LeftOut;
use seal_crds::{Format, ItemName, Reason};

use crate::conditions::{Conditions, rfc3339};
use crate::examination::Findings;
use crate::failure::Failure;
use crate::store::{Last, Notice};

pub(crate) use findings::{Look, fitting};

mod findings;

/// The facts about an object that was opened and whose Secret is in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reconciled {
    /// The number of items.
    pub(crate) items: usize,
    /// The sealing keys that opened the envelopes.
    pub(crate) by: Vec<Fingerprint>,
    /// The remarks about the Secret.
    pub(crate) remarks: Remarks,
    /// The version of the Secret after a write; `None` if it wasn't written.
    pub(crate) version: Option<SecretVersion>,
    /// What an examination found; `None` if the object was only opened.
    pub(crate) findings: Option<Findings>,
    /// What public text shows; `None` in a store without examinations.
    pub(crate) look: Option<Look>,
}

/// Remarks about a Secret that is in place, if it differs from what the object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// Labels and annotations of the template that the Secret doesn't have.
    pub(crate) left_out: Vec<LeftOut>,
    /// Items that the Secret holds beside those of the object.
    pub(crate) extra: BTreeSet<ItemName>,
    /// Why the native object of this name can't take the Secret over yet, in words for people; `None` if that
    /// isn't the case.
    pub(crate) successor: Option<String>,
}

/// The most names in a list: a message is for people, and a Secret may hold thousands of items.
const NAMED: usize = 5;

impl Remarks {
    /// The message of `Ready=True`. It holds validated names and fixed words only.
    fn message(&self) -> String {
        let mut message = "the Secret is what this SealedSecret says".to_owned();
        if !self.left_out.is_empty() {
            message.push_str(&format!(", without {}", listed(&self.left_out)));
        }
        if !self.extra.is_empty() {
            message.push_str(&format!("; it also holds items that are not from it: {}", listed(&self.extra)));
        }
        if let Some(successor) = &self.successor {
            message.push_str(&format!("; {successor}"));
        }
        message
    }
}

fn listed<T: fmt::Display>(all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>) -> String {
    let mut all = all.into_iter();
    let named: Vec<String> = all.by_ref().take(NAMED).map(|one| one.to_string()).collect();
    match all.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The status for an outcome.
pub(crate) fn next_status(
    last: &Last,
    outcome: Result<&Reconciled, &Failure>,
    now: Timestamp,
) -> SealedSecretStatus {
    let reason = reason(outcome);
    let message = match outcome {
        Ok(reconciled) => reconciled.remarks.message(),
        Err(failure) => failure.message.clone(),
    };
    let message = message.as_str();
    let mut conditions = Vec::new();
    if last.format == Format::Bitnami {
        conditions.push(synced(last, outcome.is_ok(), reason, message, now));
    }
    conditions.push(condition(last, READY, outcome.is_ok(), reason, message, now));
    if let Err(failure) = outcome {
        let type_ = if failure.is_permanent() { STALLED } else { RECONCILING };
        conditions.push(condition(last, type_, true, reason, message, now));
    }
    let reconciled = outcome.ok();
    let mut status = SealedSecretStatus {
        observed_generation: last.generation,
        conditions,
        items: reconciled.map(|reconciled| reconciled.items as i64),
        key: reconciled.and_then(|reconciled| reconciled.by.first()).map(|by| by.short().to_string()),
        opened_by: reconciled
            .map_or_else(Vec::new, |reconciled| reconciled.by.iter().map(ToString::to_string).collect()),
        last_handled_reconcile_at: last.requested_at.clone(),
        // Only a Secret that was just written is known to be in sync; otherwise the remembered version stays.
        secret: reconciled
            .and_then(|reconciled| reconciled.version.clone())
            .or_else(|| last.status.as_ref()?.secret.clone()),
        usage: None,
        rewrap: None,
        exposed: Vec::new(),
        exposed_to: Vec::new(),
    };
    let following = following(last, now);
    match reconciled.and_then(|reconciled| reconciled.findings.as_ref()) {
        Some(found) => findings::put(&mut status, found, last, &following),
        None => findings::carry(&mut status, last),
    }
    if let Some(look) = reconciled.and_then(|reconciled| reconciled.look.as_ref()) {
        findings::look(&mut status, look, &following);
    }
    status
}

/// The reason of the condition Ready.
fn reason<T>(outcome: Result<T, &Failure>) -> Reason {
    match outcome {
        Ok(_) => Reason::InSync,
        Err(failure) => failure.reason,
    }
}

/// The next status of an object that wasn't opened, because it was ready and still is. `None` if its status
/// doesn't change; it changes if there are other remarks, if Flux has requested a look and waits for the answer,
/// or if a look shows something new of its keys.
pub(crate) fn kept_status(
    last: &Last,
    remarks: &Remarks,
    look: Option<&Look>,
    now: Timestamp,
) -> Option<SealedSecretStatus> {
    let mut status = last.status.clone()?;
    if last.requested_at.is_some() {
        status.last_handled_reconcile_at.clone_from(&last.requested_at);
    }
    let ready = status.conditions.iter_mut().find(|condition| condition.type_ == READY)?;
    ready.message = remarks.message();
    if let Some(look) = look {
        findings::look(&mut status, look, &following(last, now));
    }
    (last.status.as_ref() != Some(&status)).then_some(status)
}

/// Whether the last status has this failure for this generation already.
pub(crate) fn says(last: &Last, failure: &Failure) -> bool {
    let said =
        |ready: &Condition| ready.reason == failure.reason.as_str() && ready.message == failure.message;
    last.status.as_ref().is_some_and(|status| status.observed_generation == last.generation)
        && before(last, READY).is_some_and(said)
}

const READY: &str = "Ready";
const STALLED: &str = "Stalled";
const RECONCILING: &str = "Reconciling";
/// The only condition of sealed-secrets. Its printer columns read the first condition of the list, whatever
/// its type.
const SYNCED: &str = "Synced";

/// The notices to people about the step from the last status to this one.
pub(crate) fn news(
    last: &Last,
    next: &SealedSecretStatus,
    outcome: Result<&Remarks, &Failure>,
) -> Vec<Notice> {
    let left_out = outcome.ok().and_then(|remarks| left_out(last, remarks));
    let of_keys = findings::news(last, next);
    transition(last, next, reason(outcome)).into_iter().chain(left_out).chain(of_keys).collect()
}

/// The notice that some labels or annotations of the template aren't on the Secret; `None` if the last status
/// said so.
fn left_out(last: &Last, remarks: &Remarks) -> Option<Notice> {
    if remarks.left_out.is_empty() {
        return None;
    }
    let all = listed(&remarks.left_out);
    let is_said = before(last, READY).is_some_and(|ready| ready.message.contains(&all));
    (!is_said).then(|| Notice {
        warning: true,
        reason: Reason::LeftOut.as_str(),
        message: format!("the template has what the Secret doesn't get: {all}"),
    })
}

fn transition(last: &Last, next: &SealedSecretStatus, reason: Reason) -> Option<Notice> {
    let ready = find_condition(&next.conditions, READY)?;
    let before = before(last, READY);
    if before.is_some_and(|before| before.status == ready.status && before.reason == ready.reason) {
        return None;
    }
    let event = match last.format {
        Format::Native if reason.is_failure() => Reason::NotReady.as_str(),
        Format::Native => Reason::Ready.as_str(),
        Format::Bitnami => bitnami_event(reason),
    };
    let message = format!("{}: {}", ready.reason, ready.message);
    Some(Notice { warning: reason.is_failure(), reason: event, message })
}

/// The reason of an Event about a Bitnami object. These are the reasons of sealed-secrets, so that tools
/// built on them keep working: unsealed, can't be unsealed, or can't be written to the Secret.
fn bitnami_event(reason: Reason) -> &'static str {
    if !reason.is_failure() {
        return "Unsealed";
    }
    match reason.about() {
        About::Secret | About::Store => "ErrUpdateFailed",
        About::Object | About::Key | About::Policy | About::Controller => "ErrUnsealFailed",
    }
}

/// The condition `Synced` as sealed-secrets writes it: without a message while it is true, and with the time
/// of the last change of what it says about this generation.
///
/// If that time moved with every look, each status would differ from the last, and each would cause the next
/// look.
fn synced(last: &Last, status: bool, reason: Reason, message: &str, now: Timestamp) -> Condition {
    let message = if status { "" } else { message };
    let mut synced = condition(last, SYNCED, status, reason, message, now);
    let said = before(last, SYNCED).filter(|before| {
        (before.status, &before.reason, &before.message) == (synced.status, &synced.reason, &synced.message)
            && last.status.as_ref().is_some_and(|status| status.observed_generation == last.generation)
    });
    synced.last_update_time = match said {
        Some(said) => said.last_update_time.clone(),
        None => Some(rfc3339(now)),
    };
    synced
}

fn before<'a>(last: &'a Last, type_: &str) -> Option<&'a Condition> {
    find_condition(&last.status.as_ref()?.conditions, type_)
}

fn condition(
    last: &Last,
    type_: &str,
    status: bool,
    reason: Reason,
    message: &str,
    now: Timestamp,
) -> Condition {
    following(last, now).next(type_, status, reason, message)
}

/// The conditions that follow those of the last status.
fn following(last: &Last, now: Timestamp) -> Conditions<'_> {
    let before = last.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    Conditions { before, generation: Some(last.generation), now }
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::ConditionStatus;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn last(status: Option<SealedSecretStatus>) -> Last {
        Last { generation: 3, status, requested_at: Some("now".into()), ..Last::default() }
    }

    fn last_of_peers(status: Option<SealedSecretStatus>) -> Last {
        Last { format: Format::Bitnami, ..last(status) }
    }

    fn opened() -> Reconciled {
        Reconciled {
            items: 2,
            by: vec!["ab".repeat(32).parse().unwrap()],
            remarks: Remarks::default(),
            version: None,
            findings: None,
            look: None,
        }
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
        let permanent = next_status(&last(None), Err(&Failure::new(Reason::NoMatchingKey, "x")), at(0));
        assert_eq!(of(&permanent, "Stalled").unwrap().status, ConditionStatus::True);
        assert!(of(&permanent, "Reconciling").is_none());
        let transient = next_status(&last(None), Err(&Failure::new(Reason::ApiUnavailable, "x")), at(0));
        assert_eq!(of(&transient, "Reconciling").unwrap().status, ConditionStatus::True);
        assert!(of(&transient, "Stalled").is_none());
    }

    #[test]
    fn an_object_that_is_kept_says_anew_only_what_is_new() {
        let first = next_status(&last(None), Ok(&opened()), at(0));
        let (nothing, and_so_on) =
            (Remarks::default(), Remarks { successor: Some("and so on".into()), ..Remarks::default() });
        assert_eq!(kept_status(&last(Some(first.clone())), &nothing, None, at(9)), None);
        let remarked = kept_status(&last(Some(first.clone())), &and_so_on, None, at(9)).unwrap();
        let message = &of(&remarked, "Ready").unwrap().message;
        assert_eq!(message, "the Secret is what this SealedSecret says; and so on");
        assert_eq!(kept_status(&last(Some(remarked.clone())), &and_so_on, None, at(9)), None);
        assert_eq!(kept_status(&last(Some(remarked.clone())), &nothing, None, at(9)), Some(first.clone()));
        let opened = Reconciled { remarks: and_so_on, ..opened() };
        assert_eq!(next_status(&last(Some(first.clone())), Ok(&opened), at(9)), remarked);
        let requested = Last { requested_at: Some("later".into()), ..last(Some(first)) };
        let answered = kept_status(&requested, &nothing, None, at(9)).unwrap();
        assert_eq!(answered.last_handled_reconcile_at.as_deref(), Some("later"));
        let nothing_asked = Last { requested_at: None, ..last(Some(answered)) };
        assert_eq!(kept_status(&nothing_asked, &nothing, None, at(9)), None);
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let first = next_status(&last(None), Err(&Failure::new(Reason::WrongPlace, "a")), at(0));
        let same =
            next_status(&last(Some(first.clone())), Err(&Failure::new(Reason::NoMatchingKey, "b")), at(9));
        assert_eq!(of(&same, "Ready").unwrap().last_transition_time, "1970-01-01T00:00:00Z");
        let other = next_status(&last(Some(same)), Ok(&opened()), at(9));
        assert_eq!(of(&other, "Ready").unwrap().last_transition_time, "1970-01-01T00:00:09Z");
    }

    #[test]
    fn the_same_outcome_makes_the_same_status() {
        let first = next_status(&last(None), Ok(&opened()), at(0));
        assert_eq!(next_status(&last(Some(first.clone())), Ok(&opened()), at(9)), first);
        assert_eq!(transition(&last(Some(first.clone())), &first, Reason::InSync), None);
    }

    #[test]
    fn the_peers_format_says_synced_first_and_when_it_was_said() {
        let first = next_status(&last_of_peers(None), Ok(&opened()), at(0));
        let types: Vec<_> = first.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["Synced", "Ready"]);
        let synced = &first.conditions[0];
        assert_eq!((synced.status, synced.message.as_str()), (ConditionStatus::True, ""));
        assert_eq!(synced.last_update_time.as_ref(), Some(&synced.last_transition_time));
        assert_eq!(next_status(&last_of_peers(Some(first.clone())), Ok(&opened()), at(9)), first);

        let mut later = last_of_peers(Some(first.clone()));
        later.generation += 1;
        let next = next_status(&later, Ok(&opened()), at(9));
        assert_eq!(next.conditions[0].last_transition_time, first.conditions[0].last_transition_time);
        assert_eq!(next.conditions[0].last_update_time.as_deref(), Some("1970-01-01T00:00:09Z"));
        let failed = next_status(&later, Err(&Failure::new(Reason::CannotOpen, "no key")), at(9));
        assert_eq!(
            (failed.conditions[0].type_.as_str(), failed.conditions[0].message.as_str()),
            ("Synced", "no key")
        );
    }

    /// The peer's definition knows none of `openedBy`, `items`, `key` and a condition's generation.
    #[test]
    fn a_status_that_the_peers_definition_pruned_is_said_again_without_a_change() {
        for outcome in [Ok(&opened()), Err(&Failure::new(Reason::CannotOpen, "no key"))] {
            let said = next_status(&last_of_peers(None), outcome, at(0));
            let mut pruned = SealedSecretStatus {
                observed_generation: said.observed_generation,
                conditions: said.conditions.clone(),
                ..SealedSecretStatus::default()
            };
            pruned.conditions.iter_mut().for_each(|condition| condition.observed_generation = None);
            assert_eq!(next_status(&last_of_peers(Some(pruned)), outcome, at(9)), said);
        }
    }

    #[test]
    fn events_about_the_peers_format_have_the_peers_reasons() {
        let event = |outcome: Result<&Reconciled, &Failure>| {
            let next = next_status(&last_of_peers(None), outcome, at(0));
            transition(&last_of_peers(None), &next, reason(outcome)).unwrap()
        };
        assert_eq!(event(Ok(&opened())).reason, "Unsealed");
        for (reason, expected) in [
            (Reason::CannotOpen, "ErrUnsealFailed"),
            (Reason::ScopeRefused, "ErrUnsealFailed"),
            (Reason::ForeignSecret, "ErrUpdateFailed"),
            (Reason::ImmutableSecret, "ErrUpdateFailed"),
        ] {
            let notice = event(Err(&Failure::new(reason, "x")));
            assert!(notice.warning && notice.reason == expected, "{notice:?}");
        }
    }

    /// The peer has this reason for a Secret that it can't write. All other failures are about the sealed
    /// object or its key.
    #[test]
    fn a_failure_to_write_is_told_from_a_failure_to_unseal_as_the_peer_tells_them() {
        let of_writing: Vec<&str> = Reason::ALL
            .iter()
            .filter(|reason| bitnami_event(**reason) == "ErrUpdateFailed")
            .map(|reason| reason.as_str())
            .collect();
        let expected = "Superseded ForeignSecret FieldConflict ImmutableSecret SecretTooLarge SecretRefused Contested \
                        Conflict NotFound Forbidden ApiBusy ApiError ApiUnavailable NoSpace OutputFailed StatusFailed";
        assert_eq!(of_writing.join(" "), expected);
    }

    fn noted(left_out: usize, extra: usize) -> Reconciled {
        let left_out = (0..left_out).map(|n| LeftOut {
            what: "annotation",
            key: format!("sealing.dev/{n}"),
            mark: seal_crds::secret::Mark::Controller,
        });
        let extra = (0..extra).map(|n| format!("item-{n}").parse().unwrap());
        let remarks = Remarks { left_out: left_out.collect(), extra: extra.collect(), successor: None };
        Reconciled { remarks, ..opened() }
    }

    #[test]
    fn ready_says_in_what_the_secret_is_not_what_the_object_says() {
        let message = |opened: &Reconciled| {
            let status = next_status(&last(None), Ok(opened), at(0));
            of(&status, "Ready").unwrap().message.clone()
        };
        assert_eq!(
            message(&noted(1, 2)),
            "the Secret is what this SealedSecret says, without annotation sealing.dev/0 (only a controller of \
             SealedSecrets writes it); it also holds items that are not from it: item-0, item-1"
        );
        let many = message(&noted(1000, 1000));
        assert!(many.len() < 1000 && many.ends_with("item-101 and 995 more"), "{many}");
    }

    #[test]
    fn what_is_left_out_is_told_once_also_of_an_object_that_is_ready_already() {
        let reasons = |last: &Last, opened: &Reconciled| {
            let next = next_status(last, Ok(opened), at(0));
            news(last, &next, Ok(&opened.remarks)).iter().map(|notice| notice.reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&last(None), &noted(1, 0)), ["Ready", "LeftOut"]);
        let ready = next_status(&last(None), Ok(&opened()), at(0));
        assert_eq!(reasons(&last(Some(ready)), &noted(1, 0)), ["LeftOut"]);
        let said = next_status(&last(None), Ok(&noted(1, 0)), at(0));
        assert_eq!(reasons(&last(Some(said.clone())), &noted(1, 3)), [""; 0]);
        let kept = kept_status(&last(Some(said.clone())), &noted(1, 0).remarks, None, at(9));
        assert_eq!(kept, None, "what was said isn't said again");
    }

    #[test]
    fn a_failure_is_new_until_the_status_says_it_of_this_generation() {
        let failure = Failure::new(Reason::WrongPlace, "moved");
        assert!(!says(&last(None), &failure));
        let said = next_status(&last(None), Err(&failure), at(0));
        assert!(says(&last(Some(said.clone())), &failure));
        assert!(!says(&last(Some(said.clone())), &Failure::new(Reason::WrongPlace, "elsewhere")));
        assert!(!says(&Last { generation: 4, ..last(Some(said)) }, &failure));
    }

    #[test]
    fn people_hear_of_transitions_only() {
        let failed = next_status(&last(None), Err(&Failure::new(Reason::WrongPlace, "moved")), at(0));
        let notice = transition(&last(None), &failed, Reason::WrongPlace).unwrap();
        assert!(notice.warning && notice.message == "WrongPlace: moved");
        assert_eq!(transition(&last(Some(failed.clone())), &failed, Reason::WrongPlace), None);
        let healthy = next_status(&last(Some(failed.clone())), Ok(&opened()), at(1));
        assert!(!transition(&last(Some(failed)), &healthy, Reason::InSync).unwrap().warning);
    }
}
