//! Keys that come back, from a backup or with etcd, and Secrets of other versions.

use super::*;

#[test]
fn a_restored_key_is_never_the_primary_by_itself() {
    let backup = holder(FIRST_KEY, 1, Note::Says(Active));
    let newer = holder("sealing-key-7", 7, Note::Says(Active));
    // Keys that are restored before the controller's first start: under their own name or another one, one or
    // several, with and without a note.
    for held in [
        vec![restored(&backup, FIRST_KEY)],
        vec![restored(&backup, "restored-first")],
        vec![restored(&backup, FIRST_KEY), restored(&newer, "sealing-key-7")],
        vec![Holder { note: Note::Absent, ..restored(&backup, FIRST_KEY) }],
        vec![Holder { note: Note::Says(Revoked), ..restored(&backup, FIRST_KEY) }],
    ] {
        let mut world = World::with(held.clone());
        let report = world.settle();
        let made = world.loaded.holders.last().unwrap();
        assert_eq!(report.primary, Some(made.recipient.fingerprint()));
        assert!(made.is_made_by_us);
        for holder in &held {
            let found = world.loaded.holders.iter().find(|it| it.secret == holder.secret).unwrap();
            let floor = if holder.note == Note::Says(Revoked) { Revoked } else { Retiring };
            assert_eq!(found.note, Note::Says(floor));
        }
    }
    // A key that is restored after the first start.
    let mut world = World::default();
    world.settle();
    world.loaded.holders.push(restored(&newer, "restored-7"));
    assert_eq!(said(&world.settle()), (Some(FIRST_KEY), None));
    assert_eq!(world.holder("restored-7").note, Note::Says(Retiring));
}

#[test]
fn a_key_that_was_deleted_and_comes_back_is_what_it_was() {
    for (asked, primary) in [(Active, Some(FIRST_KEY)), (Revoked, None)] {
        let mut world = World::without_renewal();
        world.settle();
        let backup = restored(&world.loaded.holders[0], "restored-first");
        world.ask(FIRST_KEY, asked);
        world.settle();
        world.lose(FIRST_KEY);
        world.settle();
        // Meanwhile a person who may write SealingKeys asks for Active again.
        world.ask(FIRST_KEY, Active);
        world.loaded.holders.push(backup);
        assert_eq!(said(&world.settle()).0, primary, "{asked:?}");
        assert_eq!(world.loaded.holders[0].note, Note::Says(asked));
    }
}

#[test]
fn secrets_of_one_fingerprint_are_one_key_with_the_highest_floor() {
    let mut world = World::without_renewal();
    world.settle();
    let copy = Holder { note: Note::Says(Revoked), ..restored(&world.loaded.holders[0], "copy") };
    world.loaded.holders.push(copy);
    let report = world.settle();
    assert_eq!(said(&report), (None, Some(FIRST_KEY)));
    assert!(world.loaded.holders.iter().all(|holder| holder.note == Note::Says(Revoked)));
    assert_eq!(world.published.len(), 1);
}

#[test]
fn a_secret_of_a_later_version_is_not_lost_and_blocks_making_another() {
    let mut world = World::default();
    world.loaded.later.push(None);
    assert_eq!(said(&world.settle()), (None, None));
    assert!(world.loaded.holders.is_empty());

    let mut world = World::default();
    world.settle();
    let later = world.lose(FIRST_KEY).recipient.fingerprint();
    world.loaded.later.push(Some(later));
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::LaterVersion);
    assert!(world.loaded.holders.is_empty());
}

#[test]
fn after_a_restored_key_with_the_highest_sequence_another_is_made() {
    let highest = Holder { sequence: MAX_SEQUENCE, ..holder("x", 1, Note::Absent) };
    let before = Holder { sequence: MAX_SEQUENCE - 1, ..holder("x", 1, Note::Absent) };
    for (held, made) in [
        (vec![restored(&highest, "restored")], 1),
        (vec![restored(&highest, FIRST_KEY)], 2),
        (vec![restored(&highest, "sealing-key-8"), restored(&holder("y", 7, Note::Absent), "restored-7")], 9),
        (vec![restored(&before, "restored")], MAX_SEQUENCE),
    ] {
        let mut world = World::with(held);
        let report = world.settle();
        let newest = world.loaded.holders.last().unwrap();
        assert_eq!((newest.sequence, report.primary), (made, Some(newest.recipient.fingerprint())));
    }
}

#[test]
fn a_key_that_the_controller_made_is_a_trace_of_it_also_without_a_note() {
    // The first version wrote no note; the SealingKeys were deleted while no controller ran.
    let mut world = World::with([holder(FIRST_KEY, 1, Note::Absent)]);
    world.set_clocks_apart();
    let report = world.settle();
    assert_eq!((world.loaded.holders.len(), said(&report)), (1, (None, None)));
    assert_eq!(world.loaded.holders[0].note, Note::Says(Retiring));
}
