//! The files with SealedSecrets that a command reads: named files, directories, standard input.
//!
//! Invariant: a named file is read, or is a failure; beneath a directory, a file that only mentions a SealedSecret, such as
//! a chart, is passed over.

use std::path::{Path, PathBuf};

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;

use crate::files::input::Input;
use crate::files::repository::{self, FileFound, FilesFound, Interest};
use crate::objects::outline;
use crate::talk::failure::Failure;

/// A text to look at.
pub(super) struct SealedFile {
    /// `None` for standard input.
    pub(super) path: Option<PathBuf>,
    pub(super) source: Source,
}

/// The texts that were read, and the failures of files that can't be.
pub(super) struct SealedFiles {
    pub(super) files: Vec<SealedFile>,
    pub(super) failures: Vec<Failure>,
}

/// Reads the files of these paths, each once; those beneath the current directory if there is no path.
pub(super) fn read(paths: &[PathBuf]) -> Result<SealedFiles, Failure> {
    let (streams, named): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.iter().cloned().partition(|path| path == Path::new("-"));
    let mut found = SealedFiles { files: Vec::new(), failures: Vec::new() };
    if !streams.is_empty() {
        found.files.push(SealedFile { path: None, source: Input::Stdin.read()? });
    }
    if !named.is_empty() || streams.is_empty() {
        let interest = |text: &str| {
            if outline::mentions_sealed_secret(text) { Interest::Mentioned } else { Interest::None }
        };
        let FilesFound { files, failures, .. } = repository::files(&named, interest)?;
        found.failures.extend(failures);
        let is_read = |file: &FileFound| file.must_be_read || Manifest::parse(&file.source).is_ok();
        let files = files.into_iter().filter(is_read);
        found.files.extend(files.map(|file| SealedFile { path: Some(file.path), source: file.source }));
    }
    Ok(found)
}
