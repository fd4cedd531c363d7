//! The queue with letters for namespaces: orders, rests, and a model that random wakes are compared with.

use std::collections::HashSet;

use seal_random::Random;

use super::*;

type Who = (char, u32);

impl Queued for Who {
    type Group = char;

    fn group(&self) -> &char {
        &self.0
    }
}

const MILLI: Duration = Duration::from_millis(1);

/// Looks at all who wait, one after the other, and returns them in this order.
fn turns(queue: &mut Queue<Who>, now: &mut Instant) -> Vec<Who> {
    let mut turns = Vec::new();
    while let Some(who) = queue.begin(Urgency::Again, *now) {
        *now += MILLI;
        queue.end(&who, *now);
        turns.push(who);
    }
    turns
}

#[test]
fn a_turn_that_only_urgent_ones_may_have_leaves_the_others_where_they_are() {
    let (mut queue, now) = (Queue::new(8), Instant::now());
    for (who, urgency) in [(1, Urgency::Again), (2, Urgency::Unready), (3, Urgency::Changed)] {
        queue.wake(&('a', who), urgency);
    }
    assert_eq!(queue.begin(Urgency::Changed, now), Some(('a', 3)));
    assert_eq!((queue.turn(&('a', 3)), queue.turn(&('a', 2))), (Some(Urgency::Changed), None));
    assert_eq!(queue.begin(Urgency::Changed, now), None);
    assert_eq!(queue.begin(Urgency::Again, now), Some(('a', 2)));
    assert_eq!(queue.begin(Urgency::Unready, now), None);
    assert_eq!(queue.begin(Urgency::Again, now), Some(('a', 1)));
}

#[test]
fn a_change_goes_first_then_an_object_that_is_not_ready_then_what_is_looked_at_again() {
    let (mut queue, mut now) = (Queue::new(1), Instant::now());
    queue.wake(&('a', 1), Urgency::Again);
    queue.wake(&('a', 2), Urgency::Unready);
    queue.wake(&('a', 3), Urgency::Changed);
    assert_eq!(turns(&mut queue, &mut now), [('a', 3), ('a', 2), ('a', 1)]);
    assert!(queue.of.is_empty() && queue.of_group.is_empty(), "nothing is kept of objects that are done");
}

#[test]
fn one_change_waits_for_one_turn_whatever_else_waits_in_its_namespace_and_in_others() {
    let (mut queue, now) = (Queue::new(1), Instant::now());
    for n in 0..9_000 {
        queue.wake(&('a', n), Urgency::Unready);
        queue.wake(&('b', n), Urgency::Again);
    }
    let busy = queue.begin(Urgency::Again, now).unwrap();
    queue.wake(&('a', 10_000), Urgency::Changed);
    queue.end(&busy, now + MILLI);
    assert_eq!(queue.begin(Urgency::Again, now + MILLI), Some(('a', 10_000)));
}

#[test]
fn a_namespace_with_few_objects_waits_for_one_round_of_the_others() {
    let (mut queue, mut now) = (Queue::new(1), Instant::now());
    (0..9_000).for_each(|n| queue.wake(&('a', n), Urgency::Unready));
    queue.wake(&('b', 1), Urgency::Unready);
    let first: Vec<Who> = (0..3)
        .map(|_| {
            let who = queue.begin(Urgency::Again, now).unwrap();
            now += MILLI;
            queue.end(&who, now);
            who
        })
        .collect();
    assert!(first.contains(&('b', 1)), "{first:?}");
}

#[test]
fn what_is_looked_at_again_has_its_turns_while_changes_never_end() {
    let (mut queue, mut now) = (Queue::new(1), Instant::now());
    queue.wake(&('b', 0), Urgency::Again);
    queue.wake(&('c', 0), Urgency::Unready);
    let mut seen = HashSet::new();
    for n in 0..2 * (PASSED_OVER + 2) {
        queue.wake(&('a', n), Urgency::Changed);
        let who = queue.begin(Urgency::Again, now).unwrap();
        now += MILLI;
        queue.end(&who, now);
        seen.insert(who);
    }
    assert!(seen.contains(&('b', 0)) && seen.contains(&('c', 0)), "{seen:?}");
}

