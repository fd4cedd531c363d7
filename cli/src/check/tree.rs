//! The files that are looked at: of the disk, of the index, or of a commit.
//!
//! In a work tree these are the files that a commit of everything would have: those that Git tracks, and those that it
//! doesn't know and doesn't ignore. A file that a sparse checkout leaves out is read as the index has it. Outside of Git
//! they are all files beneath the root.
//!
//! The threat is a repository with a symbolic link to `/etc`, a pipe that nobody writes to, or a file without an end.
//! Invariants: no symbolic link is followed, in any part of a path; nothing but a regular file is opened; of a file at most
//! [`MAX_BLOB`] bytes are read.

mod disk;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::files::git::{Commit, Content, Entry, EntryKind, GitError, MAX_BLOB, Repository};
use crate::files::input::InputError;
use crate::files::repository::{Task, on_all_cores};
use crate::rules::reader::{self, ReadFiles};
use crate::talk::failure::Failure;

/// The files of a root.
pub(crate) struct Tree<'r> {
    /// The directory beneath which the files of the disk are. `None` if all are objects.
    root: Option<PathBuf>,
    /// The repository of the objects. `None` if all are files of the disk.
    repository: Option<&'r Repository>,
    /// In the order of paths.
    files: Vec<TreeFile>,
    /// Links and submodules among objects, which the reader of rules has to know.
    others: Vec<Entry>,
    pub(crate) gaps: Gaps,
}

/// A symbolic link.
pub(crate) struct Link {
    pub(crate) path: String,
    /// The text that it holds.
    pub(crate) target: String,
}

/// One file.
struct TreeFile {
    /// From the root, with `/`. A name that isn't UTF-8 has U+FFFD in it.
    path: String,
    at: At,
}

enum At {
    /// The path beneath the root.
    Disk(PathBuf),
    Object(Entry),
}

/// What isn't looked at, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// Submodules, and other repositories inside of this one.
    pub(crate) repositories: usize,
    /// Directories that can't be read.
    pub(crate) directories: usize,
}

/// The content of a file.
pub(crate) enum FileContent {
    Bytes(Vec<u8>),
    TooLarge,
    /// It can't be read; the system's words.
    Unread(String),
    /// It is gone, or is no regular file.
    Gone,
}

impl From<Content> for FileContent {
    fn from(content: Content) -> Self {
        match content {
            Content::Bytes(bytes) => Self::Bytes(bytes),
            Content::TooLarge => Self::TooLarge,
            Content::Missing => Self::Unread("the clone lacks it".to_owned()),
        }
    }
}

impl<'r> Tree<'r> {
    /// All files beneath a directory that is in no repository.
    pub(crate) fn of_directory(root: &Path) -> Result<Self, Failure> {
        let mut gaps = Gaps::default();
        let found = disk::walk(root, &mut gaps)
            .map_err(|error| InputError::Unreadable(root.display().to_string(), error))?;
        let files = sorted(on_disk(found));
        Ok(Self { root: Some(root.to_owned()), repository: None, files, others: Vec::new(), gaps })
    }

