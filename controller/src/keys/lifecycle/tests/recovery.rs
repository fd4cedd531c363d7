//! The recovery sets of keys, and what of them stays on record.

use super::*;

#[test]
fn the_recovery_set_of_a_key_is_the_one_it_was_made_with_whatever_the_flag_says_later() {
    let mut world = with_period(0);
    let [before, intruder] = [world.flags().recovery, world.recover(1)];
    let report = world.settle();
    assert_eq!(said(&report), (Some(FIRST_KEY), None), "a changed flag renews nothing");
    assert_eq!(world.kinds(), [""; 0], "and publishes nothing");
    let status = world.published[0].status.clone().unwrap();
    assert_eq!(status.recovery_recipients, [before[0].to_string()]);
    assert!(status.conditions.iter().any(|it| it.type_ == "RecoveryChanged"));
    // It takes effect with the next key.
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    let made = world.holder("sealing-key-2").recovery.clone().unwrap();
    assert_eq!(made.recipients(), intruder);
    let status = world.published[1].status.clone().unwrap();
    assert!(status.conditions.iter().all(|it| it.type_ != "RecoveryChanged"));
}

#[test]
fn recorded_are_the_sets_of_all_keys_that_the_controller_had_and_revoked_the_keys_that_are() {
    let mut world = with_period(0);
    let set = world.flags().recovery[0].fingerprint();
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    world.ask(FIRST_KEY, Revoked);
    world.settle();
    let first = world.lose(FIRST_KEY).recipient.fingerprint();
    world.settle();
    let decision = world.decide();
    assert_eq!((decision.recorded.len(), &decision.revoked[..]), (2, &[first][..]));
    assert!(decision.recorded.iter().all(|key| key.recovery == [set].into()));
}

#[test]
fn a_key_that_is_restored_without_its_recovery_set_keeps_what_was_recorded_of_it() {
    let mut world = with_period(0);
    let set = world.flags().recovery.remove(0);
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    let lost = world.lose(FIRST_KEY);
    world.settle();
    // Its backup has the private half, and not the set.
    world.loaded.holders.push(Holder { recovery: None, ..restored(&lost, "sealing-key-0123456789abcdef") });
    for _ in 0..2 {
        world.settle();
        let recorded = world.decide().recorded;
        let key = recorded.iter().find(|key| key.fingerprint == lost.recipient.fingerprint()).unwrap();
        assert_eq!(key.recovery, [set.fingerprint()].into(), "a leak of the recipient exposes the key");
        let status = world.published[0].status.as_ref().unwrap();
        assert_eq!(
            (status.state, &status.recovery_recipients[..]),
            (Some(PublishedState::Retiring), &[set.to_string()][..])
        );
    }
    // What somebody else wrote beside the key adds nobody.
    let stranger = Identity::generate().recipient().to_string();
    let mut planted = sealing_key("planted", &lost, Retiring);
    let status =
        SealingKeyStatus { recovery_recipients: vec![stranger.clone()], ..SealingKeyStatus::default() };
    planted.status = Some(status);
    world.published.push(planted);
    let stranger = stranger.parse::<Recipient>().unwrap().fingerprint();
    assert!(world.decide().recorded.iter().all(|key| !key.recovery.contains(&stranger)));
}

#[test]
fn a_revoked_recovery_recipient_of_the_primary_stays_on_record_when_the_primary_is_lost() {
    let mut world = with_period(0);
    let flags = world.flags();
    let leaked = flags.recovery[0].clone();
    let revoked = [leaked.fingerprint()].into();
    world.settings = Settings::new(SignedDuration::ZERO, RecipientFlags { revoked, ..flags }).unwrap();
    world.settle();
    let status = world.published[0].status.clone().unwrap();
    assert!(status.recovery_recipients.is_empty(), "nobody seals to it");
    let lost = world.lose(FIRST_KEY);
    let sets =
        |world: &World| -> Vec<_> { world.decide().recorded.into_iter().map(|key| key.recovery).collect() };
    // Lost, and then restored without the set: what was sealed to the key is exposed by the leak.
    for holder in [None, Some(Holder { recovery: None, ..restored(&lost, "restored") })] {
        world.loaded.holders.extend(holder);
        world.settle();
        world.settle();
        assert_eq!(sets(&world)[0], [leaked.fingerprint()].into());
    }
}