#[test]
fn an_object_has_one_turn_at_a_time_and_another_if_it_was_woken_meanwhile() {
    let (mut queue, now) = (Queue::new(8), Instant::now());
    let who = ('a', 1);
    queue.wake(&who, Urgency::Again);
    queue.wake(&who, Urgency::Again);
    assert_eq!(queue.begin(Urgency::Again, now), Some(who));
    queue.wake(&who, Urgency::Again);
    queue.wake(&who, Urgency::Changed);
    queue.wake(&who, Urgency::Unready);
    assert_eq!((queue.begin(Urgency::Again, now), queue.is_under_way(&who)), (None, true));
    assert_eq!(queue.end(&who, now), Some(Urgency::Changed));
    assert_eq!((queue.begin(Urgency::Again, now), queue.is_under_way(&who)), (None, false));
}

#[test]
fn an_object_that_is_woken_more_urgently_leaves_its_place_and_has_one_turn() {
    let (mut queue, mut now) = (Queue::new(1), Instant::now());
    (1..4).for_each(|n| queue.wake(&('a', n), Urgency::Again));
    queue.wake(&('a', 3), Urgency::Changed);
    queue.wake(&('a', 3), Urgency::Again);
    assert_eq!(turns(&mut queue, &mut now), [('a', 3), ('a', 1), ('a', 2)]);
}

#[test]
fn an_object_rests_until_its_time_or_until_it_is_woken() {
    let (mut queue, now) = (Queue::new(8), Instant::now());
    queue.rest(&('a', 1), now + MILLI, Urgency::Again);
    queue.rest(&('a', 2), now + 2 * MILLI, Urgency::Again);
    assert_eq!((queue.begin(Urgency::Again, now), queue.next_rest()), (None, Some(now + MILLI)));
    queue.wake(&('a', 2), Urgency::Changed);
    assert_eq!(queue.begin(Urgency::Again, now), Some(('a', 2)));
    queue.end(&('a', 2), now);
    assert_eq!((queue.begin(Urgency::Again, now + MILLI), queue.next_rest()), (Some(('a', 1)), None));
    assert_eq!(queue.begin(Urgency::Again, now + 3 * MILLI), None, "a rest that was broken off is over");
}

#[test]
fn the_counts_say_how_many_objects_stand_where() {
    let (mut queue, now) = (Queue::new(8), Instant::now());
    for n in 1..4 {
        queue.wake(&('a', n), Urgency::Unready);
    }
    queue.rest(&('a', 9), now + MILLI, Urgency::Again);
    let first = queue.begin(Urgency::Again, now).unwrap();
    queue.wake(&first, Urgency::Changed);
    assert_eq!(queue.counts(), Counts { waiting: 2, under_way: 1, resting: 1 });
    queue.end(&first, now);
    queue.forget(&('a', 2));
    assert_eq!(queue.counts(), Counts { waiting: 1, under_way: 0, resting: 1 });
    turns(&mut queue, &mut (now + MILLI));
    assert_eq!(queue.counts(), Counts::default());
}

#[test]
fn an_object_that_is_gone_has_no_turn_and_no_rest_and_one_made_anew_has() {
    let (mut queue, now) = (Queue::new(8), Instant::now());
    for n in 1..4 {
        queue.wake(&('a', n), Urgency::Unready);
    }
    let first = queue.begin(Urgency::Again, now).unwrap();
    queue.rest(&('a', 9), now, Urgency::Again);
    queue.wake(&first, Urgency::Changed);
    [first, ('a', 2), ('a', 9)].iter().for_each(|gone| queue.forget(gone));
    assert_eq!(
        (queue.begin(Urgency::Again, now), queue.begin(Urgency::Again, now), queue.next_rest()),
        (Some(('a', 3)), None, None)
    );
    assert_eq!(queue.end(&first, now), None);
    queue.wake(&('a', 2), Urgency::Unready);
    assert_eq!((queue.begin(Urgency::Again, now), queue.begin(Urgency::Again, now)), (Some(('a', 2)), None));
}

