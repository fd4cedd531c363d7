//! Commits and merges before which the hooks look at what is staged.

use std::fs;

use super::{PLAIN, commit, hook_done, problems};
use crate::check::{FINE, Repo};

#[test]
fn a_plaintext_secret_is_not_committed_and_the_refusal_names_the_command_that_seals_it() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    assert_eq!(commit(&repo).code, 0, "the attributes");
    let rules =
        "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: \"prod/**\", to: [prod]}]\n";
    let pin = seal_tests::toolchain::repository().join("tests/cli/given/prod.pub");
    repo.commit(&[(".seal.yaml", rules), ("prod.pub", &fs::read_to_string(pin).unwrap())]);
    repo.write("prod/db.yaml", PLAIN);
    let refused = commit(&repo);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("prod/db.yaml:4:14 error plaintext: item password of Secret prod/db is in plaintext"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("opensesame"), "{}", refused.stderr);
    // The command is typed as it stands there, with the rules of the repository.
    let command = refused.stderr.lines().find_map(|line| line.split_once(": seal -w ")).unwrap().1;
    let sealed = crate::sandbox::run(repo.command("sh").args(["-c", &format!("seal -w {command}")]), b"");
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    let run = commit(&repo);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(repo.git(["show", "HEAD:prod/db.yaml"]).contains("kind: SealedSecret"));
}

/// A Secret of an overlay says no namespace: its kustomization does. Every command that lacks it says where it stands.
#[test]
fn the_command_has_the_namespace_that_a_kustomization_says() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: \"**\", to: [prod]}]\n";
    let pin = seal_tests::toolchain::repository().join("tests/cli/given/prod.pub");
    repo.commit(&[(".seal.yaml", rules), ("prod.pub", &fs::read_to_string(pin).unwrap())]);
    let plain = PLAIN.replace(", namespace: prod", "");
    repo.write("overlays/dev/kustomization.yaml", "resources: [db.yaml]\nnamespace: web-dev\n");
    repo.write("overlays/dev/db.yaml", &plain);
    let refused = commit(&repo);
    let hint = "overlays/dev/kustomization.yaml:2 says web-dev; seal it where it stands: seal -w -n web-dev overlays/dev/db.yaml";
    assert!(refused.stderr.contains(hint), "{}", refused.stderr);

    let run = |line: &str| crate::sandbox::run(repo.command("sh").args(["-c", line]), b"x");
    let hint_of = |line: &str| {
        let run = run(line);
        assert_eq!(run.code, 2, "{line}: {}", run.stderr);
        run.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default().to_owned()
    };
    let says = "overlays/dev/kustomization.yaml:2 says web-dev";
    let command = hint_of("seal -w overlays/dev/db.yaml");
    assert_eq!(command, format!("{says}: seal -w -n web-dev overlays/dev/db.yaml"));
    // Of a directory, the command is for the file that lacks it: others beneath may be for other namespaces.
    assert_eq!(hint_of("seal -w overlays/"), command);
    assert_eq!(hint_of("seal overlays/"), format!("{says}: seal -n web-dev overlays/dev/db.yaml"));
    assert_eq!(hint_of("cd overlays/dev && seal db.yaml"), format!("{says}: seal -n web-dev db.yaml"));
    let flag = format!("{says}: give it with -n web-dev");
    assert_eq!(hint_of("seal -o overlays/dev/new.yaml overlays/dev/db.yaml"), flag);
    assert_eq!(hint_of("seal create new --literal a=b -o overlays/dev/new.yaml"), flag);

    // A Secret for two namespaces is one for each; and git may ignore it.
    repo.write("overlays/prod/kustomization.yaml", "resources: [../../base]\nnamespace: web-prod\n");
    repo.write("overlays/dev/kustomization.yaml", "resources: [db.yaml, ../../base]\nnamespace: web-dev\n");
    repo.write("base/kustomization.yaml", "resources: [db.yaml]\n");
    repo.write("base/db.yaml", &plain);
    repo.write(".gitignore", "/base/db.yaml\n");
    assert_eq!(
        hint_of("seal -w base/db.yaml"),
        format!(
            "{says}, overlays/prod/kustomization.yaml:2 says web-prod: seal one for each, with -n and -o"
        )
    );

    assert_eq!(run(command.split_once(": ").unwrap().1).code, 0);
    assert_eq!(commit(&repo).code, 0);
    // Without a namespace in the file, as after `kustomize edit`, the other commands lack it too.
    let sealed = fs::read_to_string(repo.dir().join("overlays/dev/db.yaml")).unwrap();
    repo.write("overlays/dev/db.yaml", sealed.replace("  namespace: web-dev\n", ""));
    assert_eq!(hint_of("seal set overlays/dev/db.yaml password"), flag);
    assert_eq!(hint_of("seal edit overlays/dev/db.yaml"), flag);
    assert_eq!(run("seal set -n web-dev overlays/dev/db.yaml password").code, 0);
}

