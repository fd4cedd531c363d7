//! Results: to standard output, or to files that appear whole or not at all.
//!
//! A file is written beside its place and renamed over it. For several files, all are written before the
//! first is renamed, so that the likely failures (a full disk, a read-only directory) happen before any file
//! changes. A file that waits beside its place may hold plaintext, so signals are held back until it is
//! renamed or removed.
//!
//! Of two runs that change one file at a time, one has to see what the other wrote. So a file that was made of its old
//! content is compared and renamed under a lock on its directory.

mod turns;

use seal_crds::Reason;

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use tempfile::NamedTempFile;

use crate::files::input::Input;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::signals::Held;
use crate::talk::terminal;
use turns::Turn;

/// The readers of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// A new file gets the mode that the umask leaves; an existing one keeps its mode.
    Public,
    /// The owner alone, even if the file existed with another mode.
    Private,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("can't write {}", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    #[error("{} was changed meanwhile", .0.display())]
    Changed(PathBuf),
    /// This message is never printed, because the signal ends the program first.
    #[error("interrupted")]
    Interrupted,
}

impl Explain for OutputError {
    fn rule(&self) -> Rule {
        match self {
            Self::Unwritable(..) | Self::Exists(_) | Self::Changed(_) => Rule::Unwritable,
            Self::Interrupted => Rule::Refused(Reason::Interrupted),
        }
    }

    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(_) => {
                Some("it is never overwritten; choose another file, or move this one".to_owned())
            }
            Self::Changed(_) => Some("nothing was written; run it again".to_owned()),
            Self::Unwritable(path, error) if error.kind() == io::ErrorKind::NotFound => {
                Some(format!("does the directory of {} exist?", path.display()))
            }
            Self::Unwritable(path, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // A file is written beside its place, so the directory's permissions decide.
                let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let directory = directory.unwrap_or(Path::new("."));
                Some(format!("ls -ld {} says who may write to the directory", directory.display()))
            }
            Self::Unwritable(..) | Self::Interrupted => None,
        }
    }
}

/// Writes a result to standard output.
pub(crate) fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::stdout(&error))
}

/// Writes a report to standard output. Each line is escaped by itself.
///
/// The threat is a word of a manifest, or a file's name, with a line break in it: it would add lines of its author's to a
/// list that people go by.
pub(crate) fn report(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Result<(), Failure> {
    to_stdout(report_text(lines).as_bytes())
}

fn report_text(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    lines.into_iter().map(|line| seal_foreign::line(line.as_ref(), usize::MAX) + "\n").collect()
}

/// Replaces every file by its new content, or none of them if a failure shows before the first rename.
///
/// # Guarantees
///
/// No file is ever partly written. An existing file keeps its mode, unless it becomes private. A symbolic
/// link stays, and the file it points at is replaced. A signal that can be held back leaves no file beside
/// the place.
pub(crate) fn to_files(files: &[(&Path, &[u8])], privacy: Privacy) -> Result<(), OutputError> {
    Staged::new(files, privacy)?.commit()
}

/// A file whose new content was made of its old content.
pub(crate) struct Replacement<'r> {
    pub(crate) path: &'r Path,
    pub(crate) old: &'r [u8],
    pub(crate) new: &'r [u8],
}

/// Replaces files whose new content was made of their old content, with the guarantees of [`to_files`].
///
/// # Errors
///
/// A file no longer holds the old content: somebody worked on it meanwhile, so nothing is written.
pub(crate) fn replace_files(files: &[Replacement<'_>]) -> Result<(), OutputError> {
    let new: Vec<_> = files.iter().map(|file| (file.path, file.new)).collect();
    let staged = Staged::new(&new, Privacy::Public)?;
    // Nobody else renames between the comparison and our renames. The lock is dropped after them.
    let _turn = Turn::of(staged.files.iter().map(|(_, path)| directory_of(path)));
    // Only regular files are compared: a pipe or device isn't replaced, and can't be read a second time.
    let is_pipe = |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
    for file in files.iter().filter(|file| !is_pipe(file.path)) {
        let now = Input::File(file.path.to_owned()).read_bytes();
        if !now.is_ok_and(|now| now.as_slice() == file.old) {
            return Err(OutputError::Changed(file.path.to_owned()));
        }
    }
    staged.commit()
}

/// Creates a private file that must not exist yet.
pub(crate) fn to_new_private_file(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    to_new_file(path, bytes, 0o600)
}

/// Creates a file that must not exist yet, with the mode that the umask leaves.
pub(crate) fn to_new_public_file(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    to_new_file(path, bytes, 0o666 & !umask())
}

/// Creates a program that must not exist yet, for whom the umask lets.
pub(crate) fn to_new_program(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    to_new_file(path, bytes, 0o777 & !umask())
}

/// Puts a program in the place of whatever is there, in one step. A symbolic link is replaced, and not what it leads to.
pub(crate) fn to_program_in_place(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let unwritable = |error| OutputError::Unwritable(path.to_owned(), error);
    let held = Held::new();
    let file = write_beside(path, bytes, 0o777 & !umask()).map_err(unwritable)?;
    if held.is_caught() {
        return Err(OutputError::Interrupted);
    }
    file.persist(path).map(drop).map_err(|error| unwritable(error.error))
}

/// Creates files that must not exist yet, and the directories around them; all of them or none.
pub(crate) fn to_new_public_files(files: &[(&Path, &[u8])]) -> Result<(), OutputError> {
    let held = Held::new();
    let unwritable = |path: &Path, error| OutputError::Unwritable(path.to_owned(), error);
    let mut made = Made::default();
    let mut waiting = Vec::new();
    for (path, bytes) in files {
        made.directories_of(path).map_err(|error| unwritable(path, error))?;
        let file = write_beside(path, bytes, 0o666 & !umask()).map_err(|error| unwritable(path, error))?;
        waiting.push((path, file));
    }
    if held.is_caught() {
        return Err(OutputError::Interrupted);
    }
    for (path, file) in waiting {
        file.persist_noclobber(path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(path.to_path_buf()),
            _ => unwritable(path, error.error),
        })?;
        made.paths.push(path.to_path_buf());
    }
    made.paths.clear();
    Ok(())
}

