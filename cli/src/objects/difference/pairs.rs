//! Which object of one state is which object of the other.
//!
//! First those of the same file and name, then those of the same name in another file, then those that hold the same data
//! keys: an id commits to its place, so a file that was copied or renamed without sealing shows it. Invariant: every object
//! of either state is in exactly one pair, or came, or went.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use seal_crds::{Format, Scope};

use super::object::{changes, reason};
use super::recipients::new;
use super::snapshot::{Names, Seen, Snapshot};
use super::{Change, Mark, ObjectChange};
use crate::objects::outline::{Outline, OutlineName};

/// An object and its file.
#[derive(Clone, Copy)]
struct Here<'s> {
    path: &'s str,
    seen: &'s Seen,
}

/// An object of the earlier state and the same one in the later.
struct Pair<'s> {
    was: Here<'s>,
    is: Here<'s>,
}

/// The changes from one state of some files to the next, in the order of paths. `unchanged` are files that stay as they are,
/// and may be what a new object was copied from.
pub(crate) fn differences(
    before: &[Snapshot],
    after: &[Snapshot],
    unchanged: &[Snapshot],
) -> Vec<ObjectChange> {
    let mut told: Vec<ObjectChange> = files(before, after);
    let mut left = Left { old: all(before), new: all(after) };
    let mut pairs = left.pair(|here| Some((here.path, group(here.seen), here.seen.object_name())));
    pairs.extend(left.pair(|here| Some((group(here.seen), here.seen.object_name()))));
    pairs.extend(left.pair(|here| Some(here.seen.object_name())));
    pairs.extend(left.pair_by_keys());
    let originals = by_keys(&[all(before), all(unchanged)].concat());
    told.extend(pairs.into_iter().map(change));
    told.extend(left.new.into_iter().map(|is| came(is, &originals)));
    // What became of an object of a file that can't be read isn't known.
    let unread: BTreeSet<&str> = after.iter().filter(|is| is.is_unread).map(|is| is.path.as_str()).collect();
    told.extend(left.old.into_iter().filter(|was| !unread.contains(was.path)).map(went));
    told.retain(|object| !object.changes.is_empty());
    told.sort_by(|one, other| (&one.path, &one.object).cmp(&(&other.path, &other.object)));
    told
}

/// The objects that have no pair yet. They are found by maps: a hostile file may have a million of them.
struct Left<'s> {
    old: Vec<Here<'s>>,
    new: Vec<Here<'s>>,
}

impl<'s> Left<'s> {
    /// Pairs objects of equal keys, in their order.
    fn pair<K: Ord>(&mut self, key: impl Fn(&Here<'s>) -> Option<K>) -> Vec<Pair<'s>> {
        let mut by_key: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
        for (index, was) in self.old.iter().enumerate() {
            if let Some(key) = key(was) {
                by_key.entry(key).or_default().push_back(index);
            }
        }
        self.take(|is| by_key.get_mut(&key(is)?)?.pop_front())
    }

    /// Pairs SealedSecrets that share a data key.
    fn pair_by_keys(&mut self) -> Vec<Pair<'s>> {
        let mut by_id: BTreeMap<&'s str, usize> = BTreeMap::new();
        for (index, was) in self.old.iter().enumerate() {
            for id in used_keys(was) {
                by_id.entry(id).or_insert(index);
            }
        }
        let mut taken = BTreeSet::new();
        self.take(|is| {
            let found = used_keys(is).into_iter().find_map(|id| by_id.get(id).copied());
            found.filter(|index| taken.insert(*index))
        })
    }

    /// Takes out the pairs that `find` finds: for a new object, the index of the old one.
    fn take(&mut self, mut find: impl FnMut(&Here<'s>) -> Option<usize>) -> Vec<Pair<'s>> {
        let mut pairs = Vec::new();
        let mut gone = BTreeSet::new();
        let old = &self.old;
        self.new.retain(|is| match find(is) {
            Some(index) => {
                gone.insert(index);
                pairs.push(Pair { was: old[index], is: *is });
                false
            }
            None => true,
        });
        let mut index = 0..;
        self.old.retain(|_| index.next().is_none_or(|index| !gone.contains(&index)));
        pairs
    }
}

fn all(snapshots: &[Snapshot]) -> Vec<Here<'_>> {
    snapshots
        .iter()
        .flat_map(|snapshot| snapshot.objects.iter().map(|seen| Here { path: &snapshot.path, seen }))
        .collect()
}

/// The data keys that the items of a SealedSecret name.
fn used_keys<'s>(here: &Here<'s>) -> BTreeSet<&'s str> {
    here.seen.sealed().map(Outline::used_keys).unwrap_or_default()
}

