//! The files of two states of a repository that differ, read as far as a diff speaks of them.
//!
//! Objects of commits with the same id are the same file, and aren't read. Files on disk are read without following a
//! symbolic link. Invariant: of a file that differs and isn't read, the caller gets a word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::meaning::State;
use crate::check::interest::is_manifest;
use crate::files::git::{Content, Entry, EntryKind, MAX_BLOB, Repository};
use crate::files::text::{Encoding, decoded, lossy};
use crate::objects::difference::{Open, Seen, Snapshot};
use crate::rules::reader::{self, Disk, ReadFiles as _};
use crate::talk::failure::Failure;

/// Both states of all files that differ.
#[derive(Default)]
pub(super) struct States {
    pub(super) before: Vec<Snapshot>,
    pub(super) after: Vec<Snapshot>,
    /// Files of the earlier state that hold data keys of a new object.
    pub(super) unchanged: Vec<Snapshot>,
    /// What isn't read, as sentences.
    pub(super) unread: Vec<String>,
}

/// Reads the files that differ beneath some paths, or all if there are none.
pub(super) fn read(
    repository: &Repository,
    old: &State,
    new: &State,
    paths: &[PathBuf],
    open: &Open<'_>,
) -> Result<States, Failure> {
    let is_asked = |path: &Path| {
        is_manifest(&path.to_string_lossy())
            && (paths.is_empty() || paths.iter().any(|beneath| path.starts_with(beneath)))
    };
    let entries = |state: &State| -> BTreeMap<PathBuf, Entry> {
        let State::Commit { entries, .. } = state else { return BTreeMap::new() };
        let files = entries.iter().filter(|entry| entry.kind == EntryKind::File && is_asked(&entry.path));
        files.map(|entry| (entry.path.clone(), entry.clone())).collect()
    };
    let mut states = States::default();
    let before = entries(old);
    match new {
        State::Disk { paths } => {
            let mut names: BTreeSet<PathBuf> = before.keys().cloned().collect();
            names.extend(paths.iter().filter(|path| is_asked(path)).cloned());
            states.with_disk(repository, &before, &names, open)?;
        }
        _ => {
            let after = entries(new);
            let is_changed =
                |path: &&PathBuf| before.get(*path).map(Entry::id) != after.get(*path).map(Entry::id);
            let changed: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).filter(is_changed).collect();
            let of = |entries: &'_ BTreeMap<PathBuf, Entry>| {
                changed.iter().filter_map(|path| entries.get(*path).cloned()).collect::<Vec<_>>()
            };
            states.before = snapshots(repository, &of(&before), open, &mut states.unread)?;
            states.after = snapshots(repository, &of(&after), open, &mut states.unread)?;
        }
    }
    states.find_originals(repository, &before)?;
    Ok(states)
}

impl States {
    /// Reads the files that an object may have been copied from: those of the earlier state that have a data key which is
    /// only now in one of the files that differ.
    fn find_originals(
        &mut self,
        repository: &Repository,
        before: &BTreeMap<PathBuf, Entry>,
    ) -> Result<(), Failure> {
        let keys = |snapshots: &[Snapshot]| -> BTreeSet<String> {
            let sealed = snapshots.iter().flat_map(|snapshot| &snapshot.objects).filter_map(Seen::sealed);
            sealed
                .flat_map(|outline| outline.used_keys().into_iter().map(str::to_owned).collect::<Vec<_>>())
                .collect()
        };
        let new: BTreeSet<String> = keys(&self.after).difference(&keys(&self.before)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let changed: BTreeSet<&str> = self.before.iter().map(|snapshot| snapshot.path.as_str()).collect();
        let others: Vec<&Entry> = before
            .values()
            .filter(|entry| entry.path.to_str().is_none_or(|path| !changed.contains(path)))
            .collect();
        let mut found = Vec::new();
        repository.read_entries(&others, |index, content| {
            let Content::Bytes(bytes) = content else { return };
            let has_one = |bytes: &[u8]| {
                let is_end = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte);
                let words = bytes.split(is_end).filter_map(|word| std::str::from_utf8(word).ok());
                words.into_iter().any(|word| new.contains(word))
            };
            if has_one(&bytes) {
                found.push(snapshot(&others[index].path, Zeroizing::new(bytes), &|_, _| None));
            }
        })?;
        self.unchanged = found;
        Ok(())
    }

