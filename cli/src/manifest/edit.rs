//! Changes parts of objects in a file, and nothing else.
//!
//! A value replaces what it differs from: of two mappings the entries that are equal stay as they are written,
//! and what is new stands before what follows it. Comments outside of what goes stay; those that go are counted out
//! to the caller.
//!
//! Not for objects with plaintext, of which nothing may stay: that is [`super::splice()`]. Invariant: the result is
//! read again, and is the old file with exactly these changes; where it isn't, the answer is an error and not a
//! guess.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    Format, Manifest,
    fields::Located,
    read,
    splice::{Comparison, SpliceError, column, comments, flow_text, indent_of_line},
};
use crate::yaml::{
    tree::{NodeId, NodeKind, Tree},
    value::Value,
};

/// What becomes of the nodes of one document.
pub(crate) struct Edits {
    pub(crate) document: usize,
    /// Nodes, and what has to be read from them afterwards.
    pub(crate) replaced: Vec<(NodeId, Value)>,
    /// Mappings, and those of their keys that go.
    pub(crate) removed: Vec<(NodeId, Vec<NodeId>)>,
}

/// A file with some changes.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) text: String,
    /// Where comments stood that went with what was replaced.
    pub(crate) lost_comments: Vec<usize>,
}

pub(crate) fn edit(manifest: &Manifest<'_>, edits: &[Edits]) -> Result<Edited, Located<SpliceError>> {
    let source = manifest.source.text();
    let mut patches = Patches { source, format: manifest.format, found: Vec::new() };
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
    if let Some(at) = first_difference(manifest, edits, &text) {
        return Err(not_local(at));
    }
    let lost_comments = match manifest.format {
        Format::Json => Vec::new(),
        Format::Yaml => lost_comments(source, &text).ok_or_else(|| not_local(0))?,
    };
    Ok(Edited { text, lost_comments })
}

struct Patches<'s> {
    source: &'s str,
    format: Format,
    found: Vec<(Range<usize>, String)>,
}

type Patched = Result<(), Located<SpliceError>>;

impl Patches<'_> {
    /// Makes the node say the value, with as little change as that takes.
    fn reshape(&mut self, tree: &Tree<'_>, node: NodeId, value: &Value) -> Patched {
        if value.is_read_from(tree, node) {
            return Ok(());
        }
        let (NodeKind::Mapping { entries, .. }, Value::Mapping(wanted)) = (&tree.node(node).kind, value)
        else {
            return self.replace(tree, node, value);
        };
        let find = |key: NodeId| wanted.iter().position(|(name, _)| tree.scalar(key) == Some(name));
        let kept: Vec<(NodeId, NodeId, usize)> =
            entries.iter().filter_map(|&(key, value)| Some((key, value, find(key)?))).collect();
        if kept.is_empty() {
            return self.replace(tree, node, value);
        }
        self.remove(tree, node, &|key| find(key).is_none())?;
        for &(_, value, index) in &kept {
            self.reshape(tree, value, &wanted[index].1)?;
        }
        // What is new stands before the next that was there, or after the last one.
        let mut new: Vec<&(String, Value)> = Vec::new();
        for (index, entry) in wanted.iter().enumerate() {
            match kept.iter().find(|(.., found)| *found == index) {
                None => new.push(entry),
                Some(&(key, ..)) => self.insert(tree, node, key, std::mem::take(&mut new), true)?,
            }
        }
        let &(last, ..) = kept.last().expect("it isn't empty");
        self.insert(tree, node, last, new, false)
    }

    fn replace(&mut self, tree: &Tree<'_>, node: NodeId, value: &Value) -> Patched {
        let range = tree.range(node);
        let text = match (&tree.node(node).kind, value) {
            (NodeKind::Mapping { flow: true, .. } | NodeKind::Sequence { flow: true, .. }, _) => {
                flow_text(tree, node, self.source, value)
            }
            _ if self.format == Format::Json => value.to_compact_json().to_string(),
            (_, Value::Text(_) | Value::Bool(_)) => value.to_yaml(0).trim_end().to_owned(),
            (NodeKind::Mapping { .. } | NodeKind::Sequence { .. }, _) => {
                value.to_yaml(column(self.source, range.start)).trim_end().to_owned()
            }
            _ => value.to_compact_json().to_string(),
        };
        // A block scalar reaches over what follows it.
        let end = range.start + self.source[range.clone()].trim_end().len();
        self.found.push((range.start..end, text));
        Ok(())
    }

    /// Takes entries out of a mapping, with their lines.
    fn remove(&mut self, tree: &Tree<'_>, node: NodeId, goes: &dyn Fn(NodeId) -> bool) -> Patched {
        let unknown = |key: NodeId| Located { error: SpliceError::UnknownLayout, at: tree.range(key).start };
        let NodeKind::Mapping { entries, flow } = &tree.node(node).kind else { return Err(unknown(node)) };
        for (index, &(key, value)) in entries.iter().enumerate().filter(|(_, (key, _))| goes(*key)) {
            let range = tree.range(key).start..end_of(tree, self.source, key, value);
            let patch = if !flow {
                self.lines(range).ok_or_else(|| unknown(key))?
            } else if entries[index..].iter().all(|(key, _)| goes(*key)) {
                // The tail goes as one, with the comma before it.
                let before = index.checked_sub(1).map(|index| entries[index]);
                let (last_key, last) = *entries.last().expect("there is this one");
                let start = before.map_or(range.start, |(key, value)| end_of(tree, self.source, key, value));
                self.found.push((start..end_of(tree, self.source, last_key, last), String::new()));
                return Ok(());
            } else {
                range.start..tree.range(entries[index + 1].0).start
            };
            self.found.push((patch, String::new()));
        }
        Ok(())
    }

    /// The whole lines of an entry of a block mapping; `None` where something else stands on them.
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
        new: Vec<&(String, Value)>,
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
            for (key, value) in new {
                let (key, text, gap) = if is_alone {
                    (Value::text(key.as_str()).to_compact_json(), value.to_json(indent.len(), step), ": ")
                } else {
                    (Value::text(key.as_str()).to_compact_json(), value.to_compact_json(), ":")
                };
                let entry = format!("{}{gap}{}", *key, *text);
                let separator = if is_alone { format!(",\n{indent}") } else { ",".to_owned() };
                self.found.push(if before {
                    (start..start, entry + &separator)
                } else {
                    (end..end, separator + &entry)
                });
            }
            return Ok(());
        }
        if !is_alone {
            return Err(Located { error: SpliceError::UnknownLayout, at: start });
        }
        let text: String = new
            .into_iter()
            .map(|(key, value)| {
                let entry = Value::one(key, value).to_yaml(indent.len());
                format!("{indent}{}", *entry)
            })
            .collect();
        if before {
            let line = self.above_comments(line, indent.len());
            self.found.push((line..line, text));
        } else {
            let end = end + self.source[end..].find('\n').map_or(self.source.len() - end, |i| i);
            let end = self.source[..end].strip_suffix('\r').map_or(end, str::len);
            self.found.push((end..end, format!("\n{}", text.trim_end())));
        }
        Ok(())
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
        let crlf = self.source.find('\n').is_some_and(|i| self.source[..i].ends_with('\r'));
        self.found.sort_by_key(|(range, _)| range.start);
        let mut out = String::with_capacity(self.source.len());
        let mut at = 0;
        for (range, text) in &self.found {
            if range.start < at {
                return Err(Located { error: SpliceError::UnknownLayout, at: range.start });
            }
            out.push_str(&self.source[at..range.start]);
            if crlf {
                out.push_str(&text.replace('\n', "\r\n"))
            } else {
                out.push_str(text)
            }
            at = range.end;
        }
        out.push_str(&self.source[at..]);
        Ok(out)
    }
}

