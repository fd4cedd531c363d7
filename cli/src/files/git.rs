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
//! | [`merge_file`] | three versions of a file, merged line by line; what git is doing at the moment |
//! | [`revisions`] | names of revisions and ranges; what is upstream |
//! | [`questions`] | one object after another |
//! | [`setup`] | where hooks are, attributes in effect, and the configuration of a clone, which it also writes |
//! | [`past`] | what a range introduces, who changed a file last, when a word was first committed |
//!
//! Invariants: nothing is written but settings of a clone, for those who ask to; of an object at most [`MAX_BLOB`] bytes are held in memory, one at a time.

mod entries;
mod merge_file;
mod past;
mod process;
mod questions;
mod revisions;
mod setup;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::thread;

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};
use process::{Git, Header, Output, is_id, output, spawn};

pub(crate) use entries::{Entry, EntryKind};
pub(crate) use merge_file::{MergeFile, MergedFile, Operation, diff_lines, merge_file};
pub(crate) use past::Introduced;
pub(crate) use questions::Questions;
pub(crate) use revisions::Range;
pub(crate) use setup::{Attribute, HooksPlace};

/// The most bytes of a file that is read, as of a file in the work tree.
pub(crate) const MAX_BLOB: u64 = 64 * 1024 * 1024;

/// Reasons why revisions can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("the program git can't be started")]
    NotStarted(#[source] io::Error),
    #[error("{} isn't in a Git repository: {words}", .dir.display())]
    NoRepository { dir: PathBuf, words: String },
    #[error("there is no revision {0}")]
    NoRevision(String),
    #[error("{0} isn't a range of revisions")]
    NoRange(String),
    #[error("this repository has no work tree")]
    NoWorkTree,
    #[error("{path} isn't in the Git repository of {}", .dir.display())]
    Outside { path: String, dir: PathBuf },
    #[error("git {command} failed: {words}")]
    Failed { command: &'static str, words: String },
    #[error("git {0} gave an answer that isn't understood")]
    Unexpected(&'static str),
}

impl Explain for GitError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoRevision(_) | Self::NoRange(_) | Self::Outside { .. } => Rule::Usage,
            _ => Rule::UnreadableRevision,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoRevision(_) | Self::NoRange(_) | Self::Outside { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotStarted(_) => Some("revisions are read by git; install it".to_owned()),
            Self::NoRepository { .. } => Some("run it in the repository".to_owned()),
            Self::NoRevision(_) => Some("git branch --all and git tag list the names; a shallow clone lacks older commits (fetch-depth: 0)".to_owned()),
            Self::NoRange(_) => Some("write OLD..NEW, such as origin/main..HEAD".to_owned()),
            Self::NoWorkTree => Some("run it in a work tree, or name a range: OLD..NEW".to_owned()),
            Self::Outside { .. } => Some("run it in that repository".to_owned()),
            Self::Failed { .. } | Self::Unexpected(_) => None,
        }
    }
}

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

/// A file of a commit, or of any commit.
pub(crate) struct Blob {
    id: String,
    /// The path under which the file was found first, up to a line break, for messages.
    pub(crate) path: String,
    /// The repository is known to lack the content.
    is_missing: bool,
}

/// What a repository with submodules isn't: whole.
pub(crate) const SUBMODULES: &str = "submodules: run it in each of them";

impl Blob {
    /// Whether it is the file in which a repository names its submodules.
    pub(crate) fn names_submodules(&self) -> bool {
        self.path == ".gitmodules"
    }
}

/// The content of a file of a revision.
pub(crate) enum Content {
    Bytes(Vec<u8>),
    /// It has more than [`MAX_BLOB`] bytes.
    TooLarge,
    /// The repository doesn't have it, as a partial clone doesn't.
    Missing,
}

/// Why a clone doesn't have all of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    Shallow,
    Partial,
}

