//! Clones of other shapes: linked work trees, submodules, directories beneath the top, bare repositories, no repository.

use std::fs;

use super::{PLAIN, hook, hook_done};
use crate::check::Repo;
use crate::sandbox::run;

#[test]
fn linked_work_trees_share_what_is_installed() {
    let repo = Repo::new();
    repo.commit(&[]);
    let linked = repo.beside("linked");
    repo.git(["worktree", "add", "-q", linked.to_str().unwrap()]);
    let installed = run(repo.command("seal").current_dir(&linked).args(["hook", "install"]), b"");
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    assert!(repo.dir().join(".git/hooks/pre-commit").exists());
    assert!(linked.join(".gitattributes").exists() && !repo.dir().join(".gitattributes").exists());
    repo.write("db.yaml", PLAIN);
    repo.git(["add", "db.yaml"]);
    assert_eq!(repo.try_git(["commit", "-q", "-m", "x"]).code, 1);
}

#[test]
fn a_submodule_has_hooks_of_its_own() {
    let library = Repo::new();
    library.commit(&[("a", "")]);
    let repo = Repo::new();
    repo.git(["submodule", "--quiet", "add", library.dir().to_str().unwrap(), "lib"]);
    let lib = repo.dir().join("lib");
    let installed = run(repo.command("seal").current_dir(&lib).args(["hook", "install"]), b"");
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    assert!(!repo.dir().join(".git/hooks/pre-commit").exists());
    fs::write(lib.join("db.yaml"), PLAIN).unwrap();
    repo.git(["-C", "lib", "add", "db.yaml"]);
    let refused = repo.try_git(["-C", "lib", "commit", "-q", "-m", "x"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("seal -w db.yaml"), "{}", refused.stderr);
}

#[test]
fn it_is_installed_from_anywhere_in_the_work_tree() {
    let repo = Repo::new();
    repo.write("a/b/c", "");
    let install =
        |args: &[&str]| run(repo.command("seal").current_dir(repo.dir().join("a/b")).args(args), b"");
    let report = String::from_utf8(install(&["hook", "install"]).stdout).unwrap();
    assert!(report.contains(".git/hooks/pre-commit: written\n"), "{report}");
    assert!(repo.dir().join(".gitattributes").exists());
    assert_eq!(install(&["hook", "status"]).code, 0);
}

#[test]
fn where_there_is_no_work_tree_there_is_nothing_to_install() {
    let repo = Repo::without_git();
    assert!(hook(&repo, &["install"]).stderr.contains("isn't in a Git repository"));
    repo.git(["init", "-q", "--bare", "."]);
    let run = hook(&repo, &["status"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.starts_with("error: this repository has no work tree"), "{}", run.stderr);
}

#[test]
fn a_clone_without_a_directory_of_hooks_gets_one() {
    let repo = Repo::without_git();
    repo.git(["init", "-q", "--template="]);
    hook_done(&repo, &["install"]);
    assert!(repo.dir().join(".git/hooks/pre-merge-commit").exists());
}
