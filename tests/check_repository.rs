//! `seal check` over whole repositories: one of 5,000 files with a fault of every rule in it, and a pull request that
//! wants to be found harmless.
//!
//! Single messages are cases in `cli/check/`. Invariant: the faults that are planted are all that is found, file by file
//! and rule by rule; so a rule that finds too much fails here, and one that finds nothing too.

mod hostile;
mod kustomize;
mod planted;

use std::collections::BTreeSet;
use std::process::Command;

use crate::sandbox::{Run, Sandbox, run};

/// A finding as it is expected: the rule and the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    rule: String,
    path: String,
}

impl Fault {
    fn new(rule: &str, path: &str) -> Self {
        Self { rule: rule.to_owned(), path: path.to_owned() }
    }
}

/// The findings of the text format: `path:line:column severity rule: message`, notes left out.
fn findings(run: &Run) -> BTreeSet<Fault> {
    let stdout = std::str::from_utf8(&run.stdout).unwrap();
    let severities = [" error ", " warning "];
    let finding = |line: &str| {
        let (place, rest) = severities.iter().find_map(|severity| line.split_once(severity))?;
        let (rule, _) = rest.split_once(": ")?;
        let path = place.split(':').next()?;
        Some(Fault::new(rule, path))
    };
    stdout.lines().filter_map(finding).collect()
}

/// Runs git in the sandbox, with nothing of this machine's configuration.
#[track_caller]
fn git(sandbox: &Sandbox, args: &[&str]) -> String {
    git_at(sandbox, None, args)
}

/// As [`git`], at another time than now.
#[track_caller]
fn git_at(sandbox: &Sandbox, date: Option<&str>, args: &[&str]) -> String {
    let mut command = Command::new("git");
    sandbox.confine(&mut command);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_NOSYSTEM", "1");
    if let Some(date) = date {
        command.env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date);
    }
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "t").env(format!("GIT_{name}_EMAIL"), "t@example.com");
    }
    let run = run(command.args(args), b"");
    assert_eq!(run.code, 0, "git {args:?}: {}", run.stderr);
    String::from_utf8(run.stdout).unwrap()
}

/// Commits all that Git doesn't ignore.
#[track_caller]
fn commit(sandbox: &Sandbox, message: &str) {
    git(sandbox, &["add", "-A"]);
    git(sandbox, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// The program `seal`, with a git that it finds.
fn seal(sandbox: &Sandbox, args: &[&str]) -> Run {
    let mut command = sandbox.seal(args);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    run(&mut command, b"")
}

#[track_caller]
fn assert_found(run: &Run, expected: &BTreeSet<Fault>) {
    let found = findings(run);
    let missing: Vec<_> = expected.difference(&found).collect();
    let extra: Vec<_> = found.difference(expected).collect();
    let output = || String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing: {missing:#?}\nextra: {extra:#?}\n{}\n{}",
        run.stderr,
        output()
            .lines()
            .filter(|line| extra.iter().any(|fault| line.starts_with(&fault.path)))
            .collect::<Vec<_>>()
            .join("\n")
    );
}