impl Gap {
    /// What the clone is, and how it becomes whole.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Shallow => "the clone is shallow: git fetch --unshallow gets the rest of the history",
            Self::Partial => "the clone is partial: git fetch --refetch --no-filter gets the missing files",
        }
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
            Ok(Commit(id))
        } else {
            Err(GitError::NoRevision(revision.to_owned()))
        }
    }

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

    /// The path of a file or directory beneath the top of the repository.
    pub(crate) fn path_within(&self, path: &Path) -> Result<PathBuf, GitError> {
        let top = self.top.as_ref().ok_or(GitError::NoWorkTree)?;
        let outside = || GitError::Outside { path: path.display().to_string(), dir: top.clone() };
        let whole = std::fs::canonicalize(path).map_err(|_| outside())?;
        let top = std::fs::canonicalize(top).map_err(|_| outside())?;
        whole.strip_prefix(top).map(Path::to_owned).map_err(|_| outside())
    }

    /// Why the clone doesn't have all of its history; `None` if it has, as far as it knows itself.
    pub(crate) fn gap(&self) -> Result<Option<Gap>, GitError> {
        if let Some(gap) = self.gap.get() {
            return Ok(*gap);
        }
        let gap = self.find_gap()?;
        Ok(*self.gap.get_or_init(|| gap))
    }

    fn find_gap(&self) -> Result<Option<Gap>, GitError> {
        if self.answer("rev-parse", &["--is-shallow-repository"])?.starts_with(b"true") {
            return Ok(Some(Gap::Shallow));
        }
        let settings = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$";
        // The exit code says whether there is such a setting.
        let output = output(self.git.command().args(["config", "--get-regexp", settings]))?;
        Ok(output.is_done.then_some(Gap::Partial))
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

    /// Reads objects by their ids, and hands each content to `each` with the index of its id.
    fn contents(&self, ids: &[&str], mut each: impl FnMut(usize, Content)) -> Result<(), GitError> {
        self.batch("--batch", ids, |index, header, output| {
            let content = match header.size {
                None => Content::Missing,
                Some(size) if size > MAX_BLOB => {
                    io::copy(&mut output.take(size), &mut io::sink())?;
                    Content::TooLarge
                }
                Some(size) => {
                    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
                    output.read_exact(&mut bytes)?;
                    Content::Bytes(bytes)
                }
            };
            if header.size.is_some() {
                output.read_exact(&mut [0])?;
            }
            each(index, content);
            Ok(())
        })
    }

    /// Asks `git cat-file` about each object.
    fn batch(
        &self,
        how: &str,
        ids: &[&str],
        mut each: impl FnMut(usize, &Header<'_>, &mut dyn BufRead) -> io::Result<()>,
    ) -> Result<(), GitError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut child = spawn(self.git.command().args(["cat-file", "--buffer", how]).stdin(Stdio::piped()))?;
        let questions = child.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let told = thread::scope(|scope| {
            // Questions and answers go at the same time, so that no full pipe holds up both.
            scope.spawn(move || {
                let mut questions = BufWriter::new(questions);
                let lines = ids.iter().try_for_each(|id| writeln!(questions, "{id}"));
                // If git ended early, its answers say so.
                lines.and_then(|()| questions.flush()).unwrap_or_default();
            });
            let told = ids.iter().enumerate().try_for_each(|(index, id)| {
                let mut line = String::new();
                (&mut answers).take(1024).read_line(&mut line)?;
                let header = Header::parse(&line, id).ok_or(io::ErrorKind::InvalidData)?;
                each(index, &header, &mut answers)
            });
            // What is left is thrown away, so that git and the thread can end.
            let drained = io::copy(&mut answers, &mut io::sink());
            told.and(drained.map(drop))
        });
        let is_done = child.wait().is_ok_and(|status| status.success());
        if told.is_ok() && is_done { Ok(()) } else { Err(GitError::Unexpected("cat-file")) }
    }

    /// What `git rev-list` says of some commits.
    fn rev_list(&self, tips: &[Commit], options: &[&str], paths: &[&str]) -> Result<Vec<u8>, GitError> {
        let lines: Vec<&str> = tips.iter().map(|tip| tip.0.as_str()).collect();
        self.told("rev-list", &[&["--stdin"], options, paths].concat(), &lines)
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
