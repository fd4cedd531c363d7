//! Revisions of a Git repository, read by the program `git`.
//!
//! The threat is a repository that somebody else made: its configuration may name programs for git to run (a monitor, a
//! pager, hooks, a transport that fetches missing objects). So only plumbing runs here that reads objects, with
//! everything switched off that could start a program or a connection; revisions are resolved to object ids first, and
//! nothing but an id is passed on. Replacements and grafts, by which a repository shows another history than it has, are
//! ignored, and so is the work tree that the configuration names: git runs where the user is. Invariants: nothing is written; of an object at most [`MAX_BLOB`] bytes are held in memory, one at a time.

mod process;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};
use process::{Git, Header, Output, is_id, output, spawn};

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
            Self::NoRevision(_) | Self::Outside { .. } => Rule::Usage,
            _ => Rule::UnreadableRevision,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoRevision(_) | Self::Outside { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotStarted(_) => Some("revisions are read by git; install it".to_owned()),
            Self::NoRepository { .. } => Some("run it in the repository".to_owned()),
            Self::NoRevision(_) => Some("git branch --all and git tag list the names".to_owned()),
            Self::Outside { .. } => Some("run it in that repository".to_owned()),
            Self::Failed { .. } | Self::Unexpected(_) => None,
        }
    }
}

/// A repository on this machine.
pub(crate) struct Repository {
    git: Git,
    /// The top of its work tree, for paths alone: the repository may name any directory, which may have a repository of
    /// its own.
    top: PathBuf,
}

/// The id of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit(String);

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
    /// The repository around a directory.
    pub(crate) fn around(dir: &Path) -> Result<Self, GitError> {
        let git = Git::in_dir(dir)?;
        let output = output(git.command().args(["rev-parse", "--show-toplevel"]))?;
        if !output.is_done {
            return Err(GitError::NoRepository { dir: dir.to_owned(), words: output.words });
        }
        let mut top = output.bytes;
        if top.last() == Some(&b'\n') {
            top.pop();
        }
        Ok(Self { git, top: PathBuf::from(OsString::from_vec(top)) })
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
        let outside = || GitError::Outside { path: path.display().to_string(), dir: self.top.clone() };
        let whole = std::fs::canonicalize(path).map_err(|_| outside())?;
        let top = std::fs::canonicalize(&self.top).map_err(|_| outside())?;
        whole.strip_prefix(top).map(Path::to_owned).map_err(|_| outside())
    }

    /// Why the clone doesn't have all of its history; `None` if it has, as far as it knows itself.
    pub(crate) fn gap(&self) -> Result<Option<Gap>, GitError> {
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
        let listing = self.answer("ls-tree", &["-r", "-z", "--full-tree", &commit.0])?;
        let missing = self.missing_of(commit)?;
        let entries = listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        let mut blobs = Vec::new();
        for entry in entries {
            // `<mode> <type> <id>\t<path>`
            let text = String::from_utf8_lossy(entry);
            let (facts, path) = text.split_once('\t').ok_or(GitError::Unexpected("ls-tree"))?;
            let facts: Vec<&str> = facts.split(' ').collect();
            let [mode, kind, id] = facts[..] else { return Err(GitError::Unexpected("ls-tree")) };
            if kind == "blob" && mode != "120000" && is_id(id) {
                let is_missing = missing.contains(id);
                blobs.push(Blob { id: id.to_owned(), path: path.to_owned(), is_missing });
            }
        }
        Ok(blobs)
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
        self.batch("--batch-check", &objects.iter().collect::<Vec<_>>(), |_, header, _| {
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
        self.batch("--batch", &present, |blob, header, output| {
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
            each(blob, content);
            Ok(())
        })
    }

    /// Asks `git cat-file` about each object.
    fn batch(
        &self,
        how: &str,
        blobs: &[&Blob],
        mut each: impl FnMut(&Blob, &Header<'_>, &mut dyn BufRead) -> io::Result<()>,
    ) -> Result<(), GitError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let mut child = spawn(self.git.command().args(["cat-file", "--buffer", how]).stdin(Stdio::piped()))?;
        let mut questions = child.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let told = thread::scope(|scope| {
            // Questions and answers go at the same time, so that no full pipe holds up both.
            scope.spawn(move || {
                let lines = blobs.iter().try_for_each(|blob| writeln!(questions, "{}", blob.id));
                // If git ended early, its answers say so.
                lines.and_then(|()| questions.flush()).unwrap_or_default();
            });
            let told = blobs.iter().try_for_each(|blob| {
                let mut line = String::new();
                (&mut answers).take(1024).read_line(&mut line)?;
                let header = Header::parse(&line, &blob.id).ok_or(io::ErrorKind::InvalidData)?;
                each(blob, &header, &mut answers)
            });
            // What is left is thrown away, so that git and the thread can end.
            let drained = io::copy(&mut answers, &mut io::sink());
            told.and(drained.map(drop))
        });
        let is_done = child.wait().is_ok_and(|status| status.success());
        if told.is_ok() && is_done { Ok(()) } else { Err(GitError::Unexpected("cat-file")) }
    }

    /// What `git rev-list` says of some commits. There may be more commits than arguments may have bytes, so git reads them from its
    /// standard input, and only then writes.
    fn rev_list(&self, tips: &[Commit], options: &[&str], paths: &[&str]) -> Result<Vec<u8>, GitError> {
        const COMMAND: &str = "rev-list";
        let args = [&[COMMAND, "--stdin"], options, paths].concat();
        let mut child =
            self.git.command().args(args).stdin(Stdio::piped()).spawn().map_err(GitError::NotStarted)?;
        let mut questions = child.stdin.take().expect("stdin is piped");
        // If git ended early, its exit code says so.
        tips.iter().try_for_each(|tip| writeln!(questions, "{}", tip.0)).unwrap_or_default();
        drop(questions);
        let output = Output::from(child.wait_with_output().map_err(GitError::NotStarted)?);
        if output.is_done {
            Ok(output.bytes)
        } else {
            Err(GitError::Failed { command: COMMAND, words: output.words })
        }
    }

    fn answer(&self, command: &'static str, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = output(self.git.command().arg(command).args(args))?;
        if output.is_done { Ok(output.bytes) } else { Err(GitError::Failed { command, words: output.words }) }
    }
}

#[cfg(test)]
mod tests;
