//! The line of those who wait for a turn: groups take turns by the time that their turns take, and within a group the first
//! to come is the first called.
//!
//! This file knows neither clocks nor objects; whoever keeps the line says when the next one is called, and what a turn
//! took. It keeps a mark for each group: the time that the group has used, on a scale on which one that comes anew begins at the present
//! ([`Line::now`]). The group with the lowest mark is called next. A call is charged what a turn is likely to take, and the
//! difference follows once that is known; so a call that nobody takes costs its group, too.
//!
//! Invariants: of two groups that wait all the time, neither uses more time than the other by more than one turn, however
//! many wait in either and however long each takes. A group that comes anew gets nothing for the time before, and one that
//! comes again still owes what it used. The present moves with every turn, so no number of new groups keeps an old one
//! waiting. A call, and a question for a place, cost no more than the number of groups. What waits in a group is bounded, and
//! what doesn't fit is told so.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// The line of those who wait, by group.
pub(crate) struct Line<G, W> {
    queues: HashMap<G, Queue<W>>,
    /// The groups in the order of their next calls.
    order: BTreeMap<Mark, G>,
    /// The marks of groups in which nobody waits, and that lie ahead.
    owing: HashMap<G, Duration>,
    /// The present, at which groups begin.
    now: Duration,
    /// The number of the next group that takes its place in the order.
    next: u64,
    /// The most that wait in a group.
    bound: usize,
}

/// The place of a group in the order: groups that used the same take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    used: Duration,
    number: u64,
}

/// Those who wait in one group; never empty.
struct Queue<W> {
    waiting: VecDeque<W>,
    /// The ticket of the first.
    first: i64,
    mark: Mark,
}

/// A place among those who wait in a group: the lower is called first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(i64);

/// Who is called, with the ticket that the call is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Called<W> {
    pub(crate) who: W,
    pub(crate) ticket: Ticket,
}

impl<G: Clone + Eq + Hash, W> Line<G, W> {
    /// An empty line; at most `bound` wait in each group.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            queues: HashMap::new(),
            order: BTreeMap::new(),
            owing: HashMap::new(),
            now: Duration::ZERO,
            next: 0,
            bound,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Lets one more wait at the end of its group; `None` if there is no room.
    pub(crate) fn join(&mut self, group: &G, who: W) -> Option<Ticket> {
        let bound = self.bound;
        let queue = self.queue(group);
        if queue.waiting.len() >= bound {
            return None;
        }
        queue.waiting.push_back(who);
        Some(Ticket(queue.first + queue.waiting.len() as i64 - 1))
    }

    /// Lets one who was called in vain wait before all others of its group, which gets back what the call was charged.
    pub(crate) fn rejoin(&mut self, group: &G, who: W, charged: Duration) -> Ticket {
        self.settle(group, charged, Duration::ZERO);
        let queue = self.queue(group);
        queue.waiting.push_front(who);
        queue.first -= 1;
        Ticket(queue.first)
    }

    /// Calls the next one, and charges its group this much.
    pub(crate) fn call(&mut self, charge: Duration) -> Option<Called<W>> {
        self.call_from(charge, |_| true)
    }

    /// Calls the next one of these groups, and charges its group this much.
    pub(crate) fn call_from(
        &mut self,
        charge: Duration,
        is_served: impl Fn(&G) -> bool,
    ) -> Option<Called<W>> {
        let mark = *self.order.iter().find(|(_, group)| is_served(group))?.0;
        let group = self.order.remove(&mark)?;
        self.now = self.now.max(mark.used);
        let next = Mark { used: mark.used + charge, number: self.take_number() };
        let queue = self.queues.get_mut(&group)?;
        let called = queue.waiting.pop_front().map(|who| Called { who, ticket: Ticket(queue.first) });
        (queue.first, queue.mark) = (queue.first + 1, next);
        if queue.waiting.is_empty() {
            self.queues.remove(&group);
            self.owing.insert(group, next.used);
        } else {
            self.order.insert(next, group);
        }
        self.pass(charge);
        called
    }

    /// Says that a turn of the group took this long, after its call was charged.
    pub(crate) fn settle(&mut self, group: &G, charged: Duration, took: Duration) {
        if let Some(queue) = self.queues.get_mut(group) {
            let mark = Mark { used: (queue.mark.used + took).saturating_sub(charged), ..queue.mark };
            let before = std::mem::replace(&mut queue.mark, mark);
            self.order.remove(&before);
            self.order.insert(mark, group.clone());
        } else {
            let used = self.owing.get(group).copied().unwrap_or(self.now);
            self.owing.insert(group.clone(), (used + took).saturating_sub(charged));
        }
        self.pass(took.saturating_sub(charged));
    }

    /// The number of calls before the one for this ticket, if nobody else joins and a turn of each group takes this long.
    pub(crate) fn ahead(&self, group: &G, ticket: Ticket, turn: Duration) -> usize {
        let Some(own) = self.queues.get(group) else { return 0 };
        let place = usize::try_from(ticket.0 - own.first).unwrap_or_default();
        let nanos = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        let turn = nanos(turn).max(1);
        let mine = nanos(own.mark.used) + turn * place as i128;
        let others = self.queues.values().filter(|queue| queue.mark.number != own.mark.number);
        let calls = others.map(|queue| {
            // Those whose marks are lower by then, or as low, and their number is.
            let lead = mine - nanos(queue.mark.used) + i128::from(queue.mark.number < own.mark.number);
            let calls = lead.max(0) as u128;
            usize::try_from(calls.div_ceil(turn as u128)).unwrap_or(usize::MAX).min(queue.waiting.len())
        });
        place + calls.sum::<usize>()
    }

