//! The state file: which Secrets' directories are ours, and how their files looked when we wrote them.
//!
//! Not a cache that may be dropped: without it nothing is pruned, and directories that are already there
//! count as somebody else's. It holds names, ciphertext digests, inode numbers and times. It holds nothing
//! derived from plaintext, because it may lie on a disk while the Secrets lie in memory.
//!
//! Invariants: only we write it; owner and mode are checked before it is believed, because anybody who could
//! write it could have any directory of the output pruned. It is replaced in one step. It is written *before*
//! a directory gets its name and *after* one is removed. So a crash in between leaves a record without a
//! directory, which is harmless, and never a directory of ours without a record.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, Stat};
use seal_crds::{ItemName, Name, Namespace, Place};
use serde::{Deserialize, Serialize};

use super::beneath::{Component, Dir, Identity};

/// The only version of the file's format.
const VERSION: u32 = 1;

/// The largest state file, in bytes: far above what ten thousand Secrets need, and a bound so that a wrong
/// file can't use up memory.
const MAX_BYTES: u64 = 256 << 20;

/// The record of all directories that are ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    v: u32,
    /// A state file was lost before, so directories with our layout may be taken over again. Cleared after a
    /// pass in which every object was settled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recovering: bool,
    /// Namespace directories that we made. Others are used, but neither changed nor removed.
    pub(crate) namespaces: BTreeMap<Namespace, Identity>,
    /// The Secrets that are ours.
    objects: BTreeMap<Namespace, BTreeMap<Name, Record>>,
}

/// One Secret's directory as we left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The directory's identity; another directory under the same name isn't ours.
    pub(crate) directory: Identity,
    /// Digest of the SealedSecret whose content it holds.
    pub(crate) digest: String,
    /// The directory that `..data` points to.
    pub(crate) generation: Generation,
    /// The stamps of the items' files.
    pub(crate) files: BTreeMap<ItemName, Stamp>,
}

/// How a file looked when we had written it: `[inode, size, modified s, ns, changed s, ns]`.
///
/// No system call can set the time of change (ctime), so a file that was written, replaced, linked, or given
/// another owner since then shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp(u64, u64, i64, u64, i64, u64);

impl Stamp {
    /// The stamp of a file.
    pub(crate) fn of(stat: &Stat) -> Self {
        Self(
            stat.st_ino,
            u64::try_from(stat.st_size).unwrap_or(0),
            stat.st_mtime,
            stat.st_mtime_nsec,
            stat.st_ctime,
            stat.st_ctime_nsec,
        )
    }

    /// When the file last changed, since the epoch.
    pub(crate) fn changed(&self) -> std::time::Duration {
        let nanos = u32::try_from(self.5).unwrap_or(0);
        std::time::Duration::new(u64::try_from(self.4).unwrap_or(0), nanos)
    }
}

/// The name of a directory that we made: `..seal-` and 32 random hex digits. No item, object or namespace can
/// have such a name, and nobody else chooses one by accident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Generation(String);

impl Generation {
    const PREFIX: &str = "..seal-";

    /// Makes a fresh name; random, so that no two runs ever mean different things by one name.
    pub(crate) fn fresh() -> io::Result<Self> {
        use rand_core::RngCore as _;
        let mut bytes = [0; 16];
        rand_core::OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(format!("{}{:032x}", Self::PREFIX, u128::from_be_bytes(bytes))))
    }

    /// Reads such a name back; `None` for any other name.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let hex = name.strip_prefix(Self::PREFIX)?;
        let ours = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ours.then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Generation {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(name.as_bytes()).ok_or("not the name of a generation")
    }
}

impl From<Generation> for String {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl From<&Generation> for Component {
    fn from(generation: &Generation) -> Self {
        Self::new(generation.as_str()).expect("prefix and hex digits are one path component")
    }
}

impl Default for State {
    fn default() -> Self {
        Self { v: VERSION, recovering: false, namespaces: BTreeMap::new(), objects: BTreeMap::new() }
    }
}

impl State {
    /// The record of a Secret, if it is ours.
    pub(crate) fn record(&self, place: &Place) -> Option<&Record> {
        self.objects.get(&place.namespace)?.get(&place.name)
    }

    /// Records that a Secret is ours.
    pub(crate) fn insert(&mut self, place: &Place, record: Record) {
        self.objects.entry(place.namespace.clone()).or_default().insert(place.name.clone(), record);
    }

