//! Files of the disk: found, and read.
//!
//! Invariant: no symbolic link is followed beneath the root, and nothing but a regular file is opened to be read.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

use super::{FileContent, Gaps, MAX_BLOB};
use crate::talk::failure;

/// How deep directories are followed. Deeper ones are made to run a program out of memory.
const MAX_DEPTH: usize = 128;

/// All files beneath a directory, by their paths from there. A `.git` isn't looked into, nor a directory that has one: that
/// is another repository.
pub(super) fn walk(root: &Path, gaps: &mut Gaps) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![(PathBuf::new(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        let entries = match fs::read_dir(root.join(&directory)) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(_) => {
                gaps.directories += 1;
                continue;
            }
        };
        for entry in entries {
            let Ok((entry, kind)) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))
            else {
                gaps.directories += 1;
                continue;
            };
            if entry.file_name() == ".git" {
                continue;
            }
            let path = directory.join(entry.file_name());
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() && root.join(&path).join(".git").symlink_metadata().is_ok() {
                gaps.repositories += 1;
            } else if kind.is_dir() && depth < MAX_DEPTH {
                pending.push((path, depth + 1));
            } else if kind.is_dir() {
                gaps.directories += 1;
            }
        }
    }
    Ok(found)
}

/// The paths that lead through no symbolic link. Git takes the others for gone, too.
pub(super) fn without_links(root: &Path, paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut known: HashMap<PathBuf, bool> = HashMap::new();
    let is_direct = |path: &PathBuf| {
        let mut directories: Vec<&Path> =
            path.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).collect();
        directories.reverse();
        directories.into_iter().all(|directory| {
            *known
                .entry(directory.to_owned())
                .or_insert_with(|| root.join(directory).symlink_metadata().is_ok_and(|found| found.is_dir()))
        })
    };
    let mut is_direct = is_direct;
    paths.into_iter().filter(|path| is_direct(path)).collect()
}

/// The paths at which something stands, that lead through no symbolic link.
pub(super) fn present(root: &Path, paths: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let direct = without_links(root, paths).into_iter();
    direct.filter(|path| root.join(path).symlink_metadata().is_ok()).collect()
}

/// Reads a file.
pub(super) fn read(path: &Path) -> FileContent {
    // A pipe would wait for a writer, and a terminal become this process's own.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match open(path, flags, Mode::empty()) {
        Ok(opened) => fs::File::from(opened),
        // A link, a socket, a file that git tracks and that isn't there any more.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO | rustix::io::Errno::NOENT) => {
            return FileContent::Gone;
        }
        Err(error) => return FileContent::Unread(failure::reason(&error.into())),
    };
    match opened.metadata() {
        Ok(found) if !found.is_file() => FileContent::Gone,
        Ok(found) if found.len() > MAX_BLOB => FileContent::TooLarge,
        Ok(found) => {
            let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default() + 1);
            match opened.take(MAX_BLOB + 1).read_to_end(&mut bytes) {
                Ok(_) if bytes.len() as u64 > MAX_BLOB => FileContent::TooLarge,
                Ok(_) => FileContent::Bytes(bytes),
                Err(error) => FileContent::Unread(failure::reason(&error)),
            }
        }
        Err(error) => FileContent::Unread(failure::reason(&error)),
    }
}
