//! One agent at a time on one output.
//!
//! Two agents with different checkouts or keys on the same output would prune each other's Secrets and swap
//! directories under each other's hands. The lock is on the open directory itself: a crash leaves no lock
//! file behind, and the kernel lets go when the process ends, however it ends.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::beneath::{Dir, Identity};

/// Why the output could not be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another process holds the lock.
    #[error("another seal-controller is already at work on {}", .0.display())]
    Held(PathBuf),
    /// The directory can't be opened or locked.
    #[error("can't lock {}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// The lock on an output directory, held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    dir: Dir,
    identity: Identity,
}

impl Lock {
    /// Takes the lock, or fails at once if another process holds it.
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let io = |source: io::Error| LockError::Io { path: path.to_owned(), source };
        let dir = Dir::open(path).map_err(io)?;
        let identity = dir.identity().map_err(io)?;
        match flock(dir.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { dir, identity }),
            Err(Errno::WOULDBLOCK) => Err(LockError::Held(path.to_owned())),
            Err(errno) => Err(io(errno.into())),
        }
    }

    /// The locked directory.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Whether `path` still is the locked directory. If that was moved away or mounted over, the lock is on a
    /// directory that nobody reads.
    pub(crate) fn is_on(&self, path: &Path) -> bool {
        Dir::open(path).and_then(|dir| dir.identity()).is_ok_and(|identity| identity == self.identity)
    }
}

/// Lets go at once. Closing the directory would let go too, but not while a process that was just forked
/// still has it open.
impl Drop for Lock {
    fn drop(&mut self) {
        // No caller is left to hear of a failure, and closing follows at once.
        let _ = flock(self.dir.as_fd(), FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_turned_away_until_the_first_is_gone() {
        let tmp = tempfile::tempdir().unwrap();
        let first = Lock::take(tmp.path()).unwrap();
        let error = Lock::take(tmp.path()).unwrap_err();
        assert!(matches!(error, LockError::Held(_)), "{error}");
        assert!(error.to_string().starts_with("another seal-controller is already at work on /"), "{error}");
        drop(first);
        Lock::take(tmp.path()).unwrap();
    }

    #[test]
    fn a_directory_that_was_moved_away_is_noticed() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("out");
        std::fs::create_dir(&path).unwrap();
        let lock = Lock::take(&path).unwrap();
        assert!(lock.is_on(&path));
        std::fs::rename(&path, tmp.path().join("old")).unwrap();
        assert!(!lock.is_on(&path));
        std::fs::create_dir(&path).unwrap();
        assert!(!lock.is_on(&path));
    }
}
