//! The manifests among the files that were found.
//!
//! Invariant: a file that the command works on and that isn't a manifest is a problem; one that only mentions the right
//! words is passed over.

use std::path::{Path, PathBuf};

use seal_documents::manifest::Manifest;

use super::{FileFound, Problems};
use crate::talk::failure::{Explain, Rule};

/// A file and the manifest that was read from it.
pub(crate) struct ManifestFile<'s> {
    pub(crate) path: &'s Path,
    pub(crate) manifest: Manifest<'s>,
}

/// There is no object for the command in any of the files.
#[derive(Debug, thiserror::Error)]
#[error("there is no SealedSecret in {0}")]
pub(crate) struct NothingSealed(String);

impl NothingSealed {
    /// The paths are those of the command line.
    pub(crate) fn in_paths(paths: &[PathBuf]) -> Self {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Self(if paths.is_empty() { "the current directory".to_owned() } else { paths.join(", ") })
    }
}

impl Explain for NothingSealed {
    fn rule(&self) -> Rule {
        Rule::NothingToDo
    }

    fn hint(&self) -> Option<String> {
        Some("name the files or directories that have some".to_owned())
    }
}

/// Reads the manifests.
pub(crate) fn manifests<'s>(found: &'s [FileFound], problems: &mut Problems) -> Vec<ManifestFile<'s>> {
    let mut files = Vec::new();
    for FileFound { path, source, must_be_read } in found {
        match Manifest::parse(source) {
            Ok(manifest) => files.push(ManifestFile { path, manifest }),
            Err(error) if *must_be_read => problems.push(error.into()),
            Err(_) => {}
        }
    }
    files
}
