//! What stands in a repository that gets its first rules: Secrets, SealedSecrets, and directories named after recipients.
//!
//! What git ignores isn't part of the repository: a rendered Secret, a directory of downloaded packages. Invariant: nothing
//! is decided here, and a file that can't be read as a manifest stops nothing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use seal_documents::manifest::{Kind, Manifest, Object};

use super::propose::{Known, Seen};
use crate::files::git::Repository;
use crate::files::repository::{self, FilesFound, Interest, is_manifest};
use crate::objects::outline;
use crate::talk::failure::Failure;

/// How deep directories are looked for. Deeper ones are made to run a program out of memory.
const MAX_DEPTH: usize = 32;

/// What git ignores in a repository: files, and whole directories.
struct Ignored(BTreeSet<PathBuf>);

impl Ignored {
    /// Nothing is ignored outside of a repository, nor where git can't say it: `seal init` needs no git.
    fn beneath(top: &Path) -> Self {
        let repository = Repository::find(top).ok().flatten();
        let ignored = repository.and_then(|repository| repository.ignored().ok()).unwrap_or_default();
        Self(ignored.into_iter().collect())
    }

    fn has(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.0.contains(above))
    }
}

/// The Secrets and SealedSecrets beneath a directory, and the directories that are named after recipients and are empty or
/// have a manifest somewhere; both by their paths from there.
pub(super) fn look(top: &Path, known: &[Known]) -> Result<(Vec<Seen>, Vec<String>), Failure> {
    let ignored = Ignored::beneath(top);
    let mut named = Vec::new();
    Search { top, ignored: &ignored, known, named: &mut named }.walk(Path::new(""), 0);
    named.sort();
    Ok((objects(top, &ignored)?, named))
}

/// A search for directories that are named after recipients.
struct Search<'s> {
    top: &'s Path,
    ignored: &'s Ignored,
    known: &'s [Known],
    named: &'s mut Vec<String>,
}

impl Search<'_> {
    /// Looks at a directory and those beneath it. The answer is whether manifests stand or may come to stand there: it has
    /// one, or nothing at all. Code and documents have directories of the same names.
    fn walk(&mut self, path: &Path, depth: usize) -> bool {
        let directory = self.top.join(path);
        let is_another_repository = depth > 0 && directory.join(".git").symlink_metadata().is_ok();
        if depth > MAX_DEPTH || is_another_repository {
            return false;
        }
        let Ok(entries) = fs::read_dir(directory) else { return false };
        let (mut is_empty, mut has_manifests) = (true, false);
        for entry in entries.flatten() {
            let within = path.join(entry.file_name());
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if is_hidden || self.ignored.has(&within) {
                continue;
            }
            is_empty = false;
            has_manifests |= match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.walk(&within, depth + 1),
                Ok(kind) => kind.is_file() && is_manifest(&within),
                Err(_) => false,
            };
        }
        let name = path.file_name().and_then(OsStr::to_str);
        let is_named = name.is_some_and(|name| self.known.iter().any(|known| known.name == name));
        if is_named && (is_empty || has_manifests) {
            self.named.extend(path.to_str().map(str::to_owned));
        }
        is_empty || has_manifests
    }
}

fn objects(top: &Path, ignored: &Ignored) -> Result<Vec<Seen>, Failure> {
    let interest = |text: &str| if text.contains("Secret") { Interest::Mentioned } else { Interest::None };
    let FilesFound { files, .. } = repository::files(&[top.to_owned()], interest)?;
    let mut seen = Vec::new();
    for file in &files {
        let Ok(manifest) = Manifest::parse(&file.source) else { continue };
        let Ok(path) = file.path.strip_prefix(top) else { continue };
        if ignored.has(path) {
            continue;
        }
        let path: Vec<_> = path.components().map(|name| name.as_os_str().to_string_lossy()).collect();
        let path = path.join("/");
        let secrets = manifest.objects.iter().filter(|object| object.kind == Kind::Secret);
        seen.extend(secrets.map(|secret| Seen {
            path: path.clone(),
            namespace: namespace(&manifest, secret),
            keys: BTreeSet::new(),
            scope: None,
        }));
        let outlines = outline::read_all(&manifest).into_iter().filter(|outline| !outline.is_patch());
        seen.extend(outlines.map(|outline| Seen {
            path: path.clone(),
            namespace: outline.object_name.namespace.clone(),
            keys: outline.envelopes.iter().flat_map(outline::OutlineEnvelope::fingerprints).collect(),
            scope: Some(outline.scope.unwrap_or_default()),
        }));
    }
    Ok(seen)
}

fn namespace(manifest: &Manifest<'_>, object: &Object) -> Option<String> {
    let tree = manifest.tree(object);
    let metadata = tree.get(object.node, "metadata")?;
    tree.scalar(tree.get(metadata, "namespace")?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_named_after_recipients_count_if_manifests_stand_or_may_stand_there() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a: 1\n").unwrap();
        };
        write("overlays/dev/app/kustomization.yaml");
        write("overlays/prod/.gitkeep");
        write("overlays/other/kustomization.yaml");
        write("src/prod/main.go");
        write(".github/dev/x.yaml");
        write("module/dev/x.yaml");
        write("module/.git");
        write("vendor/dev/x.json");
        let known = ["dev", "prod"].map(|name| Known {
            name: name.to_owned(),
            keys: BTreeSet::new(),
            is_recovery: false,
        });
        let mut named = Vec::new();
        let ignored = Ignored([PathBuf::from("vendor")].into());
        Search { top: dir.path(), ignored: &ignored, known: &known, named: &mut named }
            .walk(Path::new(""), 0);
        named.sort();
        assert_eq!(named, ["overlays/dev", "overlays/prod"]);
    }
}
