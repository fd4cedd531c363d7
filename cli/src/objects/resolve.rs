//! Settles conflicts in a file of SealedSecrets by the choice of a side, for all items or for some.
//!
//! A conflict of several items is taken apart, item by item, where each side is nothing but entries of a mapping. The text
//! that comes out is only text; the caller reads it. Invariants: no line of either side is lost unless a side was chosen for
//! it; an item that is in conflict in several objects is settled in one that is named.

mod owners;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::objects::conflict::{self, Conflict, Labels, MARKER_SIZE, Side, StrayMarker};

/// Why nothing was settled.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error(transparent)]
    Stray(#[from] StrayMarker),
    #[error("there is no conflict in it")]
    NoConflict,
    #[error("no side of a conflict is labelled {0}")]
    NoSuchLabel(String),
    #[error("the file is removed in {}, and changed in {}", .0.word(), .0.other().word())]
    FileRemoved(Side),
    #[error("no side is chosen")]
    NoSide,
    #[error("{0} is the label of the other side")]
    LabelOfTheOther(String),
    #[error("both sides of a conflict are labelled {0}")]
    SameLabel(String),
    #[error("no conflict is about {0}")]
    NoSuchItem(String),
    #[error("a conflict is about more than items, so it can't be settled item by item")]
    NotItems,
    #[error("{item} is in conflict in several SealedSecrets: {}", named(owners))]
    SeveralObjects { item: String, owners: Vec<String> },
    #[error("no conflict is about SealedSecret {wanted}")]
    NoSuchObject { wanted: String, owners: Vec<String> },
    #[error("a conflict is about {wanted} and more, so it can't be settled for that one alone")]
    NotOneObject { wanted: String },
}

/// Names of objects for a message. They are words of a file.
pub(crate) fn named(owners: &[String]) -> String {
    owners.iter().take(SHOWN).map(|name| seal_foreign::word(name)).collect::<Vec<_>>().join(", ")
}

/// The most names of objects in a message.
const SHOWN: usize = 20;

/// What is to be settled, and how.
pub(crate) struct Choice<'c> {
    /// The side that is kept: `ours`, `theirs` or its label.
    pub(crate) take: &'c str,
    /// Only these items; all conflicts if there is none.
    pub(crate) items: &'c [String],
    /// Only conflicts of this object, by its `NAMESPACE/NAME`.
    pub(crate) object: Option<&'c str>,
}

/// A text with some conflicts settled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) text: String,
    /// The items that the settled conflicts were about, as far as they are items.
    pub(crate) items: BTreeSet<String>,
    /// How many conflicts are left.
    pub(crate) left: usize,
}

/// The length of the markers of a text: that of its first line that is one.
pub(crate) fn marker_size(text: &str) -> usize {
    let length = |line: &str| {
        let size = line.len() - line.trim_start_matches('<').len();
        let is_marker = size >= MARKER_SIZE && matches!(line.as_bytes().get(size), None | Some(b' ' | b'\r'));
        is_marker.then_some(size)
    };
    text.lines().find_map(length).unwrap_or(MARKER_SIZE)
}

/// The labels of all conflicts, each once, in their order.
pub(crate) fn labels(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for conflict in conflict::find(text, marker_size(text)).unwrap_or_default() {
        for label in [conflict.ours_label, conflict.theirs_label] {
            if !found.iter().any(|known| known == label) {
                found.push(label.to_owned());
            }
        }
    }
    found
}

