//! Turns are taken in order, share the time, and go to those that are left when nobody takes them.

use std::collections::BTreeMap;

use super::*;

fn object(name: usize) -> Object {
    in_namespace("prod", name)
}

fn in_namespace(namespace: &str, name: usize) -> Object {
    let name = format!("db-{name}").parse().unwrap();
    (Format::Native, Place { namespace: namespace.parse().unwrap(), name })
}

/// Lets all objects ask at once and come back when they are told to. Returns the time that passed until the last
/// was examined, and how often somebody asked.
fn examine(pace: &Pace, objects: usize, took: Duration, start: Instant) -> (Duration, usize) {
    let mut queue: BTreeMap<(Instant, usize), ()> = (0..objects).map(|n| ((start, n), ())).collect();
    let (mut asked, mut last) = (0, start);
    while let Some(((now, n), ())) = queue.pop_first() {
        asked += 1;
        match pace.begin(&object(n), now) {
            Ok(()) => {
                last = now + took;
                pace.end(&object(n), took, last);
            }
            Err(wait) => {
                assert!(!wait.is_zero());
                queue.insert((now + wait, n), ());
            }
        }
    }
    (last - start, asked)
}

#[test]
fn a_fleet_is_examined_at_a_quarter_of_a_core_and_nobody_asks_all_the_time() {
    for (took, expected) in [(2, 40), (50, 400), (400, 3200)] {
        let took = Duration::from_millis(took);
        let (passed, asked) = examine(&Pace::default(), 2000, took, Instant::now());
        assert!(passed >= took * 2000 * 39 / 10, "{passed:?}");
        assert!(passed < Duration::from_secs(expected) * 3 / 2, "{took:?}: {passed:?}");
        assert!(asked < 2000 * 12, "{took:?}: {asked}");
    }
}

#[test]
fn one_object_is_examined_once_a_minute() {
    let (pace, start) = (Pace::default(), Instant::now());
    let seconds = (0..600).filter(|second| {
        let now = start + Duration::from_secs(*second);
        let may = pace.begin(&object(0), now).is_ok();
        if may {
            pace.end(&object(0), Duration::ZERO, now);
        }
        may
    });
    assert_eq!(seconds.collect::<Vec<_>>(), [0, 60, 120, 180, 240, 300, 360, 420, 480, 540]);
}

#[test]
fn an_object_whose_findings_are_lost_comes_again_soon_but_not_at_once() {
    let (pace, start) = (Pace::default(), Instant::now());
    assert_eq!(pace.begin(&object(0), start), Ok(()));
    pace.end(&object(0), Duration::ZERO, start);
    pace.lost(&object(0), start);
    assert_eq!(pace.begin(&object(0), start), Err(SHORT_REST));
    assert_eq!(pace.begin(&object(0), start + SHORT_REST), Ok(()));
}

/// Lets an object come whenever it is told to, until it is examined. Returns how long that took.
fn examined(pace: &Pace, object: &Object, mut meanwhile: impl FnMut(Instant), start: Instant) -> Duration {
    let mut now = start;
    for _ in 0..1000 {
        meanwhile(now);
        match pace.begin(object, now) {
            Ok(()) => return now - start,
            Err(wait) => now += wait,
        }
    }
    panic!("it isn't examined")
}

#[test]
fn an_object_waits_for_no_more_than_a_turn_of_each_other_namespace() {
    let (pace, took) = (Pace::default(), Duration::from_millis(100));
    let start = Instant::now();
    // All objects of a large namespace come, and one of each of ten others a moment later.
    let large = (0..5000).map(|n| ((start, in_namespace("large", n).1), ()));
    let mut queue: BTreeMap<(Instant, Place), ()> = large.collect();
    let late = start + Duration::from_secs(20);
    let small: Vec<Place> = (0..10).map(|n| in_namespace(&format!("small-{n}"), 0).1).collect();
    queue.extend(small.iter().map(|place| ((late, place.clone()), ())));
    let mut left = small.len();
    let (mut large, mut now) = (0, start);
    while left > 0 {
        let ((at, place), ()) = queue.pop_first().unwrap();
        now = at;
        match pace.begin(&(Format::Native, place.clone()), now) {
            Ok(()) => {
                pace.end(&(Format::Native, place.clone()), took, now + took);
                left -= usize::from(small.contains(&place));
                large += usize::from(!small.contains(&place));
            }
            Err(wait) => drop(queue.insert((now + wait, place), ())),
        }
    }
    let waited = now - late;
    assert!(waited < took * 5 * 25, "{waited:?} and {large} of the large one");
}

