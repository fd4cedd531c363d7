//! Whose turn it is: the objects that wait to be looked at, those under way, and those that rest.
//!
//! An object that somebody waits for goes first ([`Urgency`]). Within an urgency, namespaces share the time of the workers
//! ([`crate::line`]). This file makes no request and has no clock: [`crate::cluster::work`] says what time it is.
//!
//! Invariants: no wake is lost: an object that is woken has a turn that begins afterwards. An object waits in one place at
//! most and has one turn at a time; woken during its turn, it gets another. No urgency is passed over more than
//! [`PASSED_OVER`] times in a row while somebody waits in it who may begin. One namespace never has all the turns that are
//! under way, so objects that take long, as those behind a slow webhook do, leave room for the others.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::line::{Called, Line, Ticket};

/// How often an urgency is passed over for a higher one.
const PASSED_OVER: u32 = 8;

/// Why an object is looked at, the most urgent reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// The object or its Secret has changed, and somebody relies on the Secret or waits for the change.
    Changed,
    /// The object isn't ready: nobody relies on its Secret yet.
    Unready,
    /// The object is ready, and is looked at again: at the start of a term, after a change of keys, or for an examination.
    Again,
}

const URGENCIES: [Urgency; 3] = [Urgency::Changed, Urgency::Unready, Urgency::Again];

/// Something that waits in a queue; cheap to clone.
pub(crate) trait Queued: Clone + Eq + Hash {
    /// The group that it shares its time with, such as a namespace.
    type Group: Clone + Eq + Hash;

    fn group(&self) -> &Self::Group;
}

/// The queue; see the top of this file.
pub(crate) struct Queue<K: Queued> {
    /// Those who wait, a line for each urgency.
    lines: [Line<K::Group, K>; 3],
    /// How often each urgency was passed over since its last turn.
    passed_over: [u32; 3],
    of: HashMap<K, State>,
    /// Those who rest, by the end of their rest.
    rests: BTreeMap<Rest, K>,
    /// The number of the next rest.
    next: u64,
    /// The most turns under way, and how many there are: of each urgency, and of each group.
    hands: usize,
    under_way: [usize; 3],
    of_group: HashMap<K::Group, usize>,
    /// What a turn took of late.
    cost: Duration,
}

/// The end of a rest, and a number that tells it from others that end at the same time.
type Rest = (Instant, u64);

/// Where an object stands. An object that isn't in the queue has no state.
#[derive(Clone, Copy)]
enum State {
    Waits(Urgency, Ticket),
    UnderWay(Turn),
    Rests(Rest, Urgency),
}

/// A turn that is under way.
#[derive(Clone, Copy)]
struct Turn {
    urgency: Urgency,
    begun: Instant,
    /// What the group was charged for it.
    charged: Duration,
    /// The object was woken since.
    woken: Option<Urgency>,
}

/// How many objects stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those who wait for a turn.
    pub(crate) waiting: usize,
    /// Those whose turn it is.
    pub(crate) under_way: usize,
    /// Those who rest until their next turn.
    pub(crate) resting: usize,
}

impl<K: Queued> Queue<K> {
    /// An empty queue, with at most `hands` turns under way.
    pub(crate) fn new(hands: usize) -> Self {
        Self {
            lines: URGENCIES.map(|_| Line::new(usize::MAX)),
            passed_over: [0; 3],
            of: HashMap::new(),
            rests: BTreeMap::new(),
            next: 0,
            hands,
            under_way: [0; 3],
            of_group: HashMap::new(),
            cost: Duration::ZERO,
        }
    }

    /// Lets the object be looked at, no later than this urgency says.
    pub(crate) fn wake(&mut self, who: &K, urgency: Urgency) {
        match self.of.get_mut(who) {
            Some(State::UnderWay(turn)) => {
                turn.woken = Some(turn.woken.map_or(urgency, |woken| woken.min(urgency)));
                return;
            }
            Some(State::Waits(waits, _)) if *waits <= urgency => return,
            // The place in the other line is left behind, and no longer counts.
            Some(State::Waits(..)) | None => {}
            Some(State::Rests(rest, _)) => {
                self.rests.remove(rest);
            }
        }
        let line = &mut self.lines[urgency as usize];
        let ticket = line.join(who.group(), who.clone()).expect("the line has room for everybody");
        self.of.insert(who.clone(), State::Waits(urgency, ticket));
    }

    /// Begins the next turn of those who wait with this urgency or a higher one; `None` if nobody does who may begin.
    pub(crate) fn begin(&mut self, least: Urgency, now: Instant) -> Option<K> {
        self.wake_rested(now);
        if self.under_way(Urgency::Again) >= self.hands {
            return None;
        }
        let overdue = URGENCIES.into_iter().filter(|it| self.passed_over[*it as usize] >= PASSED_OVER);
        let order: Vec<Urgency> = overdue.chain(URGENCIES).filter(|it| *it <= least).collect();
        order.into_iter().find_map(|urgency| self.begin_in(urgency, now))
    }

