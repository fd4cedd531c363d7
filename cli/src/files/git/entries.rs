//! The files of a commit, of the index, and of the work tree, by path.
//!
//! A path is bytes, from the top of the repository, with `/` between its parts. Invariant: a symbolic link and a submodule
//! are told from a file, because the text of a link is a path and not what stands there.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::process::is_id;
use super::{Commit, Content, GitError, Repository};

/// How many paths are named to git; for more, it lists all.
const MAX_NAMED: usize = 200;

/// What stands under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    /// A symbolic link: its content is where it points.
    Link,
    Submodule,
}

/// A path of a commit or of the index, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: EntryKind,
    pub(super) id: String,
}

/// The index: what the next commit has.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// In the order of paths. A path in conflict is there as its side of ours, or else as any.
    pub(crate) entries: Vec<Entry>,
    /// The paths in conflict.
    pub(crate) unmerged: BTreeSet<PathBuf>,
    /// The paths that git doesn't want on the disk, as those that a sparse checkout leaves out. The next commit has them.
    pub(crate) left_out: BTreeSet<PathBuf>,
}

/// The versions of a file that git notes for a merge that isn't finished; none of them for any other file.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// `None` if the file is new on both sides.
    pub(crate) base: Option<Entry>,
    /// `None` if our side removed the file.
    pub(crate) ours: Option<Entry>,
    /// `None` if their side removed it.
    pub(crate) theirs: Option<Entry>,
}

impl Entry {
    /// The object's id in hexadecimal: equal ids are equal contents.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn new(mode: &str, id: &str, path: &[u8]) -> Option<Self> {
        let kind = match mode {
            "120000" => EntryKind::Link,
            "160000" => EntryKind::Submodule,
            _ if mode.starts_with("100") => EntryKind::File,
            _ => return None,
        };
        is_id(id).then(|| Self { path: to_path(path), kind, id: id.to_owned() })
    }
}

impl Repository {
    /// What a commit has under all paths, in their order.
    pub(crate) fn entries_of(&self, commit: &Commit) -> Result<Vec<Entry>, GitError> {
        tree_entries(&self.answer("ls-tree", &["-r", "-z", "--full-tree", &commit.0])?)
    }

    /// What a commit has under some paths; `None` where it has nothing.
    pub(crate) fn entries_at(
        &self,
        commit: &Commit,
        paths: &[&Path],
    ) -> Result<Vec<Option<Entry>>, GitError> {
        let found = if paths.len() > MAX_NAMED {
            self.entries_of(commit)?
        } else if paths.is_empty() {
            Vec::new()
        } else {
            // ls-tree takes paths as they are, and no patterns.
            let mut command = self.git.command();
            command.args(["ls-tree", "-z", "--full-tree", &commit.0, "--"]).args(paths);
            tree_entries(&Self::done("ls-tree", &mut command)?)?
        };
        let at = |path: &&Path| found.iter().find(|entry| entry.path == **path).cloned();
        Ok(paths.iter().map(at).collect())
    }

    /// The files under some paths of a commit; `None` where there is none, or a link or a submodule. It takes two
    /// processes for any number of paths.
    pub(crate) fn files_at(
        &self,
        commit: &Commit,
        paths: &[&Path],
    ) -> Result<Vec<Option<Content>>, GitError> {
        let entries = self.entries_at(commit, paths)?;
        let files: Vec<(usize, &Entry)> = entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
            .filter(|(_, entry)| entry.kind == EntryKind::File)
            .collect();
        let mut contents: Vec<Option<Content>> = paths.iter().map(|_| None).collect();
        let wanted: Vec<&Entry> = files.iter().map(|(_, entry)| *entry).collect();
        self.read_entries(&wanted, |index, content| contents[files[index].0] = Some(content))?;
        Ok(contents)
    }

    /// The file under a path of a commit; `None` if there is none, or a link or a submodule.
    pub(crate) fn file_at(&self, commit: &Commit, path: &Path) -> Result<Option<Content>, GitError> {
        Ok(self.files_at(commit, &[path])?.pop().flatten())
    }

    /// Reads entries, and hands each content to `each` with the entry's index; in one process.
    pub(crate) fn read_entries(
        &self,
        entries: &[&Entry],
        each: impl FnMut(usize, Content),
    ) -> Result<(), GitError> {
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        self.contents(&ids, each)
    }

    /// The index, or the one that `GIT_INDEX_FILE` names, as git has it in its hooks.
    pub(crate) fn index(&self) -> Result<Index, GitError> {
        const COMMAND: &str = "ls-files";
        let listing = self.in_work_tree(&[COMMAND, "-t", "--stage", "-z"])?;
        let mut index = Index::default();
        for line in nul_ended(&listing) {
            // `<tag> <mode> <id> <stage>\t<path>`
            let parts = line.iter().position(|byte| *byte == b'\t').map(|at| (&line[..at], &line[at + 1..]));
            let (facts, path) = parts.ok_or(GitError::Unexpected(COMMAND))?;
            let facts = String::from_utf8_lossy(facts);
            let facts: Vec<&str> = facts.split(' ').collect();
            let [tag, mode, id, stage] = facts[..] else { return Err(GitError::Unexpected(COMMAND)) };
            let Some(entry) = Entry::new(mode, id, path) else { continue };
            if tag == "S" {
                index.left_out.insert(entry.path.clone());
            }
            if stage != "0" {
                index.unmerged.insert(entry.path.clone());
            }
            match index.entries.last_mut().filter(|last| last.path == entry.path) {
                Some(last) if stage == "2" => *last = entry,
                Some(_) => {}
                None => index.entries.push(entry),
            }
        }
        Ok(index)
    }

