//! `seal check` in repositories of the real git: what is looked at, what is reported, and how it ends.
//!
//! The lints are tested beside their code. Here a file that names a Secret and can't be read stands for any fault, since
//! every view of a repository finds it. Invariant: no test reads the configuration of the user or the machine.

mod hints;
mod hostile;
mod past;
mod policy;
mod rendered;
mod silenced;
mod staged;
mod tree;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::sandbox::{Run, run};

/// A manifest with a fault.
pub(crate) const BROKEN: &str = "apiVersion: v1\nkind: Secret\nstringData: {a: [}\n";

/// A manifest without one.
pub(crate) const FINE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: secret}\n";

/// A directory with a repository in it, and beside it a home directory and the program under the name `seal`.
pub(crate) struct Repo {
    root: TempDir,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let repo = Self::without_git();
        repo.git(["init", "-q", "-b", "main"]);
        repo
    }

    pub(crate) fn without_git() -> Self {
        let root = tempfile::Builder::new().prefix("seal-check-").tempdir().unwrap();
        for dir in ["work", "home", "bin"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_test-seal"), root.path().join("bin/seal")).unwrap();
        Self { root }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// A path beside the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes files, and commits everything.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            self.write(name, text);
        }
        self.git(["add", "-A"]);
        self.git(["commit", "-q", "--no-verify", "--allow-empty", "-m", "x"]);
    }

    /// A command in the repository, with nothing of ours in its environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.beside("bin").display());
        command.env_clear().current_dir(self.dir()).env("HOME", self.beside("home")).env("PATH", path);
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C.UTF-8")]);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "x").env(format!("GIT_{who}_EMAIL"), "x@example.com");
        }
        command
    }

    /// Runs git, which has to succeed; its output without the last line end.
    #[track_caller]
    pub(crate) fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        let run = self.try_git(args);
        assert_eq!(run.code, 0, "{}", run.stderr);
        String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
    }

    #[track_caller]
    pub(crate) fn try_git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        let mut git = self.command("git");
        git.args(["-c", "protocol.file.allow=always"]).args(args);
        run(&mut git, b"")
    }

    /// Installs a hook that runs these lines of a shell.
    pub(crate) fn hook(dir: &Path, name: &str, lines: &str) {
        let path = dir.join(name);
        fs::create_dir_all(dir).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs `seal check`.
    #[track_caller]
    pub(crate) fn check<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        let mut seal = self.command(env!("CARGO_BIN_EXE_test-seal"));
        run(seal.arg("check").args(args), b"")
    }

    /// Runs `seal check --strict`, and gives its exit code and the lines of its report, without what comes after the rule.
    #[track_caller]
    pub(crate) fn found<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> (i32, Vec<String>) {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let run = self.check([OsStr::new("--strict")].into_iter().chain(args.iter().map(AsRef::as_ref)));
        assert!([0, 1].contains(&run.code), "{}", run.stderr);
        let text = String::from_utf8(run.stdout).unwrap();
        let short = |line: &str| {
            let (place, rest) = line.split_once(' ').unwrap();
            let (_, rest) = rest.split_once(' ').unwrap();
            let commit = if rest.contains("(in commit ") { " past" } else { "" };
            format!("{place} {}{commit}", rest.split(':').next().unwrap())
        };
        (run.code, text.lines().map(short).collect())
    }
}

/// What [`Repo::found`] gives for these lines.
pub(crate) fn found(lines: &[&str]) -> (i32, Vec<String>) {
    (i32::from(!lines.is_empty()), lines.iter().map(|line| (*line).to_owned()).collect())
}
