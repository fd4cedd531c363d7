//! The status of each object, as a file: `<status>/<namespace>/<name>/status.json`.
//!
//! Not the record of what is ours, which is the state file ([`state`](super::state)): an object whose status
//! is lost is opened once more and gets a new one. Each object has a directory, because a name may be as long
//! as a file name can be. Invariants: a file is replaced in one step, and only when it would differ, so that
//! a watcher wakes only for news. Only files that we wrote are ever removed, and directories that this leaves
//! empty: the directory that `--status` names may hold others.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::FileType;
use seal_crds::{Name, Namespace, Place};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::beneath::{Component, Dir};
use super::state::only_we_write;

const MAX_BYTES: u64 = 1 << 20;
const MAX_ENTRIES: usize = 1 << 17;

/// The directory of status files.
#[derive(Debug)]
pub(crate) struct StatusFiles {
    dir: Dir,
}

impl StatusFiles {
    /// Opens the directory at `path`; makes it, 0700, if there is none.
    ///
    /// # Errors
    /// Also if others may write to it: they could tell monitoring whatever they like.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match rustix::fs::mkdir(path, rustix::fs::Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let dir = Dir::open(path)?;
        if only_we_write(&dir.stat_self()?) {
            Ok(Self { dir })
        } else {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write to the status directory"))
        }
    }

    /// The status of an object as it was last written; `None` if there is none that can be read.
    pub(crate) fn read<T: DeserializeOwned>(&self, place: &Place) -> Option<T> {
        let dir = self.dir.open_beneath(&path(place).each_ref()).ok()?;
        serde_json::from_slice(&read(&dir)?).ok()
    }

    /// Writes the status of an object; returns whether it differed from what was there.
    pub(crate) fn write(&self, place: &Place, status: &impl Serialize) -> io::Result<bool> {
        let mut bytes = serde_json::to_vec_pretty(status).map_err(io::Error::other)?;
        bytes.push(b'\n');
        let [namespace, name] = path(place);
        let dir = open_or_create(&open_or_create(&self.dir, &namespace)?, &name)?;
        if read(&dir).is_some_and(|found| found == bytes) {
            return Ok(false);
        }
        dir.replace_file(&file(), &bytes)?;
        Ok(true)
    }

    /// Removes the status of every object that isn't among `live`.
    ///
    /// Guarantees: an object's directory is touched only if its file reads as a `T`, and a directory goes
    /// only if that emptied it. `staging/db/status.json` may be anybody's, and so may empty directories.
    pub(crate) fn retain<T: DeserializeOwned>(&self, live: &BTreeSet<Place>) -> io::Result<()> {
        for (namespace, dir) in directories::<Namespace>(&self.dir)? {
            let mut removed = false;
            for (name, object) in directories::<Name>(&dir)? {
                let place = Place { namespace: namespace.clone(), name };
                if live.contains(&place) || !holds::<T>(&object) {
                    continue;
                }
                object.remove_tree(&file())?;
                object.remove_tree(&file().beside())?;
                // Fails if somebody put something beside it; then that stays.
                removed |= dir.remove_empty(&Component::from(&place.name)).is_ok();
            }
            if removed {
                let _ = self.dir.remove_empty(&Component::from(&namespace));
            }
        }
        Ok(())
    }
}

fn holds<T: DeserializeOwned>(object: &Dir) -> bool {
    read(object).is_some_and(|bytes| serde_json::from_slice::<T>(&bytes).is_ok())
}

fn file() -> Component {
    Component::new("status.json").expect("a plain name")
}

fn path(place: &Place) -> [Component; 2] {
    [Component::from(&place.namespace), Component::from(&place.name)]
}

fn open_or_create(above: &Dir, name: &Component) -> io::Result<Dir> {
    if above.stat(name)?.is_none() {
        return above.create_dir(name);
    }
    above.open_beneath(&[name])
}

