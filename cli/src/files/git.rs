//! Revisions of a Git repository, read by the program `git`.
//!
//! The threat is a repository that somebody else made: its configuration may name programs for git to run (a monitor, a
//! pager, hooks, a transport that fetches missing objects). So only plumbing runs here that reads objects, with
//! everything switched off that could start a program or a connection; revisions are resolved to object ids first, and
//! nothing but an id is passed on. Replacements and grafts, by which a repository shows another history than it has, are
//! ignored, and so is the work tree that the configuration names: git runs where the user is.
//!
//! | file | reads |
//! | --- | --- |
//! | [`entries`] | the files of a commit, of the index, and those that git doesn't know yet |
//! | [`contents`] | what is in many objects |
//! | [`history`] | every file of every commit |
//! | [`gap`] | what a clone lacks |
//! | [`merge_file`] | three versions of a file, merged line by line; what git is doing at the moment |
//! | [`revisions`] | names of revisions and ranges; what is upstream |
//! | [`questions`] | one object after another |
//! | [`setup`] | where hooks are, attributes in effect, and the configuration of a clone, which it also writes |
//! | [`past`] | what a range introduces, who changed a file last, when a word was first committed |
//!
//! Invariants: nothing is written but settings of a clone, for those who ask to; of an object at most [`MAX_BLOB`] bytes are held in memory, one at a time.

mod contents;
mod entries;
mod error;
mod gap;
mod history;
mod merge_file;
mod past;
mod process;
mod questions;
mod revisions;
mod setup;

use std::ffi::OsString;
use std::io::{BufWriter, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::thread;

use process::{Git, Output, is_id, output};

pub(crate) use contents::{Content, MAX_BLOB};
pub(crate) use entries::{Entry, EntryKind, Stages};
pub(crate) use error::GitError;
pub(crate) use gap::Gap;
pub(crate) use history::{Blob, SUBMODULES, Tips};
pub(crate) use merge_file::{MergeFile, MergedFile, Operation, diff_lines, merge_file};
pub(crate) use past::Introduced;
pub(crate) use questions::Questions;
pub(crate) use revisions::{Range, Upstream};
pub(crate) use setup::{Attribute, HooksPlace};

/// A repository on this machine.
pub(crate) struct Repository {
    git: Git,
    /// The top of its work tree, for paths alone: the repository may name any directory, which may have a repository of
    /// its own. `None` in a bare repository, and inside of `.git`.
    top: Option<PathBuf>,
    /// Found when it is first asked for.
    gap: OnceLock<Option<Gap>>,
}

/// The id of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit(String);

impl Commit {
    /// The first digits of the id, for messages.
    pub(crate) fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl Repository {
    /// The repository around a directory: with a work tree (the main one, a linked one, a submodule's) or bare.
    ///
    /// # Errors
    ///
    /// There is none, or git doesn't trust it.
    pub(crate) fn around(dir: &Path) -> Result<Self, GitError> {
        let git = Git::in_dir(dir)?;
        let top = output(git.command().args(["rev-parse", "--show-toplevel"]))?;
        if !top.is_done {
            let dir_of_git = output(git.command().args(["rev-parse", "--git-dir"]))?;
            if !dir_of_git.is_done {
                return Err(GitError::NoRepository { dir: dir.to_owned(), words: dir_of_git.words });
            }
            return Ok(Self { git, top: None, gap: OnceLock::new() });
        }
        let mut path = top.bytes;
        if path.last() == Some(&b'\n') {
            path.pop();
        }
        Ok(Self { git, top: Some(PathBuf::from(OsString::from_vec(path))), gap: OnceLock::new() })
    }

    /// The repository around a directory; `None` if the directory is in none.
    ///
    /// # Errors
    ///
    /// There is one that can't be read: it is broken, git isn't installed, or doesn't trust its owner. So nobody takes it
    /// for a directory without a repository.
    pub(crate) fn find(dir: &Path) -> Result<Option<Self>, GitError> {
        match Self::around(dir) {
            Ok(repository) => Ok(Some(repository)),
            Err(GitError::NoRepository { .. } | GitError::NotStarted(_)) if !is_beneath_git(dir) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The top of the work tree; `None` in a bare repository.
    pub(crate) fn top(&self) -> Option<&Path> {
        self.top.as_deref()
    }

    /// The commit of a revision as people name it.
    pub(crate) fn commit(&self, revision: &str) -> Result<Commit, GitError> {
        let name = format!("{revision}^{{commit}}");
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
        let output = output(self.git.command().args(args))?;
        let id = String::from_utf8(output.bytes).unwrap_or_default().trim_end().to_owned();
        if output.is_done && is_id(&id) {
            self.check_is_one(revision)?;
            Ok(Commit(id))
        } else {
            Err(GitError::NoRevision(revision.to_owned()))
        }
    }

    /// The path of a file or directory beneath the top of the repository.
    pub(crate) fn path_within(&self, path: &Path) -> Result<PathBuf, GitError> {
        let top = self.top.as_ref().ok_or(GitError::NoWorkTree)?;
        let outside = || GitError::Outside { path: path.display().to_string(), dir: top.clone() };
        let whole = std::fs::canonicalize(path).map_err(|_| outside())?;
        let top = std::fs::canonicalize(top).map_err(|_| outside())?;
        whole.strip_prefix(top).map(Path::to_owned).map_err(|_| outside())
    }

    /// What a command of git says of some lines. There may be more than arguments may have bytes, so git reads them from
    /// its standard input while it writes.
    fn told(&self, command: &'static str, args: &[&str], lines: &[&str]) -> Result<Vec<u8>, GitError> {
        let mut child = self
            .git
            .command()
            .arg(command)
            .args(args)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(GitError::NotStarted)?;
        let questions = child.stdin.take().expect("stdin is piped");
        let output = thread::scope(|scope| {
            scope.spawn(move || {
                let mut questions = BufWriter::new(questions);
                // If git ended early, its exit code says so.
                let told = lines.iter().try_for_each(|line| writeln!(questions, "{line}"));
                told.and_then(|()| questions.flush()).unwrap_or_default();
            });
            child.wait_with_output()
        });
        let output = Output::from(output.map_err(GitError::NotStarted)?);
        if output.is_done { Ok(output.bytes) } else { Err(GitError::Failed { command, words: output.words }) }
    }

    fn answer(&self, command: &'static str, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = output(self.git.command().arg(command).args(args))?;
        if output.is_done { Ok(output.bytes) } else { Err(GitError::Failed { command, words: output.words }) }
    }
}

/// Whether a directory, or one around it, has a `.git`.
fn is_beneath_git(dir: &Path) -> bool {
    let whole = std::fs::canonicalize(dir);
    whole.is_ok_and(|whole| whole.ancestors().any(|dir| dir.join(".git").symlink_metadata().is_ok()))
}

#[cfg(test)]
mod tests;
