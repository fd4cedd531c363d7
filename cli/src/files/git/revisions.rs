//! Names of revisions and of ranges, resolved to ids of commits.
//!
//! Invariant: a name is never an option of git, and only ids go further.

use std::collections::BTreeSet;

use super::{Commit, GitError, Repository};
use crate::files::git::process::output;

/// What others already have, as far as the repository knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) commit: Commit,
    /// The name under which it was found, for messages.
    pub(crate) name: &'static str,
}

/// The commits that are new in one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// Those of `new` that `old` doesn't have.
    Since { old: Commit, new: Commit },
    /// Those of `new` that no branch and no tag has: how a hook of a server names a new branch (`0000…..NEW`).
    Unknown { new: Commit },
    /// None: how a hook of a server names a branch that goes (`OLD..0000…`).
    Nothing,
}

impl Range {
    /// The commit at its end.
    pub(crate) fn tip(&self) -> Option<&Commit> {
        match self {
            Self::Since { new, .. } | Self::Unknown { new } => Some(new),
            Self::Nothing => None,
        }
    }
}

impl Repository {
    /// What others have: the upstream of the branch, and the main branch of `origin`; HEAD if there is neither. Empty in a
    /// repository without commits.
    ///
    /// The threat is a branch with somebody else's key, checked out to be tried: its upstream is that same branch, so its
    /// upstream alone says nothing of what was reviewed.
    pub(crate) fn upstream(&self) -> Vec<Upstream> {
        let find = |(revision, name)| Some(Upstream { commit: self.commit(revision).ok()?, name });
        // A branch may have the name `origin/HEAD`, so these are whole names. A clone that was fetched has no HEAD of its
        // remote.
        let main = [
            ("refs/remotes/origin/HEAD", "origin/HEAD"),
            ("refs/remotes/origin/main", "origin/main"),
            ("refs/remotes/origin/master", "origin/master"),
        ];
        let found = [find(("@{upstream}", "@{upstream}")), main.into_iter().find_map(find)];
        let mut found: Vec<Upstream> = found.into_iter().flatten().collect();
        found.dedup_by(|one, other| one.commit == other.commit);
        if found.is_empty() { find(("HEAD", "HEAD")).into_iter().collect() } else { found }
    }

    /// Refuses the name of several references.
    ///
    /// The threat is somebody who may push a tag, and calls it `origin/main`: git prefers the tag to the branch that the
    /// user means.
    pub(super) fn check_is_one(&self, revision: &str) -> Result<(), GitError> {
        let name =
            revision.split("@{").next().unwrap_or_default().split(['~', '^', ':']).next().unwrap_or_default();
        if name.is_empty() || name == "HEAD" || name == "@" || name.starts_with("refs/") || super::is_id(name)
        {
            return Ok(());
        }
        let meant = ["refs/tags", "refs/heads", "refs/remotes"].map(|kind| format!("{kind}/{name}"));
        let mut command = self.git.command();
        command.args(["for-each-ref", "--format=%(refname) %(objectname) %(*objectname)"]).args(&meant);
        let found = output(&mut command)?;
        let text = String::from_utf8_lossy(&found.bytes);
        let mut names = Vec::new();
        let mut ids = BTreeSet::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let Some(name) = words.next().filter(|name| meant.iter().any(|meant| meant == name)) else {
                continue;
            };
            names.push(name.to_owned());
            // A tag with a message is an object of its own; what it names comes last.
            ids.extend(words.rfind(|word| !word.is_empty()));
        }
        if ids.len() > 1 {
            return Err(GitError::Ambiguous { revision: name.to_owned(), names });
        }
        Ok(())
    }

    /// The commit of HEAD; `None` before the first commit.
    pub(crate) fn head(&self) -> Option<Commit> {
        self.commit("HEAD").ok()
    }

    /// A best common ancestor of two commits; `None` if they have none, as in a shallow clone.
    pub(crate) fn merge_base(&self, one: &Commit, other: &Commit) -> Result<Option<Commit>, GitError> {
        let found = output(self.git.command().args(["merge-base", &one.0, &other.0]))?;
        let id = String::from_utf8_lossy(&found.bytes).trim_end().to_owned();
        if !found.is_done && found.has_words {
            return Err(GitError::Failed { command: "merge-base", words: found.words });
        }
        Ok(super::process::is_id(&id).then_some(Commit(id)))
    }

    /// Reads `OLD..NEW`. A side that is empty is HEAD, as it is to git. A side of nothing but zeros is what hooks of a
    /// server get for a branch that is new, or goes.
    ///
    /// # Errors
    ///
    /// It isn't of that form, or one of the revisions doesn't exist.
    pub(crate) fn range(&self, text: &str) -> Result<Range, GitError> {
        let no_range = || GitError::NoRange(text.to_owned());
        let (old, new) = text.split_once("..").ok_or_else(no_range)?;
        if new.starts_with('.') || (old.is_empty() && new.is_empty()) {
            return Err(no_range());
        }
        let is_zero = |side: &str| side.len() >= 40 && side.bytes().all(|byte| byte == b'0');
        let side = |side: &str| self.commit(if side.is_empty() { "HEAD" } else { side });
        if is_zero(new) {
            return Ok(Range::Nothing);
        }
        let new = side(new)?;
        Ok(if is_zero(old) { Range::Unknown { new } } else { Range::Since { old: side(old)?, new } })
    }
}