fn read(dir: &Dir) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    dir.open_file(&file()).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The directories in `dir` whose names are valid as an `N`.
fn directories<N: std::str::FromStr>(dir: &Dir) -> io::Result<Vec<(N, Dir)>> {
    let mut found = Vec::new();
    for entry in dir.entries(MAX_ENTRIES)? {
        let name = entry.name.as_str().and_then(|name| name.parse().ok());
        if let (FileType::Directory, Some(name)) = (entry.kind, name) {
            found.push((name, dir.open_beneath(&[&entry.name])?));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn place(text: &str) -> Place {
        let (namespace, name) = text.split_once('/').expect("namespace/name");
        Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
    }

    #[test]
    fn a_status_is_written_only_when_it_differs() {
        let tmp = tempfile::tempdir().unwrap();
        let status = StatusFiles::open(&tmp.path().join("status")).unwrap();
        let db = place("prod/db");
        assert_eq!(status.read::<String>(&db), None);
        assert!(status.write(&db, &"one").unwrap());
        let path = tmp.path().join("status/prod/db/status.json");
        let inode = std::fs::metadata(&path).unwrap().ino();
        assert!(!status.write(&db, &"one").unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
        assert!(status.write(&db, &"two").unwrap());
        assert_eq!(status.read::<String>(&db).as_deref(), Some("two"));
    }

    #[test]
    fn the_longest_name_has_a_status_too() {
        let tmp = tempfile::tempdir().unwrap();
        let status = StatusFiles::open(tmp.path()).unwrap();
        assert!(status.write(&place(&format!("{}/{}", "n".repeat(63), "a".repeat(253))), &1).unwrap());
    }

    #[test]
    fn statuses_of_objects_that_are_gone_go_and_nothing_else() {
        let tmp = tempfile::tempdir().unwrap();
        let status = StatusFiles::open(tmp.path()).unwrap();
        for text in ["prod/db", "prod/cache", "staging/db"] {
            status.write(&place(text), &1).unwrap();
        }
        std::fs::write(tmp.path().join("prod/cache/notes"), "theirs").unwrap();
        std::fs::write(tmp.path().join("staging/db/..new-status.json"), "left by a crash").unwrap();
        status.retain::<u32>(&BTreeSet::from([place("prod/db")])).unwrap();
        assert!(tmp.path().join("prod/db/status.json").exists());
        assert!(!tmp.path().join("staging").exists());
        assert!(!tmp.path().join("prod/cache/status.json").exists());
        assert!(tmp.path().join("prod/cache/notes").exists());
    }

    /// `--status` may name a directory that is in use for something else.
    #[test]
    fn files_and_directories_of_others_below_the_status_directory_stay() {
        let tmp = tempfile::tempdir().unwrap();
        let status = StatusFiles::open(tmp.path()).unwrap();
        for empty in ["spool", "spool/db", "disks/sda"] {
            std::fs::create_dir_all(tmp.path().join(empty)).unwrap();
        }
        std::fs::create_dir_all(tmp.path().join("web/nginx")).unwrap();
        std::fs::write(tmp.path().join("web/nginx/status.json"), r#"{"up": true}"#).unwrap();
        std::fs::write(tmp.path().join("web/nginx/..new-status.json"), "theirs").unwrap();
        status.write(&place("web/ours"), &1).unwrap();
        status.write(&place("prod/db"), &1).unwrap();
        status.retain::<u32>(&BTreeSet::new()).unwrap();
        for theirs in ["spool/db", "disks/sda", "web/nginx/status.json", "web/nginx/..new-status.json"] {
            assert!(tmp.path().join(theirs).exists(), "{theirs}");
        }
        assert!(!tmp.path().join("web/ours").exists() && !tmp.path().join("prod").exists());
    }

    #[test]
    fn a_directory_in_the_place_of_a_status_stays() {
        let tmp = tempfile::tempdir().unwrap();
        let status = StatusFiles::open(tmp.path()).unwrap();
        let theirs = tmp.path().join("prod/db/status.json/theirs");
        std::fs::create_dir_all(&theirs).unwrap();
        assert!(status.write(&place("prod/db"), &1).is_err());
        assert!(theirs.exists());
    }

    #[test]
    fn planted_links_are_not_followed() {
        let (tmp, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let status = StatusFiles::open(tmp.path()).unwrap();
        symlink(outside.path(), tmp.path().join("prod")).unwrap();
        assert!(status.write(&place("prod/db"), &1).is_err());
        std::fs::create_dir_all(tmp.path().join("staging/db")).unwrap();
        symlink(outside.path().join("x"), tmp.path().join("staging/db/status.json")).unwrap();
        assert!(status.write(&place("staging/db"), &1).unwrap());
        status.retain::<u32>(&BTreeSet::new()).unwrap();
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(tmp.path().join("prod").is_symlink());
    }
}
