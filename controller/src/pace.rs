//! The pace of examinations: when an object may be examined next.
//!
//! An examination tries every key at hand, so it may cost many times an opening, and a new key makes every object of the
//! cluster due for one at the same moment. [`crate::reconcile`] asks for a turn before each that doesn't come along with
//! an opening for little more, and an object comes again when it was told to: nobody is woken. The objects that wait are
//! called one after the other, a namespace at a time ([`crate::line`]). An object that was called and comes too late, or
//! while another is examined, is called again.
//!
//! Invariants: in their turns, one examination runs at a time, and together they take at most a quarter of one core; one
//! object has a turn at most once a minute. Namespaces share the time, so none waits for the number of objects in another,
//! nor for what they cost. One threat is a person whose objects take the longest that an object can, all the time. Another
//! is a person who makes objects and deletes them, which leaves turns that nobody takes: they cost other namespaces no more
//! than the person's share, and put off those of his own namespace for ten minutes. What is kept of an object goes by
//! itself, and of one namespace there is never more than [`MAX_WAITING`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seal_crds::{Format, Namespace, Place};

use crate::line::{Called, Line, Ticket};

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
mod tests;
