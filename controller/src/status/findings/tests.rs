//! The words for findings, and what goes if an object has no room for them.
//!
//! [`crate::reconcile`] tests when they are said.

use seal_crds::resources::{ConditionStatus, Envelope, Rewrap, Usage};

use super::*;
use crate::status::{READY, Reconciled, Remarks, next_status};

fn usage() -> Usage {
    Usage { source: "s".into(), keyring: "k".into(), only: Vec::new(), revoked: None, target: None }
}

fn said(exposed: Exposed, offer: Offer) -> SealedSecretStatus {
    let findings = Some(Findings { usage: usage(), exposed, offer });
    let (remarks, by) = (Remarks::default(), Vec::new());
    let reconciled = Reconciled { items: 1, by, remarks, version: None, findings, look: None };
    next_status(&Last::default(), Ok(&reconciled), Timestamp::UNIX_EPOCH)
}

fn offer(size: usize) -> Offer {
    let envelope = Envelope { keys: Vec::new(), recipients: Vec::new(), age: "A".repeat(size) };
    Offer::Made(Box::new(Rewrap { source: "s".into(), target: "t".into(), envelope }))
}

fn exposed(count: usize) -> Exposed {
    Exposed { count, names: (0..count).map(|n| format!("item-{n}")).collect() }
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
    let message = &find_condition(&bare.conditions, EXPOSED).unwrap().message;
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