    /// The versions of a file, by its path from the top, that a merge has to bring together.
    pub(crate) fn stages(&self, path: &Path) -> Result<Stages, GitError> {
        const COMMAND: &str = "ls-files";
        let mut command = self.top_command()?;
        command.args([COMMAND, "--unmerged", "-z", "--"]).arg(literal(path));
        let listing = Self::done(COMMAND, &mut command)?;
        let mut stages = Stages::default();
        for line in nul_ended(&listing) {
            // `<mode> <id> <stage>\t<path>`
            let parts = line.iter().position(|byte| *byte == b'\t').map(|at| (&line[..at], &line[at + 1..]));
            let (facts, found) = parts.ok_or(GitError::Unexpected(COMMAND))?;
            let facts = String::from_utf8_lossy(facts);
            let facts: Vec<&str> = facts.split(' ').collect();
            let [mode, id, stage] = facts[..] else { return Err(GitError::Unexpected(COMMAND)) };
            // What stands beneath a directory of this name isn't meant.
            if to_path(found) != path {
                continue;
            }
            let version = match stage {
                "1" => &mut stages.base,
                "2" => &mut stages.ours,
                "3" => &mut stages.theirs,
                _ => return Err(GitError::Unexpected(COMMAND)),
            };
            *version = Entry::new(mode, id, found);
        }
        Ok(stages)
    }

    /// The files of the work tree that git doesn't know and doesn't ignore. One that ends in `/` is a repository of its own.
    pub(crate) fn untracked(&self) -> Result<Vec<PathBuf>, GitError> {
        let listing = self.in_work_tree(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        Ok(nul_ended(&listing).map(to_path).collect())
    }

    /// What git ignores in the work tree: files, and directories of which it would take nothing.
    pub(crate) fn ignored(&self) -> Result<Vec<PathBuf>, GitError> {
        let args = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
        let listing = self.in_work_tree(&args)?;
        // A directory ends in `/`.
        let paths = nul_ended(&listing).map(|path| to_path(path.strip_suffix(b"/").unwrap_or(path)));
        Ok(paths.collect())
    }

    /// The paths by which the index differs from a commit, or all of the index if there is no commit. A renamed file is
    /// there under both names.
    pub(crate) fn staged_paths(&self, head: Option<&Commit>) -> Result<BTreeSet<PathBuf>, GitError> {
        let Some(head) = head else {
            return Ok(self.index()?.entries.into_iter().map(|entry| entry.path).collect());
        };
        let args = ["diff-index", "--cached", "--name-only", "--no-renames", "-z", &head.0, "--"];
        Ok(nul_ended(&self.in_work_tree(&args)?).map(to_path).collect())
    }

    /// A run of git at the top of the work tree, so that it lists all paths, from there.
    fn top_command(&self) -> Result<std::process::Command, GitError> {
        let mut command = self.git.command();
        command.current_dir(self.top.as_ref().ok_or(GitError::NoWorkTree)?);
        Ok(command)
    }

    fn in_work_tree(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let name = if args.first() == Some(&"diff-index") { "diff-index" } else { "ls-files" };
        Self::done(name, self.top_command()?.args(args))
    }

    pub(super) fn done(name: &'static str, command: &mut std::process::Command) -> Result<Vec<u8>, GitError> {
        let output = super::process::output(command)?;
        if output.is_done {
            Ok(output.bytes)
        } else {
            Err(GitError::Failed { command: name, words: output.words })
        }
    }
}

/// A path that git takes as it is, from the top, and not as a pattern.
pub(super) fn literal(path: &Path) -> OsString {
    let mut pathspec = OsString::from(":(top,literal)");
    pathspec.push(path);
    pathspec
}

/// The entries of `ls-tree -z`.
fn tree_entries(listing: &[u8]) -> Result<Vec<Entry>, GitError> {
    const COMMAND: &str = "ls-tree";
    let mut entries = Vec::new();
    for line in nul_ended(listing) {
        // `<mode> <type> <id>\t<path>`
        let parts = line.iter().position(|byte| *byte == b'\t').map(|at| (&line[..at], &line[at + 1..]));
        let (facts, path) = parts.ok_or(GitError::Unexpected(COMMAND))?;
        let facts = String::from_utf8_lossy(facts);
        let facts: Vec<&str> = facts.split(' ').collect();
        let [mode, _, id] = facts[..] else { return Err(GitError::Unexpected(COMMAND)) };
        entries.extend(Entry::new(mode, id, path));
    }
    Ok(entries)
}

/// The words of a list in which a NUL ends each.
pub(super) fn nul_ended(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0).filter(|word| !word.is_empty())
}

pub(super) fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(OsStr::from_bytes(bytes).as_bytes().to_vec()))
}
