//! The directory of one control plane, and the directories that killed supervisors left behind.
//!
//! Invariant: a directory is removed with its owner, at the latest when the next supervisor starts; the directory
//! of a living owner is never touched.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// The space that a control plane needs. etcd alone allocates 128 MiB at once; many containers have 64 MiB of
/// shared memory.
const ROOM: u64 = 1 << 30;
pub(crate) const DIR_PREFIX: &str = "seal-control-plane-";
/// A directory younger than this may belong to a process that is about to lock it.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// The directory of one control plane, in memory if there is room. Dropping it removes it; a lock on it shows
/// that its owner lives.
pub(crate) struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    pub(crate) fn create() -> io::Result<Self> {
        Self::create_in(&scratch_root())
    }

    /// On disk: programs are run from the file systems of containers, and memory may not allow that.
    pub(crate) fn create_on_disk() -> io::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    fn create_in(root: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(DIR_PREFIX).tempdir_in(root)?;
        let lock = File::open(dir.path())?;
        lock.lock()?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn scratch_root() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(memory) {
        Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// Removes the directories of supervisors that were killed. Best effort: it leaves directories that it may not
/// remove.
pub(crate) fn sweep() {
    let entries = [Path::new("/dev/shm"), &std::env::temp_dir()].map(fs::read_dir).into_iter().flatten();
    for entry in entries.flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(DIR_PREFIX));
        if ours && is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(dir: &Path) -> bool {
    let old = |file: &File| {
        let age = SystemTime::now().duration_since(file.metadata()?.modified()?);
        Ok::<_, io::Error>(age.is_ok_and(|age| age > SWEEP_AGE))
    };
    File::open(dir).is_ok_and(|file| old(&file).is_ok_and(|old| old) && file.try_lock().is_ok())
}