/// Keeps one side of some conflicts.
pub(crate) fn resolve(text: &str, choice: &Choice<'_>) -> Result<Resolved, ResolveError> {
    let size = marker_size(text);
    let conflicts = conflict::find(text, size)?;
    if conflicts.is_empty() {
        return Err(ResolveError::NoConflict);
    }
    let wanted: BTreeSet<&str> = choice.items.iter().map(String::as_str).collect();
    let mut resolved = Resolved { text: String::new(), items: BTreeSet::new(), left: 0 };
    let mut replaced: Vec<(Range<usize>, String)> = Vec::new();
    for conflict in meant(text, &conflicts, choice)? {
        let settled = settle(conflict, choice.take, &wanted, size, &mut resolved)?;
        replaced.extend(settled.map(|text| (conflict.range.clone(), text)));
    }
    if let Some(missing) = wanted.iter().find(|item| !resolved.items.contains(**item)) {
        return Err(ResolveError::NoSuchItem((*missing).to_owned()));
    }
    resolved.text =
        conflict::replace(text, replaced.iter().map(|(range, new)| (range.clone(), new.as_str())));
    resolved.left = conflict::find(&resolved.text, size)?.len();
    Ok(resolved)
}

/// The conflicts of the object that is named, or of the only one that has the items; without a name and items, all.
fn meant<'c, 't>(
    text: &str,
    conflicts: &'c [Conflict<'t>],
    choice: &Choice<'_>,
) -> Result<Vec<&'c Conflict<'t>>, ResolveError> {
    if choice.object.is_none() && choice.items.is_empty() {
        return Ok(conflicts.iter().collect());
    }
    let owners = owners::owners(text, conflicts);
    if let Some(wanted) = choice.object {
        let is_of = |owners: &BTreeSet<String>| owners.contains(wanted);
        let found: Vec<_> = conflicts.iter().zip(&owners).filter(|(_, owners)| is_of(owners)).collect();
        if found.is_empty() {
            let owners: BTreeSet<&String> = owners.iter().flatten().collect();
            let owners = owners.into_iter().cloned().collect();
            return Err(ResolveError::NoSuchObject { wanted: wanted.to_owned(), owners });
        }
        if found.iter().any(|(_, owners)| owners.len() > 1) {
            return Err(ResolveError::NotOneObject { wanted: wanted.to_owned() });
        }
        return Ok(found.into_iter().map(|(conflict, _)| conflict).collect());
    }
    for item in choice.items {
        let is_about = |conflict: &Conflict<'_>| {
            conflict.ours.lines().chain(conflict.theirs.lines()).any(|line| key(line) == Some(item.as_str()))
        };
        let about = conflicts.iter().zip(&owners).filter(|(conflict, _)| is_about(conflict));
        let owners: BTreeSet<&String> = about.flat_map(|(_, owners)| owners).collect();
        if owners.len() > 1 {
            let owners = owners.into_iter().cloned().collect();
            return Err(ResolveError::SeveralObjects { item: item.clone(), owners });
        }
    }
    // An item of that name elsewhere, such as in a ConfigMap, isn't meant.
    let is_owned = owners.iter().any(|owners| !owners.is_empty());
    let meant = conflicts.iter().zip(&owners).filter(|(_, owners)| !is_owned || !owners.is_empty());
    Ok(meant.map(|(conflict, _)| conflict).collect())
}

