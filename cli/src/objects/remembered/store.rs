//! The files of the store of fingerprints: `key` and `v1` in a directory of the user's own.
//!
//! The threat is another user of the machine, who could read the key and try guesses, or plant a key that they know. So
//! the directory and the key belong to this user and are closed to all others, and both are opened without following a
//! link; everything inside is reached through the open directory. Two runs at a time take turns by a lock on it.
//!
//! Invariants: `v1` is replaced whole; lines that aren't of the format are passed over and counted; at most
//! [`MAX_LINES`] are kept, the newest.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rand_core::{OsRng, RngCore as _};
use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use seal_crds::Plaintext;
use seal_crds::hex::hex;
use zeroize::Zeroizing;

use super::{Key, Print, SealedLine, Where};
use crate::files::repository::{Task, on_all_cores};
use crate::talk::failure::reason;

/// The most lines of the store.
const MAX_LINES: usize = 10_000;
/// The most bytes that are read of it: a line has 108, and some room for lines that are passed over.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

const KEY: &str = "key";
const LINES: &str = "v1";
const NEW_LINES: &str = "v1.new";
const NEW_KEY: &str = "key.new";

/// Reasons why the store isn't used. Sealing goes on without it, and seals every value again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("neither XDG_STATE_HOME nor HOME is an absolute path")]
    NoHome,
    #[error("{path} can't be used: {why}")]
    Unusable { path: String, why: String },
}

impl StoreError {
    fn unusable(path: &str, why: &str) -> Self {
        Self::Unusable { path: path.to_owned(), why: why.to_owned() }
    }

    fn system(path: &str, error: &io::Error) -> Self {
        Self::unusable(path, &reason(error))
    }
}

/// The store, open.
pub(crate) struct Store {
    directory: OwnedFd,
    path: PathBuf,
    key: Key,
    /// Where to print, as it was when the store was opened.
    lines: HashMap<Where, Print>,
    /// The number of lines that aren't of the format.
    pub(crate) unread: usize,
}

impl Store {
    /// Opens the user's store, and makes one if there is none.
    pub(crate) fn open() -> Result<Self, StoreError> {
        Self::open_in(state_home()?.join("seal"))
    }

    /// Opens the store `fingerprints` in this directory.
    pub(in crate::objects) fn open_in(parent: PathBuf) -> Result<Self, StoreError> {
        let path = parent.join("fingerprints");
        let shown = path.display().to_string();
        let failed = |error: io::Error| StoreError::system(&shown, &error);
        std::fs::create_dir_all(&parent).map_err(failed)?;
        match fs::mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(failed(error.into())),
        }
        // Without NOFOLLOW, another user who may write to the parent could put a link to a directory that they read.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let directory = fs::open(&path, flags, Mode::empty()).map_err(|error| match error {
            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
                StoreError::unusable(&shown, "it is no directory, or a symbolic link")
            }
            error => failed(error.into()),
        })?;
        check_own(&fs::fstat(&directory).map_err(|error| failed(error.into()))?, FileType::Directory)
            .map_err(|problem| StoreError::unusable(&shown, problem))?;
        fs::flock(&directory, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let key = read_or_make_key(&directory, &shown)?;
        let (lines, unread) = read_lines(&directory).map_err(failed)?;
        fs::flock(&directory, FlockOperation::Unlock).map_err(|error| failed(error.into()))?;
        Ok(Self { directory, path, key, lines: lines.into_iter().collect(), unread })
    }

    /// The places of these lines.
    pub(crate) fn place(&self, sealed: &SealedLine<'_>) -> Where {
        Where::new(&self.key, sealed)
    }

    /// Whether something is known of a line. It costs nothing, in contrast to [`Self::knows`].
    pub(crate) fn has(&self, place: &Where) -> bool {
        self.lines.contains_key(place)
    }

    /// For each line, whether the value is the one that is known of it.
    pub(crate) fn knows(&self, values: Vec<(Where, &Plaintext)>) -> Vec<bool> {
        on_all_cores(Task::new("comparing values", "value"), values, |(place, value)| {
            self.lines.get(&place).is_some_and(|known| *known == Print::new(&self.key, &place, value))
        })
    }

    /// Adds lines, the newest last, and drops the oldest beyond [`MAX_LINES`].
    pub(crate) fn remember(&self, values: Vec<(Where, &Plaintext)>) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let new = on_all_cores(Task::new("remembering values", "value"), values, |(place, value)| {
            (place, Print::new(&self.key, &place, value))
        });
        self.add(new).map_err(|error| StoreError::system(&self.path.display().to_string(), &error))
    }

    fn add(&self, new: Vec<(Where, Print)>) -> io::Result<()> {
        fs::flock(&self.directory, FlockOperation::LockExclusive)?;
        // Another run may have added lines meanwhile.
        let (mut lines, _) = read_lines(&self.directory)?;
        let places: std::collections::HashSet<Where> = new.iter().map(|(place, _)| *place).collect();
        lines.retain(|(place, _)| !places.contains(place));
        lines.extend(new);
        let newest = &lines[lines.len().saturating_sub(MAX_LINES)..];
        let text: String = newest
            .iter()
            .map(|(place, print)| format!("{} {}\n", hex(&place.0), BASE64URL.encode(print.0)))
            .collect();
        let written = replace(&self.directory, NEW_LINES, LINES, text.as_bytes());
        fs::flock(&self.directory, FlockOperation::Unlock)?;
        written
    }
}

