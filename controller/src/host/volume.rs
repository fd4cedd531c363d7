//! One Secret's directory: what is there, whether it is ours, and whether it still is what we wrote.
//!
//! Writing is in [`write`]. The layout is that of kubelet's Secret volumes, so that programs which watch a
//! mounted Secret work unchanged:
//!
//! ```text
//! <secrets>/prod/db/password -> ..data/password     one link per item
//! <secrets>/prod/db/..data -> ..seal-5f3c…           swapped in one rename
//! <secrets>/prod/db/..seal-5f3c…/password            the bytes
//! ```
//!
//! # Why metadata decides
//! `lstat`, `readlink` and the listing alone tell whether a directory is in sync, without reading a byte or
//! opening an envelope. The state file holds each file's inode, size and times as they were when we wrote it.
//! The kernel sets the time of change (ctime) on every write, link, rename, chmod and chown, and no call sets
//! it to a chosen value. So equal stamps mean equal bytes, with two gaps: the first is closed, the second
//! accepted.
//! - Time moves in ticks, so a change within the tick of our own write would leave the same stamp. A file
//!   therefore gets its name only a tick after its last change ([`TICK`]).
//! - tmpfs doesn't move the times of a file that is changed through a shared writable mapping. Only root or the
//!   file's owner can map it so, and both may replace it anyway; `--mode 0400` keeps the owner out.
//!
//! If stamps differ, the bytes are compared before anything is written, so a `touch` or a lost state file
//! doesn't disturb readers.
//!
//! Invariants: a directory that the state file doesn't record, or that isn't the recorded one, is never
//! changed; entries that somebody added beside the items stay, as in a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use rustix::fs::{FileType, Gid, Mode, Stat, Uid, fchmod, fchown};
use seal_crds::{ItemName, Namespace, Place};

use super::beneath::{Component, Dir, data_link};
use super::fault;
use super::state::{Generation, Record, Stamp, only_we_write};

pub(crate) mod write;

/// Longer than the largest step of the clock that stamps files (10 ms, a kernel built with HZ=100).
pub(crate) const TICK: Duration = Duration::from_millis(12);

/// The most entries that are listed of a directory: more than any Secret can have items, twice over.
const MAX_ENTRIES: usize = 1 << 16;

/// The owner, the group and the modes of the files; they come from flags only.
///
/// Directories always stay ours, because the owner of one could put links in it. If an owner is given, its
/// group may enter and list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    file_mode: Mode,
    directory_mode: Mode,
    uid: Uid,
    gid: Gid,
}

impl Access {
    /// Access to files with `mode` that belong to `owner` (user and group), or to us if there is none.
    pub(crate) fn new(mode: u32, owner: Option<(u32, u32)>) -> Self {
        let mut directory = 0o700;
        if mode & 0o040 != 0 || owner.is_some() {
            directory |= 0o050;
        }
        if mode & 0o004 != 0 {
            directory |= 0o005;
        }
        let (uid, gid) = match owner {
            Some((uid, gid)) => (Uid::from_raw(uid), Gid::from_raw(gid)),
            None => (rustix::process::geteuid(), rustix::process::getegid()),
        };
        Self {
            file_mode: Mode::from_raw_mode(mode & 0o777),
            directory_mode: Mode::from_raw_mode(directory),
            uid,
            gid,
        }
    }

    fn fits_file(&self, stat: &Stat) -> bool {
        Mode::from_raw_mode(stat.st_mode) == self.file_mode
            && stat.st_uid == self.uid.as_raw()
            && stat.st_gid == self.gid.as_raw()
            // A second name for the file may lie anywhere, and outlive the Secret.
            && stat.st_nlink == 1
    }

    fn fits_directory(&self, stat: &Stat) -> bool {
        Mode::from_raw_mode(stat.st_mode) == self.directory_mode
            && stat.st_uid == rustix::process::geteuid().as_raw()
            && stat.st_gid == self.gid.as_raw()
    }

    /// Gives a directory to us, with our mode; returns whether that changed anything. The owner comes before
    /// the mode: in between, access is narrower, never wider.
    pub(crate) fn apply_to_directory(&self, dir: &Dir) -> io::Result<bool> {
        if self.fits_directory(&dir.stat_self()?) {
            return Ok(false);
        }
        fault::point("directory owner and mode")?;
        fchown(dir.as_fd(), Some(rustix::process::geteuid()), Some(self.gid))?;
        fchmod(dir.as_fd(), self.directory_mode)?;
        Ok(true)
    }
}

/// Why a directory isn't ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Foreign {
    /// There is something other than a directory.
    #[error("there is a file or a link in its place")]
    NotADirectory,
    /// We have no record of the directory.
    #[error("a directory is there that seal-controller didn't make")]
    Unrecorded,
    /// The directory isn't the recorded one.
    #[error("the directory was replaced by another")]
    Replaced,
    /// The namespace's directory can't be trusted.
    #[error("the namespace's directory is a link or a file, or others can write to it")]
    Namespace,
}