    /// Moves the present by the share that each group would have had of this time.
    fn pass(&mut self, time: Duration) {
        self.now += time / u32::try_from(self.queues.len()).unwrap_or(u32::MAX).saturating_add(1);
        let now = self.now;
        self.owing.retain(|_, used| *used > now);
    }

    fn queue(&mut self, group: &G) -> &mut Queue<W> {
        if !self.queues.contains_key(group) {
            let used = self.owing.remove(group).unwrap_or_default().max(self.now);
            let mark = Mark { used, number: self.take_number() };
            self.order.insert(mark, group.clone());
            self.queues.insert(group.clone(), Queue { waiting: VecDeque::new(), first: 0, mark });
        }
        self.queues.get_mut(group).expect("it was just made")
    }

    fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turn, as long as all others.
    const TURN: Duration = Duration::from_secs(1);

    /// The order in which all are called.
    fn calls(line: &mut Line<char, u32>) -> Vec<u32> {
        std::iter::from_fn(|| line.call(TURN)).map(|called| called.who).collect()
    }

    fn line(of: &[(char, &[u32])]) -> Line<char, u32> {
        let mut line = Line::new(10);
        for (group, all) in of {
            assert!(all.iter().all(|who| line.join(group, *who).is_some()));
        }
        line
    }

    #[test]
    fn groups_take_turns_however_many_wait_in_each() {
        let mut line = line(&[('a', &[1, 2, 3, 4]), ('b', &[11]), ('c', &[21, 22])]);
        assert_eq!(calls(&mut line), [1, 11, 21, 2, 22, 3, 4]);
        assert!(line.is_empty() && line.queues.is_empty(), "nothing is kept of whom nobody waits for");
    }

    #[test]
    fn a_group_that_comes_late_waits_for_one_round_at_most() {
        let mut line = line(&[('a', &[1, 2, 3, 4]), ('b', &[11, 12, 13])]);
        assert_eq!(line.call(TURN).unwrap().who, 1);
        line.join(&'c', 21).unwrap();
        assert_eq!(calls(&mut line), [11, 21, 2, 12, 3, 13, 4]);
    }

    #[test]
    fn who_was_called_in_vain_is_the_first_of_its_group_and_of_no_other() {
        let mut line = line(&[('a', &[1, 2]), ('b', &[11, 12])]);
        let called = line.call(TURN).unwrap();
        let again = line.rejoin(&'a', called.who, TURN);
        assert_eq!((line.ahead(&'a', again, TURN), again == called.ticket), (1, true));
        assert_eq!(calls(&mut line), [11, 1, 12, 2]);
    }

    #[test]
    fn the_place_in_the_line_is_the_number_of_calls_before() {
        let mut line = line(&[('a', &[1, 2, 3]), ('b', &[11]), ('c', &[21, 22])]);
        line.call(TURN).unwrap();
        line.call(TURN).unwrap();
        line.join(&'d', 31).unwrap();
        let mut tickets = vec![('a', line.join(&'a', 4).unwrap()), ('c', line.join(&'c', 23).unwrap())];
        tickets.push(('b', line.join(&'b', 12).unwrap()));
        let last = line.call(TURN).unwrap();
        assert_eq!(last.who, 21);
        let places: Vec<usize> =
            tickets.iter().map(|(group, ticket)| line.ahead(group, *ticket, TURN)).collect();
        let order = calls(&mut line);
        let called = [4, 23, 12].map(|who| order.iter().position(|it| *it == who).unwrap());
        assert_eq!(places, called, "{order:?}");
    }

    #[test]
    fn a_group_has_room_for_so_many_and_the_others_have_theirs() {
        let all: Vec<u32> = (0..10).collect();
        let mut line = line(&[('a', &all)]);
        assert_eq!(line.join(&'a', 10), None);
        assert!(line.join(&'b', 11).is_some());
        line.call(TURN).unwrap();
        assert!(line.join(&'a', 10).is_some());
    }

    #[test]
    fn a_group_whose_turns_take_long_gets_as_much_time_as_the_others_and_not_as_many_turns() {
        let all: Vec<u32> = (0..10).collect();
        let mut line = line(&[('s', &all), ('f', &[])]);
        let (mut slow, mut fast) = (0, 0);
        for _ in 0..200 {
            // One at a time, so that its group is empty in between.
            if !line.queues.contains_key(&'f') {
                line.join(&'f', 100).unwrap();
            }
            let called = line.call(TURN).unwrap();
            if called.who == 100 {
                fast += 1;
            } else {
                slow += 1;
                line.settle(&'s', TURN, TURN * 50);
            }
        }
        assert!((3..=8).contains(&slow), "{slow} and {fast}");
    }

    #[test]
    fn nothing_is_kept_of_groups_that_are_gone_and_new_ones_keep_no_old_one_waiting() {
        let mut line: Line<u32, u32> = Line::new(10);
        line.join(&0, 0).unwrap();
        line.join(&0, 0).unwrap();
        line.call(TURN).unwrap();
        line.settle(&0, TURN, TURN * 10);
        let waited = (1..1000).position(|new| {
            line.join(&new, new).unwrap();
            line.call(TURN).unwrap().who == 0
        });
        assert!(waited.is_some_and(|waited| waited < 30), "{waited:?}");
        (1000..2000).for_each(|new| {
            line.join(&new, new).unwrap();
            line.call(TURN).unwrap();
        });
        assert!(line.owing.len() < 10, "{}", line.owing.len());
    }
}