/// `$XDG_STATE_HOME`, else `~/.local/state` (XDG base directory specification: a relative path counts as none).
fn state_home() -> Result<PathBuf, StoreError> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or(StoreError::NoHome)
}

/// Checks that a file, or the directory, is of this kind, belongs to this user, and is closed to all others.
fn check_own(found: &Stat, kind: FileType) -> Result<(), &'static str> {
    if FileType::from_raw_mode(found.st_mode) != kind {
        return Err("it is no regular file");
    }
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user");
    }
    if !(Mode::from_raw_mode(found.st_mode) & (Mode::RWXG | Mode::RWXO)).is_empty() {
        return Err("other users may open it; chmod go= closes it");
    }
    Ok(())
}

fn open_file(directory: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    // NONBLOCK: a pipe in its place must not make the program wait.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    fs::openat(directory, name, flags, Mode::empty())
}

fn read_or_make_key(directory: &OwnedFd, shown: &str) -> Result<Key, StoreError> {
    let name = format!("{shown}/{KEY}");
    let failed = |error: io::Error| StoreError::system(&name, &error);
    let file = match open_file(directory, KEY) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => {
            let mut key = Zeroizing::new([0; 32]);
            OsRng.fill_bytes(&mut *key);
            replace(directory, NEW_KEY, KEY, &*key).map_err(failed)?;
            return Ok(key);
        }
        Err(rustix::io::Errno::LOOP) => return Err(StoreError::unusable(&name, "it is a symbolic link")),
        Err(error) => return Err(failed(error.into())),
    };
    let found = fs::fstat(&file).map_err(|error| failed(error.into()))?;
    check_own(&found, FileType::RegularFile).map_err(|problem| StoreError::unusable(&name, problem))?;
    // One byte more than the key has, so that a longer file shows.
    let mut bytes = Zeroizing::new([0; 33]);
    let length = read_up_to(&mut File::from(file), &mut *bytes).map_err(failed)?;
    if length != 32 {
        return Err(StoreError::unusable(&name, "it isn't a key of 32 bytes; remove it to begin anew"));
    }
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&bytes[..32]);
    Ok(key)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The lines in their order, and how many aren't of the format.
fn read_lines(directory: &OwnedFd) -> io::Result<(Vec<(Where, Print)>, usize)> {
    let file = match open_file(directory, LINES) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error.into()),
    };
    if let Err(problem) = check_own(&fs::fstat(&file)?, FileType::RegularFile) {
        return Err(io::Error::other(format!("{LINES}: {problem}")));
    }
    let mut text = Vec::new();
    File::from(file).take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(parse(&text))
}

fn parse(text: &[u8]) -> (Vec<(Where, Print)>, usize) {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut found, mut unread) = (Vec::new(), 0);
    for line in lines {
        match parse_line(line) {
            Some(line) => found.push(line),
            None => unread += 1,
        }
    }
    (found, unread)
}

fn parse_line(line: &[u8]) -> Option<(Where, Print)> {
    let (place, print) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let is_hex = place.len() == 64 && place.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let digits = is_hex.then(|| (0..64).step_by(2).map(|at| u8::from_str_radix(&place[at..at + 2], 16)))?;
    let place: Vec<u8> = digits.collect::<Result<_, _>>().ok()?;
    let print = BASE64URL.decode(print).ok()?;
    Some((Where(place.try_into().ok()?), Print(print.try_into().ok()?)))
}

