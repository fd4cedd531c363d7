//! Writing and removing one Secret's directory.
//!
//! Two steps, because a tick of the clock has to pass in between (see [`super`]): [`Volume::prepare`] puts
//! the bytes on disk where no reader looks; [`Prepared::publish`] makes them what readers see.
//!
//! Invariants, at every single step and after a crash at any of them: through the items' links a reader sees
//! the old Secret or the new one, whole. A new Secret gets its name in one rename. A changed Secret gets the
//! links of new items first (dangling, so the item isn't there yet). Then `..data` is swapped. Last, the
//! links of removed items go (dangling already).
//!
//! Caveat: a reader who opens two items one after the other may see an old one and a new one, as with
//! kubelet. A reader who opens `..data` once and reads beneath it doesn't.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::SystemTime;

use seal_crds::Plaintext;
use zeroize::Zeroizing;

use super::*;
use crate::host::beneath::Identity;

/// Items that are on disk and not yet visible to readers.
pub(crate) struct Prepared<'a> {
    volume: Volume<'a>,
    ground: Ground,
    generation: Generation,
    files: BTreeMap<ItemName, Stamp>,
}

enum Ground {
    /// A new directory that hasn't got its name yet.
    New { namespace: Dir, staged: Generation, dir: Dir },
    /// The Secret's directory with a new generation in it.
    Changed { dir: Dir },
    /// The Secret's directory, whose bytes were right already.
    Same { dir: Dir },
}

impl<'a> Volume<'a> {
    /// Puts the items on disk where no reader looks.
    ///
    /// `existing` is a directory that [`Volume::look`] found and that may be written to; if it is `None`, a
    /// new one is made. Bytes that are already there aren't written again.
    ///
    /// # Errors
    /// The new files are removed again as far as possible, so that a full disk doesn't stay full of them.
    pub(crate) fn prepare(
        self,
        existing: Option<Dir>,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<Prepared<'a>, VolumeError> {
        let doing = VolumeError::doing;
        let fresh = || Generation::fresh().map_err(doing("get random bytes"));
        let Some(dir) = existing else {
            let namespace = self.namespace()?.ok_or(VolumeError::Io {
                doing: "open the namespace's directory",
                source: io::ErrorKind::NotFound.into(),
            })?;
            let (staged, generation) = (fresh()?, fresh()?);
            let made = self.stage(&namespace, &staged, &generation, data);
            let (dir, files) = made.inspect_err(|_| discard(&namespace, &staged)).map_err(doing(WRITE))?;
            return Ok(Prepared {
                volume: self,
                ground: Ground::New { namespace, staged, dir },
                generation,
                files,
            });
        };
        if let Some((generation, files)) = self.same_bytes(&dir, data).map_err(doing("compare the items"))? {
            return Ok(Prepared { volume: self, ground: Ground::Same { dir }, generation, files });
        }
        let generation = fresh()?;
        let written = self.write_generation(&dir, &generation, data);
        let files = written.inspect_err(|_| discard(&dir, &generation)).map_err(doing(WRITE))?;
        Ok(Prepared { volume: self, ground: Ground::Changed { dir }, generation, files })
    }

