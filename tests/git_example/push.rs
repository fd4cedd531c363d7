//! The hook of a server, by a real `git push` to a bare repository.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::read;
use crate::check::{FINE, Repo};

const PLAIN: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {a: opensesame}\n";

/// A repository with the hook, and a clone that pushes to it.
fn server() -> Repo {
    let repo = Repo::new();
    let bare = repo.beside("server.git");
    repo.git(["init", "-q", "--bare", bare.to_str().unwrap()]);
    let hook = bare.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, read("cli/git-example/pre-receive")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repo.git(["remote", "add", "origin", bare.to_str().unwrap()]);
    repo
}

#[test]
fn a_push_is_refused_for_a_secret_that_a_later_commit_removed() {
    let repo = server();
    repo.commit(&[("fine.yaml", FINE)]);
    repo.git(["push", "-q", "origin", "main"]);
    repo.commit(&[("db.yaml", PLAIN)]);
    repo.git(["rm", "-q", "db.yaml"]);
    repo.commit(&[]);
    let refused = repo.try_git(["push", "-q", "origin", "main"]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("error plaintext: item a of Secret db is in plaintext (in commit "),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("refused: refs/heads/main"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("opensesame"), "{}", refused.stderr);
    // The same on a branch that is new; and nothing of it is left on the server.
    let plain = repo.git(["rev-parse", "HEAD~1:db.yaml"]);
    assert_ne!(repo.try_git(["push", "-q", "origin", "HEAD:refs/heads/other"]).code, 0);
    let server = repo.beside("server.git");
    assert_ne!(repo.try_git(["-C", server.to_str().unwrap(), "cat-file", "-e", &plain]).code, 0);
}

#[test]
fn branches_come_and_go() {
    let repo = server();
    repo.commit(&[("fine.yaml", FINE)]);
    repo.git(["push", "-q", "origin", "main", "main:refs/heads/other", "main:refs/tags/v1"]);
    repo.git(["push", "-q", "origin", ":other"]);
    repo.commit(&[("more.yaml", FINE)]);
    repo.git(["push", "-q", "origin", "main"]);
}

#[test]
fn a_push_is_judged_by_the_rules_from_before_it() {
    let repo = server();
    let given = seal_tests::toolchain::repository().join("tests/cli/given");
    let pin = |name: &str| fs::read_to_string(given.join(name)).unwrap();
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: '**', to: [prod]}]\n";
    repo.commit(&[(".seal.yaml", rules), ("prod.pub", &pin("prod.pub"))]);
    // The first push has no rules before it.
    repo.git(["push", "-q", "origin", "main"]);
    // A pin of one's own, and an object that is sealed to it.
    fs::write(repo.dir().join("prod.pub"), pin("prod.pub") + &pin("backup.pub")).unwrap();
    let seal = |args: &[&str]| crate::sandbox::run(repo.command("seal").args(args), b"");
    let create = ["create", "db", "-n", "a", "--generate", "p=32", "-o", "db.yaml", "-r", "prod.pub"];
    let created = seal(&create);
    assert_eq!(created.code, 0, "{}", created.stderr);
    repo.commit(&[]);
    for branch in ["main", "main:refs/heads/new"] {
        let refused = repo.try_git(["push", "-q", "origin", branch]);
        assert_ne!(refused.code, 0, "{branch}");
        for rule in ["error recipients-extra: ", "error pins-changed: "] {
            assert!(refused.stderr.contains(rule), "{branch} {rule}: {}", refused.stderr);
        }
    }
    // A branch that left main before its rules changed has those that it left with.
    let server = repo.beside("server.git");
    repo.git(["-C", server.to_str().unwrap(), "config", "hooks.sealRulesMayChange", "true"]);
    repo.git(["push", "-q", "origin", "main"]);
    repo.git(["-C", server.to_str().unwrap(), "config", "--unset", "hooks.sealRulesMayChange"]);
    repo.git(["switch", "-q", "-c", "side", "HEAD~1"]);
    repo.commit(&[("fine.yaml", FINE)]);
    repo.git(["push", "-q", "origin", "side"]);
}

#[test]
fn a_server_without_the_program_takes_nothing() {
    let repo = server();
    repo.commit(&[("fine.yaml", FINE)]);
    fs::remove_file(repo.beside("bin/seal")).unwrap();
    let refused = repo.try_git(["push", "-q", "origin", "main"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("this server has no seal"), "{}", refused.stderr);
}