/// Writes a private file beside its place, and renames it. The lock on the directory keeps other runs away, so a file
/// that waits there already is the rest of one that was cut off.
fn replace(directory: &OwnedFd, waiting: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    match fs::unlinkat(directory, waiting, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(fs::openat(directory, waiting, flags, Mode::RUSR | Mode::WUSR)?);
    let renamed = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(fs::renameat(directory, waiting, directory, name)?));
    if renamed.is_err() {
        let _ = fs::unlinkat(directory, waiting, AtFlags::empty());
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    fn open(parent: &Path) -> Result<Store, String> {
        Store::open_in(parent.to_owned()).map_err(|error| error.to_string())
    }

    fn at(number: u16) -> Where {
        let mut place = [0; 32];
        place[..2].copy_from_slice(&number.to_be_bytes());
        Where(place)
    }

    fn value(text: &str) -> Plaintext {
        Plaintext::from(text.as_bytes().to_vec())
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_value_is_known_again_at_its_own_line_by_the_next_run() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("state/seal");
        let (hunter2, other) = (value("hunter2"), value("hunter3"));
        open(&parent).unwrap().remember(vec![(at(1), &hunter2)]).unwrap();
        let store = open(&parent).unwrap();
        assert_eq!(
            store.knows(vec![(at(1), &hunter2), (at(1), &other), (at(2), &hunter2)]),
            [true, false, false]
        );
        assert!(store.has(&at(1)) && !store.has(&at(2)));
        let directory = parent.join("fingerprints");
        assert_eq!(
            (mode(&directory), mode(&directory.join("key")), mode(&directory.join("v1"))),
            (0o700, 0o600, 0o600)
        );
        let text = std::fs::read_to_string(directory.join("v1")).unwrap();
        assert_eq!((text.len(), text.lines().count()), (64 + 1 + 43 + 1, 1));
        // The same line with another value: the newer one counts.
        store.remember(vec![(at(1), &other)]).unwrap();
        assert_eq!(open(&parent).unwrap().knows(vec![(at(1), &hunter2), (at(1), &other)]), [false, true]);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2, "nothing is left beside the two files");
    }

    #[test]
    fn a_store_that_another_user_could_read_or_plant_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("seal");
        open(&parent).unwrap();
        let directory = parent.join("fingerprints");
        let key = directory.join("key");
        std::fs::set_permissions(&directory, Permissions::from_mode(0o750)).unwrap();
        assert!(open(&parent).err().unwrap().contains("other users may open it"));
        std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        assert!(open(&parent).err().unwrap().contains("key can't be used: other users may open it"));
        std::fs::remove_file(&key).unwrap();
        std::fs::write(home.path().join("planted"), [1; 32]).unwrap();
        symlink(home.path().join("planted"), &key).unwrap();
        assert!(open(&parent).err().unwrap().contains("symbolic link"));
        std::fs::remove_file(&key).unwrap();
        std::fs::write(&key, [1; 33]).unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        assert!(open(&parent).err().unwrap().contains("32 bytes"));
        let elsewhere = home.path().join("elsewhere");
        std::fs::rename(&directory, &elsewhere).unwrap();
        symlink(&elsewhere, &directory).unwrap();
        assert!(open(&parent).err().unwrap().contains("symbolic link"));
    }

    #[test]
    fn corrupt_lines_are_passed_over_and_counted() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("seal");
        let hunter2 = value("hunter2");
        open(&parent).unwrap().remember(vec![(at(1), &hunter2)]).unwrap();
        let file = parent.join("fingerprints/v1");
        let mut text = std::fs::read(&file).unwrap();
        for bad in [&b"x\n"[..], b"\xff\n", b"00 00\n", &text.clone()[1..], &text.clone()[..70]] {
            text.extend_from_slice(bad);
        }
        std::fs::write(&file, &text).unwrap();
        let store = open(&parent).unwrap();
        assert_eq!(store.unread, 5);
        assert_eq!(store.knows(vec![(at(1), &hunter2)]), [true]);
        store.remember(vec![(at(2), &hunter2)]).unwrap();
        assert_eq!(open(&parent).unwrap().unread, 0, "they go with the next line");
    }

    #[test]
    fn the_oldest_lines_go_when_there_are_too_many() {
        let home = tempfile::tempdir().unwrap();
        let store = open(home.path()).unwrap();
        let lines = |from: u16, to: u16| (from..to).map(|n| (at(n), Print([0; 32]))).collect();
        store.add(lines(0, 10_000)).unwrap();
        store.add(lines(10_000, 10_003)).unwrap();
        let store = open(home.path()).unwrap();
        assert_eq!(store.lines.len(), MAX_LINES);
        assert!(!store.has(&at(2)) && store.has(&at(3)) && store.has(&at(10_002)));
    }
}
