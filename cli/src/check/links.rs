//! Symbolic links of a tree: which files they lead to, and under which other paths they show a file.
//!
//! The threat is a file that two tools see in two ways. `check` follows no link on the disk, and kubectl and kustomize follow
//! every one. A pull request that puts a link in the place of a manifest has its text read, and held against the rules for
//! the path of the link, too. Invariants: no path is asked of the system here, so nothing outside of the tree is touched; what
//! is found is bounded by [`MAX_PATHS`], and passing that is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::lint::Lint;
use super::lints::path_from;
use super::tree::{Link, Tree};
use crate::files::git::GitError;

/// The longest path, in bytes, as Linux has it. Links that lead in a circle make longer ones.
const MAX_PATH: usize = 4096;

/// The most links on the way to a file. Go follows no more (`filepath.EvalSymlinks`, which kustomize calls), and Linux 40: what
/// is behind more of them is behind none. The threat is a chain of thousands, each step of which looks at all of them.
const MAX_LINKS: usize = 255;

/// The most paths that links lead to from others, and the most under which they show files: a link to a directory shows all
/// of its files, and links inside of it show them again.
const MAX_PATHS: usize = 50_000;

/// The symbolic links of a tree: their paths, and the paths that they lead to. Those that lead out of it aren't among them.
#[derive(Default)]
pub(crate) struct Links(BTreeMap<String, String>);

/// A file under another path than its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen<'p> {
    /// The path with links in it.
    pub(crate) path: String,
    /// The first of these links.
    pub(crate) link: &'p str,
    /// The file's own path.
    pub(crate) file: &'p str,
    /// Each link on the way, so that none is taken twice: one that leads to a directory above it would show itself.
    taken: Vec<&'p str>,
}

/// More paths than [`MAX_PATHS`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Links {
    /// The links of a tree.
    pub(crate) fn of(tree: &Tree<'_>) -> Result<Self, GitError> {
        let inside = |link: Link| Some((path_from(&link.path, &link.target)?, link.path));
        let links = tree.links()?.into_iter().filter_map(inside);
        // A link may lead to the top.
        Ok(Self(links.map(|(target, link)| (link, target.trim_matches('/').to_owned())).collect()))
    }

    /// The files to which links lead from some paths, at their ends and on the way.
    pub(crate) fn behind(&self, paths: impl Iterator<Item = String>) -> Result<BTreeSet<String>, TooMany> {
        let (mut paths, mut found) = (paths.collect::<Vec<_>>(), BTreeSet::new());
        while let Some(path) = paths.pop() {
            let Some((link, target)) = beginnings(&path).find_map(|above| self.0.get_key_value(above)) else {
                continue;
            };
            let behind = beneath(target, &path[link.len()..]);
            if behind.len() <= MAX_PATH && found.insert(behind.clone()) {
                paths.push(behind);
            }
            if found.len() > MAX_PATHS {
                return Err(TooMany);
            }
        }
        Ok(found)
    }

    /// The finding about links that lead to [`TooMany`] paths. Each link has a part in it.
    pub(crate) fn too_many(&self) -> Finding {
        let message = format!("the symbolic links lead to more than {MAX_PATHS} paths, and weren't followed");
        let first = self.0.keys().next().map_or("", String::as_str);
        let finding = Finding::new(Lint::Unreadable, first, message).raised();
        self.0
            .keys()
            .fold(finding, |finding, link| finding.with(link))
            .hint("take out links to directories that have links themselves")
    }

    /// The other paths under which links show some files.
    pub(crate) fn show<'p>(&'p self, files: impl Iterator<Item = &'p str>) -> Result<Vec<Seen<'p>>, TooMany> {
        let mut all = Vec::new();
        // What the last step found: a link may lead to what only another link shows.
        let of_tree = |file: &'p str| {
            (file.to_owned(), Seen { path: String::new(), link: file, file, taken: Vec::new() })
        };
        let mut last: BTreeMap<String, Seen<'p>> = files.map(of_tree).collect();
        for _ in 0..MAX_LINKS {
            if last.is_empty() {
                break;
            }
            let mut next = BTreeMap::new();
            for (link, target) in &self.0 {
                for (path, seen) in within(&last, target) {
                    let shown = beneath(link, &path[target.len()..]);
                    if shown.len() > MAX_PATH || seen.taken.contains(&link.as_str()) {
                        continue;
                    }
                    let taken = seen.taken.iter().copied().chain([link.as_str()]).collect();
                    next.insert(shown.clone(), Seen { path: shown, link, file: seen.file, taken });
                    if all.len() + next.len() > MAX_PATHS {
                        return Err(TooMany);
                    }
                }
            }
            all.extend(next.values().cloned());
            last = next;
        }
        Ok(all)
    }
}

/// What stands at a path and beneath it; everything is beneath the top, which is empty.
fn within<'m, T>(map: &'m BTreeMap<String, T>, path: &str) -> impl Iterator<Item = (&'m String, &'m T)> {
    let directory = if path.is_empty() { String::new() } else { format!("{path}/") };
    let beneath = map.range(directory.clone()..).take_while(move |(path, _)| path.starts_with(&directory));
    map.get_key_value(path).into_iter().chain(beneath)
}

/// A path beneath a directory; either may be empty, which is the top, or the directory itself.
fn beneath(directory: &str, path: &str) -> String {
    let path = path.trim_start_matches('/');
    if directory.is_empty() || path.is_empty() {
        format!("{directory}{path}")
    } else {
        format!("{directory}/{path}")
    }
}

/// A path and the directories above it, from the top.
fn beginnings(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path])
}

#[cfg(test)]
mod tests;
