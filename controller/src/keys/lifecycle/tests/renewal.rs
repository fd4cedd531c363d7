//! The first key, and every one after it: when one is made, what keeps it from being made, and when it is sealed to.

use super::*;

#[test]
fn the_first_key_is_made_noted_and_published_in_this_order() {
    let mut world = World::default();
    let report = world.settle();
    assert_eq!(said(&report), (Some(FIRST_KEY), None));
    let steps: Vec<_> = world.steps.iter().map(|step| step.split([' ', '(']).next().unwrap()).collect();
    assert_eq!(steps, ["Make", "Publish"]);
    assert_eq!(world.loaded.holders[0].note, Note::Says(Active));
    assert_eq!(said(&world.settle()), (Some(FIRST_KEY), None));
    assert_eq!(world.steps.len(), 2, "a second look does nothing");
}

#[test]
fn a_renewal_makes_the_key_with_its_backup_publishes_both_retires_the_older_and_only_then_seals_to_it() {
    let mut world = with_period(365);
    world.ask(FIRST_KEY, Retiring);
    let mut seen = Vec::new();
    for _ in 0..5 {
        world.look();
        let decision = world.decide();
        let kind = format!("{:?}", decision.step).split([' ', '(']).next().unwrap().to_owned();
        let primary = said(&Report::from(&decision)).0.map(str::to_owned);
        seen.push((kind, primary));
        let Step::Say = decision.step else {
            let step = decision.step;
            world.take(step);
            continue;
        };
        break;
    }
    let seen: Vec<_> = seen.iter().map(|(kind, primary)| (kind.as_str(), primary.as_deref())).collect();
    let second = Some("sealing-key-2");
    // The note is written before the status says who is the primary.
    let first = Some(FIRST_KEY);
    assert_eq!(seen, [("Make", first), ("Publish", first), ("Raise", second), ("Say", second)]);
    let report = world.settle();
    assert_eq!(said(&report), (second, None));
    assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring));
    let made = world.holder("sealing-key-2").clone();
    assert_eq!((made.sequence, made.created_at.as_str()), (2, NOW), "by the API server's clock");
    assert!(world.settings.recovery().eq(made.recovery.unwrap().recipients()));
    assert_eq!(world.backups.len(), 2);
}

#[test]
fn a_key_is_renewed_by_age_and_announced_a_month_before() {
    // The key is 181 days old.
    for (days, renewal) in [
        (181, Some(Renewal::Due { why: Why::Age, obstacle: None })),
        (182, Some(Renewal::Soon)),
        (211, Some(Renewal::Soon)),
        (212, None),
        (0, None),
    ] {
        let mut world = with_period(days);
        assert_eq!(world.renewal(), renewal, "{days}");
        let report = world.settle();
        let is_due = days == 181;
        assert_eq!(said(&report), (Some(if is_due { "sealing-key-2" } else { FIRST_KEY }), None), "{days}");
        let said: Vec<_> = world.published.iter().map(|it| it.status.clone().unwrap().renewal).collect();
        let expected = match days {
            0 => vec![None],
            181 => vec![None, Some("2026-12-29T00:00:00Z".to_owned())],
            182 => vec![Some("2026-07-02T00:00:00Z".to_owned())],
            211 => vec![Some("2026-07-31T00:00:00Z".to_owned())],
            _ => vec![Some("2026-08-01T00:00:00Z".to_owned())],
        };
        assert_eq!(said, expected, "{days}");
    }
}

#[test]
fn three_renewals_leave_one_primary_and_every_older_key_retiring() {
    let mut world = with_period(30);
    for (now, name) in [
        ("2026-07-01T00:00:00Z", "sealing-key-2"),
        ("2026-08-01T00:00:00Z", "sealing-key-3"),
        ("2026-09-01T00:00:00Z", "sealing-key-4"),
    ] {
        world.at(now);
        assert_eq!(said(&world.settle()), (Some(name), None));
        assert_eq!(said(&world.settle()), (Some(name), None), "a second look does nothing");
    }
    assert_eq!(world.kinds(), ["Make", "Publish", "Raise"].repeat(3));
    let notes: Vec<_> = world.loaded.holders.iter().map(|holder| holder.note).collect();
    assert_eq!(notes, [Retiring, Retiring, Retiring, Active].map(Note::Says));
}

