//! The line-by-line merge of git, and what git is doing at the moment.
//!
//! `git merge-file` works on files, so three temporary ones are written, which only the user may read. Invariant: nothing in
//! the repository is written, and no words of a commit are passed on unescaped.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::process::{Git, is_id, output};
use super::{Content, GitError, Repository};

/// The most bytes that are read of a file in which git notes what it does.
const MAX_NOTE: u64 = 16 * 1024;

/// The most bytes of a subject in a label.
const MAX_SUBJECT: usize = 60;

/// The versions of a file, and what their lines are called in a conflict.
pub(crate) struct MergeFile<'m> {
    pub(crate) base: &'m [u8],
    pub(crate) ours: &'m [u8],
    pub(crate) theirs: &'m [u8],
    pub(crate) base_label: &'m str,
    pub(crate) ours_label: &'m str,
    pub(crate) theirs_label: &'m str,
    pub(crate) marker_size: usize,
}

/// What git made of them.
pub(crate) struct MergedFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_clean: bool,
}

/// Merges line by line. It needs no repository.
///
/// # Errors
///
/// git can't be started, or refuses the content, as it does for bytes that aren't text.
pub(crate) fn merge_file(files: &MergeFile<'_>) -> Result<MergedFile, GitError> {
    const COMMAND: &str = "merge-file";
    /// More conflicts than git counts, and the least exit code of an error.
    const ERROR: i32 = 128;
    let failed = |error: io::Error| GitError::Failed { command: COMMAND, words: error.to_string() };
    let dir = tempfile::tempdir().map_err(failed)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).map(|()| path)
    };
    let paths = [write("ours", files.ours), write("base", files.base), write("theirs", files.theirs)];
    let paths = paths.into_iter().collect::<io::Result<Vec<PathBuf>>>().map_err(failed)?;
    let mut command = Git::in_dir(Path::new("."))?.command();
    command.args([COMMAND, "-p", &format!("--marker-size={}", files.marker_size)]);
    for label in [files.ours_label, files.base_label, files.theirs_label] {
        command.args(["-L", label]);
    }
    let merged = command.args(&paths).output().map_err(GitError::NotStarted)?;
    match merged.status.code() {
        Some(code) if code < ERROR => Ok(MergedFile { bytes: merged.stdout, is_clean: code == 0 }),
        _ => Err(GitError::Failed { command: COMMAND, words: super::process::Output::from(merged).words }),
    }
}

/// The hunks of a diff of two texts, without the lines above them that name files; nothing if they are the same.
///
/// # Errors
///
/// git can't be started.
pub(crate) fn diff_lines(old: &[u8], new: &[u8]) -> Result<Vec<u8>, GitError> {
    const COMMAND: &str = "diff";
    let failed = |error: io::Error| GitError::Failed { command: COMMAND, words: error.to_string() };
    let dir = tempfile::tempdir().map_err(failed)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).map(|()| path)
    };
    let paths = [write("old", old).map_err(failed)?, write("new", new).map_err(failed)?];
    let mut command = Git::in_dir(Path::new("."))?.command();
    // Outside of the repository no attribute counts, so no other program is run.
    command.current_dir(dir.path()).env_remove("GIT_EXTERNAL_DIFF");
    command.args([COMMAND, "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--"]).args(&paths);
    let diff = command.output().map_err(GitError::NotStarted)?;
    if !matches!(diff.status.code(), Some(0 | 1)) {
        return Err(GitError::Failed { command: COMMAND, words: super::process::Output::from(diff).words });
    }
    let start =
        diff.stdout.windows(3).position(|window| window == b"\n@@").map_or(diff.stdout.len(), |at| at + 1);
    Ok(diff.stdout[start..].to_vec())
}

/// What git is in the middle of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A rebase: "ours" is the branch that the commits go onto, "theirs" the commit that goes there.
    Rebase {
        onto: String,
        /// The short id and the subject.
        commit: String,
    },
    /// A merge, a cherry-pick, a revert or a stash, as far as can be told.
    Other {
        /// The branch that is checked out; `HEAD` if there is none.
        branch: String,
        /// The short id and the subject of the commit that comes in, if git has noted one.
        theirs: Option<String>,
    },
}

impl Repository {
    /// What git is in the middle of, for labels: a git before 2.45 doesn't tell its merge drivers.
    pub(crate) fn operation(&self) -> Operation {
        let note = |name: &str| self.note(name);
        if let (Some(onto), Some(done)) = (note("rebase-merge/onto"), note("rebase-merge/done")) {
            let onto = onto.trim().get(..7).unwrap_or("HEAD").to_owned();
            return Operation::Rebase { onto, commit: picked(&done).unwrap_or_else(|| "theirs".to_owned()) };
        }
        let branch = output(self.git.command().args(["symbolic-ref", "--quiet", "--short", "HEAD"])).ok();
        let branch = branch.filter(|branch| branch.is_done).map(|branch| {
            let name = String::from_utf8_lossy(&branch.bytes).trim_end().to_owned();
            seal_foreign::line(&name, MAX_SUBJECT)
        });
        Operation::Other { branch: branch.unwrap_or_else(|| "HEAD".to_owned()), theirs: self.incoming() }
    }

