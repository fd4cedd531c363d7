//! The files of a commit or of the index, as [`ReadFiles`].
//!
//! Invariant: a path that leads through a symbolic link of the tree is a link, as on the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Entry, ReadFiles};
use crate::files::git::{self, Content, EntryKind, Questions};
use crate::talk::failure::Failure;

/// A tree of Git.
pub(crate) struct GitTree<'r> {
    entries: HashMap<PathBuf, git::Entry>,
    questions: &'r Questions<'r>,
    /// The name of the tree for people, such as `origin/main`.
    name: String,
}

impl<'r> GitTree<'r> {
    /// The tree that has these entries.
    pub(crate) fn new(entries: Vec<git::Entry>, questions: &'r Questions<'r>, name: &str) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        Self { entries, questions, name: name.to_owned() }
    }

    fn is_link(&self, path: &Path) -> bool {
        self.entries.get(path).is_some_and(|entry| entry.kind == EntryKind::Link)
    }
}

impl ReadFiles for GitTree<'_> {
    fn read(&self, path: &str, max: u64) -> Result<Entry, Failure> {
        let path = Path::new(path);
        let Some(entry) = self.entries.get(path) else {
            let is_behind_link = path.ancestors().skip(1).any(|above| self.is_link(above));
            return Ok(if is_behind_link { Entry::Link } else { Entry::Absent });
        };
        match entry.kind {
            EntryKind::Link => return Ok(Entry::Link),
            EntryKind::Submodule => return Ok(Entry::NoFile),
            EntryKind::File => {}
        }
        Ok(match self.questions.content(entry, max)? {
            Content::Bytes(bytes) => Entry::File(bytes),
            Content::TooLarge => Entry::TooLarge,
            Content::Missing => Entry::Absent,
        })
    }

    fn name(&self, path: &str) -> String {
        format!("{}:{}", self.name, seal_foreign::path(Path::new(path)))
    }
}
