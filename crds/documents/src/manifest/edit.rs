//! Changes parts of objects in a file, and nothing else.
//!
//! A value replaces only the parts that differ from it: in a mapping, equal entries stay as they are written, and a new
//! entry stands before the entry that follows it. A sequence changes item by item ([`sequence`]), and a scalar keeps its
//! quotes ([`scalar`]). Comments stay unless they stand in a replaced part; the caller gets the places of those that go.
//!
//! No part of an object with plaintext may stay, so those go through [`super::splice()`]. Invariant: the result is read
//! again, and is the old file with exactly these changes. If it isn't, the answer is an error and not a guess.

mod check;
mod flow;
mod scalar;
mod sequence;

use std::ops::Range;

use super::splice::{SpliceError, column, flow_text, indent_of_line, with_line_ends};
use super::{Manifest, Syntax};
use crate::source::Located;
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::written::Written;

/// The changes to one document.
pub struct Edits {
    pub document: usize,
    /// Nodes, and the values to be read from them afterwards.
    pub replaced: Vec<(NodeId, Written)>,
    /// Mappings, and the keys to remove from them.
    pub removed: Vec<(NodeId, Vec<NodeId>)>,
}

/// A file with some changes.
#[derive(Debug)]
pub struct Edited {
    pub text: String,
    /// The places of comments that went with a replaced part.
    pub lost_comments: Vec<usize>,
}

pub fn edit(manifest: &Manifest<'_>, edits: &[Edits]) -> Result<Edited, Located<SpliceError>> {
    let source = manifest.source.text();
    let mut patches = Patches { source, syntax: manifest.syntax, found: Vec::new() };
    for edits in edits {
        let tree = &manifest.documents[edits.document];
        for (node, value) in &edits.replaced {
            patches.reshape(tree, *node, value)?;
        }
        for (mapping, keys) in &edits.removed {
            patches.remove(tree, *mapping, &|key| keys.contains(&key))?;
        }
    }
    let text = patches.apply()?;
    let not_local = |at| Located { error: SpliceError::NotLocal, at };
    if let Some(at) = check::first_difference(manifest, edits, &text) {
        return Err(not_local(at));
    }
    let lost_comments = match manifest.syntax {
        Syntax::Json => Vec::new(),
        Syntax::Yaml => check::lost_comments(source, &text).ok_or_else(|| not_local(0))?,
    };
    Ok(Edited { text, lost_comments })
}

struct Patches<'s> {
    source: &'s str,
    syntax: Syntax,
    found: Vec<(Range<usize>, String)>,
}

type Patched = Result<(), Located<SpliceError>>;

