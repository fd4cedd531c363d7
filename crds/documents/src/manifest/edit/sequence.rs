//! Sequences, item by item: equal items stay as they are written, an item in the place of one that it shares a part with
//! takes over its layout, and the others come and go with their lines.
//!
//! Where nothing is shared, the sequence is replaced as a whole: a comment about one thing must not stay beside another.
//!
//! Invariant: as in all of [`super`], nothing here is believed before the result was read again.

use std::collections::HashSet;
use std::ops::Range;

use super::{Patched, Patches, column};
use crate::manifest::splice::{SpliceError, dash_before, indent_of_line};
use crate::source::Located;
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::written::Written;

/// Items that stand between two equal ones, and those that belong there.
struct Gap<'w> {
    old: Vec<NodeId>,
    new: Vec<&'w Written>,
    /// The equal item after the gap.
    next: Option<NodeId>,
}

impl Patches<'_> {
    /// Makes the items of a sequence say the values.
    pub(super) fn reshape_sequence(
        &mut self,
        tree: &Tree<'_>,
        node: NodeId,
        items: &[NodeId],
        wanted: &[Written],
    ) -> Patched {
        let gaps = gaps(tree, items, wanted);
        let mut pairs = gaps.iter().flat_map(|gap| gap.old.iter().zip(&gap.new));
        let is_kept = gaps.len() > 1 || pairs.any(|(item, value)| is_alike(tree, *item, value));
        if wanted.is_empty() || !is_kept {
            return self.replace(tree, node, &Written::Sequence(wanted.iter().map(Written::copy).collect()));
        }
        let mut removed = Vec::new();
        let mut before = None;
        for Gap { old, new, next } in gaps {
            let pairs = old.len().min(new.len());
            for (item, value) in old.iter().zip(&new) {
                let before = self.found.len();
                // The item changes as a whole where its layout lets no part change by itself.
                if !is_alike(tree, *item, value) || self.reshape(tree, *item, value).is_err() {
                    self.found.truncate(before);
                    self.replace(tree, *item, value)?;
                }
            }
            removed.extend_from_slice(&old[pairs..]);
            let before_new = old[..pairs].last().copied().or(before);
            match (before_new, next) {
                _ if new.len() == pairs => {}
                (Some(item), _) => self.insert_items(tree, node, item, &new[pairs..], false)?,
                (None, Some(item)) => self.insert_items(tree, node, item, &new[pairs..], true)?,
                // There is an old item, and it is in no pair only if there is no new one.
                (None, None) => {}
            }
            before = next.or(before_new);
        }
        self.remove_items(tree, node, items, &removed)
    }

    /// Puts items before or after one that is there.
    fn insert_items(
        &mut self,
        tree: &Tree<'_>,
        node: NodeId,
        beside: NodeId,
        new: &[&Written],
        before: bool,
    ) -> Patched {
        let range = self.trimmed(tree, beside);
        let is_flow = matches!(tree.node(node).kind, NodeKind::Sequence { flow: true, .. });
        if is_flow {
            let line = range.start - column(self.source, range.start);
            let indent = &self.source[line..range.start];
            let is_alone = indent.trim().is_empty();
            let step =
                indent.len().saturating_sub(indent_of_line(self.source, tree.range(node).start)).clamp(1, 8);
            let separator = if is_alone { format!(",\n{indent}") } else { ", ".to_owned() };
            let text = |value: &&Written| {
                let text = if is_alone { value.to_json(indent.len(), step) } else { value.to_compact_json() };
                text.to_string()
            };
            let new = new.iter().map(text);
            if before {
                self.insert_above(range.start, is_alone.then_some(indent), &separator, new.collect());
            } else {
                self.insert_behind(range.end, is_alone.then_some(indent), &separator, new.collect());
            }
            return Ok(());
        }
        let dash = self.dash(range.start)?;
        let indent = column(self.source, dash);
        let item = |value: &&Written| {
            format!("{:indent$}- {}", "", value.to_yaml(indent + 2).trim_end_matches('\n'))
        };
        let text: Vec<String> = new.iter().map(item).collect();
        if before {
            let line = self.above_comments(dash - indent, indent);
            self.found.push((line..line, format!("{}\n", text.join("\n"))));
        } else {
            let end = self.source[range.end..].find('\n').map_or(self.source.len(), |i| range.end + i);
            let end = self.source[..end].strip_suffix('\r').map_or(end, str::len);
            self.found.push((end..end, format!("\n{}", text.join("\n"))));
        }
        Ok(())
    }

    /// Takes items out, with their lines.
    fn remove_items(
        &mut self,
        tree: &Tree<'_>,
        node: NodeId,
        items: &[NodeId],
        removed: &[NodeId],
    ) -> Patched {
        let is_flow = matches!(tree.node(node).kind, NodeKind::Sequence { flow: true, .. });
        let removed: HashSet<NodeId> = removed.iter().copied().collect();
        let tail = items.iter().rposition(|item| !removed.contains(item)).map_or(0, |last| last + 1);
        for (index, item) in items.iter().enumerate().filter(|(_, item)| removed.contains(item)) {
            let range = self.trimmed(tree, *item);
            if !is_flow {
                let dash = self.dash(range.start)?;
                let unknown = || Located { error: SpliceError::UnknownLayout, at: dash };
                let lines = self.lines(dash..range.end).ok_or_else(unknown)?;
                self.found.push((lines, String::new()));
            } else if index >= tail {
                let before = index.checked_sub(1).map(|index| self.trimmed(tree, items[index]).end);
                self.remove_tail(
                    before,
                    items[index..].iter().map(|item| self.trimmed(tree, *item)).collect(),
                );
                return Ok(());
            } else {
                let next = tree.range(items[index + 1]).start;
                let lines = self.flow_lines(range.clone());
                self.found.push((lines.unwrap_or_else(|| self.up_to(range, next)), String::new()));
            }
        }
        Ok(())
    }

    /// The bytes of a node, without the blank lines over which a block scalar reaches.
    fn trimmed(&self, tree: &Tree<'_>, node: NodeId) -> Range<usize> {
        let range = tree.range(node);
        range.start..range.start + self.source[range.clone()].trim_end().len()
    }

    /// The dash of an item that starts at this byte. It has to be the first sign on its line: otherwise the line is
    /// another item's, too.
    fn dash(&self, start: usize) -> Result<usize, Located<SpliceError>> {
        let dash = dash_before(self.source, start);
        let is_first = |dash: &usize| self.source[dash - column(self.source, *dash)..*dash].trim().is_empty();
        dash.filter(is_first).ok_or(Located { error: SpliceError::UnknownLayout, at: start })
    }
}