#[test]
fn turns_that_nobody_takes_put_off_others_by_a_turn_and_their_own_namespace_by_minutes() {
    let (pace, start, second) = (Pace::default(), Instant::now(), Duration::from_secs(1));
    pace.begin(&object(0), start).unwrap();
    pace.end(&object(0), second, start + second);
    let start = start + second;
    (1..20_000).for_each(|gone| assert!(pace.begin(&object(gone), start).is_err()));
    // More of them come all the time.
    let mut gone = 30_000;
    let mut more = |now| {
        (gone..gone + 100).map(object).for_each(|it| {
            if pace.begin(&it, now).is_ok() {
                pace.end(&it, Duration::ZERO, now);
            }
        });
        gone += 100;
    };
    let other = examined(&pace, &in_namespace("other", 0), &mut more, start);
    assert!(other < second * 5 * 3, "{other:?}");
    pace.end(&in_namespace("other", 0), second, start + other);
    let mine = examined(&pace, &object(20_000), &mut more, start + other);
    assert!(mine < AHEAD + FORGOTTEN + REST * 2, "{mine:?}");
}

#[test]
fn turns_that_nobody_takes_cost_another_namespace_no_more_than_the_share_of_theirs() {
    let (pace, start, took) = (Pace::default(), Instant::now(), Duration::from_millis(50));
    (0..5000).for_each(|gone| _ = pace.begin(&in_namespace("gone", gone), start));
    pace.end(&in_namespace("gone", 0), took, start);
    let (passed, _) = examine(&pace, 200, took, start);
    assert!(passed < took * 5 * 200 * 5 / 2, "{passed:?}");
}

/// The threat: an object of bitnami.com with an item under each of a thousand old certificates costs 12 s.
#[test]
fn a_namespace_whose_objects_take_the_longest_holds_up_no_other_for_more_than_its_share() {
    let (pace, start) = (Pace::default(), Instant::now());
    let (theirs, ours) = (Duration::from_secs(12), Duration::from_millis(50));
    let place =
        |name: usize| if name < 30 { in_namespace("theirs", name) } else { in_namespace("ours", name) };
    let mut queue: BTreeMap<(Instant, usize), ()> = (0..530).map(|name| ((start, name), ())).collect();
    let (mut left, mut now) = (500, start);
    while left > 0 {
        let ((at, name), ()) = queue.pop_first().unwrap();
        now = now.max(at);
        match pace.begin(&place(name), now) {
            Ok(()) => {
                let took = if name < 30 { theirs } else { ours };
                now += took;
                pace.end(&place(name), took, now);
                left -= usize::from(name >= 30);
                // Somebody edits theirs again and again.
                if name < 30 {
                    queue.insert((now + REST, name), ());
                }
            }
            Err(wait) => drop(queue.insert((at + wait, name), ())),
        }
    }
    // By turns it would be seven hours.
    assert!(now - start < Duration::from_secs(15 * 60), "{:?}", now - start);
}

#[test]
fn what_waits_is_bounded_by_namespace() {
    let (pace, start) = (Pace::default(), Instant::now());
    (0..MAX_WAITING + 100).for_each(|n| _ = pace.begin(&object(n), start));
    let kept = pace.lock().of.len();
    assert!((MAX_WAITING..=MAX_WAITING + 1).contains(&kept), "{kept}");
    assert_eq!(pace.begin(&object(MAX_WAITING + 200), start), Err(AHEAD));
    assert!(pace.begin(&in_namespace("other", 0), start).unwrap_err() < SPACING * 3);
}

/// The threat: a leader that loses the lease drops what it asked for, and its work would count as running for ever.
#[test]
fn an_examination_ends_with_its_work_however_that_ends() {
    for ends_well in [true, false] {
        let pace = Arc::new(Pace::default());
        let running = pace.run(object(0)).ok();
        assert!(pace.lock().running.is_some());
        let work = std::thread::spawn(move || {
            let _running = running;
            assert!(ends_well, "the work of a test");
        });
        assert_eq!(work.join().is_ok(), ends_well);
        let turns = pace.lock();
        assert!(turns.running.is_none() && matches!(turns.of[&object(0)], Turn::Rests(_)));
    }
}

#[test]
fn one_examination_runs_at_a_time_and_what_is_gone_is_forgotten() {
    let (pace, mut now) = (Pace::default(), Instant::now());
    assert_eq!(pace.begin(&object(0), now), Ok(()));
    now += Duration::from_secs(1);
    assert!(pace.begin(&object(1), now).is_err());
    pace.end(&object(0), Duration::from_secs(1), now);
    assert!(pace.begin(&object(2), now).is_err(), "the first isn't paid for");
    now += FORGOTTEN + REST;
    assert_eq!(pace.begin(&object(3), now), Ok(()));
    assert_eq!(pace.lock().of.len(), 1);
}
