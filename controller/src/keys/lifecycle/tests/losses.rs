//! Private halves that are gone, or that somebody has asked to go.

use super::*;

#[test]
fn a_deleted_secret_still_opens_and_is_called_deleting_until_a_copy_of_it_is_loaded() {
    let mut world = two_keys();
    world.delete(FIRST_KEY);
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Deleting);
    assert_eq!(said(&report), (Some("sealing-key-2"), None));
    let state = |world: &World| world.published[0].status.clone().unwrap();
    assert_eq!((state(&world).state, state(&world).floor), (Some(PublishedState::Deleting), Some(Retiring)));
    // The finalizer is put on no Secret that is being deleted, and taken from none.
    world.holder(FIRST_KEY).is_held = false;
    world.ask(FIRST_KEY, Revoked);
    world.settle();
    assert_eq!((world.holder(FIRST_KEY).is_held, state(&world).floor), (false, Some(Revoked)));
    let copy = restored(&Holder { deleted_at: None, ..world.holder(FIRST_KEY).clone() }, "restored-first");
    world.loaded.holders.push(copy);
    assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Held(Revoked));
    assert!(world.holder("restored-first").is_held, "a restored key gets the finalizer");
}

#[test]
fn a_lost_primary_is_waited_for_until_somebody_acknowledges_the_loss() {
    let mut world = with_period(30);
    let lost = world.lose(FIRST_KEY);
    let report = world.settle();
    assert_eq!(said(&report), (None, Some(FIRST_KEY)));
    assert_eq!(world.obstacle(), Some(Obstacle::Loss));
    assert!(report.keyless.unwrap().contains("restored from a backup, or the loss is acknowledged"));
    world.published[0].spec.loss_acknowledged = true;
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Destroyed);
    assert_eq!(said(&report), (Some("sealing-key-2"), None), "the next number, although the Secret is gone");
    // If its Secret comes back after all, it only opens.
    world.loaded.holders.push(restored(&lost, FIRST_KEY));
    let report = world.settle();
    assert_eq!(
        (said(&report).0, standing(&report, FIRST_KEY)),
        (Some("sealing-key-2"), &Standing::Held(Retiring))
    );
}

#[test]
fn an_acknowledgement_counts_only_for_a_loss_that_came_before_it() {
    let mut world = World::without_renewal();
    world.settle();
    let is_void = |world: &World| world.published[0].is_acknowledgement_void();
    world.published[0].spec.loss_acknowledged = true;
    let report = world.settle();
    assert_eq!(
        (said(&report), standing(&report, FIRST_KEY), is_void(&world)),
        ((Some(FIRST_KEY), None), &Standing::Held(Active), true),
        "of a key that is there it means nothing"
    );
    // The key is lost, once with a deletion that waited for a while, and once without.
    for is_deleted_first in [true, false] {
        if is_deleted_first {
            world.delete(FIRST_KEY);
            assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Deleting);
            world.holder(FIRST_KEY).deleted_at = None;
        }
        let lost = world.lose(FIRST_KEY);
        for look in 0..3 {
            let report = world.settle();
            assert_eq!(*standing(&report, FIRST_KEY), Standing::Lost, "look {look}");
            assert_eq!((said(&report), is_void(&world)), ((None, Some(FIRST_KEY)), true), "look {look}");
        }
        world.loaded.holders.push(lost);
        assert_eq!(said(&world.settle()).0, Some(FIRST_KEY), "it is back, as what it was");
    }
    // Taken back and written anew it counts, whatever the controller saw between.
    world.lose(FIRST_KEY);
    world.settle();
    world.published[0].spec.loss_acknowledged = false;
    assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Lost);
    assert!(!is_void(&world));
    world.published[0].spec.loss_acknowledged = true;
    let report = world.settle();
    assert_eq!((standing(&report, FIRST_KEY), is_void(&world)), (&Standing::Destroyed, false));
}

#[test]
fn a_loss_that_is_acknowledged_a_second_time_is_a_loss_like_the_first() {
    let mut world = World::without_renewal();
    world.settle();
    let lost = world.lose(FIRST_KEY);
    world.settle();
    world.published[0].spec.loss_acknowledged = true;
    world.settle();
    assert_eq!(world.published[0].status.as_ref().unwrap().state, Some(PublishedState::Destroyed));
    world.loaded.holders.push(restored(&lost, "restored"));
    assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Held(Retiring));
    world.lose("restored");
    assert_eq!(
        *standing(&world.settle(), FIRST_KEY),
        Standing::Lost,
        "nobody has said that it is gone again"
    );
}

#[test]
fn a_key_whose_secret_is_gone_is_revoked_like_any_other_and_keeps_no_newer_one_from_being_made() {
    let flag = |world: &mut World, fingerprint: Fingerprint| {
        let flags = RecipientFlags { revoked: [fingerprint].into(), ..RecipientFlags::default() };
        world.settings = Settings::new(SignedDuration::ZERO, flags).unwrap();
    };
    for (is_flag, is_revoked_first, is_acknowledged) in (0..8).map(|i| (i & 1 == 1, i & 2 == 2, i & 4 == 4)) {
        let case = format!("{is_flag} {is_revoked_first} {is_acknowledged}");
        let mut world = World::default();
        world.settle();
        let fingerprint = world.loaded.holders[0].recipient.fingerprint();
        let revoke = |world: &mut World| {
            if is_flag {
                flag(world, fingerprint);
            } else {
                world.ask(FIRST_KEY, Revoked);
            }
        };
        // No look comes between a revocation and a loss.
        if is_revoked_first {
            revoke(&mut world);
        }
        let stolen = world.lose(FIRST_KEY);
        world.published[0].spec.loss_acknowledged = is_acknowledged;
        if !is_revoked_first {
            world.settle();
            revoke(&mut world);
        }
        assert_eq!(world.decide().revoked, [fingerprint], "{case}: it exposes what was sealed to it");
        assert_eq!(said(&world.settle()), (Some("sealing-key-2"), None), "{case}: the loss isn't waited for");
        let first = world.published[0].status.clone().unwrap();
        assert_eq!(first.floor, Some(Revoked), "{case}");
        // The flag is forgotten, the wish is taken back, and the private half comes back.
        world.settings = Settings::default();
        world.ask(FIRST_KEY, Active);
        world.loaded.holders.push(restored(&stolen, FIRST_KEY));
        world.settle();
        assert_eq!(
            (world.decide().revoked, world.holder(FIRST_KEY).note),
            (vec![fingerprint], Note::Says(Revoked))
        );
    }
}

#[test]
fn a_key_that_was_lost_never_comes_back_in_place_of_the_one_that_took_its_place() {
    for is_acknowledged in [false, true] {
        for is_newer_lost in [false, true] {
            let case = format!("{is_acknowledged} {is_newer_lost}");
            let mut world = World::without_renewal();
            world.settle();
            let lost = world.lose(FIRST_KEY);
            world.published[0].spec.loss_acknowledged = is_acknowledged;
            world.settle();
            world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
            assert_eq!(said(&world.settle()).0, Some("sealing-key-2"), "{case}");
            assert_eq!(world.published[0].status.clone().unwrap().floor, Some(Retiring), "{case}");
            if is_newer_lost {
                world.lose("sealing-key-2");
            } else {
                world.ask("sealing-key-2", Revoked);
            }
            world.settle();
            // With the note that the controller wrote, as if the Secret had never gone.
            world.loaded.holders.push(lost);
            assert_eq!(said(&world.settle()).0, None, "{case}");
            assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring), "{case}");
        }
    }
}
