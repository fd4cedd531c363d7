//! The state of a key: what raises it, what can't lower it, and in which order it is said.

use super::*;

#[test]
fn states_asked_for_only_ever_raise() {
    // The states that somebody asks for, of the newest key and the older one; the states after that; the
    // primary; the key whose renewal is due.
    let cases = [
        (Active, Active, [Retiring, Active], Some("sealing-key-2"), None),
        (Retiring, Active, [Retiring, Active], Some("sealing-key-2"), Some("sealing-key-2")),
        (Revoked, Active, [Retiring, Revoked], None, Some("sealing-key-2")),
        (Active, Revoked, [Revoked, Active], Some("sealing-key-2"), None),
        (Retiring, Revoked, [Revoked, Active], Some("sealing-key-2"), Some("sealing-key-2")),
        (Revoked, Revoked, [Revoked, Revoked], None, Some("sealing-key-2")),
    ];
    for (newest, older, states, primary, due) in cases {
        for afterwards in [Active, Retiring, newest] {
            let mut world = two_keys();
            world.ask("sealing-key-2", newest);
            world.ask(FIRST_KEY, older);
            let report = world.settle();
            let case = format!("{newest:?} {older:?} {afterwards:?}");
            assert_eq!(said(&report), (primary, due), "{case}");
            assert_eq!(
                world.loaded.holders.iter().map(|it| it.note).collect::<Vec<_>>(),
                states.map(Note::Says),
                "{case}"
            );
            // The SealingKeys are deleted and made again with other states; the floors beside the private
            // halves stay.
            world.recreate("sealing-key-2", afterwards);
            world.recreate(FIRST_KEY, Active);
            let report = world.settle();
            assert_eq!(said(&report).0, primary, "{case}");
            assert_eq!(
                world.loaded.holders.iter().map(|it| it.note).collect::<Vec<_>>(),
                states.map(Note::Says),
                "{case}"
            );
        }
    }
}