/// The first object that has each data key.
fn by_keys<'s>(objects: &[Here<'s>]) -> BTreeMap<&'s str, Here<'s>> {
    let mut found = BTreeMap::new();
    for here in objects {
        for id in used_keys(here) {
            found.entry(id).or_insert(*here);
        }
    }
    found
}

/// The group of a SealedSecret; `None` for a Secret.
fn group(seen: &Seen) -> Option<Format> {
    seen.sealed().map(|outline| outline.format)
}

fn object_change(here: Here<'_>, changes: Vec<Change>) -> ObjectChange {
    let object = seal_foreign::line(&here.seen.object_name().to_string(), seal_foreign::MAX_WORD);
    ObjectChange { path: here.path.to_owned(), object, changes }
}

fn change(Pair { was, is }: Pair<'_>) -> ObjectChange {
    let mut found = Vec::new();
    match (was.seen, is.seen) {
        (Seen::Plain { .. }, Seen::Sealed { outline, pinned, .. }) => {
            let words = "plaintext → sealed (the old text stays in history)";
            found.push(Change::new(Mark::Changed, "sealed", "", words));
            found.extend(sealed_to(outline, pinned));
        }
        (Seen::Sealed { .. }, Seen::Plain { .. }) => {
            found.push(Change::new(
                Mark::Alarm,
                "plaintext",
                "",
                "sealed → plaintext: everybody who reads the repository reads it",
            ));
        }
        (Seen::Sealed { outline: old, .. }, Seen::Sealed { outline: new, pinned, .. }) => {
            if was.path != is.path {
                let words = format!("file {} → {}", seal_foreign::line(was.path, usize::MAX), is.path);
                found.push(Change::new(Mark::Kept, "renamed", "", words));
            }
            if old.format == new.format {
                found.extend(changes(was.seen, is.seen));
            } else {
                let name = |format: Format| match format {
                    Format::Native => "sealing.dev",
                    Format::Bitnami => "bitnami.com",
                };
                let words = format!("{} → {}", name(old.format), name(new.format));
                found.push(Change::new(Mark::Changed, "migrated", "", words));
                found.extend(sealed_to(new, pinned));
            }
            found.extend(moved(old, new));
        }
        (Seen::Plain { items: old, .. }, Seen::Plain { items: new, .. }) => {
            found.extend(plain_changed(old, new));
        }
    }
    object_change(is, found)
}

/// A Secret that is in plaintext still, with other items or values.
fn plain_changed(old: &BTreeMap<String, u64>, new: &BTreeMap<String, u64>) -> Option<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| match (old.get(name), new.get(name)) {
        (Some(was), Some(is)) if was == is => None,
        (Some(_), Some(_)) => Some(format!("~ {}", seal_foreign::word(name))),
        (None, _) => Some(format!("+ {}", seal_foreign::word(name))),
        (_, None) => Some(format!("- {}", seal_foreign::word(name))),
    };
    let changed: Vec<String> = names.into_iter().filter_map(change).collect();
    let words = format!("a Secret in plaintext changed: {}", changed.join(", "));
    (!changed.is_empty()).then(|| Change::new(Mark::Alarm, "plaintext", "", words))
}

/// A place that changed while data keys stayed.
fn moved(old: &Outline, new: &Outline) -> Option<Change> {
    if old.object_name == new.object_name || old.used_keys().is_disjoint(&new.used_keys()) {
        return None;
    }
    let from_to = from_to(&old.object_name, &new.object_name);
    if binds_apart(new.scope, &old.object_name, &new.object_name) {
        let words = format!("{from_to} without sealing again: will not open");
        return Some(Change::new(Mark::Alarm, "moved", "moved", words));
    }
    Some(Change::new(Mark::Changed, "moved", "moved", format!("{from_to}, as its scope allows")))
}

