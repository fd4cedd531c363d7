//! A range of commits: everything that any of them brings in, on a server too.

use std::fs;

use super::{BROKEN, FINE, Repo, found};
use crate::sandbox::{Sandbox, run};

#[test]
fn a_range_is_every_file_that_it_brings_in_and_not_only_its_tip() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", FINE), ("old.yaml", BROKEN)]);
    repo.git(["tag", "base"]);
    repo.commit(&[("b.yaml", BROKEN)]);
    repo.git(["rm", "-q", "b.yaml"]);
    repo.commit(&[("c.yaml", BROKEN)]);
    repo.write("disk.yaml", BROKEN);
    let expected = found(&["b.yaml:3:17 unreadable past", "c.yaml:3:17 unreadable"]);
    assert_eq!(repo.found(["base..HEAD"]), expected);
    assert_eq!(repo.found(["base.."]), expected);
    assert_eq!(repo.found(["base..HEAD", "old.yaml"]), found(&[]));
    assert_eq!(repo.found(["HEAD..base"]), found(&[]));
    for (args, code) in [
        (vec!["base..none"], 2),
        (vec!["base..HEAD", "--staged"], 2),
        (vec!["base..HEAD", "HEAD..base"], 2),
        (vec!["base...HEAD"], 2),
        (vec!["base..HEAD", "--write-baseline"], 2),
    ] {
        let run = repo.check(&args);
        assert_eq!((run.code, run.stdout.as_slice()), (code, b"".as_slice()), "{args:?} {}", run.stderr);
    }
}

#[test]
fn revisions_that_are_no_files_are_refused_with_the_range_that_is_meant() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", FINE)]);
    repo.git(["tag", "base"]);
    repo.git(["branch", "x/topic"]);
    for (args, refusal) in [
        (
            vec!["base", "x/topic"],
            "error: base and x/topic are revisions, and no files\nhint: for what the commits since base bring in: seal check \
             base..x/topic\n",
        ),
        (
            vec!["a.yaml", "base"],
            "error: base is a revision, and no file\nhint: for what the commits since base bring in: seal check base..HEAD\n",
        ),
    ] {
        let run = repo.check(&args);
        assert_eq!((run.code, run.stderr.as_str()), (2, refusal), "{args:?}");
    }
    // A word that is neither is a file that isn't there, and a file of that name is checked.
    assert_eq!(repo.check(["nosuch"]).code, 3);
    repo.write("base", FINE);
    assert_eq!(repo.check(["base"]).code, 0);
}

#[test]
fn a_server_refuses_a_push_that_brings_a_fault_in_at_any_commit() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", FINE)]);
    let bare = repo.beside("bare.git");
    repo.git(["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    repo.git(["remote", "add", "origin", bare.to_str().unwrap()]);
    // What comes in waits in a quarantine, which git's environment names.
    Repo::hook(
        &bare.join("hooks"),
        "pre-receive",
        "while read old new ref; do seal check --strict \"$old..$new\" || exit 1; done",
    );
    let push = |args: &[&str]| repo.try_git([&["push", "-q", "origin"], args].concat());
    repo.commit(&[("fine.yaml", FINE)]);
    let fine = push(&["main"]);
    assert_eq!(fine.code, 0, "{}", fine.stderr);
    repo.git(["checkout", "-q", "-b", "side"]);
    repo.commit(&[("leaked.yaml", BROKEN)]);
    repo.git(["rm", "-q", "leaked.yaml"]);
    repo.commit(&[]);
    // The tip is fine, and the branch is new to the server.
    let leaked = push(&["side"]);
    assert_ne!(leaked.code, 0);
    assert!(leaked.stderr.contains("leaked.yaml:3:17 error unreadable"), "{}", leaked.stderr);
    assert_ne!(push(&["side:main"]).code, 0);
    repo.git(["checkout", "-q", "-b", "other", "main"]);
    repo.commit(&[("other.yaml", FINE)]);
    let new = push(&["other"]);
    assert_eq!(new.code, 0, "{}", new.stderr);
    let gone = push(&["--delete", "other"]);
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    // Without a range there is nothing to look at in a bare repository.
    let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
    assert_eq!(run(seal.arg("check").current_dir(&bare), b"").code, 3);
}

#[test]
fn a_shallow_clone_says_what_it_lacks() {
    let origin = Repo::new();
    origin.commit(&[("a.yaml", FINE)]);
    origin.git(["tag", "base"]);
    origin.commit(&[("b.yaml", BROKEN)]);
    let repo = Repo::without_git();
    fs::remove_dir(repo.dir()).unwrap();
    let url = format!("file://{}", origin.dir().display());
    let mut clone = repo.command("git");
    clone.current_dir(repo.beside(".")).args([
        "-c",
        "protocol.file.allow=always",
        "clone",
        "-q",
        "--depth=1",
        &url,
        "work",
    ]);
    assert_eq!(run(&mut clone, b"").code, 0);
    assert_eq!(repo.found::<&str>([]), found(&["b.yaml:3:17 unreadable"]));
    let run = repo.check(["base..HEAD"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("fetch-depth: 0"), "{}", run.stderr);
}

/// A value that was sealed to a stranger for one commit is a stranger's, whatever later commits say.
#[test]
fn whom_an_object_is_sealed_to_is_checked_in_every_commit_of_a_range() {
    let (repo, sandbox) = (Repo::new(), Sandbox::new());
    let text = |name: &str| String::from_utf8(sandbox.read(name)).unwrap();
    let sealed = |recipients: &[&str]| {
        let to = recipients.iter().flat_map(|recipient| ["-r", recipient]);
        let args = ["create", "db", "-n", "prod", "--literal", "a=b"].into_iter().chain(to);
        String::from_utf8(sandbox.succeed(args, "")).unwrap()
    };
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: '**', to: [prod]}]\n";
    repo.commit(&[
        (".seal.yaml", rules),
        ("prod.pub", &text("prod.pub")),
        ("db.yaml", &sealed(&["prod.pub"])),
    ]);
    repo.git(["tag", "base"]);
    repo.commit(&[("db.yaml", &sealed(&["prod.pub", "backup.pub"]))]);
    repo.commit(&[("db.yaml", &sealed(&["prod.pub"]))]);
    assert_eq!(repo.found::<&str>([]), found(&[]));
    assert_eq!(repo.found(["base..HEAD"]), found(&["db.yaml:9:7 recipients-extra past"]));
    assert_eq!(repo.found(["HEAD~1..HEAD"]), found(&[]));
}

