//! The files that a check is about: where the root is, which view of it is meant, and on what is reported.
//!
//! Invariant: a file that is read and a file that is reported on are told apart. The whole repository is read, because a
//! copied or renamed object is seen only beside the others; the report is about what the user named.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use seal_foreign::word;

use crate::args::CheckArgs;
use crate::check::examine::STDIN;
use crate::check::finding::Finding;
use crate::check::tree::Tree;
use crate::files::git::{Commit, GitError, Range, Repository};
use crate::files::input::InputError;
use crate::rules;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::pasted;

#[derive(Debug, thiserror::Error)]
enum SubjectError {
    #[error("{0} isn't beneath {root}, which the others are in", root = .1.display())]
    Elsewhere(String, PathBuf),
    #[error("a range of commits and --staged don't go together")]
    RangeAndStaged,
    #[error("{}", no_files(.0))]
    Revisions(Vec<String>),
    #[error("only one range of commits can be checked at once")]
    TwoRanges,
    /// The threat is a file with the name of the range that CI asks for: checked in its place, it hides the commits.
    #[error("{0} is a file, and could be a range of commits")]
    RangeAndFile(String),
}

impl Explain for SubjectError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Elsewhere(..) => Some("check each repository by itself".to_owned()),
            Self::RangeAndFile(path) => Some(format!("for the file write ./{path}")),
            Self::Revisions(words) => {
                let old = words.first()?;
                let new = words.get(1).map_or("HEAD", String::as_str);
                let range = format!("{old}..{new}");
                Some(format!(
                    "for what the commits since {} bring in: seal check {}",
                    word(old),
                    pasted::word(&range)
                ))
            }
            Self::RangeAndStaged | Self::TwoRanges => None,
        }
    }
}

/// Which state of the files is meant.
pub(super) enum View {
    /// What a commit of everything would have; outside of Git, all files.
    Disk,
    /// The index.
    Staged,
    Range(Range),
}

/// What a check is about.
pub(super) struct Subject {
    /// The top of the work tree, or of what is looked at outside of Git. Without symbolic links.
    pub(super) root: PathBuf,
    pub(super) repository: Option<Repository>,
    pub(super) view: View,
    /// The commit whose history has the files.
    pub(super) tip: Option<Commit>,
    pub(super) has_stdin: bool,
    /// The named files and directories, from the root. Empty if none is named.
    named: Vec<String>,
    /// What leads to the root from where the user is: nothing if it is there.
    here: Option<PathBuf>,
    /// The paths that differ, where only these are reported on.
    changed: Option<BTreeSet<String>>,
}

impl Subject {
    pub(super) fn of(args: &CheckArgs) -> Result<Self, Failure> {
        let here = PathBuf::from(".");
        let is_stdin = |path: &&PathBuf| path.as_os_str() == "-";
        let has_stdin = args.paths.iter().any(|path| is_stdin(&path));
        let (ranges, paths): (Vec<&PathBuf>, Vec<&PathBuf>) = args
            .paths
            .iter()
            .filter(|path| !is_stdin(path))
            .partition(|path| is_range(path) && path.symlink_metadata().is_err());
        let first = paths.first().map_or(here.as_path(), |path| path.as_path());
        let around = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
        let around = if around.as_os_str().is_empty() { here.as_path() } else { around };
        refuse_revisions(&paths)?;
        let repository = Repository::find(around)?;
        for path in paths.iter().filter(|path| is_range(path)) {
            let text = path.to_string_lossy();
            if repository.as_ref().is_some_and(|repository| repository.range(&text).is_ok()) {
                return Err(SubjectError::RangeAndFile(text.into_owned()).into());
            }
        }
        let top = repository.as_ref().and_then(Repository::top);
        let whole = whole(around)?;
        let root = match top.map(whole_or_self) {
            // A repository may name a work tree elsewhere. What is looked at is what the user named.
            Some(top) if whole.starts_with(&top) => top,
            Some(_) => whole,
            None => root_outside(whole)?,
        };
        let mut subject = Self {
            view: View::Disk,
            tip: repository.as_ref().and_then(Repository::head),
            has_stdin,
            named: Vec::new(),
            here: here_of_the_user(&root),
            changed: None,
            root,
            repository,
        };
        for path in paths {
            subject.named.push(subject.path_in_root(path)?);
        }
        match (ranges.as_slice(), args.staged) {
            ([], false) => {}
            ([], true) => subject.look_at_index()?,
            ([_], true) => return Err(SubjectError::RangeAndStaged.into()),
            ([range], false) => subject.look_at_range(&range.to_string_lossy())?,
            _ => return Err(SubjectError::TwoRanges.into()),
        }
        Ok(subject)
    }

