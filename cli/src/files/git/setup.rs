//! What a clone has git do: the directory of its hooks, the attributes in effect, and its configuration.
//!
//! The threat is a configuration that leads elsewhere; whoever writes by these answers looks at what is there. Invariants:
//! no hook runs here; only the clone's own configuration is written, by `git config` itself, under names that are ours.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Output, output};
use super::{GitError, Repository};

/// Where git looks for hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HooksPlace {
    /// The directory of the clone itself.
    pub(crate) own: PathBuf,
    /// The directory that `core.hooksPath` names, if it is another one. Then git doesn't look into its own.
    pub(crate) elsewhere: Option<PathBuf>,
}

/// An attribute of a path, as all of the files of attributes say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) path: String,
    pub(crate) name: String,
    /// `unspecified` if no file says anything.
    pub(crate) value: String,
}

impl Repository {
    /// The directory of hooks, which all linked work trees of a clone share. A submodule has its own.
    pub(crate) fn hooks(&self) -> Result<HooksPlace, GitError> {
        let top = self.top().ok_or(GitError::NoWorkTree)?;
        let path = |args: &[&str]| -> Result<PathBuf, GitError> {
            let mut git = self.git.command_that_sees_hooks();
            let mut bytes = told("rev-parse", git.current_dir(top).arg("rev-parse").args(args))?;
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            Ok(top.join(OsString::from_vec(bytes)))
        };
        let dir = path(&["--git-path", "hooks"])?;
        let own = path(&["--git-common-dir"])?.join("hooks");
        let elsewhere = (!is_same(&dir, &own)).then_some(dir);
        Ok(HooksPlace { own, elsewhere })
    }

    /// The value of a setting, wherever it is set; `None` if it isn't.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, GitError> {
        Ok(self.settings(&["--get", name])?.pop())
    }

    /// The values of a setting in the configuration of the clone.
    pub(crate) fn own_settings(&self, name: &str) -> Result<Vec<String>, GitError> {
        self.settings(&["--local", "--get-all", name])
    }

    fn settings(&self, args: &[&str]) -> Result<Vec<String>, GitError> {
        const COMMAND: &str = "config";
        let Output { is_done, bytes, words, has_words } =
            output(self.git.command().args([COMMAND, "--null"]).args(args))?;
        // git ends with 1, and without a word, if there is no such setting.
        if !is_done && has_words {
            return Err(GitError::Failed { command: COMMAND, words });
        }
        Ok(nul_ended(&bytes))
    }

    /// Sets something in the configuration of the clone.
    pub(crate) fn set(&self, name: &'static str, value: &'static str) -> Result<(), GitError> {
        told("config", self.git.command().args(["config", "--local", name, value])).map(drop)
    }

    /// Takes a setting out of the configuration of the clone.
    pub(crate) fn unset(&self, name: &'static str) -> Result<(), GitError> {
        told("config", self.git.command().args(["config", "--local", "--unset-all", name])).map(drop)
    }

    /// The attributes of paths beneath the top of the work tree. The files need not be there.
    pub(crate) fn attributes(&self, names: &[&str], paths: &[String]) -> Result<Vec<Attribute>, GitError> {
        let top = self.top().ok_or(GitError::NoWorkTree)?;
        let mut git = self.git.command();
        git.current_dir(top).args(["check-attr", "-z"]).args(names).arg("--").args(paths);
        let words = nul_ended(&told("check-attr", &mut git)?);
        let (records, rest) = words.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(GitError::Unexpected("check-attr"));
        }
        let attribute = |[path, name, value]: &[String; 3]| Attribute {
            path: path.clone(),
            name: name.clone(),
            value: value.clone(),
        };
        Ok(records.iter().map(attribute).collect())
    }
}

/// Whether two paths lead to one directory, which need not be there.
fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    one == other || whole(one) == whole(other)
}

fn nul_ended(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

fn told(command: &'static str, git: &mut Command) -> Result<Vec<u8>, GitError> {
    let Output { is_done, bytes, words, .. } = output(git)?;
    if is_done { Ok(bytes) } else { Err(GitError::Failed { command, words }) }
}
