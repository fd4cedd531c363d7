//! What commits brought in: the files of a range, the last change of a file, the age of a word.
//!
//! Invariant: a file that any commit of a range has, and that no commit before it had under this path, is found, also if
//! a later commit of the range removes it, and whatever a merge made of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::entries::{literal, nul_ended};
use super::process::is_id;
use super::{Commit, Content, Entry, EntryKind, GitError, Range, Repository};

/// A file as a commit brought it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Introduced {
    pub(crate) commit: Commit,
    pub(crate) entry: Entry,
}

/// The commit that last changed a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) commit: Commit,
    /// As the commit claims; others' words.
    pub(crate) author: String,
    /// The day of the commit, as it claims: `2026-11-27`.
    pub(crate) day: String,
}

impl Repository {
    /// The files that the commits of a range bring in, newest commit first; each content under each path once. Links
    /// are among them, and submodules aren't.
    pub(crate) fn introduced(&self, range: &Range) -> Result<Vec<Introduced>, GitError> {
        let commits = match range {
            Range::Nothing => return Ok(Vec::new()),
            Range::Since { old, new } => {
                self.told("rev-list", &["--stdin"], &[&new.0, &format!("^{}", old.0)])?
            }
            Range::Unknown { new } => self.told("rev-list", &["--stdin", "--not", "--all"], &[&new.0])?,
        };
        let commits = String::from_utf8_lossy(&commits).into_owned();
        let mut found = self.brought_in(&commits.lines().collect::<Vec<_>>())?;
        let mut seen = HashSet::new();
        found.retain(|file| seen.insert((file.entry.id.clone(), file.entry.path.clone())));
        Ok(found)
    }

    /// The files by which each of some commits differs from any of its parents, in the order of the commits.
    fn brought_in(&self, commits: &[&str]) -> Result<Vec<Introduced>, GitError> {
        const COMMAND: &str = "diff-tree";
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        // With `-m` a merge is compared with each of its parents: what it adds itself differs from all of them.
        let args = ["--stdin", "-r", "-m", "--root", "--raw", "-z", "--no-renames", "--no-abbrev"];
        let listing = self.told(COMMAND, &args, commits)?;
        let mut words = nul_ended(&listing);
        let mut commit = None;
        let mut found = Vec::new();
        while let Some(word) = words.next() {
            let Some(facts) = word.strip_prefix(b":") else {
                let id = String::from_utf8_lossy(word).into_owned();
                if !is_id(&id) {
                    return Err(GitError::Unexpected(COMMAND));
                }
                commit = Some(Commit(id));
                continue;
            };
            // `:<old mode> <mode> <old id> <id> <status>`, then the path.
            let facts = String::from_utf8_lossy(facts);
            let facts: Vec<&str> = facts.split(' ').collect();
            let [_, mode, _, id, _] = facts[..] else { return Err(GitError::Unexpected(COMMAND)) };
            let (path, commit) = words.next().zip(commit.as_ref()).ok_or(GitError::Unexpected(COMMAND))?;
            let entry = Entry::new(mode, id, path).filter(|entry| entry.kind != EntryKind::Submodule);
            found.extend(entry.map(|entry| Introduced { commit: commit.clone(), entry }));
        }
        Ok(found)
    }

    /// The last commit behind HEAD that changed a file, by its path from the top; `None` if there is none.
    pub(crate) fn last_change(&self, path: &Path) -> Result<Option<Change>, GitError> {
        const COMMAND: &str = "rev-list";
        let mut command = self.git.command();
        let format = "--format=tformat:%H%x00%cs%x00%an";
        command.args([COMMAND, "--max-count=1", format, "HEAD", "--"]).arg(literal(path));
        let listing = Self::done(COMMAND, &mut command)?;
        let text = String::from_utf8_lossy(&listing);
        // The first line is `commit <id>`.
        let Some(line) = text.lines().find(|line| line.contains('\0')) else { return Ok(None) };
        let facts: Vec<&str> = line.split('\0').collect();
        let [id, day, author] = facts[..] else { return Err(GitError::Unexpected(COMMAND)) };
        let commit = Commit(id.to_owned());
        Ok(Some(Change { commit, author: author.to_owned(), day: day.to_owned() }))
    }