/// Why a Secret's directory could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    /// The directory isn't ours.
    #[error("not ours: {0}")]
    Foreign(Foreign),
    /// The file system refused, for instance because the disk is full.
    #[error("can't {doing}")]
    Io {
        /// The step that failed, as an infinitive.
        doing: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
}

impl VolumeError {
    /// For `map_err`: names the step that failed.
    pub(crate) fn doing(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    /// Whether the disk (or a quota on it) is full.
    pub(crate) fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}

/// The content of a Secret's place on disk.
#[derive(Debug)]
pub(crate) enum OnDisk {
    /// There is nothing.
    Absent,
    /// Something that isn't ours, and that is never touched.
    Foreign {
        /// Why it isn't ours.
        why: Foreign,
        /// The directory, if it has our layout and only we can write to it: if a state file was lost, it may
        /// be taken over.
        our_layout: Option<Dir>,
    },
    /// A directory of ours.
    Ours(Dir),
}

/// How a directory of ours differs from what we wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Drift {
    /// Owner or mode of a directory.
    #[error("owner or mode of the directory changed")]
    Access,
    /// `..data` is gone, or isn't our link.
    #[error("the link ..data changed")]
    DataLink,
    /// The items in the current directory aren't those that we wrote.
    #[error("items were added or removed behind ..data")]
    Items,
    /// A file isn't the one that we wrote.
    #[error("item {0} was edited")]
    Edited(ItemName),
    /// An item's link is gone or isn't ours.
    #[error("the link of item {0} changed")]
    Link(ItemName),
    /// Some entries of ours are no longer in use.
    #[error("remains of an interrupted write")]
    Remains,
}

/// One Secret's directory, which may not exist yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume<'a> {
    /// The output directory.
    pub(crate) root: &'a Dir,
    /// The namespace and name of the Secret.
    pub(crate) place: &'a Place,
    /// The access that readers get.
    pub(crate) access: &'a Access,
}

impl Volume<'_> {
    fn name(&self) -> Component {
        Component::from(&self.place.name)
    }

    /// The namespace's directory; `None` if there is none.
    ///
    /// Threat: anybody who can write to it could put a link or a directory of their own in the place of ours.
    fn namespace(&self) -> Result<Option<Dir>, VolumeError> {
        let doing = VolumeError::doing;
        let name = Component::from(&self.place.namespace);
        match self.root.stat(&name).map_err(doing("look at the namespace's directory"))? {
            None => return Ok(None),
            Some(stat) if !is_directory(&stat) => return Err(VolumeError::Foreign(Foreign::Namespace)),
            Some(_) => {}
        }
        let dir = self.root.open_beneath(&[&name]).map_err(doing("open the namespace's directory"))?;
        let stat = dir.stat_self().map_err(doing("look at the namespace's directory"))?;
        if only_we_write(&stat) { Ok(Some(dir)) } else { Err(VolumeError::Foreign(Foreign::Namespace)) }
    }

    /// Looks at what is in the Secret's place.
    pub(crate) fn look(&self, record: Option<&Record>) -> Result<OnDisk, VolumeError> {
        let doing = VolumeError::doing;
        let foreign = |why| Ok(OnDisk::Foreign { why, our_layout: None });
        let namespace = match self.namespace() {
            Ok(Some(namespace)) => namespace,
            Ok(None) => return Ok(OnDisk::Absent),
            Err(VolumeError::Foreign(why)) => return foreign(why),
            Err(error) => return Err(error),
        };
        match namespace.stat(&self.name()).map_err(doing("look at the Secret's directory"))? {
            None => return Ok(OnDisk::Absent),
            Some(stat) if !is_directory(&stat) => return foreign(Foreign::NotADirectory),
            Some(_) => {}
        }
        let dir = namespace.open_beneath(&[&self.name()]).map_err(doing("open the Secret's directory"))?;
        let identity = dir.identity().map_err(doing("look at the Secret's directory"))?;
        match record {
            Some(record) if record.directory == identity => Ok(OnDisk::Ours(dir)),
            _ => {
                let why = if record.is_some() { Foreign::Replaced } else { Foreign::Unrecorded };
                let our_layout = has_our_layout(&dir).map_err(doing("look at the Secret's directory"))?;
                Ok(OnDisk::Foreign { why, our_layout: our_layout.then_some(dir) })
            }
        }
    }

    /// The first difference between a directory of ours and the record, from metadata alone; `None` if there
    /// is none.
    pub(crate) fn drift(&self, dir: &Dir, record: &Record) -> io::Result<Option<Drift>> {
        let current = Component::from(&record.generation);
        let points_there = dir.read_link(&data_link())?.is_some_and(|t| t == current.as_bytes());
        if !points_there || !dir.stat(&current)?.is_some_and(|stat| is_directory(&stat)) {
            return Ok(Some(Drift::DataLink));
        }
        let generation = dir.open_beneath(&[&current])?;
        for each in [dir, &generation] {
            if !self.access.fits_directory(&each.stat_self()?) {
                return Ok(Some(Drift::Access));
            }
        }
        if !holds_exactly(&generation, record.files.keys())? {
            return Ok(Some(Drift::Items));
        }
        for (item, stamp) in &record.files {
            let intact = generation.stat(&item.into())?.is_some_and(|stat| {
                is_file(&stat) && self.access.fits_file(&stat) && Stamp::of(&stat) == *stamp
            });
            if !intact {
                return Ok(Some(Drift::Edited(item.clone())));
            }
            if !is_item_link(dir, item)? {
                return Ok(Some(Drift::Link(item.clone())));
            }
        }
        let items: BTreeSet<_> = record.files.keys().cloned().collect();
        let remains = remains(dir, &record.generation, &items)?;
        Ok((!remains.is_empty()).then_some(Drift::Remains))
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Whether a directory holds exactly these items, as regular files.
fn holds_exactly<'a>(dir: &Dir, items: impl ExactSizeIterator<Item = &'a ItemName>) -> io::Result<bool> {
    let listed = match dir.entries(items.len()) {
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => return Ok(false),
        listed => listed?,
    };
    let mut names: Vec<_> = items.map(Component::from).collect();
    names.sort();
    let files = listed.iter().all(|entry| entry.kind == FileType::RegularFile);
    Ok(files && listed.iter().map(|entry| &entry.name).eq(names.iter()))
}

