//! The words for findings, and what goes if an object has no room for them.
//!
//! [`crate::reconcile`] tests when they are said.

use std::collections::BTreeSet;

use seal_crds::resources::{Envelope, Rewrap, Usage};

use super::*;
use crate::examination::Exposed;
use crate::status::{READY, Reconciled, Remarks, next_status};

/// The recipient that is revoked first.
const LEAKED: &str = "abababababababababababababababababababababababababababababababab";

fn usage() -> Usage {
    Usage {
        source: "s".into(),
        items: None,
        keyring: "k".into(),
        only: Vec::new(),
        revoked: None,
        target: None,
    }
}

fn said(exposed: Exposed, offer: Offer) -> SealedSecretStatus {
    next(&Last::default(), Findings { usage: usage(), exposed, exposing: BTreeSet::new(), offer })
}

fn next(last: &Last, findings: Findings) -> SealedSecretStatus {
    let (remarks, by, findings) = (Remarks::default(), Vec::new(), Some(findings));
    let reconciled = Reconciled { items: 1, by, remarks, version: None, findings, look: None };
    next_status(last, Ok(&reconciled), Timestamp::UNIX_EPOCH)
}

fn offer(size: usize) -> Offer {
    let envelope = Envelope { keys: Vec::new(), recipients: Vec::new(), age: "A".repeat(size) };
    Offer::Made(Box::new(Rewrap { source: "s".into(), target: "t".into(), envelope }))
}

fn exposed(count: usize) -> Exposed {
    Exposed {
        count,
        names: (0..count).map(|n| format!("item-{n}")).collect(),
        to: vec![LEAKED.parse().unwrap()],
    }
}

#[test]
fn an_offer_goes_where_there_is_no_room_and_nothing_else_does() {
    let status = said(exposed(3), offer(1000));
    let fits = |weight| fitting(status.clone(), weight, &Last::default(), Timestamp::UNIX_EPOCH);
    let size = serde_json::to_vec(&status).unwrap().len();
    assert_eq!(fits(MAX_WITH_OFFER - size), status);
    let without = fits(MAX_WITH_OFFER - size + 1);
    assert!(without.rewrap.is_none() && without.exposed.len() == 3 && without.usage.is_some());
    let offered = find_condition(&without.conditions, REWRAP_OFFERED).unwrap();
    assert_eq!((offered.status, offered.reason.as_str()), (ConditionStatus::False, "OfferTooLarge"));
    assert_eq!(without.conditions.len(), status.conditions.len());
    let bare = fits(MAX_WITH_NAMES);
    assert!(bare.exposed.is_empty());
    assert_eq!(bare.exposed_count, Some(3), "whoever reads it knows that names are missing");
    assert_eq!(bare.exposed_to, [LEAKED]);
    let message = &find_condition(&bare.conditions, EXPOSED).unwrap().message;
    assert!(message.starts_with("a revoked recipient (abababababababab) has had"), "{message}");
    assert!(message.contains("3 in all: item-0, item-1, item-2;"), "{message}");
}

#[test]
fn there_are_conditions_only_for_what_is_to_be_said() {
    let types = |status: &SealedSecretStatus| {
        status.conditions.iter().map(|condition| condition.type_.clone()).collect::<Vec<_>>()
    };
    assert_eq!(types(&said(Exposed::default(), Offer::NotDue)), [READY]);
    let all = said(exposed(2000), Offer::Unsupported("17 recipients; at most 16 are allowed".into()));
    assert_eq!(types(&all), [READY, EXPOSED, REWRAP_OFFERED]);
    assert!(all.conditions[1].message.contains("2000 in all: item-0, "), "{}", all.conditions[1].message);
    assert!(all.conditions[1].message.len() < 400);
    assert_eq!(
        (all.conditions[2].status, all.conditions[2].reason.as_str()),
        (ConditionStatus::False, "Unsupported")
    );
}

#[test]
fn a_mark_that_is_gone_says_sealed_afresh_and_never_that_anything_is_safe() {
    let other = "cd".repeat(32);
    let findings = |source: &str, count, revoked: &[&str]| Findings {
        usage: Usage {
            source: source.to_owned(),
            revoked: (!revoked.is_empty()).then(|| "r".to_owned()),
            ..usage()
        },
        exposed: if count == 0 { Exposed::default() } else { exposed(count) },
        exposing: revoked.iter().map(|revoked| revoked.parse().unwrap()).collect(),
        offer: Offer::NotDue,
    };
    let after = |before: &SealedSecretStatus, findings| {
        let last = Last { status: Some(before.clone()), ..Last::default() };
        let status = next(&last, findings);
        assert_eq!(news(&last, &status).count(), 0, "people were told when it began");
        status
    };
    let condition = |status: &SealedSecretStatus| find_condition(&status.conditions, EXPOSED).cloned();
    let marked = next(&Last::default(), findings("old", 2, &[LEAKED]));
    let rewrapped = after(&marked, findings("rewrapped", 2, &[LEAKED]));
    assert_eq!(condition(&rewrapped).unwrap().status, ConditionStatus::True, "a rewrap seals nothing afresh");
    let mut afresh = after(&marked, findings("new", 0, &[LEAKED, &other]));
    for _ in 0..2 {
        let said = condition(&afresh).unwrap();
        assert_eq!((said.status, said.reason.as_str()), (ConditionStatus::False, "SealedAfresh"));
        assert!(
            said.message.contains("was sealed afresh") && !said.message.contains("safe"),
            "{}",
            said.message
        );
        afresh = after(&afresh, findings("new", 0, &[LEAKED, &other]));
    }
    for (source, revoked) in [("old", &[other.as_str()][..]), ("rewrapped", &[other.as_str()]), ("new", &[])]
    {
        let status = after(&marked, findings(source, 0, revoked));
        assert_eq!(condition(&status), None, "{source}: another is revoked now, or nobody");
    }
    let removed = after(&marked, findings("old", 0, &[LEAKED]));
    assert_eq!(
        condition(&removed).unwrap().reason,
        "SealedAfresh",
        "the items went, under the same envelopes"
    );
    let unsaid = SealedSecretStatus { exposed_to: Vec::new(), ..marked.clone() };
    assert_eq!(
        condition(&after(&unsaid, findings("new", 0, &[LEAKED]))),
        None,
        "nobody knows whose mark it was"
    );
    let never = next(&Last::default(), findings("new", 0, &[LEAKED, &other]));
    assert_eq!(condition(&never), None);
    let again = Last { status: Some(afresh), ..Last::default() };
    let marked = next(&again, findings("third", 1, &[LEAKED, &other]));
    assert_eq!(news(&again, &marked).count(), 1, "another recipient was revoked since");
}
