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
use crate::talk::signals::{Held, Run};
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

/// Checks that a file can be made at this path, for a command that asks a person for what goes into it.
///
/// # Errors
///
/// The path is a directory, or that around it isn't there or can't be written to.
pub(crate) fn check_place(path: &Path) -> Result<(), OutputError> {
    let unwritable = |error| OutputError::Unwritable(path.to_owned(), error);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(unwritable(io::ErrorKind::IsADirectory.into())),
        // A device or a pipe is written to where it is.
        Ok(found) if !found.is_file() => return Ok(()),
        _ => {}
    }
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    rustix::fs::access(directory_of(&resolved), rustix::fs::Access::WRITE_OK)
        .map_err(|error| unwritable(error.into()))
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
    if held.asks_to_stop() {
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
    if held.asks_to_stop() {
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
    if held.asks_to_stop() {
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
    /// The number of files to write.
    total: usize,
    /// The signals held back. This field is dropped last, after the files are gone.
    run: Option<Run>,
}

impl Staged {
    fn new(files: &[(&Path, &[u8])], privacy: Privacy) -> Result<Self, OutputError> {
        let mut staged = Self { files: Vec::new(), total: files.len(), run: None };
        for (path, bytes) in files {
            let waiting = stage(path, bytes, privacy, || {
                staged.run.get_or_insert_with(|| Run::new("file", files.len()));
            });
            staged.files.extend(waiting.map_err(|error| OutputError::Unwritable((*path).to_owned(), error))?);
            if staged.run.as_ref().is_some_and(Run::is_stopped) {
                return Err(staged.stop());
            }
        }
        Ok(staged)
    }

    /// Removes what waits, and ends the program.
    fn stop(self) -> OutputError {
        drop(self.files);
        self.run.into_iter().for_each(|run| run.settle(0));
        OutputError::Interrupted
    }

    /// Renames all files. A signal that comes meanwhile ends the program behind the last of them, because some files of a
    /// change without the others would be worse.
    fn commit(self) -> Result<(), OutputError> {
        if self.run.as_ref().is_some_and(Run::is_stopped) {
            return Err(self.stop());
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
        self.run.into_iter().for_each(|run| run.settle(self.total));
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
    hold: impl FnOnce(),
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
    hold();
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
mod tests;