#[test]
fn each_fence_keeps_a_key_from_being_made_and_is_said_and_no_other_limit_does() {
    let old = |count: i64| {
        (2..2 + count).map(|i| Holder {
            created_at: "2026-01-02T00:00:00Z".into(),
            ..holder(&format!("k-{i}"), i, Note::Says(Retiring))
        })
    };
    let recent = |count: i64| {
        (2..2 + count).map(|i| Holder {
            created_at: "2026-06-30T00:00:01Z".into(),
            ..holder(&format!("k-{i}"), i, Note::Says(Retiring))
        })
    };
    type Change<'a> = Box<dyn Fn(&mut World) + 'a>;
    let cases: [(Option<Obstacle>, Change<'_>); 9] = [
        (None, Box::new(|_| {})),
        (None, Box::new(|world| world.loaded.holders.extend(old(30)))),
        (Some(Obstacle::TooManyKeys), Box::new(|world| world.loaded.holders.extend(old(31)))),
        (None, Box::new(|world| world.loaded.holders.extend(recent(7)))),
        (Some(Obstacle::TooManyRecent), Box::new(|world| world.loaded.holders.extend(recent(8)))),
        (Some(Obstacle::LaterVersion), Box::new(|world| world.loaded.later.push(None))),
        (Some(Obstacle::Clock(ClockFault::Differs)), Box::new(World::set_clocks_apart)),
        (
            Some(Obstacle::Clock(ClockFault::NoDate)),
            Box::new(|world| world.loaded.time = ServerTime::new(None, NOW.parse().unwrap())),
        ),
        // A lost key that isn't the primary keeps nothing from being made.
        (
            None,
            Box::new(|world| {
                world.loaded.holders.extend(old(1));
                world.settle();
                world.lose("k-2");
            }),
        ),
    ];
    assert_eq!((MAX_KEYS, MAX_RECENT), (32, 8));
    for (i, (obstacle, change)) in cases.into_iter().enumerate() {
        let mut world = with_period(0);
        change(&mut world);
        world.settle();
        world.ask(FIRST_KEY, Retiring);
        assert_eq!(world.obstacle(), obstacle, "{i}");
        let before = world.loaded.holders.len();
        let report = world.settle();
        let made = world.loaded.holders.len() - before;
        assert_eq!(made, usize::from(obstacle.is_none()), "{i}");
        if obstacle.is_some() {
            assert_eq!(said(&report), (Some(FIRST_KEY), Some(FIRST_KEY)), "{i}: it is still sealed to");
        }
    }
}

#[test]
fn a_revoked_unreadable_or_deleted_primary_is_renewed_and_no_older_key_takes_its_place() {
    for (i, story) in [
        |world: &mut World| world.ask("sealing-key-2", Revoked),
        |world: &mut World| world.holder("sealing-key-2").note = Note::Unreadable,
        |world: &mut World| world.delete("sealing-key-2"),
        |world: &mut World| {
            let revoked = [world.holder("sealing-key-2").recipient.fingerprint()].into();
            let flags = RecipientFlags { revoked, ..world.flags() };
            world.settings = Settings::new(SignedDuration::ZERO, flags).unwrap();
        },
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = two_keys();
        story(&mut world);
        assert_eq!(said(&world.settle()), (None, Some("sealing-key-2")), "{i}: while nothing is renewed");
        world.at(NOW);
        assert_eq!(said(&world.settle()), (Some("sealing-key-3"), None), "{i}");
        assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring), "{i}");
        // A note that is corrected, or a flag that is forgotten, makes no older key the primary again.
        world.settings = Settings::default();
        world.holder("sealing-key-2").note = Note::Says(Active);
        assert_eq!(said(&world.settle()).0, Some("sealing-key-3"), "{i}");
    }
}

#[test]
fn a_key_whose_backup_is_not_published_is_not_sealed_to() {
    let mut world = with_period(0);
    world.ask(FIRST_KEY, Retiring);
    world.take(world.decide().step);
    // Its SealingKey is there before its backup.
    world.published.push(sealing_key("sealing-key-2", world.loaded.holders.last().unwrap(), Active));
    world.look();
    let decision = world.decide();
    assert!(matches!(&decision.step, Step::Publish(backups, keys) if backups.len() == 1 && keys.is_empty()));
    assert_eq!(said(&Report::from(&decision)), (Some(FIRST_KEY), Some(FIRST_KEY)), "the older one still is");
    assert_eq!(world.obstacle(), Some(Obstacle::Unfinished), "no third key is made");
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
    // A published backup that somebody deletes or replaces is published again, and the primary stays what it is.
    world.backups.clear();
    world.look();
    assert_eq!(said(&Report::from(&world.decide())).0, Some("sealing-key-2"));
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
    assert_eq!(world.backups.len(), 2);
}

#[test]
fn a_key_dated_ahead_is_as_old_as_its_secret() {
    let mut ahead = holder("sealing-key-2", 2, Note::Says(Active));
    ahead.created_at = "2036-01-01T00:00:00Z".into();
    ahead.stored_at = "2026-05-01T00:00:00Z".into();
    let mut world = World::with([ahead]);
    world.settle();
    let verdict = |world: &mut World| world.decide().verdicts[0].verdict.clone();
    assert_eq!(verdict(&mut world).dates, Some(DateFault::Ahead));
    world.settings = Settings::new(SignedDuration::from_hours(24 * 365), RecipientFlags::default()).unwrap();
    assert_eq!(verdict(&mut world).renewal_at, "2027-05-01T00:00:00Z".parse().ok());
    // It counts among the keys of the last day by that, too.
    world.holder("sealing-key-2").stored_at = "2026-06-30T12:00:00Z".into();
    let recent = |i: i64| Holder {
        created_at: "2026-06-30T12:00:00Z".into(),
        ..holder(&format!("k-{i}"), i, Note::Says(Retiring))
    };
    world.loaded.holders.extend((3..10).map(recent));
    world.ask("sealing-key-2", Retiring);
    assert_eq!(world.obstacle(), Some(Obstacle::TooManyRecent));
}