    /// The files of a work tree that Git tracks, and those that it doesn't know and doesn't ignore.
    pub(crate) fn of_work_tree(repository: &'r Repository, root: &Path) -> Result<Self, GitError> {
        let mut gaps = Gaps::default();
        let (mut paths, mut left_out) = (BTreeSet::new(), Vec::new());
        let index = repository.index()?;
        for entry in index.entries {
            match entry.kind {
                EntryKind::Submodule => gaps.repositories += 1,
                _ if index.left_out.contains(&entry.path) => left_out.push(entry),
                EntryKind::File | EntryKind::Link => drop(paths.insert(entry.path)),
            }
        }
        for path in repository.untracked()? {
            // git gives a repository of its own as a directory.
            if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
                gaps.repositories += 1;
            } else {
                paths.insert(path);
            }
        }
        // One that stands on the disk all the same is read there: the user works on it.
        let there = disk::present(root, left_out.iter().map(|entry| entry.path.clone()).collect());
        left_out.retain(|entry| !there.contains(&entry.path));
        paths.extend(there);
        let paths = disk::without_links(root, paths);
        let mut tree = Self::of_entries(repository, left_out);
        tree.files = sorted(tree.files.into_iter().chain(on_disk(paths)));
        Ok(Self { root: Some(root.to_owned()), gaps, ..tree })
    }

    /// The files of the index.
    pub(crate) fn of_index(repository: &'r Repository) -> Result<Self, GitError> {
        Ok(Self::of_entries(repository, repository.index()?.entries))
    }

    /// The files of a commit.
    pub(crate) fn of_commit(repository: &'r Repository, commit: &Commit) -> Result<Self, GitError> {
        Ok(Self::of_entries(repository, repository.entries_of(commit)?))
    }

    /// Some entries of a repository.
    pub(crate) fn of_entries(repository: &'r Repository, entries: Vec<Entry>) -> Self {
        let (files, others): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.kind == EntryKind::File);
        let repositories = others.iter().filter(|entry| entry.kind == EntryKind::Submodule).count();
        let file = |entry: Entry| TreeFile {
            path: entry.path.to_string_lossy().into_owned(),
            at: At::Object(entry),
        };
        let gaps = Gaps { repositories, ..Gaps::default() };
        let files = sorted(files.into_iter().map(file));
        Self { root: None, repository: Some(repository), files, others, gaps }
    }

    /// Adds a file that the user named, though Git ignores it.
    pub(crate) fn add_named(&mut self, path: &Path) {
        let shown = path.to_string_lossy().into_owned();
        if let Err(index) = self.files.binary_search_by(|file| file.path.as_str().cmp(&shown)) {
            self.files.insert(index, TreeFile { path: shown, at: At::Disk(path.to_owned()) });
        }
    }

    pub(crate) fn paths(&self) -> impl ExactSizeIterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }

    /// The symbolic links.
    pub(crate) fn links(&self) -> Result<Vec<Link>, GitError> {
        let root = self.root.as_deref().unwrap_or(Path::new(""));
        let link = |(path, at): (&str, &Path)| {
            // It fails for anything but a link.
            let target = std::fs::read_link(root.join(at)).ok()?;
            Some(Link { path: path.to_owned(), target: target.to_string_lossy().into_owned() })
        };
        let mut found: Vec<Link> = self.files.iter().filter_map(TreeFile::on_disk).filter_map(link).collect();
        let links: Vec<&Entry> = self.others.iter().filter(|entry| entry.kind == EntryKind::Link).collect();
        if let Some(repository) = self.repository.filter(|_| !links.is_empty()) {
            repository.read_entries(&links, |index, content| {
                let Content::Bytes(target) = content else { return };
                let path = links[index].path.to_string_lossy().into_owned();
                found.push(Link { path, target: String::from_utf8_lossy(&target).into_owned() });
            })?;
        }
        Ok(found)
    }

    /// The paths of links among objects; those on a disk are among the files, and nothing is read of them.
    pub(crate) fn link_paths(&self) -> impl Iterator<Item = String> {
        let links = self.others.iter().filter(|entry| entry.kind == EntryKind::Link);
        links.map(|entry| entry.path.to_string_lossy().into_owned())
    }

    /// Path and object of each file that is one.
    pub(crate) fn ids(&self) -> BTreeSet<(&Path, &str)> {
        self.files
            .iter()
            .filter_map(TreeFile::entry)
            .map(|entry| (entry.path.as_path(), entry.id()))
            .collect()
    }

    /// Only the files of some paths.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.files.retain(|file| is_wanted(&file.path));
    }

    /// Reads every file, and makes something of its path and content, in the order of paths. `work` runs on many threads.
    pub(crate) fn read<T: Send>(
        &self,
        task: Task,
        work: impl Fn(&str, FileContent) -> T + Sync,
    ) -> Result<Vec<T>, GitError> {
        self.read_only(task, |_| true, work)
    }

    /// As [`Self::read`], for some of the files.
    pub(crate) fn read_only<T: Send>(
        &self,
        task: Task,
        is_wanted: impl Fn(&str) -> bool,
        work: impl Fn(&str, FileContent) -> T + Sync,
    ) -> Result<Vec<T>, GitError> {
        let files: Vec<&TreeFile> = self.files.iter().filter(|file| is_wanted(&file.path)).collect();
        let paths: Vec<(&str, &Path)> = files.iter().filter_map(|file| file.on_disk()).collect();
        let root = self.root.as_deref().unwrap_or(Path::new(""));
        let mut from_disk =
            on_all_cores(task, paths, |(path, at)| work(path, disk::read(&root.join(at)))).into_iter();
        let objects: Vec<&TreeFile> = files.iter().copied().filter(|file| file.entry().is_some()).collect();
        let entries: Vec<&Entry> = objects.iter().filter_map(|file| file.entry()).collect();
        let mut made = Vec::with_capacity(entries.len());
        if let Some(repository) = self.repository {
            repository.read_entries(&entries, |index, content| {
                made.push(work(&objects[index].path, content.into()));
            })?;
        }
        let mut from_objects = made.into_iter();
        let all = files.iter().map(|file| match file.at {
            At::Disk(_) => from_disk.next().expect("each file of the disk is read once"),
            At::Object(_) => from_objects.next().expect("each object is read once"),
        });
        Ok(all.collect())
    }

    /// A reader of rules for this tree.
    pub(crate) fn rules_reader(&self) -> RulesReader<'r> {
        let objects = self.repository.map(|repository| Objects {
            repository,
            entries: self
                .files
                .iter()
                .filter_map(TreeFile::entry)
                .chain(&self.others)
                .map(|entry| (entry.path.to_string_lossy().into_owned(), entry.clone()))
                .collect(),
            revision: String::new(),
            links: OnceCell::new(),
        });
        RulesReader { disk: self.root.as_deref().map(reader::Disk::beneath), objects }
    }
}