/// Where an entry ends. An empty value has no place of its own.
fn end_of(tree: &Tree<'_>, source: &str, key: NodeId, value: NodeId) -> usize {
    let (key, value) = (tree.range(key), tree.range(value));
    if value.is_empty() {
        let after = &source[key.end..];
        let colon = after.len() - after.trim_start().strip_prefix(':').map_or(after.len(), str::len);
        return key.end + colon;
    }
    key.end.max(value.start + source[value].trim_end().len())
}

/// Reads the result, and gives a place near which it isn't what it should be.
fn first_difference(manifest: &Manifest<'_>, edits: &[Edits], result: &str) -> Option<usize> {
    let place = |edits: &Edits| {
        let node = edits.replaced.first().map(|(node, _)| *node);
        node.map_or(0, |node| manifest.documents[edits.document].range(node).start)
    };
    let any = || Some(edits.first().map_or(0, place));
    let (format, Ok(documents)) = read(result) else { return any() };
    if format != manifest.format || documents.len() != manifest.documents.len() {
        return any();
    }
    let mut by_document: HashMap<usize, Vec<&Edits>> = HashMap::new();
    edits.iter().for_each(|edits| by_document.entry(edits.document).or_default().push(edits));
    for (index, (old, new)) in manifest.documents.iter().zip(&documents).enumerate() {
        let here = by_document.remove(&index).unwrap_or_default();
        let values =
            here.iter().flat_map(|edits| &edits.replaced).map(|(node, value)| (*node, value)).collect();
        let removed: HashSet<NodeId> =
            here.iter().flat_map(|edits| &edits.removed).flat_map(|(_, keys)| keys).copied().collect();
        let mut comparison = Comparison { old, new, values, removed, same: HashMap::new() };
        let equal = match (old.root, new.root) {
            (Some(old), Some(new)) => comparison.equal(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !equal {
            return here.first().map(|edits| place(edits)).or_else(any);
        }
    }
    None
}

/// Where the comments stood that are no longer there; `None` where there are others than before.
fn lost_comments(old: &str, new: &str) -> Option<Vec<usize>> {
    let mut lost = Vec::new();
    let mut left = comments(new).into_iter().peekable();
    for comment in comments(old) {
        let text = |source: &str, range: &Range<usize>| source[range.clone()].trim_end().to_owned();
        if left.peek().is_some_and(|next| text(new, next) == text(old, &comment)) {
            left.next();
        } else {
            lost.push(comment.start);
        }
    }
    left.next().is_none().then_some(lost)
}

#[cfg(test)]
mod tests;
