//! The changes of the rules and pins between two states of a repository: whom is sealed to from now on.
//!
//! [`rules::differences`](crate::rules::differences) finds the words. Invariant: rules that can't be understood in one of
//! the states are told, and never passed over as unchanged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::meaning::State;
use crate::files::git::Repository;
use crate::objects::difference::{Change, Mark, ObjectChange};
use crate::rules::FILE_NAME;
use crate::rules::book::{Book, Rules};
use crate::rules::differences::{Concern, differences};
use crate::rules::reader::{Disk, GitTree, ReadFiles};
use crate::talk::failure::Failure;

/// A rules file in one state.
enum Read {
    /// `None` if there is none, or if it counts for nothing.
    Rules(Option<Arc<Rules>>),
    /// Why it can't be understood.
    Unclear(String),
}

/// The changes of all rules files that count in one of the states.
pub(super) fn changes(
    repository: &Repository,
    old: &State,
    new: &State,
) -> Result<Vec<ObjectChange>, Failure> {
    let mut names = names(repository, old)?;
    names.extend(self::names(repository, new)?);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (before, after) = (read(repository, old, &names)?, read(repository, new, &names)?);
    let told = names.into_iter().zip(before.into_iter().zip(after)).map(|(path, (before, after))| {
        let changes = match (&before, &after) {
            (Read::Unclear(_), Read::Unclear(_)) => Vec::new(),
            (_, Read::Unclear(why)) => {
                vec![Change::new(Mark::Alarm, "unclear-rules", "", format!("can't be understood: {why}"))]
            }
            (Read::Unclear(_), Read::Rules(after)) => words(None, after.as_deref()),
            (Read::Rules(before), Read::Rules(after)) => words(before.as_deref(), after.as_deref()),
        };
        ObjectChange { path, object: String::new(), changes }
    });
    Ok(told.filter(|told| !told.changes.is_empty()).collect())
}

fn words(before: Option<&Rules>, after: Option<&Rules>) -> Vec<Change> {
    let change = |concern, words: &str| match concern {
        Concern::Pins => Change::new(Mark::Alarm, "pins", "", format!("PINS: {words}")),
        Concern::Rules => Change::new(Mark::Changed, "rules", "", words),
    };
    differences(before, after).iter().map(|found| change(found.concern, &found.words)).collect()
}

/// The paths of the rules files of a state.
fn names(repository: &Repository, state: &State) -> Result<BTreeSet<String>, Failure> {
    let paths = match state {
        State::Empty => Vec::new(),
        State::Commit(commit) => repository.entries_of(commit)?.into_iter().map(|entry| entry.path).collect(),
        State::Disk => {
            let known = repository.index()?.entries.into_iter().map(|entry| entry.path);
            known.chain(repository.untracked()?).collect()
        }
    };
    let is_rules = |path: &Path| path.file_name().is_some_and(|name| name == FILE_NAME);
    let paths = paths.iter().filter(|path| is_rules(path));
    Ok(paths.filter_map(|path| path.to_str().map(str::to_owned)).collect())
}

fn read(repository: &Repository, state: &State, names: &BTreeSet<String>) -> Result<Vec<Read>, Failure> {
    let questions = repository.questions();
    Ok(match state {
        State::Empty => names.iter().map(|_| Read::Rules(None)).collect(),
        State::Commit(commit) => {
            let tree = GitTree::new(repository.entries_of(commit)?, &questions, commit.short());
            read_all(&mut Book::new(tree), names)
        }
        State::Disk => {
            let top = repository.top().and_then(|top| top.canonicalize().ok()).unwrap_or_default();
            read_all(&mut Book::new(Disk::beneath(&top)), names)
        }
    })
}

fn read_all(book: &mut Book<impl ReadFiles>, names: &BTreeSet<String>) -> Vec<Read> {
    let read = |name: &String| match book.around(name) {
        Ok(governing) => Read::Rules(governing.rules.filter(|rules| rules.path == *name)),
        Err(failure) => Read::Unclear(seal_foreign::message(&failure.facts.join(": "))),
    };
    names.iter().map(read).collect()
}