    /// Makes a whole Secret's directory under a name that isn't its own yet.
    fn stage(
        &self,
        namespace: &Dir,
        staged: &Generation,
        generation: &Generation,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> io::Result<(Dir, BTreeMap<ItemName, Stamp>)> {
        let dir = namespace.create_dir(&staged.into())?;
        let files = self.write_generation(&dir, generation, data)?;
        dir.create_link(&data_link(), generation.as_str())?;
        for item in files.keys() {
            dir.create_link(&item.into(), &item_target(item))?;
        }
        self.access.apply_to_directory(&dir)?;
        dir.sync()?;
        Ok((dir, files))
    }

    fn write_generation(
        &self,
        dir: &Dir,
        generation: &Generation,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> io::Result<BTreeMap<ItemName, Stamp>> {
        let into = dir.create_dir(&generation.into())?;
        let mut files = BTreeMap::new();
        for (item, value) in data {
            files.insert(item.clone(), self.write_item(&into, item, value)?);
        }
        self.access.apply_to_directory(&into)?;
        into.sync()?;
        Ok(files)
    }

    /// Writes the bytes first, while the file is 0600 and ours; then sets its owner, then its mode.
    fn write_item(&self, dir: &Dir, item: &ItemName, value: &Plaintext) -> io::Result<Stamp> {
        let mut file = dir.create_file(&item.into())?;
        fault::point("write item")?;
        file.write_all(value.expose())?;
        fault::point("item owner and mode")?;
        fchown(&file, Some(self.access.uid), Some(self.access.gid))?;
        fchmod(&file, self.access.file_mode)?;
        fault::point("sync item")?;
        file.sync_all()?;
        Ok(Stamp::of(&rustix::fs::fstat(&file)?))
    }

    /// The current generation, if it holds exactly these items with these bytes, and if its stamps can be
    /// trusted from now on.
    fn same_bytes(
        &self,
        dir: &Dir,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> io::Result<Option<(Generation, BTreeMap<ItemName, Stamp>)>> {
        let Some(generation) = dir.read_link(&data_link())?.and_then(|t| Generation::parse(&t)) else {
            return Ok(None);
        };
        let name = Component::from(&generation);
        if !dir.stat(&name)?.is_some_and(|stat| is_directory(&stat)) {
            return Ok(None);
        }
        let current = dir.open_beneath(&[&name])?;
        if !holds_exactly(&current, data.keys())? {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        for (item, value) in data {
            // If anything keeps us from reading the file, a new file will do.
            let Ok(mut file) = current.open_file(&item.into()) else { return Ok(None) };
            let stat = rustix::fs::fstat(&file)?;
            let stamp = Stamp::of(&stat);
            let settled = settles_in([&stamp]).is_zero();
            if !self.access.fits_file(&stat)
                || !settled
                || !holds(&mut file, value)?
                || Stamp::of(&rustix::fs::fstat(file.as_fd())?) != stamp
            {
                return Ok(None);
            }
            files.insert(item.clone(), stamp);
        }
        self.access.apply_to_directory(&current)?;
        Ok(Some((generation, files)))
    }

    /// Makes the namespace's directory if there is none; returns its identity if we made it.
    pub(crate) fn make_namespace(&self) -> Result<Option<Identity>, VolumeError> {
        let doing = VolumeError::doing;
        if self.namespace()?.is_some() {
            return Ok(None);
        }
        let make = || {
            let dir = match self.root.create_dir(&Component::from(&self.place.namespace)) {
                // Another object of the namespace was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                made => made?,
            };
            self.access.apply_to_directory(&dir)?;
            self.root.sync()?;
            dir.identity().map(Some)
        };
        make().map_err(doing("make the namespace's directory"))
    }

    /// Gives a namespace's directory that we made the access of the flags, which may have changed.
    pub(crate) fn keep_namespace(&self, made: &Identity) -> Result<(), VolumeError> {
        let doing = VolumeError::doing("set the mode of the namespace's directory");
        match self.namespace()? {
            Some(dir) if dir.identity().is_ok_and(|identity| identity == *made) => {
                self.access.apply_to_directory(&dir).map(drop).map_err(doing)
            }
            _ => Ok(()),
        }
    }

    /// Removes a namespace's directory that we made, if it is empty.
    pub(crate) fn remove_namespace(&self, made: &Identity) -> bool {
        let Ok(Some(dir)) = self.namespace() else {
            return false;
        };
        dir.identity().is_ok_and(|identity| identity == *made)
            && self.root.remove_empty(&Component::from(&self.place.namespace)).is_ok()
    }

    /// Removes the Secret; readers see it whole or not at all. Returns whether entries of others were left
    /// there.
    pub(crate) fn remove(&self, record: &Record) -> Result<Removed, VolumeError> {
        let doing = VolumeError::doing;
        let dir = match self.look(Some(record))? {
            OnDisk::Absent => return Ok(Removed::Wholly),
            OnDisk::Foreign { why, .. } => return Err(VolumeError::Foreign(why)),
            OnDisk::Ours(dir) => dir,
        };
        let Some(namespace) = self.namespace()? else {
            return Ok(Removed::Wholly);
        };
        let remove = || {
            let away = Generation::fresh()?;
            // If no item is in use, all entries of ours are remains, except `..data` itself.
            let ours = remains(&dir, &away, &BTreeSet::new())?;
            let others = dir.entries(MAX_ENTRIES)?.into_iter().map(|entry| entry.name);
            let others = others.filter(|name| *name != data_link() && !ours.contains(name)).count();
            if others == 0 {
                namespace.rename(&self.name(), &(&away).into())?;
                namespace.sync()?;
                namespace.remove_tree(&(&away).into())?;
                return Ok(Removed::Wholly);
            }
            dir.remove_tree(&data_link())?;
            for name in &ours {
                dir.remove_tree(name)?;
            }
            dir.sync()?;
            Ok(Removed::Except(others))
        };
        remove().map_err(doing("remove the Secret"))
    }
}

const WRITE: &str = "write the items";

/// The entries that [`Volume::remove`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// None: the directory is gone.
    Wholly,
    /// The directory, with this many entries that somebody else had put there.
    Except(usize),
}

impl Prepared<'_> {
    /// How long to wait before [`publish`](Self::publish), so that every later change of a file shows.
    pub(crate) fn settles_in(&self) -> Duration {
        match self.ground {
            Ground::Same { .. } => Duration::ZERO,
            _ => settles_in(self.files.values()),
        }
    }

    /// Makes the items visible to readers; `false` if readers already saw exactly these.
    ///
    /// `keep` makes the record durable. A new Secret is recorded before it gets its name, a changed one after
    /// the swap; see [`state`](crate::host::state) for why.
    ///
    /// # Errors
    /// `Foreign` if somebody made a directory of that name in the meantime.
    pub(crate) fn publish(
        self,
        digest: &str,
        mut keep: impl FnMut(Record) -> io::Result<()>,
    ) -> Result<bool, VolumeError> {
        let doing = VolumeError::doing;
        let record = |dir: &Dir| -> io::Result<Record> {
            Ok(Record {
                directory: dir.identity()?,
                digest: digest.to_owned(),
                generation: self.generation.clone(),
                files: self.files.clone(),
            })
        };
        match &self.ground {
            Ground::New { namespace, staged, dir } => {
                let named = record(dir)
                    .and_then(&mut keep)
                    .and_then(|()| namespace.rename_new(&staged.into(), &self.volume.name()))
                    .inspect_err(|_| discard(namespace, staged));
                match named {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        return Err(VolumeError::Foreign(Foreign::Unrecorded));
                    }
                    named => {
                        named.and_then(|()| namespace.sync()).map_err(doing("name the Secret's directory"))?
                    }
                }
                Ok(true)
            }
            Ground::Changed { dir } | Ground::Same { dir } => {
                let swapped = self.swap(dir).inspect_err(|_| {
                    let in_use = dir.read_link(&data_link()).ok().flatten();
                    if in_use.is_some_and(|target| target != self.generation.as_str().as_bytes()) {
                        discard(dir, &self.generation);
                    }
                });
                let changed = swapped.map_err(doing("swap in the items"))?;
                record(dir).and_then(keep).map_err(doing("write the state file"))?;
                Ok(changed)
            }
        }
    }

    /// Brings the items' links and `..data` up to date; returns whether anything had to be changed.
    fn swap(&self, dir: &Dir) -> io::Result<bool> {
        let mut changed = self.volume.access.apply_to_directory(dir)?;
        for item in self.files.keys() {
            if !is_item_link(dir, item)? {
                put_link(dir, &item.into(), &item_target(item))?;
                changed = true;
            }
        }
        if matches!(self.ground, Ground::Changed { .. }) {
            // The links of new items have to be on disk before the swap that makes them work.
            dir.sync()?;
            put_link(dir, &data_link(), self.generation.as_str())?;
            dir.sync()?;
            changed = true;
        }
        let items: BTreeSet<_> = self.files.keys().cloned().collect();
        for name in remains(dir, &self.generation, &items)? {
            dir.remove_tree(&name)?;
            changed = true;
        }
        if changed {
            dir.sync()?;
        }
        Ok(changed)
    }
}

/// Puts a link in the place of whatever is there; in one step unless that is a directory.
fn put_link(dir: &Dir, name: &Component, target: &str) -> io::Result<()> {
    if dir.stat(name)?.is_some_and(|stat| is_directory(&stat)) {
        dir.remove_tree(name)?;
    }
    let beside = Generation::fresh()?;
    dir.create_link(&(&beside).into(), target)?;
    dir.rename(&(&beside).into(), name).inspect_err(|_| discard(dir, &beside))
}

/// Cleans up after a failure, as far as the disk lets us; the next run cleans up the rest.
fn discard(dir: &Dir, name: &Generation) {
    let _ = dir.remove_tree(&name.into());
}

/// How long until the clock that stamps files has moved past all these stamps; at most [`TICK`].
fn settles_in<'s>(stamps: impl IntoIterator<Item = &'s Stamp>) -> Duration {
    let Some(changed) = stamps.into_iter().map(Stamp::changed).max() else {
        return Duration::ZERO;
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // A clock that was set back doesn't hold us up: times from its future won't come again soon.
    (changed + TICK).saturating_sub(now).min(TICK)
}

/// Whether the file holds exactly these bytes. Reads in constant memory and wipes it afterwards.
fn holds(file: &mut File, value: &Plaintext) -> io::Result<bool> {
    let mut buffer = Zeroizing::new([0; 8192]);
    let mut rest = value.expose();
    loop {
        match file.read(&mut *buffer)? {
            0 => return Ok(rest.is_empty()),
            n => match rest.strip_prefix(&buffer[..n]) {
                Some(after) => rest = after,
                None => return Ok(false),
            },
        }
    }
}
