//! What the words of `seal diff` mean: revisions or paths, as git reads them.
//!
//! Invariant: a word that could be both is refused, and never guessed at.

use std::path::{Component, Path, PathBuf};

use crate::args::DiffArgs;
use crate::files::git::{Commit, Entry, GitError, Range, Repository};
use crate::rules::site::Site;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Debug, thiserror::Error)]
enum MeaningError {
    #[error("{0} is a revision and a path")]
    Both(String),
    #[error("{0} is neither a revision nor a file or directory")]
    Neither(String),
    #[error("{0} is one revision too many")]
    TooMany(String),
    #[error("{one} and {other} have no commit in common")]
    NoMergeBase { one: String, other: String },
    #[error("this repository has no commit yet")]
    NoCommit,
}

impl Explain for MeaningError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Both(word) => format!("for the path write -- {word}, for the revision {word} --"),
            Self::Neither(word) => format!(
                "git branch --all and git tag list the revisions, and a shallow clone lacks older ones (fetch-depth: 0); for a \
                 path that is gone write -- {word}"
            ),
            Self::TooMany(_) => {
                "two states are compared: seal diff OLD NEW, or seal diff OLD..NEW".to_owned()
            }
            Self::NoMergeBase { .. } => {
                "a shallow clone lacks older commits: fetch-depth: 0, or git fetch --unshallow".to_owned()
            }
            Self::NoCommit => "commit something first".to_owned(),
        })
    }
}

/// A state of the repository, as words name it.
enum Named {
    Commit(Commit),
    Empty,
    Disk,
}

/// A state of the repository with its files listed. They are listed once: a diff is about their rules, their looks and their
/// contents, and git would list 50,000 files each time.
pub(super) enum State {
    Commit {
        commit: Commit,
        entries: Vec<Entry>,
    },
    /// Nothing: what a branch has that is new altogether is compared with it.
    Empty,
    /// The files that Git tracks, which may be gone, and those that it doesn't know and doesn't ignore.
    Disk {
        paths: Vec<PathBuf>,
    },
}

/// What is compared.
pub(super) enum Meaning {
    Files {
        one: PathBuf,
        other: PathBuf,
    },
    States {
        repository: Box<Repository>,
        old: State,
        new: State,
        /// From the top of the repository; empty for all.
        paths: Vec<PathBuf>,
    },
}

impl Meaning {
    pub(super) fn of(args: &DiffArgs) -> Result<Self, Failure> {
        let is_file = |word: &String| Path::new(word).is_file();
        if let ([one, other], []) = (&args.words[..], &args.paths[..])
            && is_file(one)
            && is_file(other)
        {
            return Ok(Self::Files { one: one.into(), other: other.into() });
        }
        let repository = Box::new(Repository::around(Path::new("."))?);
        let has_paths = !args.paths.is_empty();
        let mut words = args.words.iter().peekable();
        let first = words.peek().map(|word| states(&repository, word, has_paths)).transpose()?.flatten();
        let mut states = first;
        if states.is_some() {
            words.next();
        }
        // `seal diff OLD NEW`, as git has it.
        if let Some((_, new @ Named::Disk)) = &mut states
            && let Some(word) = words.peek()
            && let Some(commit) = revision(&repository, word, has_paths)?
        {
            *new = Named::Commit(commit);
            words.next();
        }
        let head = || repository.head().map(Named::Commit).ok_or(MeaningError::NoCommit);
        let (old, new) = match states {
            Some(states) => states,
            None => (head()?, Named::Disk),
        };
        let mut paths: Vec<PathBuf> = Vec::new();
        for word in words {
            if Path::new(word).symlink_metadata().is_err() {
                let is_revision = repository.commit(word).is_ok() || repository.range(word).is_ok();
                let error = if is_revision { MeaningError::TooMany } else { MeaningError::Neither };
                return Err(error(word.clone()).into());
            }
            paths.push(word.into());
        }
        let (old, new) = (State::of(&repository, old)?, State::of(&repository, new)?);
        paths.extend(args.paths.iter().cloned());
        let paths = paths.iter().map(|path| within(&repository, path)).collect::<Result<_, Failure>>()?;
        Ok(Self::States { repository, old, new, paths })
    }
}

impl State {
    fn of(repository: &Repository, named: Named) -> Result<Self, GitError> {
        Ok(match named {
            Named::Commit(commit) => Self::Commit { entries: repository.entries_of(&commit)?, commit },
            Named::Empty => Self::Empty,
            Named::Disk => {
                let known = repository.index()?.entries.into_iter().map(|entry| entry.path);
                Self::Disk { paths: known.chain(repository.untracked()?).collect() }
            }
        })
    }
}

/// The states that a word names; `None` for a path.
fn states(repository: &Repository, word: &str, has_paths: bool) -> Result<Option<(Named, Named)>, Failure> {
    let is_path = Path::new(word).symlink_metadata().is_ok() && !has_paths;
    let commit = |revision: &str| repository.commit(if revision.is_empty() { "HEAD" } else { revision });
    // The threat is a file with the name of the range that somebody reviews: compared in its place, it hides the commits.
    let is_normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    if is_path && Path::new(word).components().all(is_normal) && repository.range(word).is_ok() {
        return Err(MeaningError::Both(word.to_owned()).into());
    }
    if let Some((one, other)) = word.split_once("...").filter(|_| !is_path) {
        let (old, new) = (commit(one)?, commit(other)?);
        let (one, other) = (one.to_owned(), other.to_owned());
        let base = repository.merge_base(&old, &new)?.ok_or(MeaningError::NoMergeBase { one, other })?;
        return Ok(Some((Named::Commit(base), Named::Commit(new))));
    }
    if word.contains("..") && !is_path {
        return Ok(Some(match repository.range(word)? {
            Range::Since { old, new } => (Named::Commit(old), Named::Commit(new)),
            Range::Unknown { new } => (Named::Empty, Named::Commit(new)),
            Range::Nothing => (Named::Empty, Named::Empty),
        }));
    }
    Ok(revision(repository, word, has_paths)?.map(|commit| (Named::Commit(commit), Named::Disk)))
}

/// The commit that a word names; `None` for a path.
fn revision(repository: &Repository, word: &str, has_paths: bool) -> Result<Option<Commit>, Failure> {
    let is_path = Path::new(word).symlink_metadata().is_ok() && !has_paths;
    match (repository.commit(word), is_path) {
        (Ok(_), true) => Err(MeaningError::Both(word.to_owned()).into()),
        (Ok(commit), false) => Ok(Some(commit)),
        (Err(GitError::NoRevision(_)), _) if Path::new(word).symlink_metadata().is_ok() => Ok(None),
        (Err(GitError::NoRevision(_)), _) => Err(MeaningError::Neither(word.to_owned()).into()),
        (Err(error), _) => Err(error.into()),
    }
}

/// A path from the top of the repository, which needn't be there any more.
fn within(repository: &Repository, path: &Path) -> Result<PathBuf, Failure> {
    if path.symlink_metadata().is_ok() {
        return Ok(repository.path_within(path)?);
    }
    Ok(Site::of(path)?.path.into())
}
