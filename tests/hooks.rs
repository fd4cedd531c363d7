//! What `seal hook` installs, run by the real git: commits that are refused, hooks that were there before, programs that keep
//! hooks, and clones in which something is missing.
//!
//! Invariant: whether a hook works is decided by a commit, and not by the text of a file.

mod commits;
mod existing;
mod places;

use crate::check::Repo;
use crate::sandbox::{Run, run};

/// A Secret with a value in plaintext.
const PLAIN: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {password: opensesame}\n";

/// Runs `seal hook …`.
#[track_caller]
fn hook(repo: &Repo, args: &[&str]) -> Run {
    run(repo.command(repo.beside("bin/seal")).arg("hook").args(args), b"")
}

/// Runs `seal hook …`, which has to succeed; its report.
#[track_caller]
fn hook_done(repo: &Repo, args: &[&str]) -> String {
    let run = hook(repo, args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", String::from_utf8_lossy(&run.stdout));
    String::from_utf8(run.stdout).unwrap()
}

/// The lines of `seal hook status` that are problems.
#[track_caller]
fn problems(repo: &Repo) -> Vec<String> {
    let run = hook(repo, &["status"]);
    let text = String::from_utf8(run.stdout).unwrap();
    let problems: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("! ")).map(str::to_owned).collect();
    assert_eq!(run.code, i32::from(!problems.is_empty()), "{text}{}", run.stderr);
    problems
}

/// Stages everything and commits it with the hooks.
#[track_caller]
fn commit(repo: &Repo) -> Run {
    repo.git(["add", "-A"]);
    repo.try_git(["commit", "-q", "-m", "x"])
}