    /// The failure that something needs a repository.
    fn no_repository(&self) -> GitError {
        GitError::NoRepository { dir: self.root.clone(), words: "there is no .git".to_owned() }
    }

    /// The repository.
    pub(super) fn in_git(&self) -> Result<&Repository, GitError> {
        self.repository.as_ref().ok_or_else(|| self.no_repository())
    }

    fn look_at_index(&mut self) -> Result<(), GitError> {
        let repository = self.in_git()?;
        let changed = repository.staged_paths(repository.head().as_ref())?;
        self.view = View::Staged;
        self.changed = Some(changed.iter().map(|path| path.to_string_lossy().into_owned()).collect());
        Ok(())
    }

    fn look_at_range(&mut self, range: &str) -> Result<(), GitError> {
        let repository = self.in_git()?;
        let range = repository.range(range)?;
        let introduced = repository.introduced(&range)?;
        let changed = introduced.iter().map(|file| file.entry.path.to_string_lossy().into_owned()).collect();
        self.tip = range.tip().cloned();
        self.view = View::Range(range);
        self.changed = Some(changed);
        Ok(())
    }

    /// What to report on. If rules, pins or the baseline changed, it is every file, since they decide what is found in others.
    pub(super) fn scope(&self, policy: &BTreeSet<String>) -> Scope<'_> {
        let is_rules = |path: &str| path.rsplit('/').next() == Some(rules::FILE_NAME);
        let decides = |path: &String| is_rules(path) || policy.contains(path);
        let changed = self.changed.as_ref().filter(|changed| !changed.iter().any(decides));
        Scope { subject: self, changed }
    }

    /// The commit that the files are compared with, if the user names none.
    pub(super) fn base(&self) -> Option<Commit> {
        match &self.view {
            View::Disk | View::Staged => self.repository.as_ref()?.head(),
            View::Range(Range::Since { old, .. }) => Some(old.clone()),
            View::Range(_) => None,
        }
    }

    /// The files.
    pub(super) fn tree(&self) -> Result<Tree<'_>, Failure> {
        let mut tree = match (&self.view, &self.repository) {
            (View::Disk, Some(repository))
                if repository.top().is_some_and(|top| whole_or_self(top) == self.root) =>
            {
                Tree::of_work_tree(repository, &self.root)?
            }
            (View::Disk, Some(repository)) if repository.top().is_none() => {
                return Err(GitError::NoWorkTree.into());
            }
            (View::Disk, _) => Tree::of_directory(&self.root)?,
            (View::Staged, _) => Tree::of_index(self.in_git()?)?,
            (View::Range(range), _) => {
                let tip = range.tip().expect("a range without a tip has no files to look at");
                Tree::of_commit(self.in_git()?, tip)?
            }
        };
        if matches!(self.view, View::Disk) {
            for named in self.named.iter().filter(|path| self.root.join(path).is_file()) {
                tree.add_named(Path::new(named));
            }
        }
        Ok(tree)
    }

    /// The named files, which are of interest whatever is in them.
    pub(super) fn named_files(&self) -> BTreeSet<String> {
        self.named.iter().filter(|path| self.root.join(path).is_file()).cloned().collect()
    }

    /// Whether a file is named, or beneath a directory that is. Everything is if nothing is named.
    fn is_named(&self, path: &str) -> bool {
        let beneath = |named: &String| {
            let rest = path.strip_prefix(named.as_str());
            named.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        (self.named.is_empty() && !self.has_stdin)
            || self.named.iter().any(beneath)
            || (self.has_stdin && path == STDIN)
    }

    /// The path of a file from where the user is.
    pub(super) fn shown(&self, path: &str) -> String {
        if path == STDIN {
            return path.to_owned();
        }
        let Some(here) = &self.here else { return path.to_owned() };
        let there = self.root.join(path);
        let common =
            here.components().zip(there.components()).take_while(|(one, other)| one == other).count();
        // A repository that the user isn't in is shown in full.
        if !here.starts_with(&self.root) {
            return match there.strip_prefix(here) {
                Ok(beneath) => beneath.display().to_string(),
                Err(_) => there.display().to_string(),
            };
        }
        let up = here.components().skip(common).map(|_| Component::ParentDir);
        let down = there.components().skip(common).collect::<Vec<_>>();
        up.chain(down).collect::<PathBuf>().display().to_string()
    }

    /// A path as the user typed it, from the root.
    fn path_in_root(&self, path: &Path) -> Result<String, Failure> {
        let whole = whole(path)?;
        let elsewhere = || SubjectError::Elsewhere(path.display().to_string(), self.root.clone());
        let beneath = whole.strip_prefix(&self.root).map_err(|_| elsewhere())?;
        Ok(beneath.to_string_lossy().into_owned())
    }
}

