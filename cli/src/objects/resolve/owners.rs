//! The SealedSecrets that each conflict of a file is about.
//!
//! A file with markers can't be read, but each of its sides can. A conflict is about the object that its lines of a side are
//! a part of; where a side has no lines, about the object that stands there. Invariant: the time grows with the length of
//! the text, and not with the product of objects and conflicts.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use seal_documents::manifest::Lenient;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use crate::objects::conflict::{self, Conflict, Side};
use crate::objects::outline;

/// The objects of each conflict, by `namespace/name`; none for a conflict elsewhere, or where no side can be read.
pub(super) fn owners(text: &str, conflicts: &[Conflict<'_>]) -> Vec<BTreeSet<String>> {
    let mut found = vec![BTreeSet::new(); conflicts.len()];
    for side in [Side::Ours, Side::Theirs] {
        let sides = conflicts.iter().map(|conflict| (conflict.range.clone(), conflict.side(side)));
        let source = Source::new(String::new(), Zeroizing::new(conflict::replace(text, sides)));
        let objects = Objects::of(&source);
        let (mut at, mut shift) = (0, 0);
        for (conflict, found) in conflicts.iter().zip(&mut found) {
            shift += conflict.range.start - at;
            let start = shift;
            shift += conflict.side(side).len();
            at = conflict.range.end;
            found.extend(objects.at(start..shift));
        }
    }
    found
}

/// The objects of one side.
struct Objects {
    /// SealedSecrets, which are never inside of each other, with their names.
    sealed: Vec<(Range<usize>, String)>,
    /// Where objects of any kind begin.
    starts: BTreeSet<usize>,
}

impl Objects {
    fn of(source: &Source) -> Self {
        let manifest = Lenient::read(source).manifest;
        let outlines = outline::read_all(&manifest);
        let names: HashMap<usize, String> =
            outlines.iter().map(|outline| (outline.object, outline.object_name.to_string())).collect();
        let mut objects = Self { sealed: Vec::new(), starts: BTreeSet::new() };
        for (index, object) in manifest.objects.iter().enumerate() {
            let range = manifest.tree(object).range(object.node);
            objects.starts.insert(range.start);
            objects.sealed.extend(names.get(&index).map(|name| (range, name.clone())));
        }
        objects.sealed.sort_by_key(|(range, _)| range.start);
        objects
    }

    /// The objects that some lines are a part of; else the one behind whose beginning they stand, before any other.
    fn at(&self, lines: Range<usize>) -> Vec<String> {
        let first = self.sealed.partition_point(|(range, _)| range.end <= lines.start);
        let touched: Vec<String> = self.sealed[first..]
            .iter()
            .take_while(|(range, _)| range.start < lines.end)
            .map(|(_, name)| name.clone())
            .collect();
        if !touched.is_empty() {
            return touched;
        }
        let begun = self.starts.range(..=lines.start).next_back();
        let sealed =
            begun.and_then(|start| self.sealed.binary_search_by_key(start, |(range, _)| range.start).ok());
        sealed.map(|index| self.sealed[index].1.clone()).into_iter().collect()
    }
}
