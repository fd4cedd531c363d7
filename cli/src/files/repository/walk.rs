//! The files of a repository that a command looks at.
//!
//! A file that is named is always one of them. Beneath a directory, files are found by their names and their
//! words, because most YAML in a repository (charts, workflows) doesn't concern the command.
//! [`seal_documents`] reads the manifests. Invariant: no file outside of the named paths is found, so
//! symbolic links beneath a directory aren't followed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use seal_documents::source::Source;

use crate::files::input::{Input, InputError};
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// The command's interest in a file beneath a directory, by the file's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// The command skips it.
    None,
    /// The command reports on it, and skips it if it isn't a manifest.
    Mentioned,
    /// The command works on it, and fails if it isn't a manifest.
    Wanted,
}

/// A file that was read.
pub(crate) struct FileFound {
    pub(crate) path: PathBuf,
    pub(crate) source: Source,
    /// Whether the command fails if the file isn't a manifest.
    pub(crate) must_be_read: bool,
}

/// The files that were read, and the failures of files that can't be read.
#[derive(Default)]
pub(crate) struct FilesFound {
    pub(crate) files: Vec<FileFound>,
    pub(crate) failures: Vec<Failure>,
    /// How many symbolic links were passed over that lead to a file of interest.
    pub(crate) links: usize,
}

/// Finds the files beneath all paths, or beneath the current directory if no path is given; each file once.
///
/// # Errors
///
/// A directory can't be read.
pub(crate) fn files(paths: &[PathBuf], interest: impl Fn(&str) -> Interest) -> Result<FilesFound, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut candidates = Vec::new();
    let mut links = Vec::new();
    for path in paths {
        if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
            walk(path, &mut candidates, &mut links)?;
        } else {
            candidates.push((path.clone(), true));
        }
    }
    let mut seen = HashSet::new();
    let mut found = FilesFound::default();
    for (path, is_named) in candidates {
        if !seen.insert(fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
            continue;
        }
        match read(path, is_named, &interest) {
            Ok(file) => found.files.extend(file),
            Err(failure) => found.failures.push(failure),
        }
    }
    let is_elsewhere = |link: &&PathBuf| fs::canonicalize(link).is_ok_and(|file| !seen.contains(&file));
    for link in links.iter().filter(is_elsewhere) {
        if fs::read_to_string(link).is_ok_and(|text| interest(&text) == Interest::Wanted) {
            let warning =
                format!("{} is a symbolic link and stays as it is; name the file itself", link.display());
            terminal::warn(&warning, None);
            found.links += 1;
        }
    }
    Ok(found)
}

fn read(
    path: PathBuf,
    is_named: bool,
    interest: impl Fn(&str) -> Interest,
) -> Result<Option<FileFound>, Failure> {
    let source = match Input::File(path.clone()).read() {
        Ok(source) => source,
        // A file that isn't text can't be a manifest.
        Err(_) if !is_named && fs::metadata(&path).is_ok() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let interest = if is_named { Interest::Wanted } else { interest(source.text()) };
    let must_be_read = interest == Interest::Wanted;
    Ok((interest != Interest::None).then_some(FileFound { path, source, must_be_read }))
}

/// Whether a file may be a manifest by its name.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|kind| ["yaml", "yml", "json"].iter().any(|known| kind == *known))
}

/// Collects the files beneath a directory that may be manifests by their names, in the order of names.
fn walk(
    directory: &Path,
    files: &mut Vec<(PathBuf, bool)>,
    links: &mut Vec<PathBuf>,
) -> Result<(), InputError> {
    let unreadable = |error: io::Error| InputError::Unreadable(directory.display().to_string(), error);
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(unreadable)?);
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A file `./a.yaml` is shown as `a.yaml`.
        let path = if directory == Path::new(".") { PathBuf::from(&name) } else { entry.path() };
        let may_be_read = is_manifest(&path);
        if kind.is_dir() {
            walk(&path, files, links)?;
        } else if may_be_read && kind.is_symlink() {
            links.push(path);
        } else if may_be_read && kind.is_file() {
            files.push((path, false));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_once_by_their_words_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = "wanted: true\n";
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["b/one.yaml", "a.yml", "c.json", "notes.md", ".git/x.yaml"] {
            write(name, wanted);
        }
        write("chart.yaml", "{{ nonsense");
        write("native.yaml", "mentioned: true\n");
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        fs::write(elsewhere.path(), wanted).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("link.yaml")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();

        let interest = |text: &str| match text {
            text if text.contains("wanted") => Interest::Wanted,
            text if text.contains("mentioned") => Interest::Mentioned,
            _ => Interest::None,
        };
        let found = files(&[dir.path().to_owned(), dir.path().join("a.yml")], interest).unwrap();
        let names: Vec<_> = found
            .files
            .iter()
            .map(|found| (found.path.strip_prefix(dir.path()).unwrap().to_str().unwrap(), found.must_be_read))
            .collect();
        assert_eq!(names, [("a.yml", true), ("b/one.yaml", true), ("c.json", true), ("native.yaml", false)]);
        assert!(found.failures.is_empty());
        let named = files(&[dir.path().join("link.yaml"), dir.path().join("chart.yaml")], interest).unwrap();
        assert_eq!(named.files.len(), 2);
    }
}
