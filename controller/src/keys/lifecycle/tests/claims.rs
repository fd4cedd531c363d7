//! SealingKeys that others wrote: what they can change, which is next to nothing.

use super::*;

#[test]
fn a_planted_sealing_key_neither_keeps_the_first_key_from_being_made_nor_takes_its_name() {
    let mut world = World::default();
    let mallory = holder("none", 99, Note::Absent);
    world.published.push(sealing_key(FIRST_KEY, &mallory, Active));
    world.published.push(SealingKey::new(
        "nonsense",
        SealingKeySpec { recipient: "age1pq1".into(), ..sealing_key("x", &mallory, Active).spec },
    ));
    let report = world.settle();
    let second_name = format!("sealing-key-{}", world.loaded.holders[0].recipient.fingerprint().short());
    assert_eq!(said(&report), (Some(second_name.as_str()), None));
    for name in [FIRST_KEY, "nonsense"] {
        assert_eq!(*standing(&report, name), Standing::Planted, "{name}");
    }
    // If that name is taken too, the key takes one that nobody can take before.
    world.published.retain(|object| name_of(object) != second_name);
    world.published.push(sealing_key(&second_name, &mallory, Active));
    let report = world.settle();
    assert_eq!(said(&report), (Some(format!("{second_name}-x").as_str()), None));
}

#[test]
fn a_sealing_key_with_our_recipient_and_a_date_of_somebody_elses_is_planted() {
    let mut world = two_keys();
    let first = world.loaded.holders[0].clone();
    let mut lying = sealing_key("lying", &first, Revoked);
    lying.spec.sequence = 99;
    world.published.push(lying);
    let report = world.settle();
    assert_eq!(*standing(&report, "lying"), Standing::Planted);
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Held(Retiring), "what it asks for doesn't count");
}

#[test]
fn a_second_sealing_key_of_one_key_is_called_a_duplicate() {
    let mut world = World::default();
    world.settle();
    let copy = sealing_key("a-copy", &world.loaded.holders[0], Active);
    world.published.push(copy);
    let report = world.settle();
    assert_eq!(said(&report), (Some(FIRST_KEY), None));
    assert_eq!(
        *standing(&report, "a-copy"),
        Standing::Duplicate { of: FIRST_KEY.into(), is_recorded: false }
    );
    // If the first is deleted, the other takes its place.
    world.published.remove(0);
    assert_eq!(said(&world.settle()), (Some("a-copy"), None));
}

#[test]
fn twenty_thousand_sealing_keys_of_one_key_are_each_visited_a_few_times() {
    let mut world = World::default();
    world.settle();
    let copies = (0..20_000).map(|i| sealing_key(&format!("copy-{i}"), &world.loaded.holders[0], Active));
    let copies: Vec<_> = copies.collect();
    world.published.extend(copies);
    // If each were visited for each of them, that would be 400 million visits.
    VISITS_LEFT.set(10 * 20_001);
    let report = world.settle();
    assert!(VISITS_LEFT.get() < 9 * 20_001, "the visits are counted");
    assert_eq!(said(&report), (Some(FIRST_KEY), None));
    assert_eq!(report.verdicts.len(), 20_001);
}

#[test]
fn a_planted_sealing_key_blocks_no_renewal_gets_no_number_and_adds_no_recipient() {
    let mut world = with_period(30);
    let mallory = holder("none", 999, Note::Absent);
    let mut planted = sealing_key("sealing-key-2", &mallory, Active);
    planted.spec.created_at = "2026-06-01T00:00:00Z".into();
    planted.spec.loss_acknowledged = true;
    let status = SealingKeyStatus {
        state: Some(PublishedState::Lost),
        floor: Some(Active),
        recovery_recipients: vec![mallory.recipient.to_string()],
        ..SealingKeyStatus::default()
    };
    planted.status = Some(status);
    world.published.push(planted);
    let report = world.settle();
    let made = world.loaded.holders.last().unwrap().clone();
    assert_eq!((made.secret.as_str(), made.sequence), ("sealing-key-2", 2));
    assert_eq!(report.primary, Some(made.recipient.fingerprint()));
    assert_eq!(*standing(&report, "sealing-key-2"), Standing::Planted);
    let decision = world.decide();
    let recorded: Vec<_> = decision.recorded.iter().map(|key| key.fingerprint).collect();
    assert!(!recorded.contains(&mallory.recipient.fingerprint()));
    assert!(decision.recorded.iter().all(|key| !key.recovery.contains(&mallory.recipient.fingerprint())));
}