/// What stands in the place of a conflict; `None` if it stays as it is.
fn settle(
    conflict: &Conflict<'_>,
    take: &str,
    wanted: &BTreeSet<&str>,
    size: usize,
    resolved: &mut Resolved,
) -> Result<Option<String>, ResolveError> {
    let sides = entries(conflict.ours).zip(entries(conflict.theirs));
    let Some((ours, theirs)) = sides else {
        if !wanted.is_empty() {
            // Only if an item of it is wanted does it matter that it can't be taken apart.
            let names = |line: &str| key(line).is_some_and(|key| wanted.contains(key));
            if conflict.ours.lines().chain(conflict.theirs.lines()).any(names) {
                return Err(ResolveError::NotItems);
            }
            return Ok(None);
        }
        return Ok(Some(conflict.side(side(conflict, take)?).to_owned()));
    };
    let names: BTreeSet<&str> = ours.iter().chain(&theirs).map(|entry| entry.name).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(name);
    let taken: BTreeSet<&str> = names.iter().copied().filter(|name| is_wanted(name)).collect();
    if taken.is_empty() && !names.is_empty() {
        return Ok(None);
    }
    let side = side(conflict, take)?;
    let text = |entries: &[Entry<'_>], name: &str| {
        entries.iter().find(|entry| entry.name == name).map(|entry| entry.text).unwrap_or_default().to_owned()
    };
    // Git draws two conflicts together that only a few lines part, and an item between them is the same on both sides.
    let differing = taken.iter().filter(|name| text(&ours, name) != text(&theirs, name));
    resolved.items.extend(differing.map(|name| (*name).to_owned()));
    if taken == names {
        return Ok(Some(conflict.side(side).to_owned()));
    }
    let labels = Labels {
        base: String::new(),
        ours: conflict.ours_label.to_owned(),
        theirs: conflict.theirs_label.to_owned(),
        size,
    };
    let mut out = String::new();
    for name in &names {
        let (of_ours, of_theirs) = (text(&ours, name), text(&theirs, name));
        if !taken.contains(name) {
            out += &conflict::around(&of_ours, &of_theirs, &labels);
        } else if side == Side::Ours {
            out += &of_ours;
        } else {
            out += &of_theirs;
        }
    }
    Ok(Some(out))
}

/// The side of this name: `ours`, `theirs`, its whole label, or the first word of that.
///
/// The threat is a branch called `ours` that somebody wants to have merged.
fn side(conflict: &Conflict<'_>, take: &str) -> Result<Side, ResolveError> {
    let is = |side: Side, exact: bool| {
        let label = conflict.label(side);
        if exact { label == take } else { label.split(' ').next() == Some(take) }
    };
    let named = match take {
        "ours" => Some(Side::Ours),
        "theirs" => Some(Side::Theirs),
        _ => None,
    };
    let unless_other = |labelled: Side| match named {
        Some(named) if named != labelled => Err(ResolveError::LabelOfTheOther(take.to_owned())),
        _ => Ok(labelled),
    };
    for exact in [true, false] {
        match (is(Side::Ours, exact), is(Side::Theirs, exact)) {
            (true, true) => return Err(ResolveError::SameLabel(take.to_owned())),
            (true, false) => return unless_other(Side::Ours),
            (false, true) => return unless_other(Side::Theirs),
            (false, false) => {}
        }
    }
    named.ok_or_else(|| ResolveError::NoSuchLabel(take.to_owned()))
}

/// An entry of a mapping: its key, and its lines.
struct Entry<'t> {
    name: &'t str,
    text: &'t str,
}

/// The entries of one side, each name once; `None` if it is anything else.
fn entries(side: &str) -> Option<Vec<Entry<'_>>> {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = side.lines().find(|line| !line.trim().is_empty()).map(indent);
    let mut found: Vec<(&str, Range<usize>)> = Vec::new();
    let mut at = 0;
    for line in side.split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let is_start = !line.trim().is_empty() && Some(indent(line)) == first;
        match (is_start, found.last_mut()) {
            (true, _) => {
                let name = key(line)?;
                if found.iter().any(|(known, _)| *known == name) {
                    return None;
                }
                found.push((name, range));
            }
            // A line further in belongs to the entry above it.
            (false, Some(last)) if line.trim().is_empty() || Some(indent(line)) > first => {
                last.1.end = range.end
            }
            (false, _) => return None,
        }
    }
    Some(found.into_iter().map(|(name, range)| Entry { name, text: &side[range] }).collect())
}

/// The key of a line `key: value`, with or without quotes.
fn key(line: &str) -> Option<&str> {
    let (key, rest) = line.trim_start().split_once(':')?;
    let key = key.trim_end();
    let bare =
        ['"', '\''].iter().find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(key);
    let is_key =
        !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    (is_key && (rest.is_empty() || rest.starts_with([' ', '\r', '\n']))).then_some(bare)
}

#[cfg(test)]
mod tests;