#[test]
fn an_older_key_never_takes_the_place_of_a_newer_one() {
    // Case one: the newest is revoked before the controller has seen either of the two.
    let (older, newer) = (holder("a", 1, Note::Says(Active)), holder("b", 2, Note::Says(Active)));
    let mut world = World::with([older.clone(), newer.clone()]);
    world.set_clocks_apart();
    world.published.push(sealing_key("b", &newer, Revoked));
    let report = world.settle();
    assert_eq!(said(&report), (None, Some("b")));
    // If the notes are cut short, the older key must not be the one that is left Active.
    let raised: Vec<_> = world.steps.iter().filter(|step| step.starts_with("Raise")).collect();
    assert_eq!(raised.len(), 1);
    assert!(raised[0].find(r#"secret: "a""#) < raised[0].find(r#"secret: "b""#), "{raised:?}");

    // Case two: the newest is lost.
    let mut world = two_keys();
    world.lose("sealing-key-2");
    let report = world.settle();
    assert_eq!(said(&report), (None, Some("sealing-key-2")));
    assert_eq!(*standing(&report, "sealing-key-2"), Standing::Lost);

    // Case three: the note of the newest can't be read.
    let mut world = two_keys();
    world.holder("sealing-key-2").note = Note::Unreadable;
    assert_eq!(said(&world.settle()), (None, Some("sealing-key-2")));
}

#[test]
fn while_nothing_is_renewed_no_key_is_sealed_to_in_place_of_a_lost_or_revoked_one() {
    for story in [
        |world: &mut World| drop(world.lose(FIRST_KEY)),
        |world: &mut World| world.ask(FIRST_KEY, Revoked),
        |world: &mut World| world.holder(FIRST_KEY).note = Note::Unreadable,
    ] {
        let mut world = World::without_renewal();
        world.settle();
        story(&mut world);
        let (held, report) = (world.loaded.holders.len(), world.settle());
        assert_eq!(said(&report), (None, Some(FIRST_KEY)));
        assert!(report.keyless.unwrap().contains(FIRST_KEY));
        assert_eq!(world.loaded.holders.len(), held);
    }
}

#[test]
fn an_upgrade_changes_nothing() {
    for (state, primary) in [(Active, Some("a")), (Retiring, None), (Revoked, None)] {
        let key = holder("a", 1, Note::Absent);
        let mut world = World::with([key.clone()]);
        world.set_clocks_apart();
        let mut published = sealing_key("a", &key, state);
        // The first version recorded fingerprints only.
        let fingerprint = Some(key.recipient.fingerprint().to_string());
        published.status = Some(SealingKeyStatus { fingerprint, ..Default::default() });
        world.published.push(published);
        assert_eq!(said(&world.settle()).0, primary, "{state:?}");
        assert_eq!((world.loaded.holders.len(), world.loaded.holders[0].note), (1, Note::Says(state)));
    }
}

#[test]
fn a_note_that_cannot_be_read_is_treated_as_revoked_and_never_written_back() {
    let mut world = World::without_renewal();
    world.settle();
    world.holder(FIRST_KEY).note = Note::Unreadable;
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Unreadable { secret: FIRST_KEY.into() });
    assert_eq!(world.loaded.holders[0].note, Note::Unreadable);
    world.holder(FIRST_KEY).note = Note::Says(Active);
    assert_eq!(said(&world.settle()), (Some(FIRST_KEY), None), "corrected, it is what it was");
}

#[test]
fn no_wish_for_active_counts_once_a_note_could_not_be_read_whatever_becomes_of_the_sealing_key() {
    let mut world = World::without_renewal();
    world.settle();
    world.holder(FIRST_KEY).note = Note::Unreadable;
    world.settle();
    world.recreate(FIRST_KEY, Active);
    assert_eq!(said(&world.settle()).0, None);
    // An administrator takes the note away.
    let holder = world.holder(FIRST_KEY);
    (holder.note, holder.is_noted_by_us) = (Note::Absent, false);
    assert_eq!(said(&world.settle()).0, None);
    assert_eq!(world.loaded.holders[0].note, Note::Says(Retiring));
}

#[test]
fn a_record_without_a_floor_gives_active_only_of_a_key_of_the_first_version_whose_secret_is_there() {
    let fingerprint = |holder: &Holder| Some(holder.recipient.fingerprint().to_string());
    for (state, is_there, later, floor) in [
        (None, true, false, Active),
        (None, false, false, Retiring),
        (None, false, true, Retiring),
        // An earlier version recorded lost and unreadable keys like this.
        (Some(PublishedState::Revoked), true, false, Retiring),
        (Some(PublishedState::Lost), false, false, Retiring),
        (Some(PublishedState::Lost), true, false, Retiring),
    ] {
        let key = holder("a", 1, Note::Absent);
        let mut world = World::with([key.clone()]);
        world.set_clocks_apart();
        let mut published = sealing_key("a", &key, Active);
        let status = SealingKeyStatus { fingerprint: fingerprint(&key), state, ..Default::default() };
        published.status = Some(status);
        world.published.push(published);
        if !is_there {
            world.lose("a");
        }
        world.loaded.later.extend(later.then_some(Some(key.recipient.fingerprint())));
        let case = format!("{state:?} {is_there} {later}");
        world.settle();
        let recorded = |world: &World| world.published[0].status.as_ref().unwrap().floor;
        assert_eq!(recorded(&world), Some(floor), "{case}");
        // The lost key comes back.
        if !is_there {
            world.loaded.later.clear();
            world.loaded.holders.push(key);
            assert_eq!(said(&world.settle()).0, None, "{case}");
        }
        assert_eq!(
            (recorded(&world), world.loaded.holders[0].note),
            (Some(floor), Note::Says(floor)),
            "{case}"
        );
    }
}

#[test]
fn an_older_key_whose_note_is_corrected_does_not_take_the_place_of_a_newer_one() {
    let mut world = World::without_renewal();
    world.settle();
    world.holder(FIRST_KEY).note = Note::Unreadable;
    world.settle();
    world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
    world.ask("sealing-key-2", Revoked);
    world.settle();
    world.holder(FIRST_KEY).note = Note::Says(Active);
    assert_eq!(said(&world.settle()).0, None);
    assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring));
}