impl TreeFile {
    fn entry(&self) -> Option<&Entry> {
        match &self.at {
            At::Disk(_) => None,
            At::Object(entry) => Some(entry),
        }
    }

    /// The name of a file of the disk, and its path beneath the root.
    fn on_disk(&self) -> Option<(&str, &Path)> {
        match &self.at {
            At::Disk(path) => Some((&self.path, path)),
            At::Object(_) => None,
        }
    }
}

fn on_disk(paths: Vec<PathBuf>) -> impl Iterator<Item = TreeFile> {
    paths.into_iter().map(|path| TreeFile { path: path.to_string_lossy().into_owned(), at: At::Disk(path) })
}

fn sorted(files: impl Iterator<Item = TreeFile>) -> Vec<TreeFile> {
    let mut files: Vec<TreeFile> = files.collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    // Two names that aren't UTF-8 may look the same; each is a file of its own, and keeps its content.
    files
}

/// The files of a tree, as the rules read them.
pub(crate) struct RulesReader<'r> {
    disk: Option<reader::Disk>,
    /// Asked where the disk has nothing: in a sparse checkout, the pins may be left out.
    objects: Option<Objects<'r>>,
}

impl<'r> From<Objects<'r>> for RulesReader<'r> {
    fn from(objects: Objects<'r>) -> Self {
        Self { disk: None, objects: Some(objects) }
    }
}

/// The entries of a commit or of the index, listed once: most paths that rules ask for aren't there.
pub(crate) struct Objects<'r> {
    repository: &'r Repository,
    entries: HashMap<String, Entry>,
    /// What stands before a path in messages, such as `origin/main:`.
    revision: String,
    /// The symbolic links, each with a slash behind it, without those beneath another. Found when they are first asked for.
    links: OnceCell<BTreeSet<String>>,
}

impl<'r> Objects<'r> {
    /// The files of a commit, under the name of a revision.
    pub(crate) fn of_commit(
        repository: &'r Repository,
        commit: &Commit,
        revision: &str,
    ) -> Result<Self, GitError> {
        let entries = repository.entries_of(commit)?.into_iter();
        let entries = entries.map(|entry| (entry.path.to_string_lossy().into_owned(), entry)).collect();
        Ok(Self { repository, entries, revision: format!("{revision}:"), links: OnceCell::new() })
    }

    /// Whether a path leads through a symbolic link. None of the links begins with another, so the last one that sorts
    /// before the path is the only candidate: a path of thousands of directories costs one look-up.
    fn is_behind_link(&self, path: &str) -> bool {
        let links = self.links.get_or_init(|| {
            let is_link = |entry: &&Entry| entry.kind == EntryKind::Link;
            let links = self.entries.values().filter(is_link);
            let links: BTreeSet<String> =
                links.map(|entry| format!("{}/", entry.path.to_string_lossy())).collect();
            let mut outermost: Vec<String> = Vec::new();
            for link in links {
                if outermost.last().is_none_or(|last| !link.starts_with(last.as_str())) {
                    outermost.push(link);
                }
            }
            outermost.into_iter().collect()
        });
        links.range(..=path.to_owned()).next_back().is_some_and(|link| path.starts_with(link.as_str()))
    }
}

impl ReadFiles for Objects<'_> {
    fn read(&self, path: &str, max: u64) -> Result<reader::Entry, Failure> {
        if self.is_behind_link(path) {
            return Ok(reader::Entry::Link);
        }
        let Some(entry) = self.entries.get(path) else { return Ok(reader::Entry::Absent) };
        match entry.kind {
            EntryKind::Link => return Ok(reader::Entry::Link),
            EntryKind::Submodule => return Ok(reader::Entry::NoFile),
            EntryKind::File => {}
        }
        let mut found = reader::Entry::Absent;
        self.repository.read_entries(&[entry], |_, content| {
            found = match content {
                Content::Bytes(bytes) if bytes.len() as u64 <= max => reader::Entry::File(bytes),
                Content::Bytes(_) | Content::TooLarge => reader::Entry::TooLarge,
                Content::Missing => reader::Entry::Absent,
            };
        })?;
        Ok(found)
    }

    fn name(&self, path: &str) -> String {
        format!("{}{path}", self.revision)
    }
}

impl ReadFiles for RulesReader<'_> {
    fn read(&self, path: &str, max: u64) -> Result<reader::Entry, Failure> {
        let found = self.disk.as_ref().map(|disk| disk.read(path, max)).transpose()?;
        match (found, &self.objects) {
            (None | Some(reader::Entry::Absent), Some(objects)) => objects.read(path, max),
            (found, _) => Ok(found.unwrap_or(reader::Entry::Absent)),
        }
    }

    fn name(&self, path: &str) -> String {
        match (&self.disk, &self.objects) {
            (Some(disk), _) => disk.name(path),
            (None, Some(objects)) => objects.name(path),
            (None, None) => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
