//! The line of those who wait for a turn: groups take turns, and within a group the first to come is the first called.
//!
//! This file knows neither clocks nor objects; [`super`] says when the next one is called. Invariants: of two groups that
//! wait, none is called twice before the other is called once, however many wait in either. A call, and a question for a
//! place, cost no more than the number of groups. What waits in a group is bounded, and what doesn't fit is told so.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

/// The line of those who wait, by group.
pub(super) struct Line<G, W> {
    queues: HashMap<G, Queue<W>>,
    /// The groups in the order of their next calls.
    order: BTreeMap<u64, G>,
    /// The number of the next group that takes its place in the order.
    next: u64,
    /// The most that wait in a group.
    bound: usize,
}

/// Those who wait in one group; never empty.
struct Queue<W> {
    waiting: VecDeque<W>,
    /// The ticket of the first.
    first: i64,
    /// The group's number in the order.
    number: u64,
}

/// A place among those who wait in a group: the lower is called first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(i64);

/// Who is called, with the ticket that the call is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Called<W> {
    pub(super) who: W,
    pub(super) ticket: Ticket,
}

impl<G: Clone + Eq + Hash, W> Line<G, W> {
    /// An empty line; at most `bound` wait in each group.
    pub(super) fn new(bound: usize) -> Self {
        Self { queues: HashMap::new(), order: BTreeMap::new(), next: 0, bound }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Lets one more wait at the end of its group; `None` if there is no room.
    pub(super) fn join(&mut self, group: &G, who: W) -> Option<Ticket> {
        let bound = self.bound;
        let queue = self.queue(group);
        if queue.waiting.len() >= bound {
            return None;
        }
        queue.waiting.push_back(who);
        Some(Ticket(queue.first + queue.waiting.len() as i64 - 1))
    }

    /// Lets one who was called in vain wait before all others of its group.
    pub(super) fn rejoin(&mut self, group: &G, who: W) -> Ticket {
        let queue = self.queue(group);
        queue.waiting.push_front(who);
        queue.first -= 1;
        Ticket(queue.first)
    }

    /// Calls the next one.
    pub(super) fn call(&mut self) -> Option<Called<W>> {
        let (_, group) = self.order.pop_first()?;
        let number = self.take_number();
        let queue = self.queues.get_mut(&group)?;
        let called = queue.waiting.pop_front().map(|who| Called { who, ticket: Ticket(queue.first) });
        (queue.first, queue.number) = (queue.first + 1, number);
        if queue.waiting.is_empty() {
            self.queues.remove(&group);
        } else {
            self.order.insert(number, group);
        }
        called
    }

    /// The number of calls before the one for this ticket, if nobody else joins.
    pub(super) fn ahead(&self, group: &G, ticket: Ticket) -> usize {
        let Some(own) = self.queues.get(group) else { return 0 };
        let place = usize::try_from(ticket.0 - own.first).unwrap_or_default();
        let others = self.queues.values().filter(|queue| queue.number != own.number);
        let calls =
            others.map(|queue| queue.waiting.len().min(place + usize::from(queue.number < own.number)));
        place + calls.sum::<usize>()
    }

    fn queue(&mut self, group: &G) -> &mut Queue<W> {
        if !self.queues.contains_key(group) {
            let number = self.take_number();
            self.order.insert(number, group.clone());
            let queue = Queue { waiting: VecDeque::new(), first: 0, number };
            self.queues.insert(group.clone(), queue);
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

    /// The order in which all are called.
    fn calls(line: &mut Line<char, u32>) -> Vec<u32> {
        std::iter::from_fn(|| line.call()).map(|called| called.who).collect()
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
        assert_eq!(line.call().unwrap().who, 1);
        line.join(&'c', 21).unwrap();
        assert_eq!(calls(&mut line), [11, 2, 21, 12, 3, 13, 4]);
    }

    #[test]
    fn who_was_called_in_vain_is_the_first_of_its_group_and_of_no_other() {
        let mut line = line(&[('a', &[1, 2]), ('b', &[11, 12])]);
        let called = line.call().unwrap();
        let again = line.rejoin(&'a', called.who);
        assert_eq!((line.ahead(&'a', again), again == called.ticket), (1, true));
        assert_eq!(calls(&mut line), [11, 1, 12, 2]);
    }

    #[test]
    fn the_place_in_the_line_is_the_number_of_calls_before() {
        let mut line = line(&[('a', &[1, 2, 3]), ('b', &[11]), ('c', &[21, 22])]);
        line.call().unwrap();
        line.call().unwrap();
        line.join(&'d', 31).unwrap();
        let mut tickets = vec![('a', line.join(&'a', 4).unwrap()), ('c', line.join(&'c', 23).unwrap())];
        tickets.push(('b', line.join(&'b', 12).unwrap()));
        let last = line.call().unwrap();
        assert_eq!(last.who, 21);
        let places: Vec<usize> = tickets.iter().map(|(group, ticket)| line.ahead(group, *ticket)).collect();
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
        line.call().unwrap();
        assert!(line.join(&'a', 10).is_some());
    }
}
