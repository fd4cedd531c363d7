//! The pace of examinations: when an object may be examined next.
//!
//! An examination tries every key at hand, so it costs many times an opening, and a new key makes every object of the
//! cluster due for one at the same moment. [`crate::reconcile`] asks for a turn before each, and an object comes again
//! when it was told to: nobody is woken. The objects that wait are called one after the other, a namespace at a time
//! ([`line`]). An object that was called and comes too late, or while another is examined, is called again.
//!
//! Invariants: one examination runs at a time; together they take at most a quarter of one core; one object is examined
//! at most once a minute. Namespaces share the time, so none waits for the number of objects in another, nor for what they
//! cost. One threat is a person whose objects take the longest that an object can, all the time. Another is a person who
//! makes objects and deletes them, which leaves turns that nobody takes: they cost other namespaces no more
//! than the person's share, and put off those of his own namespace for ten minutes. What is kept of an object goes by
//! itself, and of one namespace there is never more than [`MAX_WAITING`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seal_crds::{Format, Namespace, Place};

use self::line::{Called, Line, Ticket};

mod line;

/// The time after an examination in which the object isn't examined again.
const REST: Duration = Duration::from_secs(60);

/// The same after an examination whose findings couldn't be published, because the object had changed meanwhile.
const SHORT_REST: Duration = Duration::from_secs(5);

/// The time between the calls of two objects, at least.
const SPACING: Duration = Duration::from_millis(20);

/// The time from one examination's begin to the next one's, as a multiple of what the first took.
const SHARE: u32 = 4;

/// The longest wait that an object is told. By then, the line may be shorter or longer than it was.
const AHEAD: Duration = Duration::from_secs(300);

/// The time after which an object that didn't come is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// The most objects of one namespace that wait: some megabytes.
const MAX_WAITING: usize = 50_000;

/// An object of either group: two of one name may stand beside each other.
type Object = (Format, Place);

/// The turns of all objects.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Turns>);

struct Turns {
    line: Line<Namespace, Object>,
    of: HashMap<Object, Turn>,
    /// The time of the next call.
    next: Option<Instant>,
    /// What an examination took of late.
    cost: Duration,
    /// The beginning of the examination that is under way.
    running: Option<Instant>,
    /// The time until which the last examination is paid for.
    paid: Option<Instant>,
    /// The time at which old turns were last removed.
    swept: Option<Instant>,
}

/// Where an object stands.
#[derive(Clone, Copy)]
enum Turn {
    /// The object waits in the line, and was told to come at this time.
    Waits(Ticket, Instant),
    /// The object was called, and may be examined as soon as no other is. It was told to come at this time, or will at once;
    /// its namespace was charged this much.
    Called(Instant, Duration),
    /// The object was examined, and rests until this time.
    Rests(Instant),
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            line: Line::new(MAX_WAITING),
            of: HashMap::new(),
            next: None,
            cost: Duration::ZERO,
            running: None,
            paid: None,
            swept: None,
        }
    }
}

/// An examination that is under way. It ends when this is dropped: whoever asked for it may be gone by then, such as a
/// leader that has lost the lease, so this belongs to the work itself.
pub(crate) struct Running {
    pace: Arc<Pace>,
    object: Object,
    begun: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = Instant::now();
        self.pace.end(&self.object, now.saturating_duration_since(self.begun), now);
    }
}

impl Pace {
    /// Begins the object's examination if it is its turn.
    ///
    /// # Errors
    ///
    /// The wait until its turn, which isn't zero.
    pub(crate) fn run(self: &Arc<Self>, object: Object) -> Result<Running, Duration> {
        let begun = Instant::now();
        self.begin(&object, begun)?;
        Ok(Running { pace: self.clone(), object, begun })
    }

    fn begin(&self, object: &Object, now: Instant) -> Result<(), Duration> {
        let mut turns = self.lock();
        turns.sweep(now);
        turns.call(now);
        if matches!(turns.of.get(object), Some(Turn::Rests(until)) if *until <= now) {
            turns.of.remove(object);
        }
        if !turns.of.contains_key(object) {
            turns.join(object, now)?;
        }
        match turns.of[object] {
            Turn::Rests(until) => Err(until - now),
            Turn::Waits(ticket, _) => Err(turns.wait(object, ticket, now)),
            Turn::Called(_, charged) if turns.is_busy(now) => {
                let ticket = turns.line.rejoin(&object.1.namespace, object.clone(), charged);
                Err(turns.wait(object, ticket, now))
            }
            Turn::Called(..) => {
                turns.running = Some(now);
                Ok(())
            }
        }
    }

