//! The jobs of GitHub and GitLab, on the merge results that their buttons make.

use std::fs;

use seal_tests::toolchain;

use super::yaml;
use crate::check::{FINE, Repo};
use crate::sandbox::{Run, run};

/// The job of GitHub in a clone of the base in which HEAD is the merge commit of a pull request.
fn github(repo: &Repo) -> Run {
    let steps = yaml("cli/git-example/github.yaml")["jobs"]["check"]["steps"].clone();
    let steps = steps.as_sequence().unwrap().clone();
    let scripts: Vec<_> = steps.iter().filter(|step| step.get("run").is_some()).collect();
    let [step] = scripts[..] else { panic!("{} steps have a script", scripts.len()) };
    let base = step["env"]["BASE"].as_str().unwrap();
    assert!(base.contains("format('origin/{0}', github.base_ref)"), "{base}");
    // GitHub writes the script to a file and runs `bash -e`.
    let script = step["run"].as_str().unwrap();
    run(repo.command("bash").args(["-e", "-c", script]).env("BASE", "origin/main"), b"")
}

/// The job of GitLab in a clone in which HEAD is the source branch.
fn gitlab(repo: &Repo) -> Run {
    let script = yaml("cli/git-example/gitlab.yaml")["seal"]["script"].clone();
    let lines: Vec<&str> = script.as_sequence().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let mut sh = repo.command("sh");
    sh.args(["-e", "-c", &lines.join("\n")]).env("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main");
    run(&mut sh, b"")
}

/// Runs `seal`, which has to succeed.
#[track_caller]
fn seal(repo: &Repo, args: &[&str], stdin: &str) {
    let run = run(repo.command("seal").args(args), stdin.as_bytes());
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// A repository with rules and a SealedSecret of two items, and a remote that has it.
fn sealed() -> Repo {
    let repo = Repo::new();
    let pin = toolchain::repository().join("tests/cli/given/prod.pub");
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: \"**\", to: [prod]}]\n";
    repo.commit(&[(".seal.yaml", rules), ("prod.pub", &fs::read_to_string(pin).unwrap())]);
    let literals = ["--literal", "user=one", "--literal", "password=two"];
    seal(&repo, &[["create", "db", "-n", "prod", "-o", "db.yaml"].as_slice(), &literals].concat(), "");
    // Between the items there are lines, so that git merges changes of both.
    repo.commit(&[]);
    let bare = repo.beside("server.git");
    repo.git(["init", "-q", "--bare", bare.to_str().unwrap()]);
    repo.git(["remote", "add", "origin", bare.to_str().unwrap()]);
    repo.git(["push", "-q", "origin", "main"]);
    repo.git(["fetch", "-q"]);
    repo
}

/// A change on a branch of its own, from the first commit.
fn branch(repo: &Repo, name: &str, change: impl FnOnce(&Repo)) {
    repo.git(["switch", "-q", "-c", name, "origin/main"]);
    change(repo);
    repo.commit(&[]);
}

/// `main` of the server gets a branch, and HEAD becomes the pull request of another.
fn pull(repo: &Repo, base: &str, request: &str) {
    repo.git(["push", "-q", "origin", &format!("{base}:main")]);
    repo.git(["fetch", "-q"]);
    repo.git(["switch", "-q", request]);
}

/// HEAD becomes what the button would make, which is GitHub's HEAD of a pull request.
fn press_the_button(repo: &Repo) -> i32 {
    let request = repo.git(["rev-parse", "HEAD"]);
    repo.git(["checkout", "-q", "--detach", "origin/main"]);
    repo.try_git(["merge", "-q", "--no-ff", "-m", "x", &request]).code
}

#[test]
fn a_request_with_nothing_wrong_passes() {
    let repo = sealed();
    branch(&repo, "base", |repo| repo.write("a.yaml", FINE));
    branch(&repo, "request", |repo| repo.write("b.yaml", FINE));
    pull(&repo, "base", "request");
    let run = gitlab(&repo);
    assert_eq!(run.code, 0, "{}", run.stderr);
    repo.git(["switch", "-q", "--discard-changes", "request"]);
    assert_eq!(press_the_button(&repo), 0);
    let run = github(&repo);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// Both branches are fine, and git merges their lines: between two items of one envelope stands one of another.
fn removed_on_both_sides() -> Repo {
    let repo = sealed();
    seal(&repo, &["set", "db.yaml", "pin"], "three");
    repo.commit(&[]);
    repo.git(["push", "-q", "origin", "main"]);
    repo.git(["fetch", "-q"]);
    branch(&repo, "base", |repo| seal(repo, &["rm", "db.yaml", "password"], ""));
    branch(&repo, "request", |repo| seal(repo, &["rm", "db.yaml", "user"], ""));
    pull(&repo, "base", "request");
    repo
}

#[test]
fn a_merge_that_is_clean_to_git_and_does_not_open_is_found_on_github() {
    let repo = removed_on_both_sides();
    assert_eq!(repo.found(["origin/main..HEAD"]).0, 0, "the branch is fine");
    assert_eq!(press_the_button(&repo), 0, "git finds the merge clean");
    let run = github(&repo);
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.code, 1, "{text}{}", run.stderr);
    assert!(text.contains("::error file=db.yaml") && text.contains("unused-envelope"), "{text}");
}

#[test]
fn a_merge_that_is_clean_to_git_and_does_not_open_is_found_on_gitlab() {
    let run = gitlab(&removed_on_both_sides());
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.code, 1, "{text}{}", run.stderr);
    assert!(text.contains("db.yaml") && text.contains("error unused-envelope"), "{text}");
}

#[test]
fn a_merge_that_the_button_refuses_is_refused_by_the_job() {
    let repo = sealed();
    branch(&repo, "base", |repo| seal(repo, &["set", "db.yaml", "one"], "1"));
    branch(&repo, "request", |repo| seal(repo, &["set", "db.yaml", "two"], "2"));
    pull(&repo, "base", "request");
    assert_ne!(gitlab(&repo).code, 0, "both add an envelope in one place");
}

#[test]
fn a_request_is_judged_by_the_rules_of_its_base() {
    let repo = sealed();
    branch(&repo, "base", |repo| repo.write("a.yaml", FINE));
    branch(&repo, "request", |repo| {
        let other = toolchain::repository().join("tests/cli/given/classic.pub");
        repo.write("prod.pub", fs::read(other).unwrap());
    });
    pull(&repo, "base", "request");
    assert_eq!(press_the_button(&repo), 0);
    for run in [github(&repo), gitlab(&repo)] {
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(run.code, 1, "{text}{}", run.stderr);
        assert!(text.contains("pins-changed"), "{text}");
    }
}

#[test]
fn a_secret_that_a_later_commit_of_the_request_removes_is_found() {
    let repo = sealed();
    branch(&repo, "base", |repo| repo.write("a.yaml", FINE));
    branch(&repo, "request", |repo| {
        repo.commit(&[(
            "b.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\nstringData: {a: opensesame}\n",
        )]);
        fs::remove_file(repo.dir().join("b.yaml")).unwrap();
    });
    pull(&repo, "base", "request");
    assert_eq!(press_the_button(&repo), 0);
    for run in [github(&repo), gitlab(&repo)] {
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(run.code, 1, "{text}{}", run.stderr);
        assert!(text.contains("in plaintext (in commit ") && !text.contains("opensesame"), "{text}");
    }
}
