//! Paths beneath an open directory, resolved without following links.
//!
//! Not a general file API: only what host mode needs, one directory level at a time. Invariant: no call in
//! here leaves the directory it is given. Every path part is a [`Component`], which can't hold a separator or
//! `..`. No call follows a symbolic link, except [`Dir::leads_to_file`], which opens nothing. So neither a
//! name from Git nor a link planted in the output or in the checkout can lead anywhere else. The checks hold
//! on descriptors, not on names, so swapping a directory for a link between two calls gains nothing.

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, StatxFlags};
use rustix::io::Errno;
use seal_crds::{ItemName, Name, Namespace};
use serde::{Deserialize, Serialize};

use super::fault;

/// The deepest tree that [`Dir::remove_tree`] removes, in levels. Our trees are two levels deep, and a
/// planted tree must not use up the stack or the descriptors.
const MAX_DEPTH: usize = 32;

/// One part of a path: not empty, no `/`, no NUL, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Component(CString);

impl Component {
    /// A component from a file name that this program chose, or that it is about to check itself. `None` if
    /// the name isn't one plain path component.
    pub(crate) fn new(name: impl Into<Vec<u8>>) -> Option<Self> {
        let name = CString::new(name).ok()?;
        let bytes = name.as_bytes();
        let plain = !bytes.is_empty() && !bytes.contains(&b'/') && bytes != b"." && bytes != b"..";
        plain.then_some(Self(name))
    }

    /// The name under which a new file waits until it takes the place of this one.
    pub(crate) fn beside(&self) -> Self {
        Self::new([b"..new-", self.as_bytes()].concat()).expect("a prefix keeps it plain")
    }

    fn fixed(name: &'static CStr) -> Self {
        Self(name.to_owned())
    }

    /// The name as bytes; a name found in a directory need not be UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The name as text; `None` if it isn't UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.to_str().ok()
    }
}

/// Escaped, because names found in a directory may hold control characters.
impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&seal_foreign::word(&String::from_utf8_lossy(self.as_bytes())))
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! component_from {
    ($($name:ty),*) => {$(
        /// These names are path components by their own rules; `names.rs` has the test.
        impl From<&$name> for Component {
            fn from(name: &$name) -> Self {
                Self::new(name.as_str()).expect("a validated name is one path component")
            }
        }
    )*};
}
component_from!(Namespace, Name, ItemName);

/// The identity of a directory, whatever its name: the inode number and, where the file system knows it, the
/// time of birth, because inode numbers are used again. The device number is left out, because it may differ
/// after a reboot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    inode: u64,
    born: Option<(i64, u32)>,
}

