//! Values that kustomizations took into Secrets in the past: typed in them, in patches, or in the files of a generator.
//!
//! A kustomization and a file that it names may come from different commits, and only one of them may have changed in the
//! range. So each file that came in is read with each kustomization that names it: those that came in too, those of the
//! tree, and those from before. A pair that no commit had together is rare, and what stands in its file is as public.
//! Invariant: a finding says the commit that brought in the value.

use std::collections::{BTreeMap, BTreeSet};

use super::{Load, Loaded, generator, patch};
use crate::check::finding::Finding;
use crate::check::scanned::Scanned;

/// A file as a commit brought it in.
#[derive(Clone, Copy)]
struct Version<'f> {
    commit: Option<&'f str>,
    /// `None` if it has no word that is of interest to any lint.
    file: Option<&'f Scanned<'f>>,
}

/// The values in the kustomizations among some files of the past, and in those files that they or `others` name. `unread`
/// are the further files that came in, by path and commit.
pub(crate) fn of_past_together(
    files: &[Scanned<'_>],
    unread: &[(String, String)],
    others: &[Scanned<'_>],
) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<Version<'_>>> = BTreeMap::new();
    for file in files {
        versions.entry(file.path).or_default().push(Version { commit: file.commit, file: Some(file) });
    }
    for (path, commit) in unread {
        versions.entry(path).or_default().push(Version { commit: Some(commit), file: None });
    }
    let mut found = Vec::new();
    for kustomization in files.iter().filter(|file| super::is_kustomization(file.path)) {
        let typed = values(kustomization, &|_| Loaded::Absent);
        found.extend(
            typed.into_iter().map(|finding| brought_in(finding, kustomization.commit, kustomization)),
        );
    }
    let kustomizations = files.iter().chain(others).filter(|file| super::is_kustomization(file.path));
    for kustomization in kustomizations {
        for path in named(kustomization) {
            for version in versions.get(path.as_str()).into_iter().flatten() {
                let load = |other: &str| match version.file {
                    _ if other != path => Loaded::Absent,
                    Some(file) => Loaded::Text(file.source.text()),
                    None => Loaded::Unread,
                };
                let is_of_it = |finding: &Finding| finding.path == path || finding.related.contains(&path);
                for finding in values(kustomization, &load).into_iter().filter(is_of_it) {
                    let file = version.file.filter(|_| finding.path == path).unwrap_or(kustomization);
                    found.push(brought_in(finding, version.commit, file));
                }
            }
        }
    }
    found
}

/// The values that a kustomization takes into Secrets.
fn values(kustomization: &Scanned<'_>, load: Load<'_, '_>) -> Vec<Finding> {
    let documents = kustomization.manifest.iter().flat_map(|manifest| &manifest.manifest.documents);
    let path = kustomization.path;
    let of =
        |tree| [generator::in_kustomization(path, tree, load), patch::in_kustomization(path, tree, load)];
    documents.flat_map(of).flatten().collect()
}

/// The files that a kustomization asks for, as [`values`] reads it.
fn named(kustomization: &Scanned<'_>) -> BTreeSet<String> {
    let asked = std::cell::RefCell::new(BTreeSet::new());
    values(kustomization, &|path| {
        asked.borrow_mut().insert(path.to_owned());
        Loaded::Absent
    });
    asked.into_inner()
}

/// The finding with the commit that brought in its value, and its place in a file.
fn brought_in(finding: Finding, commit: Option<&str>, file: &Scanned<'_>) -> Finding {
    let position = finding.at.map(|at| file.position(at));
    Finding { commit: commit.map(str::to_owned), position, ..finding }
}
