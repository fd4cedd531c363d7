//! The changes of one SealedSecret, from one state to the next.
//!
//! [`recipients`](super::recipients) and [`template`](super::template) tell of these parts. Invariant: whatever changes in the
//! sealed parts or in the template gives at least one change.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::{Format, Scope};
use seal_foreign::word;

use super::recipients::{recipients, rewrapped};
use super::snapshot::{Seen, is_same_value};
use super::template::{strings, template};
use super::{Change, Mark};
use crate::objects::outline::{Fault, Outline, OutlineItem};

/// The changes between two states of an object, the alarms last, as a reader ends with them.
pub(super) fn changes(old: &Seen, new: &Seen) -> Vec<Change> {
    let (Some(before), Some(after)) = (old.sealed(), new.sealed()) else { return Vec::new() };
    let mut changes = items(old, new, before, after);
    if before.whole != after.whole {
        changes.push(Change::new(Mark::Changed, "sealed-again", "data", "sealed again"));
    }
    changes.extend(rewrapped(before, after, new.pinned()));
    changes.extend(recipients(before, after, new.pinned()));
    changes.extend(scope(before, after));
    changes.extend(template(before, after));
    changes.extend(annotations(before, after));
    changes.extend(fault(before, after));
    changes
}

fn items(old: &Seen, new: &Seen, before: &Outline, after: &Outline) -> Vec<Change> {
    let names: BTreeSet<&String> = before.items.keys().chain(after.items.keys()).collect();
    let renamed = renamed(old, new);
    let former = |name: &String| new.former().get(name);
    let change = |name: &String| match (before.items.get(name), after.items.get(name)) {
        (None, Some(_)) if renamed.contains_key(name.as_str()) => {
            let words = format!("renamed from {}; same value", word(renamed[name.as_str()]));
            Some(Change::new(Mark::Changed, "item-renamed", name, words))
        }
        (Some(_), None) if renamed.values().any(|old| old == name) => None,
        (None, Some(_)) => {
            let words = former(name).map(|commit| format!("added, as it was in commit {commit}"));
            Some(Change::new(Mark::Added, "added", name, words.unwrap_or_else(|| "added".to_owned())))
        }
        (Some(_), None) => Some(Change::new(Mark::Removed, "removed", name, "removed")),
        (Some(was), Some(is)) if was.line != is.line => {
            let (kind, value) = match is_same_value(old, new, name) {
                Some(true) => ("sealed-again", "; same value"),
                Some(false) => ("value-changed", "; value changed"),
                None => ("sealed-again", ""),
            };
            let words = former(name).map(|commit| format!("back to what it was in commit {commit}"));
            let words = words.unwrap_or_else(|| again(was, is).to_owned());
            Some(Change::new(Mark::Changed, kind, name, words + value))
        }
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// The items that have another name and the same value, for whoever opens both states: from the new name to the old one. A
/// value that several items have tells nothing.
fn renamed<'s>(old: &'s Seen, new: &'s Seen) -> BTreeMap<&'s str, &'s str> {
    let by_value = |seen: &'s Seen, other: &Seen| {
        let (own, names) = (seen.items(), other.items());
        let mut found: BTreeMap<&[u8], Vec<&str>> = BTreeMap::new();
        for (name, value) in seen.opened().into_iter().flat_map(|opened| &opened.data) {
            if own.contains(name.as_str()) && !names.contains(name.as_str()) {
                found.entry(value.expose()).or_default().push(name.as_str());
            }
        }
        found
    };
    let (gone, came) = (by_value(old, new), by_value(new, old));
    let pairs = came.into_iter().filter_map(|(value, came)| match (&came[..], &gone.get(value)?[..]) {
        ([came], [gone]) if !value.is_empty() => Some((*came, *gone)),
        _ => None,
    });
    pairs.collect()
}

fn again(was: &OutlineItem, is: &OutlineItem) -> &'static str {
    match (&was.data_key, &is.data_key) {
        (Some(was), Some(is)) if was != is => "sealed again; new data key",
        // Everybody who sets a value gets a fresh data key, so this one was known to whoever sealed.
        (Some(_), Some(_)) => "sealed again under the same data key",
        _ => "sealed again",
    }
}

fn scope(before: &Outline, after: &Outline) -> Option<Change> {
    if before.scope == after.scope {
        return None;
    }
    let name = |scope: Option<Scope>| scope.map_or("unreadable", Scope::as_str);
    let namespace = after.object_name.namespace.as_deref().map_or_else(|| "its namespace".to_owned(), word);
    let opens = match after.scope {
        None => String::new(),
        Some(scope) if scope.binds_name() => ": opens only under this name".to_owned(),
        Some(scope) if scope.binds_namespace() => format!(": opens under any name in {namespace}"),
        Some(_) => ": opens in any namespace".to_owned(),
    };
    let mark = if after.scope > before.scope { Mark::Alarm } else { Mark::Changed };
    let words = format!("{} → {}{opens}", name(before.scope), name(after.scope));
    Some(Change::new(mark, "scope", "scope", words))
}

/// Annotations of the SealedSecret itself that change what becomes of it. Others, such as those of tools, are none of this.
fn annotations(before: &Outline, after: &Outline) -> Option<Change> {
    use seal_crds::resources::bitnami::PREFIX;
    let ours = |outline: &Outline| -> BTreeMap<String, String> {
        let is_scope = |key: &str| seal_crds::bitnami::scope_of_annotation(key).is_some();
        let ours = outline.annotations.iter().filter(|(key, _)| key.starts_with(PREFIX) && !is_scope(key));
        ours.map(|(key, text)| (key.clone(), text.clone())).collect()
    };
    if after.format != Format::Bitnami {
        return None;
    }
    strings("annotations", "annotation", &ours(before), &ours(after))
}

fn fault(before: &Outline, after: &Outline) -> Option<Change> {
    match (&before.fault, &after.fault) {
        (None, None) => None,
        (Some(_), None) => Some(Change::new(Mark::Changed, "mended", "", "can be opened again")),
        (_, Some(fault)) => {
            let new = if before.fault.is_none() { "" } else { "still " };
            let words = format!("{new}refused: {}", seal_foreign::message(&reason(fault)));
            // What was refused before and is now is no change by itself.
            before.fault.is_none().then(|| Change::new(Mark::Alarm, "refused", "", words))
        }
    }
}

/// The words of a fault.
pub(super) fn reason(fault: &Fault) -> String {
    match fault {
        Fault::Unread(failure) => failure.facts.join(": "),
        Fault::Refused(error) => error.to_string(),
    }
}