/// An entry of a directory, as of the moment it was read.
pub(crate) struct Entry {
    /// The entry's name.
    pub(crate) name: Component,
    /// The entry's type; a link is a link, whatever it leads to.
    pub(crate) kind: FileType,
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens a directory that a flag names. Links in this path are followed: the person who sets the flags
    /// may put a link there (`current -> releases/42`).
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, DIR, Mode::empty())?))
    }

    /// Opens a directory beneath this one.
    ///
    /// Guarantees: the result is reached without following any link, not even one that stays inside.
    pub(crate) fn open_beneath(&self, path: &[&Component]) -> io::Result<Self> {
        match self.open_at_once(path) {
            // Linux before 5.6; or a seccomp filter that doesn't know the call, which mostly says EPERM.
            Err(Errno::NOSYS | Errno::PERM) => self.open_stepwise(path),
            opened => opened,
        }
        .map_err(io::Error::from)
    }

    /// Opens with `openat2`: the kernel holds the whole path to the rules.
    fn open_at_once(&self, path: &[&Component]) -> Result<Self, Errno> {
        const RULES: ResolveFlags =
            ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
        let joined = path.iter().map(|part| part.as_bytes()).collect::<Vec<_>>().join(&b'/');
        // EAGAIN: something was renamed during the call and the kernel could not vouch for the result.
        for _ in 0..8 {
            match fs::openat2(&self.0, joined.as_slice(), DIR, Mode::empty(), RULES) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return opened.map(Self),
            }
        }
        Err(Errno::AGAIN)
    }

    /// Opens without `openat2`: one component at a time, `O_NOFOLLOW` on each.
    fn open_stepwise(&self, path: &[&Component]) -> Result<Self, Errno> {
        let mut dir = None;
        for part in path {
            let above = dir.as_ref().unwrap_or(&self.0);
            dir = Some(fs::openat(above, &part.0, DIR | OFlags::NOFOLLOW, Mode::empty())?);
        }
        dir.map(Self).ok_or(Errno::INVAL)
    }

    /// Opens a regular file for reading.
    ///
    /// Threat: a FIFO or a device in place of the file would block the reader or act on being read.
    /// `O_NONBLOCK` opens a FIFO at once, and anything but a regular file is refused before a byte is read.
    pub(crate) fn open_file(&self, name: &Component) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = fs::openat(&self.0, &name.0, flags, Mode::empty())?;
        match FileType::from_raw_mode(fs::fstat(&file)?.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    /// Creates a file, 0600, that must not exist, not even as a dangling link.
    pub(crate) fn create_file(&self, name: &Component) -> io::Result<File> {
        fault::point("create file")?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&self.0, &name.0, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Creates a directory, 0700, that must not exist, and opens it.
    pub(crate) fn create_dir(&self, name: &Component) -> io::Result<Self> {
        fault::point("create directory")?;
        fs::mkdirat(&self.0, &name.0, Mode::RWXU)?;
        self.open_beneath(&[name])
    }

    /// Makes the link `name -> target`. The target is text for readers; nothing in here ever follows it.
    pub(crate) fn create_link(&self, name: &Component, target: &str) -> io::Result<()> {
        fault::point("create link")?;
        Ok(fs::symlinkat(target, &self.0, &name.0)?)
    }

    /// The metadata of `name` itself, links not followed; `None` if there is no such entry.
    pub(crate) fn stat(&self, name: &Component) -> io::Result<Option<Stat>> {
        match fs::statat(&self.0, &name.0, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The metadata of this directory.
    pub(crate) fn stat_self(&self) -> io::Result<Stat> {
        Ok(fs::fstat(&self.0)?)
    }

    /// The identity of this directory.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        match fs::statx(&self.0, c"", flags, StatxFlags::INO | StatxFlags::BTIME) {
            Ok(found) => {
                let known = found.stx_mask & StatxFlags::BTIME.bits() != 0;
                let born = known.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec));
                Ok(Identity { inode: found.stx_ino, born })
            }
            Err(Errno::NOSYS | Errno::PERM) => Ok(Identity { inode: self.stat_self()?.st_ino, born: None }),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The target of the link `name`; `None` if `name` is missing or isn't a link.
    pub(crate) fn read_link(&self, name: &Component) -> io::Result<Option<Vec<u8>>> {
        match fs::readlinkat(&self.0, &name.0, Vec::new()) {
            Ok(target) => Ok(Some(target.into_bytes())),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the link at `path` leads to a regular file in this directory or below. If finding out would
    /// leave the directory, the answer is no.
    ///
    /// Threat: the link leads to a path that hangs, or that is mounted, when somebody looks at it. The kernel
    /// stops at the border.
    pub(crate) fn leads_to_file(&self, path: &[&Component]) -> bool {
        let joined = path.iter().map(|part| part.as_bytes()).collect::<Vec<_>>().join(&b'/');
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let rules = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        fs::openat2(&self.0, joined.as_slice(), flags, Mode::empty(), rules)
            .and_then(fs::fstat)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// All entries, sorted by name. More than `limit` is an error, so that a planted crowd can't use up
    /// memory.
    pub(crate) fn entries(&self, limit: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let Some(name) = Component::new(entry.file_name().to_bytes()) else {
                continue;
            };
            let kind = match entry.file_type() {
                // Some file systems leave the type out of the listing.
                FileType::Unknown => match self.stat(&name)? {
                    Some(stat) => FileType::from_raw_mode(stat.st_mode),
                    None => continue,
                },
                kind => kind,
            };
            if entries.len() == limit {
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many directory entries"));
            }
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Renames within the directory. Anything at `to`, except a directory, is replaced in the same step.
    pub(crate) fn rename(&self, from: &Component, to: &Component) -> io::Result<()> {
        fault::point("rename")?;
        Ok(fs::renameat(&self.0, &from.0, &self.0, &to.0)?)
    }

    /// Renames within the directory; fails with `AlreadyExists` if there is something at `to`.
    pub(crate) fn rename_new(&self, from: &Component, to: &Component) -> io::Result<()> {
        fault::point("rename")?;
        match fs::renameat_with(&self.0, &from.0, &self.0, &to.0, RenameFlags::NOREPLACE) {
            // The file system doesn't know the flag. Between look and rename, only an empty directory could
            // still be replaced: `rename` of a directory refuses everything else.
            Err(Errno::INVAL | Errno::NOSYS) => match self.stat(to)? {
                Some(_) => Err(Errno::EXIST.into()),
                None => Ok(fs::renameat(&self.0, &from.0, &self.0, &to.0)?),
            },
            renamed => Ok(renamed?),
        }
    }

    /// Removes `name`, of whatever type; success if it is missing. A directory goes with all it holds. Of a
    /// link, only the link goes, and not its target.
    pub(crate) fn remove_tree(&self, name: &Component) -> io::Result<()> {
        self.remove_below(name, MAX_DEPTH)
    }

    fn remove_below(&self, name: &Component, depth: usize) -> io::Result<()> {
        fault::point("remove")?;
        match fs::unlinkat(&self.0, &name.0, AtFlags::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            // POSIX has EPERM for a directory, Linux EISDIR.
            Err(Errno::ISDIR | Errno::PERM) => {}
            removed => return Ok(removed?),
        }
        if depth == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "directories nested too deep"));
        }
        let dir = self.open_beneath(&[name])?;
        for entry in dir.entries(usize::MAX)? {
            dir.remove_below(&entry.name, depth - 1)?;
        }
        self.remove_empty(name)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_empty(&self, name: &Component) -> io::Result<()> {
        fault::point("remove directory")?;
        match fs::unlinkat(&self.0, &name.0, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes the entries of this directory durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        fault::point("sync directory")?;
        Ok(fs::fsync(&self.0)?)
    }

    /// The descriptor, for calls on the directory as a whole (lock, owner, mode).
    pub(crate) fn as_fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Replaces the file `name` in one step: a reader sees the old bytes or the new ones. The file is 0600
    /// and ours.
    ///
    /// If a crash left a file beside it, that is replaced. A failure leaves the old file and nothing beside
    /// it.
    pub(crate) fn replace_file(&self, name: &Component, bytes: &[u8]) -> io::Result<()> {
        use io::Write as _;
        let beside = name.beside();
        self.remove_tree(&beside)?;
        let written = (|| {
            let mut file = self.create_file(&beside)?;
            fault::point("write file")?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.rename(&beside, name)
        })();
        if written.is_err() {
            let _ = self.remove_tree(&beside);
        }
        written?;
        self.sync()
    }
}

/// `..data`, the link to the directory that holds the current items.
pub(crate) fn data_link() -> Component {
    Component::fixed(c"..data")
}

#[cfg(test)]
mod tests;
