//! A directory in memory for a text that another program edits: plaintext never reaches a disk.
//!
//! The directory belongs to the user alone, beneath `$XDG_RUNTIME_DIR` or `/dev/shm`, and whatever is in it at the end is
//! overwritten and removed. Signals are held back while it exists: nothing but a `SIGKILL` leaves it, and the next
//! directory takes away what that left. Memory may be swapped to a disk, which is the system's part.
//!
//! Invariant: no directory on a disk is taken, unless the user named it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::talk::failure::{Explain, Rule};
use crate::talk::signals::Held;

/// The names of these directories begin so.
const PREFIX: &str = "seal-edit-";
/// The file that is locked as long as the directory is in use.
const LOCK: &str = ".lock";
/// The most bytes of a text that comes back: a Secret has at most 1 MiB, and base64 and quotes add to it.
const MAX_TEXT: u64 = 8 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ScratchError {
    #[error("there is no directory in memory for the text to edit ($XDG_RUNTIME_DIR, /dev/shm)")]
    NoMemory,
    #[error("{} can't hold the text to edit", .0.display())]
    Unusable(PathBuf, #[source] io::Error),
    #[error("the edited text is longer than {mib} MiB", mib = MAX_TEXT / 1024 / 1024)]
    TooLong,
}

impl Explain for ScratchError {
    fn rule(&self) -> Rule {
        Rule::Unwritable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoMemory => {
                Some("name a directory with --scratch; on a disk, plaintext can be found later".to_owned())
            }
            Self::Unusable(..) | Self::TooLong => None,
        }
    }
}

/// A directory with one text in it.
pub(crate) struct Scratch {
    directory: TempDir,
    text: PathBuf,
    _lock: File,
    /// Dropped last, so that a signal ends the program only after the directory is gone.
    held: Held,
}

impl Scratch {
    /// Makes a directory in memory, or beneath the one that the user chose, and writes the text into a file of this name.
    pub(crate) fn new(chosen: Option<&Path>, name: &str, text: &[u8]) -> Result<Self, ScratchError> {
        let base = match chosen {
            Some(chosen) => chosen.to_owned(),
            None => in_memory().ok_or(ScratchError::NoMemory)?,
        };
        let unusable = |error| ScratchError::Unusable(base.clone(), error);
        remove_left_over(&base);
        let held = Held::with_quit();
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(&base);
        let directory = directory.map_err(unusable)?;
        let create = |name: &str| {
            let path = directory.path().join(name);
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.map(|file| (file, path))
        };
        let (lock, _) = create(LOCK).map_err(unusable)?;
        lock.try_lock().map_err(|error| unusable(error.into()))?;
        let (mut file, path) = create(name).map_err(unusable)?;
        let scratch = Self { text: path, _lock: lock, held, directory };
        file.write_all(text).map_err(|error| ScratchError::Unusable(base.clone(), error))?;
        Ok(scratch)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn text(&self) -> &Path {
        &self.text
    }

    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// The text as the editor left it.
    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>, ScratchError> {
        let unusable = |error| ScratchError::Unusable(self.text.clone(), error);
        let file = File::open(&self.text).map_err(unusable)?;
        let length = file.metadata().map_err(unusable)?.len();
        if length > MAX_TEXT {
            return Err(ScratchError::TooLong);
        }
        // The buffer never grows, so no copy of the text stays behind.
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1));
        file.take(length).read_to_end(&mut text).map_err(unusable)?;
        Ok(text)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        wipe(self.directory.path());
    }
}

/// Overwrites the files beneath a directory of ours. An editor may have left copies there. Links aren't followed.
fn wipe(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            wipe(&entry.path());
        } else if kind.is_file()
            && let Ok(mut file) = OpenOptions::new().write(true).open(entry.path())
            && let Ok(found) = file.metadata()
        {
            let zeros = vec![0; usize::try_from(found.len()).unwrap_or_default().min(MAX_TEXT as usize)];
            let _ = file.write_all(&zeros);
        }
    }
}

/// Removes the directories that were left when a program was killed: those of this user that nobody has locked.
fn remove_left_over(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    let user = rustix::process::getuid().as_raw();
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user);
        if !is_ours {
            continue;
        }
        let lock = File::open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            wipe(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A directory for this user whose files are in memory.
fn in_memory() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    runtime.into_iter().chain([PathBuf::from("/dev/shm")]).find(|path| is_in_memory(path))
}

/// Whether files of a directory are in memory, and may be made there.
#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> bool {
    // TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h.
    const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
    let is_writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let kind = rustix::fs::statfs(path).ok().and_then(|found| u32::try_from(found.f_type).ok());
    is_writable && kind.is_some_and(|kind| IN_MEMORY.contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::DirBuilderExt as _;

    use super::*;

    #[test]
    fn the_text_is_the_users_alone_and_nothing_stays_of_it() {
        let base = tempfile::tempdir().unwrap();
        let path = {
            let scratch = Scratch::new(Some(base.path()), "items.yaml", b"hunter2").unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
            assert_eq!((mode(scratch.directory()), mode(scratch.text())), (0o700, 0o600));
            // As an editor saves: a new file in the place of the old one, and a copy beside it.
            fs::write(scratch.directory().join("new"), "changed").unwrap();
            fs::rename(scratch.directory().join("new"), scratch.text()).unwrap();
            fs::write(scratch.directory().join("items.yaml~"), "hunter2").unwrap();
            assert_eq!(scratch.read().unwrap().as_slice(), b"changed");
            scratch.directory().to_owned()
        };
        assert!(!path.exists());
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_program_left_goes_and_what_is_in_use_stays() {
        let base = tempfile::tempdir().unwrap();
        let left = base.path().join("seal-edit-left");
        fs::DirBuilder::new().mode(0o700).create(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("items.yaml"), "hunter2").unwrap();
        let other = base.path().join("other");
        fs::create_dir(&other).unwrap();
        let used = Scratch::new(Some(base.path()), "items.yaml", b"").unwrap();
        assert!(!left.exists() && other.exists());
        let second = Scratch::new(Some(base.path()), "items.yaml", b"").unwrap();
        assert!(used.text().exists() && second.text().exists());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_directory_on_a_disk_is_not_in_memory() {
        assert!(!is_in_memory(Path::new("/proc")));
        assert!(!is_in_memory(Path::new("/no/such/directory")));
    }
}
