//! What an edit is asked to do, and which parts of a manifest it may take for that.
//!
//! Invariant: what may go follows from the task and from what the object says, never from what an edit did.

use std::collections::BTreeSet;

use super::{Envelope, Part, Says};

/// What a round does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A new value for these items, by their indices.
    Set(Vec<usize>),
    /// An item that isn't there.
    Add(&'static str),
    Remove(usize),
    Tidy,
}

/// The items and envelopes that a task takes from an object.
pub struct Gone {
    pub items: BTreeSet<usize>,
    pub values: BTreeSet<usize>,
    pub envelopes: BTreeSet<usize>,
    all_envelopes: bool,
}

impl Gone {
    /// An envelope goes if no item that keeps its value uses it.
    pub fn of(task: &Task, says: &Says) -> Self {
        let (items, values): (BTreeSet<usize>, BTreeSet<usize>) = match task {
            Task::Set(items) => (BTreeSet::new(), items.iter().copied().collect()),
            Task::Remove(item) => ([*item].into(), [*item].into()),
            Task::Add(_) | Task::Tidy => Default::default(),
        };
        let stays = |(index, _): &(usize, &(String, String))| !values.contains(index);
        let used: BTreeSet<&str> = says
            .items
            .iter()
            .enumerate()
            .filter(stays)
            .filter_map(|(_, (_, line))| Some(line.split_once('.')?.0))
            .collect();
        let is_unused =
            |(_, envelope): &(usize, &Envelope)| !envelope.keys.iter().any(|key| used.contains(key.as_str()));
        let envelopes: BTreeSet<usize> =
            says.envelopes.iter().enumerate().filter(is_unused).map(|(index, _)| index).collect();
        Self { items, values, all_envelopes: envelopes.len() == says.envelopes.len(), envelopes }
    }

    /// Whether a part may be missing or be another in what comes of it.
    pub fn may_go(&self, part: Part) -> bool {
        match part {
            Part::Item(index) => self.items.contains(&index),
            Part::Value(index) => self.values.contains(&index),
            Part::Envelope(index) => self.envelopes.contains(&index),
            Part::Between => self.all_envelopes,
            Part::Separator => !self.items.is_empty() || !self.envelopes.is_empty(),
            Part::Fixed | Part::Joint => false,
        }
    }
}