    /// How many commits behind all branches and tags changed a file, by its path from the top.
    pub(crate) fn commits_that_changed(&self, path: &Path) -> Result<usize, GitError> {
        const COMMAND: &str = "rev-list";
        let mut command = self.git.command();
        command.args([COMMAND, "--count", "--all", "--full-history", "--"]).arg(literal(path));
        let count = Self::done(COMMAND, &mut command)?;
        String::from_utf8_lossy(&count).trim().parse().map_err(|_| GitError::Unexpected(COMMAND))
    }

    /// The last commit behind another one, and it itself, in which each of some files had each of some words that are wanted of
    /// it; among the last `max` commits alone. Words end as in [`Self::first_committed`].
    pub(crate) fn last_had(
        &self,
        tip: &Commit,
        max: usize,
        wanted: &BTreeMap<&Path, HashSet<&str>>,
    ) -> Result<HashMap<String, Commit>, GitError> {
        let listing = self.rev_list(std::slice::from_ref(tip), &[&format!("--max-count={max}")], &[])?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let mut files = self.brought_in(&listing.lines().collect::<Vec<_>>())?;
        files.retain(|file| {
            file.entry.kind == EntryKind::File && wanted.contains_key(file.entry.path.as_path())
        });
        let entries: Vec<&Entry> = files.iter().map(|file| &file.entry).collect();
        let mut found: HashMap<String, Commit> = HashMap::new();
        self.read_entries(&entries, |index, content| {
            let Content::Bytes(bytes) = content else { return };
            let Introduced { commit, entry } = &files[index];
            for word in words_of(&bytes).filter(|word| wanted[entry.path.as_path()].contains(word)) {
                // The newest commit comes first.
                found.entry(word.to_owned()).or_insert_with(|| commit.clone());
            }
        })?;
        Ok(found)
    }

    /// When each of some words was first committed behind a commit, in seconds since 1970, by the commits' own clocks; in
    /// one walk over the history, each content once. A word that no commit has is left out. Words end at blanks, quotes,
    /// commas and brackets, as a ciphertext in YAML or JSON does.
    ///
    /// In a [shallow clone](Self::gap) the answer is too young: the caller has to say "unknown" then.
    pub(crate) fn first_committed(
        &self,
        tip: &Commit,
        words: &HashSet<&str>,
    ) -> Result<HashMap<String, i64>, GitError> {
        let listing = self.rev_list(std::slice::from_ref(tip), &["--timestamp"], &[])?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let (mut times, mut ids) = (HashMap::new(), Vec::new());
        for line in listing.lines() {
            let (time, id) = line.split_once(' ').ok_or(GitError::Unexpected("rev-list"))?;
            times.insert(id, time.parse::<i64>().map_err(|_| GitError::Unexpected("rev-list"))?);
            ids.push(id);
        }
        // The oldest time of each content, whatever its path.
        let mut contents: HashMap<String, i64> = HashMap::new();
        for Introduced { commit, entry } in self.brought_in(&ids)? {
            let time = times.get(commit.0.as_str()).copied().ok_or(GitError::Unexpected("diff-tree"))?;
            contents.entry(entry.id).and_modify(|oldest| *oldest = time.min(*oldest)).or_insert(time);
        }
        let mut ids: Vec<(&str, i64)> = contents.iter().map(|(id, time)| (id.as_str(), *time)).collect();
        ids.sort_unstable();
        let mut first: HashMap<String, i64> = HashMap::new();
        let wanted: Vec<&str> = ids.iter().map(|(id, _)| *id).collect();
        self.contents(&wanted, |index, content| {
            let Content::Bytes(bytes) = content else { return };
            for word in words_of(&bytes) {
                if let Some(word) = words.get(word) {
                    let time = ids[index].1;
                    first
                        .entry((*word).to_owned())
                        .and_modify(|oldest| *oldest = time.min(*oldest))
                        .or_insert(time);
                }
            }
        })?;
        Ok(first)
    }
}

/// The words of a file, as they stand in YAML or JSON.
fn words_of(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let is_end = |byte: &u8| {
        matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'[' | b']' | b'{' | b'}')
    };
    bytes.split(is_end).filter_map(|word| std::str::from_utf8(word).ok())
}
