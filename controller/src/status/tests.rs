//! The status of each outcome, and what people are told of a step from one status to the next.

use seal_crds::resources::ConditionStatus;
use seal_crds::secret::LeftOut;

mod kstatus;

use super::news::{bitnami_event, transition};
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn last(status: Option<SealedSecretStatus>) -> Last {
    Last { generation: 3, status, requests: requests("now"), ..Last::default() }
}

fn requests(flux: &str) -> Requests {
    Requests { flux: Some(flux.into()), own: Some("by hand".into()) }
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
    assert_eq!(handled(&status).map(Option::as_deref), [Some("now"), Some("by hand")]);
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
    let requested = Last { requests: requests("later"), ..last(Some(first.clone())) };
    let answered = kept_status(&requested, &nothing, None, at(9)).unwrap();
    assert_eq!(handled(&answered).map(Option::as_deref), [Some("later"), Some("by hand")]);
    let nothing_asked = Last { requests: Requests::default(), ..last(Some(answered)) };
    assert_eq!(kept_status(&nothing_asked, &nothing, None, at(9)), None);
    let by_hand = Requests { flux: None, own: Some("again".into()) };
    let answered =
        kept_status(&Last { requests: by_hand, ..last(Some(first.clone())) }, &nothing, None, at(9));
    assert_eq!(handled(&answered.unwrap()).map(Option::as_deref), [Some("now"), Some("again")]);
    // Under sealed-secrets' definition, no answer would stay.
    let pruned = SealedSecretStatus { items: None, ..first };
    assert_eq!(
        kept_status(&Last { requests: requests("later"), ..last(Some(pruned)) }, &nothing, None, at(9)),
        None
    );
}

#[test]
fn a_transition_time_moves_only_with_the_status() {
    let first = next_status(&last(None), Err(&Failure::new(Reason::WrongPlace, "a")), at(0));
    let same = next_status(&last(Some(first.clone())), Err(&Failure::new(Reason::NoMatchingKey, "b")), at(9));
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
                    Conflict NotFound Forbidden AdmissionRefused AdmissionUnavailable ApiBusy ApiError ApiUnavailable NoSpace OutputFailed StatusFailed";
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