    fn begin_in(&mut self, urgency: Urgency, now: Instant) -> Option<K> {
        let (charged, most) = (self.cost, most_of_a_group(self.hands));
        loop {
            let of_group = &self.of_group;
            let may_begin = |group: &K::Group| of_group.get(group).is_none_or(|count| *count < most);
            let Called { who, ticket } = self.lines[urgency as usize].call_from(charged, may_begin)?;
            if !matches!(self.of.get(&who), Some(State::Waits(line, place)) if (*line, *place) == (urgency, ticket))
            {
                // The object left this place before.
                self.lines[urgency as usize].settle(who.group(), charged, Duration::ZERO);
                continue;
            }
            let turn = Turn { urgency, begun: now, charged, woken: None };
            self.of.insert(who.clone(), State::UnderWay(turn));
            self.under_way[urgency as usize] += 1;
            *self.of_group.entry(who.group().clone()).or_default() += 1;
            self.pass_over_those_below(urgency);
            return Some(who);
        }
    }

    /// Ends the object's turn. Returns the urgency with which it was woken meanwhile; the caller decides whether that still
    /// stands.
    pub(crate) fn end(&mut self, who: &K, now: Instant) -> Option<Urgency> {
        let Some(State::UnderWay(turn)) = self.of.get(who).copied() else { return None };
        self.of.remove(who);
        let took = now.saturating_duration_since(turn.begun);
        self.lines[turn.urgency as usize].settle(who.group(), turn.charged, took);
        // One that took long says little of the next.
        self.cost = (self.cost * 7 + took.min(self.cost * 2 + Duration::from_millis(1))) / 8;
        self.under_way[turn.urgency as usize] -= 1;
        if let Some(count) = self.of_group.get_mut(who.group()) {
            *count -= 1;
            if *count == 0 {
                self.of_group.remove(who.group());
            }
        }
        turn.woken
    }

    /// Wakes the object at this time, if nobody does before. For an object that isn't under way.
    pub(crate) fn rest(&mut self, who: &K, until: Instant, urgency: Urgency) {
        if self.of.contains_key(who) {
            return;
        }
        let rest = (until, self.next);
        self.next += 1;
        self.rests.insert(rest, who.clone());
        self.of.insert(who.clone(), State::Rests(rest, urgency));
    }

    /// Forgets an object that is gone. A turn that is under way goes on.
    pub(crate) fn forget(&mut self, who: &K) {
        match self.of.get_mut(who) {
            Some(State::UnderWay(turn)) => turn.woken = None,
            Some(State::Rests(rest, _)) => {
                self.rests.remove(rest);
                self.of.remove(who);
            }
            Some(State::Waits(..)) => {
                self.of.remove(who);
            }
            None => {}
        }
    }

    /// How many turns of this urgency, or a higher one, are under way.
    pub(crate) fn under_way(&self, least: Urgency) -> usize {
        self.under_way[..=least as usize].iter().sum()
    }

    /// How many objects the queue knows, by where they stand. The rest of the world's objects need no turn.
    pub(crate) fn counts(&self) -> Counts {
        let (under_way, resting) = (self.under_way.iter().sum(), self.rests.len());
        Counts { waiting: self.of.len() - under_way - resting, under_way, resting }
    }

    /// The urgency of the object's turn, if it is under way.
    pub(crate) fn turn(&self, who: &K) -> Option<Urgency> {
        let Some(State::UnderWay(turn)) = self.of.get(who) else { return None };
        Some(turn.urgency)
    }

    /// Whether the object's turn is under way.
    pub(crate) fn is_under_way(&self, who: &K) -> bool {
        self.turn(who).is_some()
    }

    /// The end of the first rest.
    pub(crate) fn next_rest(&self) -> Option<Instant> {
        self.rests.keys().next().map(|(until, _)| *until)
    }

    fn wake_rested(&mut self, now: Instant) {
        while let Some(first) = self.rests.first_entry().filter(|first| first.key().0 <= now) {
            let who = first.remove();
            if let Some(State::Rests(_, urgency)) = self.of.remove(&who) {
                self.wake(&who, urgency);
            }
        }
    }

    fn pass_over_those_below(&mut self, served: Urgency) {
        for urgency in URGENCIES {
            let passed_over = &mut self.passed_over[urgency as usize];
            if urgency == served || self.lines[urgency as usize].is_empty() {
                *passed_over = 0;
            } else if urgency > served {
                *passed_over += 1;
            }
        }
    }
}

/// The most turns of one group that are under way at once: at least one hand in four is left for the others.
fn most_of_a_group(hands: usize) -> usize {
    hands.saturating_sub(hands.div_ceil(4)).max(1)
}

#[cfg(test)]
mod tests;