/// What the user asked to be told about.
pub(super) struct Scope<'s> {
    subject: &'s Subject,
    /// The paths that differ, where only these are reported on.
    changed: Option<&'s BTreeSet<String>>,
}

impl Scope<'_> {
    /// Whether a finding is about what the user asked for: itself, or another file that has a part in it.
    pub(super) fn is_reported(&self, finding: &Finding) -> bool {
        let is_past = finding.commit.is_some();
        let mut paths = std::iter::once(&finding.path).chain(&finding.related);
        paths.any(|path| self.covers(path) || (is_past && self.subject.is_named(path)))
    }

    /// Whether the user asked for a file.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.subject.is_named(path) && self.changed.is_none_or(|changed| changed.contains(path))
    }
}

/// The directory that the user is in. Git runs hooks, and commands behind an alias, at the top of the work tree, and says in
/// a variable where it was itself. It is for showing paths alone.
fn here_of_the_user(root: &Path) -> Option<PathBuf> {
    let here = whole_or_self(&std::env::current_dir().ok()?);
    let prefix = std::env::var_os("GIT_PREFIX").filter(|_| here == root);
    let there = prefix.map(|prefix| whole_or_self(&here.join(prefix)));
    Some(there.filter(|there| there.starts_with(root)).unwrap_or(here))
}

/// Refuses words that name no file and are revisions where the user is: git's other commands would take them.
fn refuse_revisions(words: &[&PathBuf]) -> Result<(), Failure> {
    let missing: Vec<&str> = words
        .iter()
        .filter(|path| path.symlink_metadata().is_err())
        .filter_map(|path| path.to_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Ok(Some(repository)) = Repository::find(Path::new(".")) else { return Ok(()) };
    let revisions = missing.into_iter().filter(|word| repository.commit(word).is_ok());
    let revisions: Vec<String> = revisions.map(str::to_owned).collect();
    if revisions.is_empty() { Ok(()) } else { Err(SubjectError::Revisions(revisions).into()) }
}

fn no_files(revisions: &[String]) -> String {
    let named = revisions.iter().map(|revision| word(revision)).collect::<Vec<_>>().join(" and ");
    if revisions.len() == 1 {
        format!("{named} is a revision, and no file")
    } else {
        format!("{named} are revisions, and no files")
    }
}

/// Whether an argument is written like a range of commits. `./a..b` is a path.
fn is_range(path: &Path) -> bool {
    let is_path = |part: Component<'_>| !matches!(part, Component::Normal(_));
    path.to_string_lossy().contains("..") && !path.components().any(is_path)
}

/// The absolute path without symbolic links. A file that is gone may still be staged, so only its directory has to be there.
fn whole(path: &Path) -> Result<PathBuf, InputError> {
    let unreadable = |error| InputError::Unreadable(path.display().to_string(), error);
    let error = match path.canonicalize() {
        Ok(whole) => return Ok(whole),
        Err(error) => error,
    };
    Err(unreadable(error))
}

fn whole_or_self(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The root outside of Git: where the user is, if what is named is beneath that, else what is named.
fn root_outside(named: PathBuf) -> Result<PathBuf, InputError> {
    let here = whole(Path::new("."))?;
    Ok(if named.starts_with(&here) { here } else { named })
}
