//! `--staged`: the index, and not the disk.

use std::fs;
use std::os::unix::fs::symlink;

use seal_tests::toolchain;

use super::{BROKEN, FINE, Repo, found};

#[test]
fn what_is_staged_is_checked_and_not_what_is_on_the_disk() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", FINE), ("b.yaml", FINE), ("old.yaml", BROKEN)]);
    repo.write("a.yaml", BROKEN);
    repo.git(["add", "a.yaml"]);
    repo.write("a.yaml", FINE);
    repo.write("b.yaml", BROKEN);
    repo.write("new.yaml", BROKEN);
    assert_eq!(repo.found(["--staged"]), found(&["a.yaml:3:17 unreadable"]));
    assert_eq!(repo.found(["--staged", "b.yaml"]), found(&[]));
}

#[test]
fn a_renamed_file_is_checked_under_its_new_name_and_a_removed_one_no_more() {
    let repo = Repo::new();
    repo.commit(&[("old.yaml", BROKEN), ("gone.yaml", BROKEN)]);
    repo.git(["mv", "old.yaml", "new name.yaml"]);
    repo.git(["rm", "-q", "gone.yaml"]);
    let run = repo.check(["--staged", "--strict"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.starts_with("new name.yaml:3:17 error unreadable: ") && text.lines().count() == 1, "{text}");
}

#[test]
fn a_link_that_is_staged_is_not_followed() {
    let repo = Repo::new();
    fs::write(repo.beside("outside.yaml"), BROKEN).unwrap();
    symlink(repo.beside("outside.yaml"), repo.dir().join("link.yaml")).unwrap();
    repo.git(["add", "-A"]);
    assert_eq!(repo.found(["--staged"]), found(&[]));
}

#[test]
fn the_hook_sees_what_the_commit_will_have_however_it_is_made() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", FINE), ("b.yaml", FINE)]);
    Repo::hook(&repo.dir().join(".git/hooks"), "pre-commit", "exec seal check --staged --strict");
    let commit = |args: &[&str]| repo.try_git([&["commit", "-q", "-m", "x"], args].concat());
    // `git commit FILE` makes an index of its own, which GIT_INDEX_FILE names, and leaves the staged fault out.
    repo.write("a.yaml", BROKEN);
    repo.git(["add", "a.yaml"]);
    repo.write("b.yaml", format!("{FINE}# changed\n"));
    let partial = commit(&["b.yaml"]);
    assert_eq!(partial.code, 0, "{}", partial.stderr);
    let whole = commit(&[]);
    assert_ne!(whole.code, 0);
    // git shows what a hook prints on standard error.
    assert!(whole.stderr.starts_with("a.yaml:3:17 "), "{}", whole.stderr);
    // `git commit -a` takes in what isn't staged.
    repo.git(["checkout", "-q", "HEAD", "a.yaml"]);
    repo.write("b.yaml", BROKEN);
    assert_ne!(commit(&["-a"]).code, 0);
    repo.write("b.yaml", FINE);
    assert_eq!(commit(&["-a"]).code, 0);
    // In a linked work tree the index is elsewhere.
    let linked = repo.beside("linked");
    repo.git(["worktree", "add", "-q", linked.to_str().unwrap()]);
    fs::write(linked.join("c.yaml"), BROKEN).unwrap();
    let there = |args: &[&str]| repo.try_git([&["-C", linked.to_str().unwrap()], args].concat());
    assert_eq!(there(&["add", "c.yaml"]).code, 0);
    assert_ne!(there(&["commit", "-q", "-m", "x"]).code, 0);
}

#[test]
fn the_first_commit_is_checked_too() {
    let repo = Repo::new();
    repo.write("a.yaml", BROKEN);
    assert_eq!(repo.found(["--staged"]), found(&[]));
    repo.git(["add", "-A"]);
    assert_eq!(repo.found(["--staged"]), found(&["a.yaml:3:17 unreadable"]));
}

#[test]
fn a_change_of_the_rules_is_about_every_file() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", BROKEN)]);
    repo.write(".seal.yaml", "version: 1\nrules: []\n");
    repo.git(["add", "-A"]);
    assert_eq!(repo.found(["--staged"]), found(&["a.yaml:3:17 unreadable"]));
    // So is a change of a file of pins, whatever its name is.
    let rules = "version: 1\nrecipients: {prod: {file: keys/prod}}\nrules: [{path: \"x/**\", to: [prod]}]\n";
    let pin = fs::read_to_string(toolchain::repository().join("tests/cli/given/prod.pub")).unwrap();
    repo.commit(&[(".seal.yaml", rules), ("keys/prod", &pin)]);
    assert_eq!(repo.found(["--staged"]), found(&[]));
    repo.write("keys/prod", format!("{pin}# a comment\n"));
    repo.git(["add", "-A"]);
    assert_eq!(repo.found(["--staged"]), found(&["a.yaml:3:17 unreadable"]));
}
