//! What lints that look at more than one file see.
//!
//! Invariant: everything here was read before the first lint runs, and no lint reads a file.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::scanned::{Origin, Scanned};
use crate::rules::book::{Governing, Rules};

/// A tree of files, and what it is compared with.
pub(crate) struct Context<'s> {
    /// The files of interest, in the order of their paths; then what came from standard input.
    pub(crate) files: Vec<Scanned<'s>>,
    /// The paths of all files that a commit of the tree would have: those that Git tracks, and those that it doesn't know
    /// and doesn't ignore. Outside of Git, all files. No directories, links or submodules.
    pub(crate) paths: BTreeSet<String>,
    /// The files of interest of the revision that the tree is compared with (`--policy`, else what is upstream), for lints
    /// about what changed. `None` outside of Git, and where there is no such revision.
    pub(crate) before: Option<Vec<Scanned<'s>>>,
    /// The paths of files that this revision has in the same way, and that aren't among those.
    pub(crate) unchanged: BTreeSet<String>,
    /// Every rules file that counts in the tree, in the order of paths.
    pub(crate) rules: Vec<Arc<Rules>>,
    /// The rules files of the tree that count for nothing, by their paths.
    pub(crate) unlisted_rules: Vec<String>,
    /// The rules that the tree is held against, with `--policy`.
    pub(crate) policy: Option<Policy>,
    /// When each ciphertext of the tree was first committed, in seconds since 1970. It has only those of rules with a
    /// maximum age. `None` if it isn't known, as in a shallow clone.
    pub(crate) first_committed: Option<HashMap<String, i64>>,
    /// The files with SealedSecrets as symbolic links show them elsewhere, in the order of their paths there.
    pub(crate) linked: Vec<Linked>,
    /// The present, in seconds since 1970.
    pub(crate) now: i64,
    by_path: HashMap<&'s str, usize>,
}

/// A file under another path than its own.
pub(crate) struct Linked {
    /// The path there, with a link in it.
    pub(crate) path: String,
    /// The path of the link.
    pub(crate) link: String,
    /// The file's own path.
    pub(crate) file: String,
    /// The rules around the link.
    pub(crate) governing: Governing,
}

/// The rules of another revision, which judge the tree.
pub(crate) struct Policy {
    /// The revision as it was typed.
    pub(crate) revision: String,
    /// Every rules file that counts in either, in the order of paths: as it was, and as it is in the tree.
    pub(crate) changes: Vec<PolicyChange>,
}

/// A rules file with its files of pins, in two states. They may be equal.
pub(crate) struct PolicyChange {
    /// The path of the rules file.
    pub(crate) path: String,
    pub(crate) before: Option<Arc<Rules>>,
    pub(crate) after: Option<Arc<Rules>>,
}

impl<'s> Context<'s> {
    pub(crate) fn new(files: Vec<Scanned<'s>>, paths: BTreeSet<String>, now: i64) -> Self {
        let by_path = files.iter().enumerate().map(|(index, file)| (file.path, index)).collect();
        Self {
            files,
            paths,
            before: None,
            unchanged: BTreeSet::new(),
            rules: Vec::new(),
            unlisted_rules: Vec::new(),
            policy: None,
            first_committed: None,
            linked: Vec::new(),
            now,
            by_path,
        }
    }

    /// The file of a path, if it is of interest.
    pub(crate) fn file(&self, path: &str) -> Option<&Scanned<'s>> {
        self.by_path.get(path).map(|index| &self.files[*index])
    }

    /// The files of the tree itself.
    pub(crate) fn tree(&self) -> impl Iterator<Item = &Scanned<'s>> {
        self.files.iter().filter(|file| file.origin == Origin::Tree)
    }

    /// The text of a file of the tree, if it is of interest.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.file(path).map(|file| file.source.text())
    }
}