#[test]
fn a_note_that_is_lowered_or_removed_is_raised_again() {
    for note in [Note::Says(Active), Note::Absent] {
        let mut world = two_keys();
        world.ask("sealing-key-2", Revoked);
        world.settle();
        for secret in [FIRST_KEY, "sealing-key-2"] {
            world.holder(secret).note = note;
        }
        assert_eq!(said(&world.settle()).0, None, "{note:?}");
        let notes: Vec<_> = world.loaded.holders.iter().map(|holder| holder.note).collect();
        assert_eq!(notes, [Note::Says(Retiring), Note::Says(Revoked)]);
    }
}

#[test]
fn equal_sequences_go_by_date_and_then_by_fingerprint_the_same_for_every_controller() {
    let (a, b) = (holder("a", 2, Note::Says(Active)), holder("b", 2, Note::Says(Active)));
    let later = Holder { created_at: "2026-02-01T00:00:00Z".into(), ..a.clone() };
    for held in [[later.clone(), b.clone()], [b.clone(), later]] {
        assert_eq!(said(&World::with(held).settle()).0, Some("a"));
    }
    let greater = if a.recipient.fingerprint() > b.recipient.fingerprint() { "a" } else { "b" };
    for held in [[a.clone(), b.clone()], [b, a]] {
        assert_eq!(said(&World::with(held).settle()).0, Some(greater));
    }
}

#[test]
fn the_older_is_said_before_the_primary_and_what_others_planted_after_it() {
    let mut world = two_keys();
    let mallory = holder("none", 3, Note::Absent);
    world.published.insert(0, sealing_key("a-planted-one", &mallory, Active));
    world.published.insert(0, sealing_key("a-duplicate", &world.loaded.holders[0], Active));
    let report = Report::from(&world.decide());
    let order: Vec<_> =
        report.verdicts.iter().map(|(name, verdict)| (name.as_str(), verdict.rank())).collect();
    let expected = [
        (FIRST_KEY, Rank::Own),
        ("sealing-key-2", Rank::Primary),
        ("a-duplicate", Rank::Planted),
        ("a-planted-one", Rank::Planted),
    ];
    assert_eq!(order, expected);
    assert_eq!(PublishedState::from(Retiring), PublishedState::Retiring);
}

#[test]
fn what_is_so_is_known_before_anything_is_done() {
    // A newer key isn't published yet: it opens already, and people go on to seal to the older key, whatever keeps the
    // newer one from being published.
    let mut world = World::default();
    world.settle();
    world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
    let decision = world.decide();
    assert!(matches!(decision.step, Step::Publish(..)));
    assert_eq!(said(&Report::from(&decision)), (Some(FIRST_KEY), None));
    // Once it is published, the older one isn't the primary any more, before that is noted.
    world.published.push(sealing_key("sealing-key-2", &world.loaded.holders[1], Active));
    let decision = world.decide();
    assert!(matches!(decision.step, Step::Raise(_)));
    assert_eq!(said(&Report::from(&decision)), (Some("sealing-key-2"), None));
    // Without an older key, nobody is sealed to meanwhile.
    let mut world = World::with([holder("sealing-key-2", 2, Note::Says(Active))]);
    let decision = world.decide();
    assert!(Report::from(&decision).keyless.unwrap().contains("isn't published"));
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
}

#[test]
fn after_an_older_version_that_could_not_read_the_new_keys_everything_is_as_it_was() {
    let mut world = with_period(0);
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    // The older version takes the Secrets for those of a later one. It writes whole statuses, without the fields that it
    // doesn't know, and without recovery recipients for a key that isn't the primary.
    for object in &mut world.published {
        let status = object.status.as_mut().unwrap();
        (status.renewal, status.usage) = (None, None);
        (status.recovery_recipients, status.extra_recipients) = (Vec::new(), Vec::new());
        status.conditions.retain(|condition| condition.type_ == "Primary");
        status.conditions[0].status = seal_crds::resources::ConditionStatus::False;
    }
    let before = world.loaded.holders.len();
    assert_eq!(said(&world.settle()), (Some("sealing-key-2"), None));
    assert_eq!(world.loaded.holders.len(), before);
    let notes: Vec<_> = world.loaded.holders.iter().map(|holder| holder.note).collect();
    assert_eq!(notes, [Retiring, Active].map(Note::Says));
    let sets = world.published.iter().map(|object| object.status.as_ref().unwrap().recovery_recipients.len());
    assert!(sets.eq([1, 1]), "the sets are in the Secrets");
}