    /// Forgets a Secret.
    pub(crate) fn remove(&mut self, place: &Place) {
        if let Some(names) = self.objects.get_mut(&place.namespace) {
            names.remove(&place.name);
            if names.is_empty() {
                self.objects.remove(&place.namespace);
            }
        }
    }

    /// The places of all Secrets that are ours, in order.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.objects.iter().flat_map(|(namespace, names)| {
            names.keys().map(|name| Place { namespace: namespace.clone(), name: name.clone() })
        })
    }

    /// Whether nothing is ours.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether anything in the namespace is ours.
    pub(crate) fn uses(&self, namespace: &Namespace) -> bool {
        self.objects.contains_key(namespace)
    }
}

/// Why a state file isn't believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// There is no state file.
    #[error("state file {} is missing", .0.display())]
    Missing(PathBuf),
    /// Others could have written the file.
    #[error("state file {} can be written by others", .0.display())]
    Exposed(PathBuf),
    /// The file holds something that we don't write.
    #[error("state file {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The file doesn't hold what we wrote last.
    #[error("state file {} was changed by somebody else", .0.display())]
    Changed(PathBuf),
    /// The file can't be read.
    #[error("can't read state file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// The state and the file that keeps it.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    dir: Dir,
    name: Component,
    state: State,
}

impl StateFile {
    /// Opens the state file at `path`.
    ///
    /// If the file is missing or isn't believed, the state is empty and `recovering`, and the reason comes
    /// with it. Nothing is written yet.
    ///
    /// # Errors
    /// Only if no state could ever be kept there: the directory is missing, or others may write to it and so
    /// could put their own file in our file's place.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<StateError>)> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        let name = path.file_name().ok_or_else(|| invalid("not the path of a file"))?;
        let name =
            Component::new(name.as_encoded_bytes()).ok_or_else(|| invalid("not the path of a file"))?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let dir = Dir::open(parent)?;
        if !only_we_write(&dir.stat_self()?) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the directory of the state file can be written by others",
            ));
        }
        let mut file = Self { path: path.to_owned(), dir, name, state: State::default() };
        match file.read() {
            Ok(state) => {
                file.state = state;
                Ok((file, None))
            }
            Err(error) => {
                file.state.recovering = true;
                Ok((file, Some(error)))
            }
        }
    }

    /// The state as it was last written.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Changes the state and writes it, durably. A failure mostly changes nothing; after one, too,
    /// [`state`](Self::state) is what stands in the file.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut next = self.state.clone();
        change(&mut next);
        if next != self.state {
            let bytes = serde_json::to_vec(&next).map_err(io::Error::other)?;
            let written = self.dir.replace_file(&self.name, &bytes);
            // A failure may also come after the rename, from making the rename durable.
            if written.is_ok() || self.read().is_ok_and(|found| found == next) {
                self.state = next;
            }
            written?;
        }
        Ok(())
    }

    /// Reads the file again and compares it with what we wrote last.
    ///
    /// Called before anything is pruned: pruning acts on the file's word, so the word has to stand there now.
    /// If somebody removed the file or put an older one back, nothing is pruned from our memory of it.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        if self.read()? == self.state { Ok(()) } else { Err(StateError::Changed(self.path.clone())) }
    }

    fn read(&self) -> Result<State, StateError> {
        let path = || self.path.clone();
        let io = |source| StateError::Io { path: path(), source };
        let file = match self.dir.open_file(&self.name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StateError::Missing(path())),
            // A link, a FIFO, a directory: nothing that we put there.
            Err(_) => return Err(StateError::Damaged(path())),
        };
        if !only_we_write(&rustix::fs::fstat(&file).map_err(|errno| io(errno.into()))?) {
            return Err(StateError::Exposed(path()));
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io)?;
        // The parser's error is dropped: it may quote a file that isn't ours.
        let state: State = serde_json::from_slice(&bytes).map_err(|_| StateError::Damaged(path()))?;
        if state.v == VERSION { Ok(state) } else { Err(StateError::Damaged(path())) }
    }
}

/// Whether only we (or root) could have written what `stat` describes.
pub(crate) fn only_we_write(stat: &Stat) -> bool {
    let ours = stat.st_uid == rustix::process::geteuid().as_raw() || stat.st_uid == 0;
    ours && !Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH)
}

#[cfg(test)]
mod tests;
