//! What makes files look other than they are: symbolic links in their place, and the attributes by which git shows, merges
//! and checks them out.
//!
//! The threat is a pull request that has `git diff` or a web page show nothing (`-diff`, `binary`), a merge lose a side
//! (`merge=union`), or a tool read another file than the one under review. Invariant: no link is followed, and the lines of
//! attributes are shown as they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use seal_foreign::{MAX_PATH, line, word};

use super::meaning::State;
use crate::check::interest::is_manifest;
use crate::commands::git::setup::ATTRIBUTES;
use crate::files::git::{Content, Entry, EntryKind, Repository};
use crate::objects::difference::{Change, Mark, ObjectChange};
use crate::rules::reader::{self, Disk, ReadFiles as _};
use crate::talk::failure::Failure;

/// The name of a file of attributes.
const FILE_NAME: &str = ".gitattributes";

/// The most bytes that git reads of a file of attributes.
const MAX_ATTRIBUTES: u64 = 100 * 1024 * 1024;

/// One state of a repository, as far as it is about this.
#[derive(Default)]
struct Appearance {
    /// The targets of links by their paths.
    links: BTreeMap<String, String>,
    /// The lines of each file of attributes, without comments.
    attributes: BTreeMap<String, BTreeSet<String>>,
}

/// The changes from one state to another: of all attributes, and of the links beneath some paths, or of all if there are
/// none.
pub(super) fn changes(
    repository: &Repository,
    old: &State,
    new: &State,
    paths: &[PathBuf],
) -> Result<Vec<ObjectChange>, Failure> {
    let (before, after) = (Appearance::of(repository, old)?, Appearance::of(repository, new)?);
    let mut told = Vec::new();
    let mut tell = |path: &str, changes: Vec<Change>| {
        if !changes.is_empty() {
            told.push(ObjectChange { path: path.to_owned(), object: String::new(), changes });
        }
    };
    let none = BTreeSet::new();
    for path in before.attributes.keys().chain(after.attributes.keys()).collect::<BTreeSet<_>>() {
        let of = |state: &'_ Appearance| state.attributes.get(path).unwrap_or(&none).clone();
        tell(path, lines(&of(&before), &of(&after)));
    }
    let is_asked =
        |path: &str| paths.is_empty() || paths.iter().any(|beneath| Path::new(path).starts_with(beneath));
    for (path, target) in &after.links {
        if is_asked(path) && before.links.get(path) != Some(target) {
            let words = format!("is a symbolic link to {}, and isn't followed", word(target));
            tell(path, vec![Change::new(Mark::Alarm, "link", "", words)]);
        }
    }
    Ok(told)
}

/// The lines of attributes that are new or gone. Those that `seal git attributes` prints do what a reviewer expects.
fn lines(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<Change> {
    let ours = attribute_lines(ATTRIBUTES);
    let change = |mark, words: &str, written: &String| {
        Change::new(mark, "attributes", "", format!("{words}: {}", line(written, MAX_PATH)))
    };
    let gone = before.difference(after).map(|written| {
        let mark = if ours.contains(written) { Mark::Alarm } else { Mark::Removed };
        change(mark, "git no longer shows and merges by", written)
    });
    let new = after.difference(before).map(|written| {
        let mark = if ours.contains(written) { Mark::Added } else { Mark::Alarm };
        change(mark, "git shows and merges by", written)
    });
    gone.chain(new).collect()
}

/// The lines of a file of attributes, without comments and with one blank between words.
fn attribute_lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

impl Appearance {
    fn of(repository: &Repository, state: &State) -> Result<Self, Failure> {
        match state {
            State::Empty => Ok(Self::default()),
            State::Commit { entries, .. } => Self::of_entries(repository, entries),
            State::Disk { paths } => Self::of_disk(repository, paths),
        }
    }

    fn of_entries(repository: &Repository, entries: &[Entry]) -> Result<Self, Failure> {
        let is_wanted = |entry: &&Entry| match entry.kind {
            EntryKind::Link => may_be_read(&entry.path),
            EntryKind::File => is_attributes(&entry.path),
            EntryKind::Submodule => false,
        };
        let wanted: Vec<&Entry> = entries.iter().filter(is_wanted).collect();
        let mut found = Self::default();
        repository.read_entries(&wanted, |index, content| {
            let Content::Bytes(bytes) = content else { return };
            let path = wanted[index].path.to_string_lossy().into_owned();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            match wanted[index].kind {
                EntryKind::Link => drop(found.links.insert(path, text)),
                _ => drop(found.attributes.insert(path, attribute_lines(&text))),
            }
        })?;
        Ok(found)
    }

    fn of_disk(repository: &Repository, paths: &[PathBuf]) -> Result<Self, Failure> {
        let top = repository.top().and_then(|top| top.canonicalize().ok()).unwrap_or_default();
        let disk = Disk::beneath(&top);
        let mut found = Self::default();
        for path in paths {
            let Some(name) = path.to_str() else { continue };
            if is_attributes(path) {
                if let reader::Entry::File(bytes) = disk.read(name, MAX_ATTRIBUTES)? {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    found.attributes.insert(name.to_owned(), attribute_lines(&text));
                }
            } else if may_be_read(path)
                && let Ok(target) = std::fs::read_link(top.join(path))
            {
                found.links.insert(name.to_owned(), target.to_string_lossy().into_owned());
            }
        }
        Ok(found)
    }
}

fn is_attributes(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE_NAME)
}

/// Whether a tool may read manifests through a link: by its name, or because it looks like a directory's.
fn may_be_read(path: &Path) -> bool {
    is_manifest(&path.to_string_lossy()) || path.extension().is_none()
}