    /// Ends the object's examination, which took this long.
    fn end(&self, object: &Object, took: Duration, now: Instant) {
        let mut turns = self.lock();
        turns.running = None;
        let charged = match turns.of.get(object) {
            Some(Turn::Called(_, charged)) => *charged,
            _ => Duration::ZERO,
        };
        turns.line.settle(&object.1.namespace, charged, took);
        // One that took long says little of the next: all others would be told to come much too late.
        let counts = took.min(turns.cost * 2 + SPACING);
        turns.cost = (turns.cost * 3 + counts) / 4;
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
    /// Lets the object wait in the line, or be called at once.
    ///
    /// # Errors
    ///
    /// The wait, if the line has no room for it.
    fn join(&mut self, object: &Object, now: Instant) -> Result<(), Duration> {
        if self.line.is_empty() {
            // The time in which nobody waited saves nothing up.
            self.next = Some(self.next.map_or(now, |next| next.max(now)));
        }
        let ticket = self.line.join(&object.1.namespace, object.clone()).ok_or(AHEAD)?;
        self.of.insert(object.clone(), Turn::Waits(ticket, now));
        self.call(now);
        Ok(())
    }

    /// Calls all whose time has come.
    fn call(&mut self, now: Instant) {
        while self.running.is_none() && self.next_call(now) <= now {
            let (at, charge) = (self.next_call(now), self.turn());
            let Some(Called { who, ticket }) = self.line.call(charge) else { return };
            // One that was forgotten costs no time, nor the place of one that joined anew.
            if let Some(Turn::Waits(waits, told)) = self.of.get(&who).copied()
                && waits == ticket
            {
                self.of.insert(who, Turn::Called(told.max(now), charge));
                self.next = Some(at + self.spacing());
            } else {
                self.line.settle(&who.1.namespace, charge, Duration::ZERO);
            }
        }
    }

    /// The time of the next call, if no examination is under way.
    fn next_call(&self, now: Instant) -> Instant {
        self.next.into_iter().chain(self.paid).max().unwrap_or(now)
    }

    /// What a turn is likely to take.
    fn turn(&self) -> Duration {
        self.cost.max(SPACING / SHARE)
    }

    /// The time between two calls: a little more than an examination may take, because one that comes a moment too early
    /// is called in vain.
    fn spacing(&self) -> Duration {
        SPACING.max(self.cost * (SHARE + 1))
    }

    /// The object's wait for its call.
    fn wait(&mut self, object: &Object, ticket: Ticket, now: Instant) -> Duration {
        let ahead = self.line.ahead(&object.1.namespace, ticket, self.turn()).try_into().unwrap_or(u32::MAX);
        let until_next = self.next_call(now).saturating_duration_since(now).max(self.until_paid(now));
        let wait = until_next.saturating_add(self.spacing().saturating_mul(ahead)).clamp(SPACING, AHEAD);
        self.of.insert(object.clone(), Turn::Waits(ticket, now + wait));
        wait
    }

    /// The time until the examination under way is paid for, at least: it takes as long as it did so far, or as the others.
    fn until_paid(&self, now: Instant) -> Duration {
        let Some(begun) = self.running else { return Duration::ZERO };
        let so_far = now.saturating_duration_since(begun);
        (so_far.max(self.cost) * SHARE).saturating_sub(so_far)
    }

    /// Whether another examination is under way, or the last one isn't paid for.
    fn is_busy(&self, now: Instant) -> bool {
        self.running.is_some() || self.paid.is_some_and(|paid| paid > now)
    }

    /// Forgets what is over, and who didn't come.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < REST) {
            return;
        }
        self.swept = Some(now);
        self.of.retain(|_, turn| match turn {
            Turn::Waits(_, at) | Turn::Called(at, _) => now.saturating_duration_since(*at) < FORGOTTEN,
            Turn::Rests(until) => *until > now,
        });
    }
}

#[cfg(test)]
mod tests {
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
    fn examined(
        pace: &Pace,
        object: &Object,
        mut meanwhile: impl FnMut(Instant),
        start: Instant,
    ) -> Duration {
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
}
