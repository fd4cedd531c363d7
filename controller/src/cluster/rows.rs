//! What is kept of each object of a kind, by namespace and name.
//!
//! [`super::cache`] keeps it up to date, and [`super::metadata`] says what a row is. The threat: a person who may
//! write objects in one namespace fills the memory of a controller that serves all of them. Invariants: beside
//! names and versions, all rows together take up no more than [`MAX_WEIGHT`]; a row without room is cut to its
//! version, which shows every change. A name that is reported as changed has its change in the rows.

use std::collections::HashMap;

use kube::runtime::watcher::Event;

use super::metadata::{Kept, Metadata, Row};
use super::name::Name;

/// The most bytes of one row. A Secret with a thousand items has less than half of it.
const MAX_ROW: usize = 64 << 10;

/// The most bytes of all rows. Those of 60,000 Secrets with two items each are as many.
const MAX_WEIGHT: usize = 64 << 20;

/// The rows of a kind.
#[derive(Default)]
pub(super) struct Rows {
    rows: HashMap<Name, Listed>,
    /// The bytes of all rows that are whole.
    weight: usize,
    /// The number of the list that is arriving, or has arrived.
    list: u32,
}

/// A row, and the number of the last list that it was in, or came after.
struct Listed {
    row: Row,
    list: u32,
}

impl Rows {
    /// The row of this name; [`Row::read`] says whether it is whole.
    pub(super) fn find(&self, name: &Name) -> Option<&Row> {
        self.rows.get(name).map(|listed| &listed.row)
    }

    /// Takes in an event of the watch, and returns the names of the objects that it changes.
    ///
    /// A list that is taken anew takes effect object by object, because each is newer than the row that it
    /// replaces. What the list lacks goes when the list is complete: it was deleted without an event.
    pub(super) fn on<K: Kept>(&mut self, event: Event<Metadata<K>>) -> Vec<Name> {
        match event {
            Event::Init => {
                self.list = self.list.wrapping_add(1);
                Vec::new()
            }
            Event::InitApply(found) | Event::Apply(found) => self.put(found).into_iter().collect(),
            Event::Delete(found) => {
                let name = Name::of(&found.metadata);
                self.remove(&name);
                vec![name]
            }
            Event::InitDone => {
                let (list, rows) = (self.list, self.rows.iter());
                let gone: Vec<Name> =
                    rows.filter(|(_, row)| row.list != list).map(|(name, _)| name.clone()).collect();
                gone.iter().for_each(|name| self.remove(name));
                // Another list may be far shorter than the last.
                self.rows.shrink_to_fit();
                gone
            }
        }
    }

    /// Puts a row in place of the last of its name; `None` if they are the same.
    fn put<K: Kept>(&mut self, found: Metadata<K>) -> Option<Name> {
        let name = Name::of(&found.metadata);
        let list = self.list;
        let last = self.rows.get_mut(&name);
        if let Some(last) = last {
            last.list = list;
            if last.row.is_same(&found.row) {
                return None;
            }
        }
        self.remove(&name);
        let is_light = found.row.len() <= MAX_ROW && self.weight + found.row.len() <= MAX_WEIGHT;
        let row = if is_light { found.row } else { found.row.cut() };
        self.weight += weight(&row);
        self.rows.insert(name.clone(), Listed { row, list });
        Some(name)
    }

    fn remove(&mut self, name: &Name) {
        if let Some(last) = self.rows.remove(name) {
            self.weight -= weight(&last.row);
        }
    }
}

/// The bytes of a row that count against the bound. A cut one has only what the API server says.
fn weight(row: &Row) -> usize {
    if row.is_whole() { row.len() } else { 0 }
}

#[cfg(test)]
mod tests;