#[test]
fn one_namespace_leaves_hands_for_the_others() {
    for (hands, most) in [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)] {
        let (mut queue, now) = (Queue::new(hands), Instant::now());
        (0..100).for_each(|n| queue.wake(&('a', n), Urgency::Changed));
        let taken = std::iter::from_fn(|| queue.begin(Urgency::Again, now)).count();
        assert_eq!(taken, most, "of {hands}");
        (0..100).for_each(|n| queue.wake(&('b', n), Urgency::Again));
        let taken = std::iter::from_fn(|| queue.begin(Urgency::Again, now)).count();
        assert_eq!(taken, hands - most, "of {hands}");
        queue.end(&('a', 0), now);
        assert!(queue.begin(Urgency::Again, now).is_some(), "of {hands}");
    }
}

/// Random wakes, turns, rests and deletions against a set of those who are owed a turn.
#[test]
fn no_wake_is_lost_and_no_object_has_two_turns_whatever_happens_in_which_order() {
    for seed in 0..200 {
        let (mut queue, mut now) = (Queue::new(3), Instant::now());
        let mut random = Random(seed);
        let (mut owed, mut under_way, mut resting) = (HashSet::new(), Vec::new(), HashSet::new());
        let mut pick = |of: usize| random.below(of);
        for step in 0..2_000 {
            let who = (['a', 'b', 'c'][pick(3)], pick(5) as u32);
            let is_last_part = step > 1_500;
            match pick(if is_last_part { 2 } else { 5 }) {
                0 => {
                    if let Some(began) = queue.begin(Urgency::Again, now) {
                        assert!(owed.remove(&began) || resting.remove(&began), "{began:?} is owed no turn");
                        resting.remove(&began);
                        assert!(!under_way.contains(&began), "{began:?} has a turn already");
                        under_way.push(began);
                    }
                }
                1 if !under_way.is_empty() => {
                    let ended = under_way.swap_remove(pick(under_way.len()));
                    now += MILLI * pick(5) as u32;
                    match queue.end(&ended, now) {
                        Some(woken) => queue.wake(&ended, woken),
                        None => assert!(!owed.contains(&ended), "{ended:?} was woken"),
                    }
                    if pick(3) == 0 && !owed.contains(&ended) {
                        queue.rest(&ended, now + MILLI * pick(9) as u32, URGENCIES[pick(3)]);
                        resting.insert(ended);
                    }
                }
                2 | 3 => {
                    queue.wake(&who, URGENCIES[pick(3)]);
                    resting.remove(&who);
                    owed.insert(who);
                }
                4 if pick(4) == 0 => {
                    queue.forget(&who);
                    owed.remove(&who);
                    resting.remove(&who);
                }
                _ => {}
            }
            let Counts { waiting, under_way: turns, resting: rests } = queue.counts();
            let in_line = owed.iter().filter(|who| !under_way.contains(who)).count();
            // A rest that is over is still counted as one until the next turn begins.
            assert_eq!((waiting + rests, turns), (in_line + resting.len(), under_way.len()));
            now += MILLI;
        }
        while let Some(began) = queue.begin(Urgency::Again, now).or_else(|| {
            let ended = under_way.pop()?;
            if let Some(woken) = queue.end(&ended, now) {
                queue.wake(&ended, woken);
            }
            now += 9 * MILLI;
            queue.begin(Urgency::Again, now)
        }) {
            owed.remove(&began);
            resting.remove(&began);
            under_way.push(began);
        }
        assert!(owed.is_empty() && resting.is_empty(), "{owed:?} {resting:?}");
        assert!(queue.of.is_empty() && queue.rests.is_empty() && queue.of_group.is_empty());
    }
}

#[test]
fn ten_thousand_names_leave_nothing_behind() {
    let (mut queue, mut now) = (Queue::new(8), Instant::now());
    for urgency in [Urgency::Again, Urgency::Unready, Urgency::Changed] {
        (0..10_000).for_each(|n| queue.wake(&(char::from(b'a' + (n % 20) as u8), n), urgency));
    }
    assert_eq!(turns(&mut queue, &mut now).len(), 10_000);
    assert!(queue.lines.iter().all(Line::is_empty) && queue.of.is_empty());
}