    /// Compares files of a commit with those on disk, byte for byte: git would compare by times, and may run filters that
    /// the repository's configuration names.
    fn with_disk(
        &mut self,
        repository: &Repository,
        before: &BTreeMap<PathBuf, Entry>,
        names: &BTreeSet<PathBuf>,
        open: &Open<'_>,
    ) -> Result<(), Failure> {
        let top = repository.top().and_then(|top| top.canonicalize().ok()).unwrap_or_default();
        let disk = Disk::beneath(&top);
        let mut now: BTreeMap<&PathBuf, Zeroizing<Vec<u8>>> = BTreeMap::new();
        for path in names {
            let Some(text) = path.to_str() else {
                self.unread.push(format!("{}: its name isn't UTF-8", path.display()));
                continue;
            };
            match disk.read(text.trim_end_matches('/'), MAX_BLOB)? {
                reader::Entry::File(bytes) => drop(now.insert(path, Zeroizing::new(bytes))),
                // `appearance` tells of links.
                reader::Entry::Absent | reader::Entry::NoFile | reader::Entry::Link => {}
                reader::Entry::TooLarge => self.unread.push(format!("{text}: it is too large")),
            }
        }
        let entries: Vec<&Entry> = before.values().collect();
        let (mut old, mut unread) = (Vec::new(), Vec::new());
        repository.read_entries(&entries, |index, content| {
            let path = &entries[index].path;
            match content {
                Content::Bytes(bytes) if now.get(path).is_some_and(|now| **now == bytes) => {
                    drop(now.remove(path))
                }
                Content::Bytes(bytes) => old.push(snapshot(path, Zeroizing::new(bytes), open)),
                content => unread.extend(missing(path, &content)),
            }
        })?;
        self.unread.extend(unread);
        self.before = old;
        self.after = now.into_iter().map(|(path, bytes)| snapshot(path, bytes, open)).collect();
        Ok(())
    }
}

fn snapshots(
    repository: &Repository,
    entries: &[Entry],
    open: &Open<'_>,
    unread: &mut Vec<String>,
) -> Result<Vec<Snapshot>, Failure> {
    let entries: Vec<&Entry> = entries.iter().collect();
    let mut found = Vec::new();
    repository.read_entries(&entries, |index, content| {
        let path = &entries[index].path;
        match content {
            Content::Bytes(bytes) => found.push(snapshot(path, Zeroizing::new(bytes), open)),
            content => unread.extend(missing(path, &content)),
        }
    })?;
    Ok(found)
}

/// A text in another encoding is read to see whether it may be of interest, and no further: kubectl takes UTF-16, and is
/// the only one that does.
fn snapshot(path: &Path, mut bytes: Zeroizing<Vec<u8>>, open: &Open<'_>) -> Snapshot {
    let path = path.to_string_lossy().into_owned();
    let (bytes, encoding) = decoded(std::mem::take(&mut *bytes));
    let text = lossy(bytes);
    if encoding != Encoding::Utf8 {
        return Snapshot::unread(&path, &text);
    }
    let source = Source::new(path.clone(), text);
    Snapshot::read(&path, &source, open)
}

fn missing(path: &Path, content: &Content) -> Option<String> {
    match content {
        Content::Bytes(_) => None,
        Content::TooLarge => Some(format!("{}: it is too large", path.display())),
        Content::Missing => Some(format!("{}: the repository lacks it", path.display())),
    }
}
