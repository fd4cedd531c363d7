//! The names of the sides of a merge: git's own if it passes them, else from what it is doing.
//!
//! A rebase swaps the sides: "ours" is the branch that the commits go onto. Invariant: a label is one line, and has no
//! character that a terminal would obey.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::args::MergeArgs;
use crate::files::git::{Commit, Operation, Repository};
use crate::objects::conflict::{Labels, MARKER_SIZE};

/// The most bytes of a label.
const MAX_LABEL: usize = 120;

/// The longest marker that is written. Git's attribute `conflict-marker-size` says the length.
const MAX_SIZE: usize = 1000;

/// The variables in which `git merge` tells its children the names of the commits that it merges.
const HEADS: &str = "GITHEAD_";

/// The labels of a merge.
pub(super) fn of(args: &MergeArgs) -> Labels {
    let size = passed(args.size.as_deref()).and_then(|size| size.parse().ok());
    let size = size.filter(|size| (1..=MAX_SIZE).contains(size)).unwrap_or(MARKER_SIZE);
    let [base, ours, theirs] =
        [&args.base_label, &args.ours_label, &args.theirs_label].map(|label| passed(label.as_deref()));
    let base = base.unwrap_or_else(|| "base".to_owned());
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Labels { base, ours, theirs, size },
        (ours, theirs) => {
            let found = guess(Path::new("."), &merged_heads());
            Labels { base, ours: ours.unwrap_or(found.ours), theirs: theirs.unwrap_or(found.theirs), size }
        }
    }
}

/// The labels of a merge that git doesn't run at the moment, of a file in `dir`.
pub(in crate::commands) fn outside_of_a_driver(dir: &Path, size: usize) -> Labels {
    let Sides { ours, theirs } = guess(dir, &[]);
    Labels { base: "base".to_owned(), ours, theirs, size }
}

/// An argument, unless it is one of git's placeholders that an older git passes as it stands.
fn passed(argument: Option<&OsStr>) -> Option<String> {
    let text = argument?.to_string_lossy();
    let is_placeholder = text.len() == 2 && text.starts_with('%');
    (!text.is_empty() && !is_placeholder).then(|| seal_foreign::line(&text, MAX_LABEL))
}

/// The sides of a merge, in words.
pub(super) struct Sides {
    pub(super) ours: String,
    pub(super) theirs: String,
}

/// The labels with the ids of the commits that they stand for, as far as git tells: a branch moves on, and an id doesn't.
pub(super) fn with_commits(labels: &Labels) -> Sides {
    let with = |label: &str, id: Option<&str>| match id {
        Some(id) if !label.contains(&id[..7]) => format!("{label} {}", &id[..7]),
        _ => label.to_owned(),
    };
    let head = Repository::around(Path::new(".")).ok().and_then(|repository| repository.head());
    let merged = merged_heads();
    let theirs = merged.iter().find(|merged| merged.name == labels.theirs).map(|merged| merged.id.as_str());
    Sides { ours: with(&labels.ours, head.as_ref().map(Commit::short)), theirs: with(&labels.theirs, theirs) }
}

/// The sides as far as git's notes tell them.
fn guess(dir: &Path, merged: &[MergedHead]) -> Sides {
    let operation = Repository::around(dir).map(|repository| repository.operation());
    let merged = match merged {
        [merged] => Some(merged.name.clone()),
        _ => None,
    };
    let or_theirs = |theirs: Option<String>| theirs.unwrap_or_else(|| "theirs".to_owned());
    match operation {
        Ok(Operation::Rebase { onto, commit }) => Sides { ours: format!("onto {onto}"), theirs: commit },
        Ok(Operation::Other { branch, theirs }) => {
            Sides { ours: branch, theirs: or_theirs(merged.or(theirs)) }
        }
        Err(_) => Sides { ours: "ours".to_owned(), theirs: or_theirs(merged) },
    }
}

/// A commit that `git merge` merges into HEAD.
struct MergedHead {
    id: String,
    name: String,
}

/// The commits that `git merge` merges into HEAD.
fn merged_heads() -> Vec<MergedHead> {
    let head = |(variable, name): (OsString, OsString)| {
        let id = variable.to_str()?.strip_prefix(HEADS)?.to_owned();
        let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| MergedHead { id, name: seal_foreign::line(&name.to_string_lossy(), MAX_LABEL) })
    };
    env::vars_os().filter_map(head).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_that_an_older_git_passes_is_no_label() {
        assert_eq!(passed(Some(OsStr::new("%S"))), None);
        assert_eq!(passed(Some(OsStr::new(""))), None);
        assert_eq!(passed(None), None);
        assert_eq!(passed(Some(OsStr::new("feature"))).unwrap(), "feature");
        assert_eq!(passed(Some(OsStr::new("a\u{1b}[2J\nb"))).unwrap(), "a\\u{1b}[2J\\nb");
    }
}
