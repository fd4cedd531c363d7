//! Turns that runs of `seal` take at the files of a directory, by `flock` on the directory itself: no file is left over, and
//! the kernel ends the turn of a process that dies.
//!
//! Invariant: nobody waits for longer than [`PATIENCE`]. A turn takes some renames, so a lock that is held for longer isn't
//! that of another run: `flock DIRECTORY seal set …` holds it round this very process. Where a file system has no locks, the
//! comparison alone has to do.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// A turn at directories; it ends when this is dropped.
pub(super) struct Turn {
    _locked: Vec<File>,
}

impl Turn {
    /// Waits for a turn at these directories.
    pub(super) fn of<'p>(directories: impl Iterator<Item = &'p Path>) -> Self {
        // By device and inode: in one order, so that no two runs wait for each other, and each once, because a second lock
        // would wait for the first.
        let opened: BTreeMap<(u64, u64), File> = directories
            .filter_map(|path| {
                let directory = File::open(path).ok()?;
                let found = directory.metadata().ok()?;
                Some(((found.dev(), found.ino()), directory))
            })
            .collect();
        let end = Instant::now() + PATIENCE;
        Self { _locked: opened.into_values().filter(|directory| lock(directory, end)).collect() }
    }
}

/// Whether the directory could be locked.
fn lock(directory: &File, end: Instant) -> bool {
    loop {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return true,
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < end => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_somebody_keeps_delays_a_turn_and_does_not_hold_it_up() {
        let directory = tempfile::tempdir().unwrap();
        let kept = File::open(directory.path()).unwrap();
        flock(&kept, FlockOperation::LockExclusive).unwrap();
        let start = Instant::now();
        drop(Turn::of([directory.path(), directory.path()].into_iter()));
        assert!(start.elapsed() >= PATIENCE);
        drop(kept);
        let start = Instant::now();
        drop(Turn::of([directory.path(), directory.path()].into_iter()));
        assert!(start.elapsed() < PATIENCE, "a directory that is named twice is locked once");
    }
}