/// The target of an item's link.
fn item_target(item: &ItemName) -> String {
    format!("..data/{item}")
}

fn is_item_link(dir: &Dir, item: &ItemName) -> io::Result<bool> {
    Ok(dir.read_link(&item.into())?.is_some_and(|target| target == item_target(item).as_bytes()))
}

/// Whether only we can write to the directory, and its `..data` points to a directory with a name that only
/// we give.
fn has_our_layout(dir: &Dir) -> io::Result<bool> {
    let ours = only_we_write(&dir.stat_self()?);
    Ok(ours && dir.read_link(&data_link())?.is_some_and(|target| Generation::parse(&target).is_some()))
}

/// Entries of ours that are no longer in use: other generations, and links to items that no longer exist.
/// Somebody else put every other unexpected entry there, and it stays.
fn remains(dir: &Dir, current: &Generation, items: &BTreeSet<ItemName>) -> io::Result<Vec<Component>> {
    let mut remains = Vec::new();
    for entry in dir.entries(MAX_ENTRIES)? {
        let generation = Generation::parse(entry.name.as_bytes());
        let item = entry.name.as_str().and_then(|name| name.parse::<ItemName>().ok());
        let unused = match (generation, item) {
            (Some(generation), _) => generation != *current,
            (None, Some(item)) => {
                entry.kind == FileType::Symlink && !items.contains(&item) && is_item_link(dir, &item)?
            }
            (None, None) => false,
        };
        if unused {
            remains.push(entry.name);
        }
    }
    Ok(remains)
}

/// Entries that aren't our items but could be items: somebody put them there, and they stay.
pub(crate) fn extra(dir: &Dir, items: &BTreeSet<ItemName>) -> io::Result<BTreeSet<ItemName>> {
    let mut extra = BTreeSet::new();
    for entry in dir.entries(MAX_ENTRIES)? {
        let item = entry.name.as_str().and_then(|name| name.parse::<ItemName>().ok());
        // A link of ours to an item that no longer exists is about to be removed.
        if let Some(item) = item.filter(|item| !items.contains(item))
            && !is_item_link(dir, &item)?
        {
            extra.insert(item);
        }
    }
    Ok(extra)
}

/// Removes what crashes left in the namespaces' directories: Secrets that hadn't got their name yet, or had
/// just lost it. It removes only names that nobody but us gives, in directories that nobody but us writes to.
pub(crate) fn sweep(root: &Dir) -> io::Result<()> {
    for entry in root.entries(MAX_ENTRIES)? {
        let is_namespace = entry.name.as_str().is_some_and(|name| name.parse::<Namespace>().is_ok());
        if !is_namespace || entry.kind != FileType::Directory {
            continue;
        }
        let namespace = root.open_beneath(&[&entry.name])?;
        if !only_we_write(&namespace.stat_self()?) {
            continue;
        }
        for entry in namespace.entries(MAX_ENTRIES)? {
            if Generation::parse(entry.name.as_bytes()).is_some() {
                namespace.remove_tree(&entry.name)?;
            }
        }
    }
    Ok(())
}