/// A kustomization says that a file is a patch of a Secret, or goes into one. Either may come from another commit.
#[test]
fn what_kustomizations_put_into_secrets_is_checked_in_every_commit_of_a_range() {
    const PATCH: &str = "[{op: replace, path: /data/password, value: aHVudGVyMg==}]\n";
    let named = "patches:\n- target: {kind: Secret, name: db}\n  path: patch.yaml\nsecretGenerator: [{name: env, envs: [.env]}]\n";
    let inline = format!(
        "patches: [{{target: {{kind: Secret, name: db}}, patch: '{}'}}]\nsecretGenerator: [{{name: x, literals: [a=hunter2]}}]\n",
        PATCH.trim_end()
    );
    let repo = Repo::new();
    repo.commit(&[("a/kustomization.yaml", named), ("a/patch.yaml", "[]\n"), ("a/deployment.yaml", FINE)]);
    repo.git(["tag", "base"]);
    // The kustomization is from before the range, and gone after it.
    repo.commit(&[
        ("a/patch.yaml", PATCH),
        ("a/.env", "PASSWORD=hunter2\n"),
        ("b/kustomization.yaml", &inline),
    ]);
    let value = repo.git(["rev-parse", "--short=8", "HEAD"]);
    repo.git(["rm", "-q", "a/.env", "a/kustomization.yaml", "b/kustomization.yaml"]);
    repo.commit(&[("a/patch.yaml", "[]\n")]);
    assert_eq!(repo.found::<&str>([]), found(&[]));
    assert_eq!(
        repo.found(["base..HEAD"]),
        found(&[
            "a/kustomization.yaml:4:38 plaintext-generator past",
            "a/patch.yaml:1:45 plaintext past",
            "b/kustomization.yaml:1:53 plaintext past",
            "b/kustomization.yaml:2:40 plaintext-generator past",
        ])
    );
    let run = repo.check(["base..HEAD"]);
    let report = String::from_utf8(run.stdout).unwrap();
    assert_eq!(report.matches(&format!("(in commit {value})")).count(), 4, "{report}");
    assert!(!report.contains("hunter2") && !report.contains("aHVudGVyMg"), "{report}");

    // The kustomization that takes the patch comes after it.
    repo.commit(&[("c/patch.yaml", PATCH)]);
    repo.git(["rm", "-q", "c/patch.yaml"]);
    repo.commit(&[("c/kustomization.yaml", named)]);
    assert_eq!(repo.found(["HEAD~2..HEAD"]), found(&["c/patch.yaml:1:45 plaintext past"]));
    // One of another kind than Secret is no finding, nor are patches that only remove.
    repo.commit(&[
        ("d/kustomization.yaml", &named.replace("kind: Secret", "kind: ConfigMap")),
        ("d/patch.yaml", PATCH),
    ]);
    repo.git(["rm", "-q", "d/patch.yaml"]);
    repo.commit(&[]);
    assert_eq!(repo.found(["HEAD~2..HEAD"]), found(&[]));
}
