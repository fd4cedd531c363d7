//! Where the files of a repository are read from: the disk, a commit, the index. One trait, so that a rules file means the
//! same in all of them.
//!
//! Invariant: no reader follows a symbolic link, in any part of a path. The threat is a repository in which
//! `keys/prod.pub`, or `keys`, leads to a file that somebody else may change without a review.

mod git_tree;

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, statat};
use rustix::io::Errno;

use crate::files::input::InputError;
use crate::talk::failure::Failure;

pub(crate) use git_tree::GitTree;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// There is nothing.
    Absent,
    File(Vec<u8>),
    /// A symbolic link stands at the path, or on the way to it.
    Link,
    /// A directory, a submodule or a device.
    NoFile,
    /// A file of more bytes than were asked for.
    TooLarge,
}

/// A tree of files that is read by paths from its top, with `/` between names. A path has no `.` and no `..`.
pub(crate) trait ReadFiles {
    /// Reads a file of up to `max` bytes.
    ///
    /// # Errors
    ///
    /// The tree can't be read. A path at which there is no file is no error.
    fn read(&self, path: &str, max: u64) -> Result<Entry, Failure>;

    /// The name of a file in messages.
    fn name(&self, path: &str) -> String;
}

/// The files of the disk beneath a directory.
pub(crate) struct Disk {
    /// The directory, without symbolic links in it.
    top: PathBuf,
    /// What leads to the directory from where the user is, for messages. Empty if the user is there.
    shown: PathBuf,
    opened: OnceCell<OwnedFd>,
}

impl Disk {
    /// The files beneath a directory, whose path is absolute and has no symbolic link in it.
    pub(crate) fn beneath(top: &Path) -> Self {
        let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
        let shown = match (here.strip_prefix(top), top.strip_prefix(&here)) {
            (Ok(below), _) => below.components().map(|_| "..").collect(),
            (_, Ok(below)) => below.to_owned(),
            _ => top.to_owned(),
        };
        Self { top: top.to_owned(), shown, opened: OnceCell::new() }
    }

    fn open_top(&self) -> io::Result<&OwnedFd> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = open(&self.top, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Opens a path name by name, and no symbolic link: the kernel refuses one, so none can be put in between.
    fn open_beneath(&self, path: &str) -> io::Result<Result<File, Entry>> {
        let mut directory: Option<OwnedFd> = None;
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            let around = match &directory {
                None => self.open_top()?.as_fd(),
                Some(directory) => directory.as_fd(),
            };
            let is_last = names.peek().is_none();
            // A pipe would wait for a writer, and a terminal become this process's own.
            let kind = if is_last { OFlags::NONBLOCK | OFlags::NOCTTY } else { OFlags::DIRECTORY };
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | kind;
            match openat(around, name, flags, Mode::empty()) {
                Ok(opened) if is_last => return Ok(Ok(File::from(opened))),
                Ok(opened) => directory = Some(opened),
                Err(Errno::NOENT) => return Ok(Err(Entry::Absent)),
                // Systems differ in the error for a symbolic link.
                Err(error) => {
                    let found = statat(around, name, AtFlags::SYMLINK_NOFOLLOW)
                        .map(|found| FileType::from_raw_mode(found.st_mode));
                    return match found {
                        Ok(FileType::Symlink) => Ok(Err(Entry::Link)),
                        Ok(FileType::Socket) => Ok(Err(Entry::NoFile)),
                        Ok(_) if error == Errno::NOTDIR => Ok(Err(Entry::Absent)),
                        _ => Err(error.into()),
                    };
                }
            }
        }
        Ok(Err(Entry::NoFile))
    }

    fn read_beneath(&self, path: &str, max: u64) -> io::Result<Entry> {
        let file = match self.open_beneath(path)? {
            Ok(file) => file,
            Err(entry) => return Ok(entry),
        };
        let found = file.metadata()?;
        if !found.is_file() {
            return Ok(Entry::NoFile);
        }
        let mut bytes = Vec::new();
        file.take(max + 1).read_to_end(&mut bytes)?;
        let is_too_large = u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max;
        Ok(if is_too_large { Entry::TooLarge } else { Entry::File(bytes) })
    }
}

impl ReadFiles for Disk {
    fn read(&self, path: &str, max: u64) -> Result<Entry, Failure> {
        let unreadable = |error| InputError::Unreadable(self.name(path), error).into();
        self.read_beneath(path, max).map_err(unreadable)
    }

    fn name(&self, path: &str) -> String {
        // A directory may have a line break in its name, and the author of a repository chooses the names.
        seal_foreign::path(&self.shown.join(path))
    }
}

/// Files in memory, for tests.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) std::collections::BTreeMap<String, Entry>);

#[cfg(test)]
impl Memory {
    /// The tree with one more file.
    pub(crate) fn with(mut self, path: &str, text: impl AsRef<str>) -> Self {
        self.0.insert(path.to_owned(), Entry::File(text.as_ref().as_bytes().to_vec()));
        self
    }
}

#[cfg(test)]
impl ReadFiles for Memory {
    fn read(&self, path: &str, max: u64) -> Result<Entry, Failure> {
        assert!(path.split('/').all(|name| !["", ".", ".."].contains(&name)), "{path}");
        Ok(match self.0.get(path) {
            None => Entry::Absent,
            Some(Entry::File(bytes)) if bytes.len() as u64 > max => Entry::TooLarge,
            Some(entry) => entry.clone(),
        })
    }

    fn name(&self, path: &str) -> String {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_symbolic_link_is_followed_on_the_way_to_a_file_or_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("keys/old")).unwrap();
        fs::write(top.join("keys/prod.pub"), "prod").unwrap();
        symlink("prod.pub", top.join("keys/link.pub")).unwrap();
        symlink("keys", top.join("elsewhere")).unwrap();
        symlink("nowhere", top.join("dangling")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
        let disk = Disk::beneath(&top);
        let read = |path| disk.read(path, 4).unwrap();
        assert_eq!(read("keys/prod.pub"), Entry::File(b"prod".to_vec()));
        for link in ["keys/link.pub", "elsewhere", "elsewhere/prod.pub", "dangling"] {
            assert_eq!(read(link), Entry::Link, "{link}");
        }
        for absent in ["keys/none.pub", "none/prod.pub", "keys/prod.pub/x"] {
            assert_eq!(read(absent), Entry::Absent, "{absent}");
        }
        for other in ["keys", "socket"] {
            assert_eq!(read(other), Entry::NoFile, "{other}");
        }
        assert_eq!(disk.read("keys/prod.pub", 3).unwrap(), Entry::TooLarge);
        assert_eq!(disk.name("keys/prod.pub"), top.join("keys/prod.pub").display().to_string());
        assert!(disk.name("a\nerror: b").ends_with("/a\\nerror: b"));
    }

    #[test]
    fn a_pipe_is_no_file_and_nobody_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, top.join("pipe"), Mode::from_raw_mode(0o600)).unwrap();
        assert_eq!(Disk::beneath(&top).read("pipe", 4).unwrap(), Entry::NoFile);
    }
}
