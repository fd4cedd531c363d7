//! The pace of examinations: when an object may be examined next.
//!
//! An examination tries every key at hand, so it costs many times an opening, and a new key makes every object of the
//! cluster due for one at the same moment. [`crate::reconcile`] asks for a turn before each. Invariants: one
//! examination runs at a time; together they take at most a quarter of one core; one object is examined at most once a
//! minute; what is kept of an object goes by itself. Nobody waits longer than [`AHEAD`] for a turn that is then free:
//! a person who makes objects and deletes them leaves turns that nobody takes, and these put off nobody's examination.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seal_crds::{Format, Place};

/// The time after an examination in which the object isn't examined again.
const REST: Duration = Duration::from_secs(60);

/// The same after an examination whose findings couldn't be published, because the object had changed meanwhile.
const SHORT_REST: Duration = Duration::from_secs(5);

/// The time between the turns of two objects, at least.
const SPACING: Duration = Duration::from_millis(20);

/// The time from one examination's begin to the next one's, as a multiple of what the first took.
const SHARE: u32 = 4;

/// The longest wait for a turn. Who comes when so many have one comes again then.
const AHEAD: Duration = Duration::from_secs(600);

/// The time after which a turn that nobody took is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// An object of either group: two of one name may stand beside each other.
type Object = (Format, Place);

/// The turns of all objects.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Turns>);

#[derive(Default)]
struct Turns {
    of: HashMap<Object, Turn>,
    /// The time of the first turn that nobody has.
    free: Option<Instant>,
    /// What an examination took of late.
    cost: Duration,
    is_running: bool,
    /// The time until which the last examination is paid for.
    paid: Option<Instant>,
    /// The time at which old turns were last removed.
    swept: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Turn {
    /// The object may be examined from this time on.
    At(Instant),
    /// The object was examined, and rests until this time.
    Rests(Instant),
}

impl Pace {
    /// Begins the object's examination if it is its turn; [`Self::end`] must follow.
    ///
    /// # Errors
    ///
    /// The wait until its turn.
    pub(crate) fn begin(&self, object: &Object, now: Instant) -> Result<(), Duration> {
        let mut turns = self.lock();
        turns.sweep(now);
        let at = match turns.of.get(object) {
            Some(Turn::Rests(until)) if *until > now => return Err(*until - now),
            Some(Turn::At(at)) => *at,
            Some(Turn::Rests(_)) | None => turns.reserve(object, now),
        };
        if at > now {
            return Err(at - now);
        }
        if turns.is_running || turns.paid.is_some_and(|paid| paid > now) {
            // It goes to the end of the queue, whose turns are as far apart as the last examinations took.
            return Err(turns.reserve(object, now + SPACING).saturating_duration_since(now));
        }
        turns.is_running = true;
        Ok(())
    }

    /// Ends the object's examination, which took this long.
    pub(crate) fn end(&self, object: &Object, took: Duration, now: Instant) {
        let mut turns = self.lock();
        turns.is_running = false;
        turns.cost = (turns.cost * 3 + took) / 4;
        turns.paid = Some(now + took * (SHARE - 1));
        turns.of.insert(object.clone(), Turn::Rests(now + REST));
    }

    /// Says that the findings of the object's examination are lost, so it is due again.
    pub(crate) fn lost(&self, object: &Object, now: Instant) {
        self.lock().of.insert(object.clone(), Turn::Rests(now + SHORT_REST));
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        // A panic elsewhere leaves turns that are still turns.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// Gives the object the first free turn, and returns its time.
    fn reserve(&mut self, object: &Object, now: Instant) -> Instant {
        let (first, last) = (self.free.into_iter().chain(self.paid).fold(now, Instant::max), now + AHEAD);
        if first <= last {
            // Turns are a little further apart than needed: one that comes a moment too early is lost.
            self.free = Some(first + SPACING.max(self.cost * (SHARE + 1)));
        }
        let at = first.min(last);
        self.of.insert(object.clone(), Turn::At(at));
        at
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < REST) {
            return;
        }
        self.swept = Some(now);
        self.of.retain(|_, turn| match turn {
            Turn::At(at) => now.saturating_duration_since(*at) < FORGOTTEN,
            Turn::Rests(until) => *until > now,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn object(name: usize) -> Object {
        let name = format!("db-{name}").parse().unwrap();
        (Format::Native, Place { namespace: "prod".parse().unwrap(), name })
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

    #[test]
    fn turns_that_nobody_takes_put_off_nobody_for_longer_than_the_bound() {
        let (pace, start) = (Pace::default(), Instant::now());
        pace.begin(&object(0), start).unwrap();
        let mut now = start + Duration::from_secs(1);
        pace.end(&object(0), Duration::from_secs(1), now);
        (1..20_000).for_each(|gone| assert!(pace.begin(&object(gone), now).is_err()));
        let mine = object(20_000);
        let wait = pace.begin(&mine, now).unwrap_err();
        assert!(wait <= AHEAD, "{wait:?}");
        now += wait;
        // More of them come all the time, and mine doesn't have to begin anew.
        (20_001..40_000).for_each(|gone| _ = pace.begin(&object(gone), now - Duration::from_millis(1)));
        assert_eq!(pace.begin(&mine, now), Ok(()));
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
}
