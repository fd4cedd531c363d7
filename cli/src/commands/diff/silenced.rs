//! What silences findings of `seal check` in the whole repository: the lines of its baseline.
//!
//! A pull request that adds a line there takes a finding away from everybody who checks from then on. Invariants: each line
//! that comes is an alarm, whether it can be understood or not, and so is a link in the place of the file, which `seal check`
//! refuses.

use std::collections::BTreeSet;
use std::path::Path;

use seal_foreign::{MAX_PATH, line};

use super::meaning::State;
use crate::check::baseline::{FILE_NAME, MAX_FILE};
use crate::files::git::{Content, EntryKind, Repository};
use crate::objects::difference::{Change, Mark, ObjectChange};
use crate::rules::reader::{Disk, Entry, ReadFiles as _};
use crate::talk::failure::Failure;

/// The baseline of one state.
#[derive(PartialEq, Eq)]
enum Baseline {
    /// Empty if there is none.
    Lines(BTreeSet<String>),
    Link,
    TooLarge,
}

/// The changes of the baseline from one state to another.
pub(super) fn changes(
    repository: &Repository,
    old: &State,
    new: &State,
) -> Result<Option<ObjectChange>, Failure> {
    let (before, after) = (read(repository, old)?, read(repository, new)?);
    if before == after {
        return Ok(None);
    }
    let none = BTreeSet::new();
    let (was, is) = match (&before, &after) {
        (_, Baseline::Link) => return Ok(Some(alarm("is a symbolic link, and isn't followed"))),
        (_, Baseline::TooLarge) => return Ok(Some(alarm("is too large to be shown"))),
        (Baseline::Lines(was), Baseline::Lines(is)) => (was, is),
        (_, Baseline::Lines(is)) => (&none, is),
    };
    let change = |mark, words: &str, written: &String| {
        Change::new(mark, "baseline", "", format!("{words}: {}", line(&written.replace('\t', " "), MAX_PATH)))
    };
    let came = is.difference(was).map(|written| change(Mark::Alarm, "silences", written));
    let gone = was.difference(is).map(|written| change(Mark::Removed, "no longer silences", written));
    let changes: Vec<Change> = came.chain(gone).collect();
    Ok((!changes.is_empty()).then(|| of_file(changes)))
}

fn alarm(words: &str) -> ObjectChange {
    of_file(vec![Change::new(Mark::Alarm, "baseline", "", words)])
}

fn of_file(changes: Vec<Change>) -> ObjectChange {
    ObjectChange { path: FILE_NAME.to_owned(), object: String::new(), changes }
}

fn read(repository: &Repository, state: &State) -> Result<Baseline, Failure> {
    let mut found = Baseline::Lines(BTreeSet::new());
    match state {
        State::Empty => {}
        State::Commit { entries, .. } => {
            let Some(entry) = entries.iter().find(|entry| entry.path == Path::new(FILE_NAME)) else {
                return Ok(found);
            };
            if entry.kind != EntryKind::File {
                return Ok(Baseline::Link);
            }
            repository.read_entries(&[entry], |_, content| {
                found = if let Content::Bytes(bytes) = content { lines(&bytes) } else { Baseline::TooLarge };
            })?;
        }
        State::Disk { .. } => {
            let top = repository.top().and_then(|top| top.canonicalize().ok()).unwrap_or_default();
            found = match Disk::beneath(&top).read(FILE_NAME, MAX_FILE)? {
                Entry::Absent | Entry::NoFile => found,
                Entry::File(bytes) => lines(&bytes),
                Entry::Link => Baseline::Link,
                Entry::TooLarge => Baseline::TooLarge,
            };
        }
    }
    Ok(found)
}

/// The lines that silence something, and those that nobody understands.
fn lines(bytes: &[u8]) -> Baseline {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    Baseline::Lines(lines.map(str::to_owned).collect())
}
