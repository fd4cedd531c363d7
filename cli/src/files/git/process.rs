//! The process `git`: how it is started, and what it answers.
//!
//! Invariants: git itself comes from no repository, and everything is switched off by which a repository could have it
//! start a program or a connection.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::GitError;
use crate::files::program;

/// The most bytes of git's own words that are shown.
const MAX_WORDS: usize = 1024;

/// The configuration under which git runs, over that of the repository and the user. The commit-graph is a second record
/// of who a commit's parents are, which git believes without a look at the commits.
const SETTINGS: [&str; 5] = [
    // git says something of the file of grafts below, which would be taken for an error.
    "advice.graftFileDeprecated=false",
    "core.commitGraph=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
];

/// The environment under which git runs. The list of allowed transports goes over `protocol.<name>.allow` of the
/// repository, which would go over a general `protocol.allow`.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];

/// The line of `git cat-file` about an object; without kind and size if the repository doesn't have it.
pub(super) struct Header<'l> {
    pub(super) kind: Option<&'l str>,
    pub(super) size: Option<u64>,
}

impl<'l> Header<'l> {
    pub(super) fn parse(line: &'l str, id: &str) -> Option<Self> {
        let mut words = line.strip_suffix('\n')?.split(' ');
        if words.next() != Some(id) {
            return None;
        }
        match (words.next()?, words.next(), words.next()) {
            ("missing", None, None) => Some(Self { kind: None, size: None }),
            (kind, Some(size), None) => Some(Self { kind: Some(kind), size: Some(size.parse().ok()?) }),
            _ => None,
        }
    }
}

/// Whether a text is the id of an object: SHA-1 or SHA-256.
pub(super) fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// git in a directory.
pub(super) struct Git {
    program: PathBuf,
    pub(super) dir: PathBuf,
}

impl Git {
    pub(super) fn in_dir(dir: &Path) -> Result<Self, GitError> {
        let program =
            program::find("git").ok_or_else(|| GitError::NotStarted(io::ErrorKind::NotFound.into()))?;
        Ok(Self { program, dir: dir.to_owned() })
    }

    /// A run of git, with everything switched off that starts programs or connections.
    pub(super) fn command(&self) -> Command {
        self.command_under(|_| true)
    }

    /// A run of git that only says where the hooks of a repository are. No command that runs hooks may be given to it.
    pub(super) fn command_that_sees_hooks(&self) -> Command {
        self.command_under(|setting| !setting.starts_with("core.hooksPath="))
    }

    fn command_under(&self, is_set: impl Fn(&str) -> bool) -> Command {
        let mut git = Command::new(&self.program);
        git.current_dir(&self.dir)
            .args(["--no-pager", "--no-replace-objects", "--no-optional-locks"])
            .args(SETTINGS.iter().filter(|setting| is_set(setting)).flat_map(|setting| ["-c", setting]))
            .envs(ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        git
    }
}

pub(super) fn spawn(command: &mut Command) -> Result<Child, GitError> {
    // Nobody reads what git says while it answers questions; a full pipe would stop it.
    command.stderr(Stdio::null()).spawn().map_err(GitError::NotStarted)
}

/// The end of a run of git.
pub(super) struct Output {
    pub(super) is_done: bool,
    pub(super) bytes: Vec<u8>,
    /// The first words on its standard error.
    pub(super) words: String,
    /// There were some.
    pub(super) has_words: bool,
}

pub(super) fn output(command: &mut Command) -> Result<Output, GitError> {
    command.output().map(Output::from).map_err(GitError::NotStarted)
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
        let has_words = !words.is_empty();
        let words = if has_words { words } else { "without a word" };
        let words = seal_foreign::line(words, MAX_WORDS);
        Self { is_done: output.status.success(), bytes: output.stdout, words, has_words }
    }
}
