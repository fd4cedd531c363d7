//! `.pre-commit-hooks.yaml`, as the pre-commit framework runs it: the words of `entry`, at the top of the work tree.

use super::yaml;
use crate::check::{BROKEN, FINE, Repo};
use crate::sandbox::{Run, run};

/// Runs a hook by its id.
#[track_caller]
fn run_hook(repo: &Repo, id: &str) -> Run {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hook = hooks.as_sequence().unwrap().iter().find(|hook| hook["id"] == id).unwrap();
    assert_eq!(hook["language"], "system", "nothing is compiled");
    assert_eq!((hook["pass_filenames"].as_bool(), hook["always_run"].as_bool()), (Some(false), Some(true)));
    let words: Vec<&str> = hook["entry"].as_str().unwrap().split(' ').collect();
    run(repo.command(words[0]).args(&words[1..]), b"")
}

#[test]
fn each_hook_finds_what_it_is_for() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", FINE), ("b.yaml", FINE)]);
    repo.write("b.yaml", BROKEN);
    assert_eq!(run_hook(&repo, "seal-check").code, 0, "it isn't staged");
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {a: opensesame}\n";
    repo.write("a.yaml", plain);
    repo.git(["add", "a.yaml"]);
    let refused = run_hook(&repo, "seal-check");
    assert_eq!(refused.code, 1);
    assert!(String::from_utf8(refused.stdout).unwrap().contains("seal -w -n NAMESPACE a.yaml"));
    repo.git(["commit", "-q", "--no-verify", "-m", "x"]);
    assert_eq!(run_hook(&repo, "seal-check").code, 0, "nothing is staged");
    assert_eq!(run_hook(&repo, "seal-check-all").code, 1);
}

#[test]
fn the_configuration_to_copy_names_hooks_that_there_are() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let ids: Vec<_> = hooks.as_sequence().unwrap().iter().map(|hook| hook["id"].clone()).collect();
    let config = yaml("cli/git-example/pre-commit.yaml");
    let used = config["repos"][0]["hooks"].as_sequence().unwrap();
    assert_eq!(used.iter().map(|hook| hook["id"].clone()).collect::<Vec<_>>(), ids);
}