#[test]
fn the_command_leads_to_the_file_from_where_the_user_commits() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    repo.write("apps/prod/my db.yaml", PLAIN);
    repo.write("apps/web/x", "");
    repo.git(["add", "-A"]);
    let refused = repo.try_git(["-C", "apps/web", "commit", "-q", "-m", "x"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("seal -w '../prod/my db.yaml'"), "{}", refused.stderr);
}

#[test]
fn what_is_staged_counts_and_not_what_is_on_the_disk() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    repo.write("db.yaml", PLAIN);
    repo.write("fine.yaml", FINE);
    repo.git(["add", "fine.yaml"]);
    assert_eq!(repo.try_git(["commit", "-q", "-m", "x"]).code, 0, "the Secret isn't staged");
    repo.git(["add", "db.yaml"]);
    repo.write("db.yaml", FINE);
    let refused = repo.try_git(["commit", "-q", "-m", "x"]);
    assert_eq!(refused.code, 1, "the Secret is staged, though the disk has another text");
    assert!(refused.stderr.contains("db.yaml:4:14 error plaintext"), "{}", refused.stderr);
    assert_eq!(repo.try_git(["commit", "-q", "-m", "x", "--no-verify"]).code, 0);
}

#[test]
fn a_merge_that_brings_a_plaintext_secret_in_is_not_committed_either() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    assert_eq!(commit(&repo).code, 0);
    repo.git(["switch", "-q", "-c", "other"]);
    repo.commit(&[("db.yaml", PLAIN)]);
    repo.git(["switch", "-q", "main"]);
    repo.commit(&[("fine.yaml", FINE)]);
    let refused = repo.try_git(["merge", "-q", "other"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("seal -w db.yaml"), "{}", refused.stderr);
    assert_eq!(repo.git(["log", "--format=%p", "-1"]).split(' ').count(), 1, "no merge commit was made");
}

#[test]
fn without_the_program_a_commit_goes_on_with_a_warning() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    repo.write("db.yaml", PLAIN);
    fs::rename(repo.beside("bin/seal"), repo.beside("seal")).unwrap();
    let run = commit(&repo);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.starts_with("warning: seal isn't installed"), "{}", run.stderr);
    // Whoever calls it by another way sees that hooks won't find it.
    let status = crate::sandbox::run(repo.command(repo.beside("seal")).args(["hook", "status"]), b"");
    assert_eq!(status.code, 1);
    assert!(String::from_utf8(status.stdout).unwrap().contains("! seal: not in PATH"));
}

#[test]
fn a_fresh_clone_is_told_what_its_attributes_lack() {
    let repo = Repo::new();
    hook_done(&repo, &["install"]);
    assert_eq!(commit(&repo).code, 0);
    assert_eq!(problems(&repo), [""; 0]);
    let clone = repo.beside("clone");
    repo.git(["clone", "-q", ".", clone.to_str().unwrap()]);
    let seal = |args: &[&str]| crate::sandbox::run(repo.command("seal").current_dir(&clone).args(args), b"");
    let status = seal(&["hook", "status"]);
    let text = String::from_utf8(status.stdout).unwrap();
    assert_eq!(status.code, 1);
    assert!(text.contains("  .gitattributes: asks for merge=seal\n"), "{text}");
    assert!(
        text.contains("! merge.seal.driver: not set in this clone, and .gitattributes needs it"),
        "{text}"
    );
    assert_eq!(seal(&["hook", "install"]).code, 0);
    assert_eq!(seal(&["hook", "status"]).code, 0);
    // What is committed stays when a clone gives the rest up.
    assert_eq!(seal(&["hook", "uninstall"]).code, 0);
    assert!(clone.join(".gitattributes").exists());
}
