//! Every file that a repository ever had, as far as its commits tell.
//!
//! Invariant: an object that the repository lacks is counted or said to be missing, and never passed over.

use std::collections::HashSet;

use super::process::{is_id, output};
use super::{Commit, Content, Entry, EntryKind, Gap, GitError, Repository};

/// A file of a commit, or of any commit.
pub(crate) struct Blob {
    pub(super) id: String,
    /// The path under which the file was found first, up to a line break, for messages.
    pub(crate) path: String,
    /// The repository is known to lack the content.
    pub(super) is_missing: bool,
}

/// What a repository with submodules isn't: whole.
pub(crate) const SUBMODULES: &str = "submodules: run it in each of them";

impl Blob {
    /// Whether it is the file in which a repository names its submodules.
    pub(crate) fn names_submodules(&self) -> bool {
        self.path == ".gitmodules"
    }
}

/// The commits at the tips of a repository.
pub(crate) struct Tips {
    pub(crate) commits: Vec<Commit>,
    /// What git says of branches or tags that it can't read.
    pub(crate) unread: Option<String>,
}

/// The files of all commits behind some revisions.
pub(crate) struct History {
    pub(crate) blobs: Vec<Blob>,
    /// The number of objects that the repository doesn't have.
    pub(crate) missing: usize,
}

impl Repository {
    /// The commits of all branches, local and remote, of all tags, and of HEAD. None in a new repository.
    pub(crate) fn all_tips(&self) -> Result<Tips, GitError> {
        const COMMAND: &str = "for-each-ref";
        let output = output(self.git.command().args([COMMAND, "--format=%(objectname)"]))?;
        if !output.is_done {
            return Err(GitError::Failed { command: COMMAND, words: output.words });
        }
        let ids = String::from_utf8(output.bytes).map_err(|_| GitError::Unexpected(COMMAND))?;
        let refs = ids.lines().filter(|id| is_id(id)).map(|id| Commit(id.to_owned()));
        let commits = refs.chain(self.commit("HEAD").ok()).collect();
        // git passes over a broken one with a warning.
        Ok(Tips { commits, unread: output.has_words.then_some(output.words) })
    }

    /// The files of a commit, in the order of paths. Links and submodules are no files.
    pub(crate) fn files_of(&self, commit: &Commit) -> Result<Vec<Blob>, GitError> {
        let missing = self.missing_of(commit)?;
        let files = self.entries_of(commit)?.into_iter().filter(|entry| entry.kind == EntryKind::File);
        let to_blob = |entry: Entry| {
            let path = entry.path.to_string_lossy().into_owned();
            Blob { is_missing: missing.contains(&entry.id), id: entry.id, path }
        };
        Ok(files.map(to_blob).collect())
    }

    /// The ids of the objects of a commit that a partial clone lacks. To ask for one of these makes git fetch it, which
    /// isn't allowed here, and then git ends.
    fn missing_of(&self, commit: &Commit) -> Result<HashSet<String>, GitError> {
        if self.gap()? != Some(Gap::Partial) {
            return Ok(HashSet::new());
        }
        let listing = self.answer("rev-list", &["--objects", "--missing=print", "--no-walk", &commit.0])?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        Ok(listing.lines().filter_map(|line| line.strip_prefix('?')).map(str::to_owned).collect())
    }

    /// Every file of every commit that can be reached from some commits, each content once.
    pub(crate) fn history(&self, tips: &[Commit]) -> Result<History, GitError> {
        if tips.is_empty() {
            return Ok(History { blobs: Vec::new(), missing: 0 });
        }
        let listing = self.rev_list(tips, &["--objects", "--missing=print"], &[])?;
        let mut objects = Vec::new();
        let mut missing = 0;
        for line in listing.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if line[0] == b'?' {
                missing += 1;
                continue;
            }
            let text = String::from_utf8_lossy(line);
            // Of a path, only what stands before a line break is here, which may be nothing. A commit has no path, and no
            // blank either.
            let Some((id, path)) = text.split_once(' ') else { continue };
            if is_id(id) {
                let path = if path.is_empty() { format!("file {id}") } else { path.to_owned() };
                objects.push(Blob { id: id.to_owned(), path, is_missing: false });
            }
        }
        let mut kinds = Vec::with_capacity(objects.len());
        let ids: Vec<&str> = objects.iter().map(|object| object.id.as_str()).collect();
        self.batch("--batch-check", &ids, |_, header, _| {
            kinds.push(header.kind == Some("blob"));
            Ok(())
        })?;
        let blobs =
            objects.into_iter().zip(kinds).filter(|(_, is_blob)| *is_blob).map(|(blob, _)| blob).collect();
        Ok(History { blobs, missing })
    }

    /// Whether any commit that can be reached from some commits names submodules. The paths in a [`History`] don't tell:
    /// each content has one path there, which may be that of a copy.
    pub(crate) fn names_submodules(&self, tips: &[Commit]) -> Result<bool, GitError> {
        if tips.is_empty() {
            return Ok(false);
        }
        let found =
            self.rev_list(tips, &["--full-history", "--max-count=1"], &["--", ":(top).gitmodules"])?;
        Ok(!found.is_empty())
    }

    /// Reads files, and hands each content to `each`.
    pub(crate) fn read(&self, blobs: &[Blob], mut each: impl FnMut(&Blob, Content)) -> Result<(), GitError> {
        let (missing, present): (Vec<&Blob>, Vec<&Blob>) = blobs.iter().partition(|blob| blob.is_missing);
        missing.into_iter().for_each(|blob| each(blob, Content::Missing));
        let ids: Vec<&str> = present.iter().map(|blob| blob.id.as_str()).collect();
        self.contents(&ids, |index, content| each(present[index], content))
    }

    /// What `git rev-list` says of some commits.
    pub(super) fn rev_list(
        &self,
        tips: &[Commit],
        options: &[&str],
        paths: &[&str],
    ) -> Result<Vec<u8>, GitError> {
        let lines: Vec<&str> = tips.iter().map(|tip| tip.0.as_str()).collect();
        self.told("rev-list", &[&["--stdin"], options, paths].concat(), &lines)
    }
}
