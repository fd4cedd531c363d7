//! Values that kustomizations took into Secrets in the past: typed in them, in patches, or in the files of a generator.
//!
//! A kustomization and a file that it names may come from different commits, and only one of them may have changed in the
//! range. So each file that came in is read with each kustomization that names it: those that came in too, those of the
//! tree, and those from before. A pair that no commit had together is rare, and what stands in its file is as public.
//! Invariants: a finding says the commit that brought in the value; the work is bounded, and what is left out is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::{Load, Loaded, generator, patch};
use crate::check::finding::Finding;
use crate::check::lint::Lint;
use crate::check::scanned::Scanned;

/// How often kustomizations are read for files of the past. The threat is a push of a thousand versions of a kustomization
/// and a thousand of a file that it names, to a server that checks it.
const MAX_READS: usize = 10_000;

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
    let mut reads = 0;
    for kustomization in files.iter().chain(others).filter(|file| super::is_kustomization(file.path)) {
        let named = named(kustomization);
        let rounds = named.iter().filter_map(|path| versions.get(path.as_str())).map(Vec::len).max();
        // In each round it is read with another version of every file that has so many.
        for round in 0..rounds.unwrap_or_default() {
            reads += 1;
            if reads > MAX_READS {
                found.push(too_many(kustomization));
                return found;
            }
            let of = |path: &str| versions.get(path)?.get(round).copied();
            let load = |path: &str| match of(path).map(|version| version.file) {
                None => Loaded::Absent,
                Some(Some(file)) => Loaded::Text(file.source.text()),
                Some(None) => Loaded::Unread,
            };
            for finding in values(kustomization, &load) {
                let is_here = finding.path == kustomization.path;
                let path = if is_here { finding.related.first() } else { Some(&finding.path) };
                // Without a file it is typed in the kustomization.
                let Some(version) = path.and_then(|path| of(path)) else { continue };
                let file = version.file.filter(|_| !is_here).unwrap_or(kustomization);
                found.push(brought_in(finding, version.commit, file));
            }
        }
    }
    found
}

fn too_many(kustomization: &Scanned<'_>) -> Finding {
    let message = "this names files that came in so often that not all of their versions were looked at";
    let finding = Finding::new(Lint::Unreadable, kustomization.path, message).raised();
    let finding = finding.hint("check the commits in smaller ranges");
    Finding { commit: kustomization.commit.map(str::to_owned), ..finding }
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

#[cfg(test)]
mod tests {
    use seal_documents::source::Source;
    use zeroize::Zeroizing;

    use super::*;
    use crate::check::scanned::Origin;

    #[test]
    fn versions_that_are_too_many_to_be_read_are_an_error() {
        let text = "patches: [{target: {kind: Secret}, path: ../patch.yaml}]\n";
        let sources: Vec<Source> = (0..=MAX_READS / 100)
            .map(|index| Source::new(format!("k{index}/kustomization.yaml"), Zeroizing::new(text.to_owned())))
            .collect();
        let files: Vec<Scanned<'_>> =
            sources.iter().map(|source| Scanned::manifest(&source.name, source, Origin::Past)).collect();
        let versions = |count: usize| vec![("patch.yaml".to_owned(), "1a2b3c4d".to_owned()); count];
        assert_eq!(of_past_together(&files, &versions(90), &[]), []);
        let found = of_past_together(&files, &versions(100), &[]);
        let [finding] = &found[..] else { panic!("{found:?}") };
        assert_eq!((finding.lint, finding.path.as_str()), (Lint::Unreadable, "k100/kustomization.yaml"));
    }
}
