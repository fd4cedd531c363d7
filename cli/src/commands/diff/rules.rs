//! The changes of the rules and pins between two states of a repository: whom is sealed to from now on.
//!
//! [`rules::differences`](crate::rules::differences) finds the words. Invariant: rules that can't be understood in one of
//! the states are told, and never passed over as unchanged; so is a new rules file that counts for nothing, since whoever
//! put it there means it to count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::meaning::State;
use crate::files::git::Repository;
use crate::objects::difference::{Change, Mark, Names, ObjectChange, Snapshot};
use crate::rules::FILE_NAME;
use crate::rules::book::{Book, Governing, Rules};
use crate::rules::differences::{Concern, differences};
use crate::rules::reader::{Disk, GitTree, ReadFiles};

/// A rules file in one state.
enum Read {
    /// `None` if there is none.
    Rules(Option<Arc<Rules>>),
    /// It counts for nothing: no rules file above it calls its directory nested.
    Ignored,
    /// Why it can't be understood.
    Unclear(String),
}

/// The changes of all rules files that count in one of the states.
pub(super) fn changes(repository: &Repository, old: &State, new: &State) -> Vec<ObjectChange> {
    let names: BTreeSet<String> = names(old).union(&names(new)).cloned().collect();
    if names.is_empty() {
        return Vec::new();
    }
    let own = |governing: Governing, path: &str| match governing.unlisted {
        Some(unlisted) if unlisted == path => Read::Ignored,
        _ => Read::Rules(governing.rules.filter(|rules| rules.path == path)),
    };
    let (before, after) = (read(repository, old, &names, own), read(repository, new, &names, own));
    let told = names.into_iter().zip(before.into_iter().zip(after)).map(|(path, (before, after))| {
        let changes = match (&before, &after) {
            (Read::Unclear(_), Read::Unclear(_)) | (Read::Ignored, Read::Ignored) => Vec::new(),
            (_, Read::Unclear(why)) => {
                vec![Change::new(Mark::Alarm, "unclear-rules", "", format!("can't be understood: {why}"))]
            }
            (_, Read::Ignored) => {
                let why = "counts for nothing: no rules file above it calls its directory nested";
                vec![Change::new(Mark::Alarm, "nested-rules", "", why)]
            }
            (Read::Unclear(_) | Read::Ignored, Read::Rules(after)) => words(None, after.as_deref()),
            (Read::Rules(before), Read::Rules(after)) => words(before.as_deref(), after.as_deref()),
        };
        ObjectChange { path, object: String::new(), changes }
    });
    told.filter(|told| !told.changes.is_empty()).collect()
}

fn words(before: Option<&Rules>, after: Option<&Rules>) -> Vec<Change> {
    let change = |concern, words: &str| match concern {
        Concern::Pins => Change::new(Mark::Alarm, "pins", "", format!("PINS: {words}")),
        Concern::Loosened => Change::new(Mark::Alarm, "rules", "", words),
        Concern::Rules => Change::new(Mark::Changed, "rules", "", words),
    };
    differences(before, after).iter().map(|found| change(found.concern, &found.words)).collect()
}

/// Calls recipients by the names that the rules of the old state have for each file, and by no others.
///
/// The threat is a pull request that pins a key of its own by a name that people trust, and seals to it: whatever it calls the
/// key, the key is new.
pub(super) fn name_recipients(repository: &Repository, old: &State, snapshots: &mut [&mut Vec<Snapshot>]) {
    let paths = snapshots.iter().flat_map(|snapshots| snapshots.iter().map(|snapshot| snapshot.path.clone()));
    let paths: BTreeSet<String> = paths.collect();
    if names(old).is_empty() {
        return;
    }
    let pinned = pinned(repository, old, &paths);
    for snapshot in snapshots.iter_mut().flat_map(|snapshots| snapshots.iter_mut()) {
        let Some(rules) = pinned.get(&snapshot.path) else { continue };
        let mut names = Names::new();
        for (name, pin) in &rules.pins {
            for (key, _) in pin.keys() {
                names.entry(key).or_insert_with(|| name.clone());
            }
        }
        snapshot.name_recipients(&names);
    }
}

/// The rules for some files. Rules that can't be understood name nobody, and are told elsewhere.
fn pinned(repository: &Repository, state: &State, paths: &BTreeSet<String>) -> BTreeMap<String, Arc<Rules>> {
    let read = read(repository, state, paths, |governing, _| Read::Rules(governing.rules));
    let rules = |read: Read| if let Read::Rules(rules) = read { rules } else { None };
    paths.iter().cloned().zip(read).filter_map(|(path, read)| Some((path, rules(read)?))).collect()
}

/// The paths of the rules files of a state.
fn names(state: &State) -> BTreeSet<String> {
    let is_rules = |path: &&Path| path.file_name().is_some_and(|name| name == FILE_NAME);
    let name = |path: &Path| path.to_str().map(str::to_owned);
    match state {
        State::Empty => BTreeSet::new(),
        State::Commit { entries, .. } => {
            entries.iter().map(|entry| entry.path.as_path()).filter(is_rules).filter_map(name).collect()
        }
        State::Disk { paths } => {
            paths.iter().map(PathBuf::as_path).filter(is_rules).filter_map(name).collect()
        }
    }
}

/// Asks the rules of a state about some paths.
fn read(
    repository: &Repository,
    state: &State,
    paths: &BTreeSet<String>,
    which: impl Fn(Governing, &str) -> Read,
) -> Vec<Read> {
    let questions = repository.questions();
    match state {
        State::Empty => paths.iter().map(|_| Read::Rules(None)).collect(),
        State::Commit { commit, entries } => {
            let tree = GitTree::new(entries.clone(), &questions, commit.short());
            read_all(&mut Book::new(tree), paths, which)
        }
        State::Disk { .. } => {
            let top = repository.top().and_then(|top| top.canonicalize().ok()).unwrap_or_default();
            read_all(&mut Book::new(Disk::beneath(&top)), paths, which)
        }
    }
}

fn read_all(
    book: &mut Book<impl ReadFiles>,
    paths: &BTreeSet<String>,
    which: impl Fn(Governing, &str) -> Read,
) -> Vec<Read> {
    let read = |path: &String| match book.around(path) {
        Ok(governing) => which(governing, path),
        Err(failure) => Read::Unclear(seal_foreign::message(&failure.facts.join(": "))),
    };
    paths.iter().map(read).collect()
}