    /// The commit that comes in. git notes it once there is a conflict, so that `git checkout --merge` finds it, and before
    /// each commit if it picks or reverts several.
    fn incoming(&self) -> Option<String> {
        let head = |name: &str| {
            let note = self.note(name)?;
            let id = note.trim_end();
            is_id(id).then(|| self.named(id))
        };
        if let Some(commit) = head("MERGE_HEAD").or_else(|| head("CHERRY_PICK_HEAD")) {
            return Some(commit);
        }
        if let Some(commit) = head("REVERT_HEAD") {
            return Some(format!("parent of {commit}"));
        }
        let todo = self.note("sequencer/todo")?;
        let line = todo.lines().next()?;
        let commit = picked(line)?;
        Some(if line.starts_with("revert ") { format!("parent of {commit}") } else { commit })
    }

    /// A commit by its short id and its subject.
    fn named(&self, id: &str) -> String {
        let mut subject = String::new();
        let read = self.contents(&[id], |_, content| {
            if let Content::Bytes(bytes) = content {
                let text = String::from_utf8_lossy(&bytes);
                let message = text.split_once("\n\n").map_or("", |(_, message)| message);
                subject = seal_foreign::line(message.lines().next().unwrap_or_default(), MAX_SUBJECT);
            }
        });
        if read.is_ok() && !subject.is_empty() {
            format!("{} ({subject})", &id[..7])
        } else {
            id[..7].to_owned()
        }
    }

    /// The end of a file in which git notes what it does; `None` if there is none.
    fn note(&self, name: &str) -> Option<String> {
        let path = output(self.git.command().args(["rev-parse", "--git-path", name])).ok()?;
        let mut path = path.bytes;
        path.truncate(path.trim_ascii_end().len());
        let mut file = fs::File::open(self.git.dir.join(OsString::from_vec(path))).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MAX_NOTE))).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_NOTE).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The commit of the last line of a rebase's `done`: `pick <id> <subject>`, in newer versions of git `pick <id> # <subject>`.
fn picked(done: &str) -> Option<String> {
    let line = done.lines().rfind(|line| !line.trim().is_empty() && !line.starts_with('#'))?;
    let mut words = line.splitn(3, ' ');
    let (_, id, subject) = (words.next()?, words.next()?, words.next().unwrap_or_default());
    let is_id = id.len() >= 7 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let subject = seal_foreign::line(subject.trim_start_matches("# "), MAX_SUBJECT);
    is_id.then(|| if subject.is_empty() { id[..7].to_owned() } else { format!("{} ({subject})", &id[..7]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_of_a_rebase_is_named_by_its_subject() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let done = format!("pick {} first\npick {id} set \u{1b}[2J password\n", "f".repeat(40));
        assert_eq!(picked(&done).unwrap(), "0123456 (set \\u{1b}[2J password)");
        assert_eq!(picked(&format!("fixup {id} # subject\n")).unwrap(), "0123456 (subject)");
        assert_eq!(picked(&format!("pick {id}")).unwrap(), "0123456");
        assert_eq!(picked("exec make\n"), None);
    }

    #[test]
    fn hunks_stand_alone() {
        let hunks = diff_lines(b"a\nb\n", b"a\nc\n").unwrap();
        assert_eq!(String::from_utf8(hunks).unwrap(), "@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        assert_eq!(diff_lines(b"a\n", b"a\n").unwrap(), b"");
    }

    #[test]
    fn lines_are_merged_as_git_merges_them() {
        let merge = |ours: &str, theirs: &str| {
            merge_file(&MergeFile {
                base: b"a\nb\nc\n",
                ours: ours.as_bytes(),
                theirs: theirs.as_bytes(),
                base_label: "base",
                ours_label: "main",
                theirs_label: "-x",
                marker_size: 9,
            })
        };
        let clean = merge("A\nb\nc\n", "a\nb\nC\n").unwrap();
        assert!(clean.is_clean && clean.bytes == b"A\nb\nC\n");
        let conflict = merge("A\nb\nc\n", "B\nb\nc\n").unwrap();
        let text = String::from_utf8(conflict.bytes).unwrap();
        assert!(!conflict.is_clean && text.starts_with("<<<<<<<<< main\nA\n"), "{text}");
        assert!(text.contains("\n=========\nB\n>>>>>>>>> -x\n"), "{text}");
        assert!(merge("\0\n", "B\n").is_err());
    }
}
