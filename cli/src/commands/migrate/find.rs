//! The files of a repository that may have SealedSecrets of the peer's.
//!
//! Not the reading of manifests. A file that is named is always one of them; in directories those are looked for by
//! their words, so that the many other sorts of YAML (charts, workflows) are none of our business. Invariant: nothing
//! outside of what was named is found: in directories symbolic links aren't followed.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use seal_crds::resources::bitnami::API_VERSION;

use crate::{
    files::input::{Input, InputError},
    source::Source,
    talk::{failure::Failure, terminal},
};

/// A file that was read.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) source: Source,
    /// Whether it is an error if it can't be: not where it only mentions native objects.
    pub(super) must_be_read: bool,
}

/// All files, and those that couldn't be read.
#[derive(Default)]
pub(super) struct Files {
    pub(super) sources: Vec<Found>,
    pub(super) failures: Vec<Failure>,
}

/// The files of all paths, each once.
pub(super) fn files(paths: &[PathBuf]) -> Result<Files, Failure> {
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
    let mut found = Files::default();
    for (path, is_named) in candidates {
        if !seen.insert(fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
            continue;
        }
        match read(path, is_named) {
            Ok(source) => found.sources.extend(source),
            Err(failure) => found.failures.push(failure),
        }
    }
    let is_elsewhere = |link: &&PathBuf| fs::canonicalize(link).is_ok_and(|target| !seen.contains(&target));
    for link in links.iter().filter(is_elsewhere) {
        if fs::read_to_string(link).is_ok_and(|text| is_ours(&text)) {
            let what =
                format!("{} is a symbolic link and stays as it is; name the file itself", link.display());
            terminal::warn(&what, None);
        }
    }
    Ok(found)
}

fn read(path: PathBuf, is_named: bool) -> Result<Option<Found>, Failure> {
    let source = match Input::File(path.clone()).read() {
        Ok(source) => source,
        // What isn't text is no manifest.
        Err(_) if !is_named && fs::metadata(&path).is_ok() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let must_be_read = is_named || is_ours(source.text());
    let is_found =
        must_be_read || (source.text().contains("sealing.dev/") && source.text().contains("SealedSecret"));
    Ok(is_found.then_some(Found { path, source, must_be_read }))
}

/// Whether the text may have objects to migrate.
fn is_ours(text: &str) -> bool {
    text.contains(API_VERSION) && text.contains("SealedSecret")
}

/// Everything beneath a directory that may be a manifest, in the order of names.
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
        // `./a.yaml` is called `a.yaml`.
        let path = if directory == Path::new(".") { PathBuf::from(&name) } else { entry.path() };
        let is_manifest =
            path.extension().is_some_and(|kind| ["yaml", "yml", "json"].iter().any(|known| kind == *known));
        if kind.is_dir() {
            walk(&path, files, links)?;
        } else if is_manifest && kind.is_symlink() {
            links.push(path);
        } else if is_manifest && kind.is_file() {
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
        let ours = format!("apiVersion: {API_VERSION}\nkind: SealedSecret\n");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["b/one.yaml", "a.yml", "c.json", "notes.md", ".git/x.yaml"] {
            write(name, &ours);
        }
        write("chart.yaml", "{{ nonsense");
        write("native.yaml", "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\n");
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        fs::write(elsewhere.path(), &ours).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("link.yaml")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();

        let found = files(&[dir.path().to_owned(), dir.path().join("a.yml")]).unwrap();
        let names: Vec<_> = found
            .sources
            .iter()
            .map(|found| (found.path.strip_prefix(dir.path()).unwrap().to_str().unwrap(), found.must_be_read))
            .collect();
        assert_eq!(names, [("a.yml", true), ("b/one.yaml", true), ("c.json", true), ("native.yaml", false)]);
        assert!(found.failures.is_empty());
        let named = files(&[dir.path().join("link.yaml"), dir.path().join("chart.yaml")]).unwrap();
        assert_eq!(named.sources.len(), 2);
    }
}