fn from_to(old: &OutlineName, new: &OutlineName) -> String {
    let name = |name: &OutlineName| seal_foreign::line(&name.to_string(), seal_foreign::MAX_WORD);
    format!("{} → {}", name(old), name(new))
}

/// Whether a scope ties an object to one of two places alone. An unreadable scope may.
fn binds_apart(scope: Option<Scope>, one: &OutlineName, other: &OutlineName) -> bool {
    let scope = scope.unwrap_or_default();
    (scope.binds_namespace() && one.namespace != other.namespace)
        || (scope.binds_name() && one.name != other.name)
}

fn came(is: Here<'_>, originals: &BTreeMap<&str, Here<'_>>) -> ObjectChange {
    let Some(outline) = is.seen.sealed() else {
        let words = "a Secret in plaintext is new";
        return object_change(is, vec![Change::new(Mark::Alarm, "plaintext", "", words)]);
    };
    let mut found = vec![Change::new(Mark::Added, "new", "", format!("new, with {}", count(outline)))];
    found.extend(sealed_to(outline, is.seen.pinned()));
    if let Some(original) = used_keys(&is).into_iter().find_map(|id| originals.get(id)) {
        let from = original.seen.object_name();
        if binds_apart(outline.scope, from, &outline.object_name) {
            let from = seal_foreign::line(&from.to_string(), seal_foreign::MAX_WORD);
            let words = format!("from {from} without sealing again: will not open");
            found.push(Change::new(Mark::Alarm, "copied", "copied", words));
        }
    }
    if let Some(fault) = &outline.fault {
        let words = format!("refused: {}", seal_foreign::message(&reason(fault)));
        found.push(Change::new(Mark::Alarm, "refused", "", words));
    }
    object_change(is, found)
}

fn went(was: Here<'_>) -> ObjectChange {
    let words = match was.seen.sealed() {
        Some(outline) => format!("removed, with {}", count(outline)),
        None => "the Secret in plaintext is gone (the text stays in history)".to_owned(),
    };
    object_change(was, vec![Change::new(Mark::Removed, "gone", "", words)])
}

fn count(outline: &Outline) -> String {
    match outline.items.len() {
        1 => "1 item".to_owned(),
        items => format!("{items} items"),
    }
}

/// Whom an object that wasn't there before is sealed to.
fn sealed_to(outline: &Outline, pinned: &Names) -> Option<Change> {
    let recipients = outline.recipients();
    let told: BTreeSet<String> = recipients.keys().map(|key| new(key, pinned)).collect();
    let words = told.into_iter().collect::<Vec<_>>().join(", ");
    (!words.is_empty()).then(|| Change::new(Mark::Changed, "recipients", "sealed to", words))
}

/// The changes of files as such: comments that allow findings, and files that can't be read.
fn files(before: &[Snapshot], after: &[Snapshot]) -> Vec<ObjectChange> {
    let by_path: BTreeMap<&str, &Snapshot> = before.iter().map(|was| (was.path.as_str(), was)).collect();
    let change = |is: &Snapshot| {
        let was = by_path.get(is.path.as_str());
        let mut found = Vec::new();
        for (what, count) in &is.allowed {
            let before = was.and_then(|was| was.allowed.get(what)).copied().unwrap_or_default();
            if *count > before {
                let words = seal_foreign::line(what, seal_foreign::MAX_PATH);
                found.push(Change::new(Mark::Alarm, "allowed", "allow", words));
            }
        }
        // Also if it was as unreadable before: it is one of the files that differ.
        if is.is_unread {
            let words = "looks like a file of Secrets, and can't be read as one";
            found.push(Change::new(Mark::Alarm, "unread", "", words));
        }
        ObjectChange { path: is.path.clone(), object: String::new(), changes: found }
    };
    after.iter().map(change).collect()
}
