//! The store of host mode: Secrets as directories of files.
//!
//! Thin on purpose: [`volume`](super::volume) knows what is on disk, [`state`](super::state) what is ours;
//! here they meet. Decisions about SealedSecrets are the reconcile core's.
//!
//! Invariants: only the state file makes a directory ours; the file is read again before anything is removed;
//! the lock on the output is held as long as the store lives.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use seal_crds::{ItemName, Place, Plaintext};

use super::lock::Lock;
use super::state::{Record, StateError, StateFile};
use super::volume::write::Removed;
use super::volume::{self, Access, Drift, Foreign, OnDisk, Volume, VolumeError};

/// The content of a Secret's place, for the reconcile core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DirectoryState {
    /// There is nothing.
    Absent,
    /// Something is there that isn't ours.
    Foreign {
        /// Why it isn't ours.
        why: Foreign,
        /// The state file was lost, and the directory has our layout: it may be taken over.
        adoptable: bool,
    },
    /// The directory is ours.
    Ours {
        /// It was written from a SealedSecret with this digest and these items.
        current: bool,
        /// How it differs from what we wrote; `None` if it doesn't.
        drift: Option<Drift>,
        /// Entries that somebody put beside its items, and that could be items.
        extra: BTreeSet<ItemName>,
    },
}

/// Why a Secret wasn't pruned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PruneError {
    /// The state file isn't the one that we wrote last.
    #[error("the state file can't be relied on")]
    State(#[source] StateError),
    /// The directory can't be removed.
    #[error("can't remove the Secret")]
    Volume(#[from] VolumeError),
}

/// Secrets as directories of files.
#[derive(Debug)]
pub(crate) struct DirectoryStore {
    lock: Lock,
    access: Access,
    state: Mutex<StateFile>,
}

impl DirectoryStore {
    /// Opens the output that `lock` holds, with the state file at the path `state`, and removes what crashes
    /// left.
    ///
    /// If an existing output has no state that can be believed, also returns the reason. Then nothing that is
    /// there now will be pruned.
    pub(crate) fn open(lock: Lock, access: Access, state: &Path) -> io::Result<(Self, Option<StateError>)> {
        volume::sweep(lock.dir())?;
        let (mut state, mut lost) = StateFile::open(state)?;
        if matches!(lost, Some(StateError::Missing(_))) && is_fresh(&lock)? {
            lost = None;
            state.update(|state| state.recovering = false)?;
        }
        Ok((Self { lock, access, state: Mutex::new(state) }, lost))
    }

    /// The lock on the output.
    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    /// The places of all Secrets that are ours.
    pub(crate) fn ours(&self) -> Vec<Place> {
        self.state().state().places().collect()
    }

    /// Looks at a Secret, from metadata alone.
    pub(crate) fn observe(
        &self,
        place: &Place,
        digest: &str,
        items: &BTreeSet<ItemName>,
    ) -> Result<DirectoryState, VolumeError> {
        let (record, recovering) = self.recall(place);
        Ok(match (self.volume(place).look(record.as_ref())?, record) {
            (OnDisk::Absent, _) => DirectoryState::Absent,
            (OnDisk::Foreign { why, our_layout }, _) => {
                DirectoryState::Foreign { why, adoptable: recovering && our_layout.is_some() }
            }
            (OnDisk::Ours(_), None) => unreachable!("only a record makes a directory ours"),
            (OnDisk::Ours(dir), Some(record)) => {
                let doing = VolumeError::doing;
                let drift = self.volume(place).drift(&dir, &record);
                let drift = drift.map_err(doing("look at the Secret's directory"))?;
                let extra = volume::extra(&dir, items).map_err(doing("look at the Secret's directory"))?;
                let current = record.digest == digest && record.files.keys().eq(items);
                DirectoryState::Ours { current, drift, extra }
            }
        })
    }

    /// Writes a Secret: all of it or, on any error, nothing that a reader would see. `false` if readers
    /// already saw exactly this.
    pub(crate) async fn write(
        &self,
        place: &Place,
        digest: &str,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<bool, VolumeError> {
        let volume = self.volume(place);
        let (record, recovering) = self.recall(place);
        let existing = match volume.look(record.as_ref())? {
            OnDisk::Absent => None,
            OnDisk::Ours(dir) => Some(dir),
            OnDisk::Foreign { our_layout: Some(dir), .. } if recovering => Some(dir),
            OnDisk::Foreign { why, .. } => return Err(VolumeError::Foreign(why)),
        };
        self.make_namespace(&volume)?;
        let prepared = volume.prepare(existing, data)?;
        tokio::time::sleep(prepared.settles_in()).await;
        prepared.publish(digest, |record| self.state().update(|state| state.insert(place, record)))
    }

    /// Removes a Secret that is ours.
    ///
    /// Guarantees: files that somebody else put into its directory stay, and so does a directory that isn't
    /// the recorded one. Either way the place isn't ours afterwards.
    pub(crate) fn prune(&self, place: &Place) -> Result<Removed, PruneError> {
        let mut state = self.state();
        state.check().map_err(PruneError::State)?;
        let Some(record) = state.state().record(place).cloned() else {
            return Ok(Removed::Wholly);
        };
        let volume = self.volume(place);
        let removed = volume.remove(&record);
        if !matches!(removed, Ok(_) | Err(VolumeError::Foreign(_))) {
            return Ok(removed?);
        }
        let namespace = &place.namespace;
        let made = state.state().namespaces.get(namespace).cloned();
        state
            .update(|state| {
                state.remove(place);
                // That was the last Secret of the namespace: its directory holds nothing of ours any more,
                // even if it can't be removed now.
                if !state.uses(namespace) {
                    state.namespaces.remove(namespace);
                }
            })
            .map_err(VolumeError::doing("write the state file"))?;
        if let (Some(made), false) = (made, state.state().uses(namespace)) {
            volume.remove_namespace(&made);
        }
        Ok(removed?)
    }

    /// Ends recovery after a complete checkout was settled: from here on only the state file says what is
    /// ours.
    pub(crate) fn settled(&self) -> io::Result<()> {
        self.state().update(|state| state.recovering = false)
    }

    fn make_namespace(&self, volume: &Volume<'_>) -> Result<(), VolumeError> {
        let namespace = &volume.place.namespace;
        if let Some(made) = volume.make_namespace()? {
            let mut state = self.state();
            let kept = state.update(|state| {
                state.namespaces.insert(namespace.clone(), made);
            });
            return kept.map_err(VolumeError::doing("write the state file"));
        }
        let made = self.state().state().namespaces.get(namespace).cloned();
        made.map_or(Ok(()), |made| volume.keep_namespace(&made))
    }

    fn recall(&self, place: &Place) -> (Option<Record>, bool) {
        let state = self.state();
        (state.state().record(place).cloned(), state.state().recovering)
    }

    fn volume<'a>(&'a self, place: &'a Place) -> Volume<'a> {
        Volume { root: self.lock.dir(), place, access: &self.access }
    }

    fn state(&self) -> MutexGuard<'_, StateFile> {
        // A panic elsewhere can't have left it half changed: `update` swaps in a finished state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the output holds no Secrets at all, so that a missing state file is no loss.
fn is_fresh(lock: &Lock) -> io::Result<bool> {
    let entries = lock.dir().entries(1 << 16)?;
    Ok(entries.iter().all(|entry| entry.name.as_bytes().starts_with(b"..")))
}

#[cfg(test)]
mod tests;