impl Patches<'_> {
    /// Makes the node say the value, with as few changes as possible.
    fn reshape(&mut self, tree: &Tree<'_>, node: NodeId, value: &Written) -> Patched {
        if value.is_read_from(tree, node) {
            return Ok(());
        }
        let (entries, wanted) = match (&tree.node(node).kind, value) {
            (NodeKind::Mapping { entries, .. }, Written::Mapping(wanted)) => (entries, wanted),
            (NodeKind::Sequence { items, .. }, Written::Sequence(wanted)) => {
                return self.reshape_sequence(tree, node, items, wanted);
            }
            _ => return self.replace(tree, node, value),
        };
        let find = |key: NodeId| wanted.iter().position(|(name, _)| tree.scalar(key) == Some(name));
        let kept: Vec<(NodeId, NodeId, usize)> =
            entries.iter().filter_map(|&(key, value)| Some((key, value, find(key)?))).collect();
        if kept.is_empty() {
            return self.replace(tree, node, value);
        }
        self.remove(tree, node, &|key| find(key).is_none())?;
        for &(key, value, index) in &kept {
            self.reshape_entry(tree, (key, value), &wanted[index])?;
        }
        // A new entry stands before the next old one, or after the last one.
        let mut new: Vec<&(String, Written)> = Vec::new();
        for (index, entry) in wanted.iter().enumerate() {
            match kept.iter().find(|(.., found)| *found == index) {
                None => new.push(entry),
                Some(&(key, ..)) => self.insert(tree, node, key, std::mem::take(&mut new), true)?,
            }
        }
        let &(last, ..) = kept.last().expect("it isn't empty");
        self.insert(tree, node, last, new, false)
    }

    /// As [`Self::reshape`], for a value whose place can be told by its key only: one that isn't written at all, and a
    /// block scalar, which begins with a mark outside of its range.
    fn reshape_entry(
        &mut self,
        tree: &Tree<'_>,
        (key, node): (NodeId, NodeId),
        wanted: &(String, Written),
    ) -> Patched {
        let range = tree.range(node);
        let colon = end_of(tree, self.source, key, key);
        let is_scalar = matches!(tree.node(node).kind, NodeKind::Scalar { .. });
        let mark = if range.is_empty() {
            ""
        } else {
            self.source.get(colon..range.start).unwrap_or_default().trim()
        };
        let is_outside = is_scalar && (range.is_empty() || mark.starts_with(['|', '>']));
        if !is_outside || self.syntax == Syntax::Json || wanted.1.is_read_from(tree, node) {
            return self.reshape(tree, node, &wanted.1);
        }
        if let Some(block) = scalar::block(self.source, mark, range.start, &wanted.1) {
            self.found.push((range.start..range.start + self.source[range].trim_end().len(), block));
            return Ok(());
        }
        let indent = column(self.source, tree.range(key).start);
        let name = Written::text(wanted.0.as_str()).to_yaml(0).trim_end().len() + 1;
        let text = Written::one(&wanted.0, &wanted.1).to_yaml(indent)[name..].trim_end().to_owned();
        let end = if range.is_empty() { colon } else { range.start + self.source[range].trim_end().len() };
        self.found.push((colon..end, text));
        Ok(())
    }

    fn replace(&mut self, tree: &Tree<'_>, node: NodeId, value: &Written) -> Patched {
        let range = tree.range(node);
        let text = match (&tree.node(node).kind, value) {
            (NodeKind::Mapping { flow: true, .. } | NodeKind::Sequence { flow: true, .. }, _) => {
                flow_text(tree, node, self.source, value)
            }
            _ if self.syntax == Syntax::Json => value.to_compact_json().to_string(),
            (_, Written::Text(text)) => scalar::quoted_alike(&self.source[range.clone()], text),
            (_, Written::Bool(_)) => value.to_yaml(0).trim_end().to_owned(),
            (NodeKind::Mapping { .. } | NodeKind::Sequence { .. }, _) => {
                value.to_yaml(column(self.source, range.start)).trim_end().to_owned()
            }
            _ => value.to_compact_json().to_string(),
        };
        // A block scalar reaches over the blank lines after it.
        let end = range.start + self.source[range.clone()].trim_end().len();
        self.found.push((range.start..end, text));
        Ok(())
    }

    /// Takes entries out of a mapping, with their lines.
    fn remove(&mut self, tree: &Tree<'_>, node: NodeId, goes: &dyn Fn(NodeId) -> bool) -> Patched {
        let unknown = |key: NodeId| Located { error: SpliceError::UnknownLayout, at: tree.range(key).start };
        let NodeKind::Mapping { entries, flow } = &tree.node(node).kind else { return Err(unknown(node)) };
        let mut gone_to = 0;
        for (index, &(key, value)) in entries.iter().enumerate().filter(|(_, (key, _))| goes(*key)) {
            let range = tree.range(key).start..end_of(tree, self.source, key, value);
            let after_dash = || {
                let (next, _) = entries[index + 1..].iter().find(|(key, _)| !goes(*key))?;
                self.is_after_dash(range.start).then(|| range.start..tree.range(*next).start)
            };
            let patch = if !flow {
                // After the first entry went from the line of its dash, up to the next one that stays.
                if gone_to > range.start {
                    continue;
                }
                self.lines(range.clone()).or_else(after_dash).ok_or_else(|| unknown(key))?
            } else if entries[index..].iter().all(|(key, _)| goes(*key)) {
                let end_of = |&(key, value): &(NodeId, NodeId)| end_of(tree, self.source, key, value);
                let before = index.checked_sub(1).map(|index| end_of(&entries[index]));
                let tail = &entries[index..];
                let tail = tail.iter().map(|entry| tree.range(entry.0).start..end_of(entry)).collect();
                self.remove_tail(before, tail);
                return Ok(());
            } else {
                self.flow_lines(range.clone())
                    .unwrap_or_else(|| self.up_to(range, tree.range(entries[index + 1].0).start))
            };
            gone_to = patch.end;
            self.found.push((patch, String::new()));
        }
        Ok(())
    }

    /// The whole lines of an entry of a block mapping; `None` if something else stands on them.
    fn lines(&self, range: Range<usize>) -> Option<Range<usize>> {
        let start = range.start - column(self.source, range.start);
        let end = self.source[range.end..].find('\n').map_or(self.source.len(), |i| range.end + i + 1);
        let tail = self.source[range.end..end].trim_start();
        let alone =
            self.source[start..range.start].trim().is_empty() && (tail.is_empty() || tail.starts_with('#'));
        alone.then_some(start..end)
    }

    /// Puts entries before or after one that is there, written as it is.
    fn insert(
        &mut self,
        tree: &Tree<'_>,
        node: NodeId,
        beside: NodeId,
        new: Vec<&(String, Written)>,
        before: bool,
    ) -> Patched {
        if new.is_empty() {
            return Ok(());
        }
        let NodeKind::Mapping { entries, flow } = &tree.node(node).kind else { return Ok(()) };
        let start = tree.range(beside).start;
        let line = start - column(self.source, start);
        let indent = &self.source[line..start];
        let is_alone = indent.trim().is_empty();
        let value = entries.iter().find(|(key, _)| *key == beside).map(|(_, value)| *value);
        let end = end_of(tree, self.source, beside, value.unwrap_or(beside));
        if *flow {
            let step =
                indent.len().saturating_sub(indent_of_line(self.source, tree.range(node).start)).clamp(1, 8);
            let separator = if is_alone { format!(",\n{indent}") } else { ",".to_owned() };
            let text = |(key, value): &(String, Written)| {
                let key = Written::text(key.as_str()).to_compact_json();
                if is_alone {
                    format!("{}: {}", *key, *value.to_json(indent.len(), step))
                } else {
                    format!("{}:{}", *key, *value.to_compact_json())
                }
            };
            let new = new.into_iter().map(text);
            if before {
                self.insert_above(start, is_alone.then_some(indent), &separator, new.collect());
            } else {
                self.insert_behind(end, is_alone.then_some(indent), &separator, new.collect());
            }
            return Ok(());
        }
        let is_after_dash = self.is_after_dash(start);
        if !is_alone && !is_after_dash {
            return Err(Located { error: SpliceError::UnknownLayout, at: start });
        }
        // An item's first entry stands on the line of its dash, and the others below it.
        let indent = " ".repeat(indent.len());
        let text: String = new
            .into_iter()
            .map(|(key, value)| {
                let entry = Written::one(key, value).to_yaml(indent.len());
                format!("{indent}{}", *entry)
            })
            .collect();
        if before && is_after_dash {
            self.found.push((start..start, format!("{}{indent}", &text[indent.len()..])));
        } else if before {
            let line = self.above_comments(line, indent.len());
            self.found.push((line..line, text));
        } else {
            let end = end + self.source[end..].find('\n').map_or(self.source.len() - end, |i| i);
            let end = self.source[..end].strip_suffix('\r').map_or(end, str::len);
            self.found.push((end..end, format!("\n{}", text.trim_end())));
        }
        Ok(())
    }

    /// Whether only dashes and blanks stand before this byte on its line.
    fn is_after_dash(&self, at: usize) -> bool {
        let before = &self.source[at - column(self.source, at)..at];
        before.contains('-') && before.chars().all(|c| matches!(c, ' ' | '-'))
    }

    /// The start of the comment lines right above a line: they are about what follows them.
    fn above_comments(&self, mut line: usize, indent: usize) -> usize {
        while line > 0 {
            let start = self.source[..line - 1].rfind('\n').map_or(0, |i| i + 1);
            let above = &self.source[start..line];
            if above.len() - above.trim_start().len() != indent || !above.trim_start().starts_with('#') {
                break;
            }
            line = start;
        }
        line
    }

    fn apply(mut self) -> Result<String, Located<SpliceError>> {
        // At one place, new text comes before the text that goes.
        self.found.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(self.source.len());
        let mut at = 0;
        for (range, text) in self.found {
            if range.start < at {
                return Err(Located { error: SpliceError::UnknownLayout, at: range.start });
            }
            out.push_str(&self.source[at..range.start]);
            out.push_str(&with_line_ends(self.source, range.start, text));
            at = range.end;
        }
        out.push_str(&self.source[at..]);
        Ok(out)
    }
}

/// The end of an entry. An empty value has no place of its own, so the entry ends behind the colon of its key.
fn end_of(tree: &Tree<'_>, source: &str, key: NodeId, value: NodeId) -> usize {
    let (key, value) = (tree.range(key), tree.range(value));
    if value.is_empty() || value == key {
        let after = &source[key.end..];
        let colon = after.len() - after.trim_start().strip_prefix(':').map_or(after.len(), str::len);
        return key.end + colon;
    }
    key.end.max(value.start + source[value].trim_end().len())
}

#[cfg(test)]
mod tests;