/// Files and directories that were made, in their order. What is left here when it is dropped is removed again.
#[derive(Default)]
struct Made {
    paths: Vec<PathBuf>,
}

impl Made {
    /// Makes the directories around a file that aren't there.
    fn directories_of(&mut self, path: &Path) -> io::Result<()> {
        let missing = path
            .ancestors()
            .skip(1)
            .take_while(|above| !above.as_os_str().is_empty() && above.symlink_metadata().is_err());
        for directory in missing.collect::<Vec<_>>().into_iter().rev() {
            fs::create_dir(directory)?;
            self.paths.push(directory.to_owned());
        }
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.paths.iter().rev() {
            // A directory that somebody has put a file into stays.
            let _ = fs::remove_dir(path).or_else(|_| fs::remove_file(path));
        }
    }
}

fn to_new_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), OutputError> {
    let unwritable = |error| OutputError::Unwritable(path.to_owned(), error);
    let held = Held::new();
    let file = write_beside(path, bytes, mode).map_err(unwritable)?;
    if held.is_caught() {
        return Err(OutputError::Interrupted);
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(OutputError::Exists(path.to_owned()))
        }
        Err(error) => Err(unwritable(error.error)),
    }
}

/// Files that wait beside their places, each with the path to rename it to.
struct Staged {
    files: Vec<(NamedTempFile, PathBuf)>,
    /// The signals held back. This field is dropped last, after the files are gone.
    held: Option<Held>,
}

impl Staged {
    fn new(files: &[(&Path, &[u8])], privacy: Privacy) -> Result<Self, OutputError> {
        let mut staged = Self { files: Vec::new(), held: None };
        for (path, bytes) in files {
            let waiting = stage(path, bytes, privacy, &mut staged.held);
            staged.files.extend(waiting.map_err(|error| OutputError::Unwritable((*path).to_owned(), error))?);
        }
        Ok(staged)
    }

    fn commit(self) -> Result<(), OutputError> {
        if self.held.as_ref().is_some_and(Held::is_caught) {
            return Err(OutputError::Interrupted);
        }
        let mut parted = Vec::new();
        for (file, path) in self.files {
            let has_other_names = fs::metadata(&path).is_ok_and(|found| found.nlink() > 1);
            file.persist(&path).map_err(|error| OutputError::Unwritable(path.clone(), error.error))?;
            if has_other_names {
                parted.push(path);
            }
        }
        // A rename can't keep them together, and a write in place could end half-way.
        for path in parted {
            let path = seal_foreign::path(&path);
            terminal::warn(
                &format!("{path} had another name (a hard link), which keeps the old content"),
                None,
            );
        }
        Ok(())
    }
}

/// Writes the new content beside `path`, and returns it with the path to rename it to. A device or a pipe is
/// written at once, and gives `None`.
///
/// Signals are held back from the first file on, and not before: a write to a pipe may wait for ever for a
/// reader, and a signal has to be able to end it.
fn stage(
    path: &Path,
    bytes: &[u8],
    privacy: Privacy,
    held: &mut Option<Held>,
) -> io::Result<Option<(NamedTempFile, PathBuf)>> {
    // A dangling link doesn't resolve; the link itself is then replaced.
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = match (fs::metadata(&resolved), privacy) {
        (Ok(found), _) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        (Ok(found), _) if !found.is_file() => {
            let mut device = fs::OpenOptions::new().write(true).mode(0o600).open(&resolved)?;
            return device.write_all(bytes).map(|()| None);
        }
        (_, Privacy::Private) => 0o600,
        (Ok(found), Privacy::Public) => found.permissions().mode() & 0o7777,
        (Err(_), Privacy::Public) => 0o666 & !umask(),
    };
    held.get_or_insert_with(Held::new);
    Ok(Some((write_beside(&resolved, bytes, mode)?, resolved)))
}

fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".seal-").tempfile_in(directory_of(path))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The umask. A process can read it only by setting it; no other thread runs meanwhile.
fn umask() -> u32 {
    let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    mask.as_raw_mode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_adds_a_line_to_a_report() {
        let lines = ["a.yaml:1: x\nb.yaml:1: done", "c.yaml\r\u{2028}\u{1b}[2K:1: y"];
        assert_eq!(report_text(lines), "a.yaml:1: x\\nb.yaml:1: done\nc.yaml\\r\\u{2028}\\u{1b}[2K:1: y\n");
        let long = "x".repeat(100_000);
        assert_eq!(report_text([&long]).len(), long.len() + 1, "nothing is left out");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_existing_file_keeps_its_mode_and_its_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        to_files(&[(&link, b"new")], Privacy::Public).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(mode(&file), 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(directory.path()), ["file", "link"]);
    }

    #[test]
    fn one_file_that_cannot_be_written_leaves_all_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let (good, bad) = (directory.path().join("good"), directory.path().join("missing/bad"));
        fs::write(&good, "old").unwrap();
        let error = to_files(&[(&good, b"new"), (&bad, b"new")], Privacy::Public).unwrap_err();
        assert_eq!(error.to_string(), format!("can't write {}", bad.display()));
        assert_eq!(fs::read(&good).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["good"]);
    }

    #[test]
    fn what_may_not_be_written_comes_with_what_to_look_at() {
        let hint = |path: &str| {
            OutputError::Unwritable(path.into(), io::ErrorKind::PermissionDenied.into()).hint().unwrap()
        };
        assert_eq!(hint("dir/db.yaml"), "ls -ld dir says who may write to the directory");
        assert_eq!(hint("db.yaml"), "ls -ld . says who may write to the directory");
    }

    #[test]
    fn of_writers_at_a_time_all_but_one_see_that_the_file_changed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        for round in 0..50 {
            fs::write(&file, "old").unwrap();
            let barrier = std::sync::Barrier::new(4);
            let write = |new: usize| {
                let new = format!("{round}-{new}");
                barrier.wait();
                replace_files(&[Replacement { path: &file, old: b"old", new: new.as_bytes() }]).is_ok()
            };
            let written = std::thread::scope(|scope| {
                let write = &write;
                let writers: Vec<_> = (0..4).map(|new| scope.spawn(move || write(new))).collect();
                writers
                    .into_iter()
                    .map(|writer| writer.join().unwrap())
                    .filter(|is_written| *is_written)
                    .count()
            });
            assert_eq!(written, 1, "in round {round} a change was lost");
        }
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_and_so_are_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let (same, changed) = (directory.path().join("same"), directory.path().join("changed"));
        fs::write(&same, "old").unwrap();
        fs::write(&changed, "newer").unwrap();
        let replacement = |path, old| Replacement { path, old, new: b"new" };
        let both = [replacement(&same, b"old".as_slice()), replacement(&changed, b"older")];
        let error = replace_files(&both).unwrap_err();
        assert_eq!(error.to_string(), format!("{} was changed meanwhile", changed.display()));
        assert_eq!(fs::read(&same).unwrap(), b"old");
        assert_eq!(fs::read(&changed).unwrap(), b"newer");
        assert_eq!(names(directory.path()), ["changed", "same"]);
        replace_files(&[replacement(&same, b"old")]).unwrap();
        assert_eq!(fs::read(&same).unwrap(), b"new");
    }

    /// This test runs itself again as a process of its own, which then is ended by a signal.
    #[test]
    fn a_signal_between_writing_and_renaming_leaves_nothing() {
        use std::os::unix::process::ExitStatusExt;
        const DIRECTORY: &str = "SEAL_TEST_SIGNAL_DIRECTORY";
        if let Some(directory) = std::env::var_os(DIRECTORY) {
            let path = Path::new(&directory).join("secret");
            let staged = Staged::new(&[(&path, b"plaintext")], Privacy::Private).unwrap();
            signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
            let _ = staged.commit();
            unreachable!("the signal ends this process");
        }
        let directory = tempfile::tempdir().unwrap();
        let name = "files::output::tests::a_signal_between_writing_and_renaming_leaves_nothing";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(DIRECTORY, directory.path())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(signal_hook::consts::SIGTERM), "{status}");
        assert!(names(directory.path()).is_empty(), "{:?}", names(directory.path()));
    }

    #[test]
    fn private_files_are_private_and_identities_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        to_new_private_file(&file, b"one").unwrap();
        assert_eq!(mode(&file), 0o600);
        assert!(matches!(to_new_private_file(&file, b"two"), Err(OutputError::Exists(_))));
        assert_eq!(fs::read(&file).unwrap(), b"one");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        to_files(&[(&file, b"three")], Privacy::Private).unwrap();
        assert_eq!(mode(&file), 0o600);
    }
}