/// Whether an item is a later form of another: both are scalars, or mappings with an entry in common.
fn is_alike(tree: &Tree<'_>, item: NodeId, value: &Written) -> bool {
    match (&tree.node(item).kind, value) {
        (NodeKind::Scalar { .. }, Written::Text(_)) => true,
        (NodeKind::Mapping { entries, .. }, Written::Mapping(wanted)) => {
            entries.iter().any(|(key, there)| {
                let is_it = |(name, value): &(String, Written)| {
                    tree.scalar(*key) == Some(name) && value.is_read_from(tree, *there)
                };
                wanted.iter().any(is_it)
            })
        }
        _ => false,
    }
}

/// The gaps between equal items: the first one ends with the first equal item, and the last one with the sequence.
fn gaps<'w>(tree: &Tree<'_>, items: &[NodeId], wanted: &'w [Written]) -> Vec<Gap<'w>> {
    let mut gaps = Vec::new();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    let mut left = items;
    for value in wanted {
        match left.iter().position(|item| value.is_read_from(tree, *item)) {
            Some(index) => {
                old.extend_from_slice(&left[..index]);
                let next = Some(left[index]);
                gaps.push(Gap { old: std::mem::take(&mut old), new: std::mem::take(&mut new), next });
                left = &left[index + 1..];
            }
            None => new.push(value),
        }
    }
    old.extend_from_slice(left);
    gaps.push(Gap { old, new, next: None });
    gaps
}
