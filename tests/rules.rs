//! The rules of a repository in real Git: whose rules count, and keys that upstream doesn't have.
//!
//! What rules mean is tested in the crate; what people see of them without Git is in `cli/rules/`. Invariant: git runs
//! without any configuration but the one that a test gives it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use seal_crds::keys::Identity;

use crate::sandbox::{Run, Sandbox, run};

const RULES: &str = "version: 1\nrecipients:\n  prod: {file: keys/prod.pub}\n  dev: {file: keys/dev.pub}\nrules:\n\
                     - {path: 'prod/{namespace}/**', to: [prod]}\n- {path: 'dev/**', to: [dev]}\n";

/// A key of somebody who has no business here.
struct Key {
    recipient: String,
    fingerprint: String,
}

impl Key {
    fn new() -> Self {
        let identity = Identity::generate();
        let recipient = identity.recipient();
        Self { recipient: recipient.to_string(), fingerprint: recipient.fingerprint().to_string() }
    }
}

/// Runs git in a directory of the sandbox.
#[track_caller]
fn git(sandbox: &Sandbox, dir: &str, args: &[&str]) {
    let mut git = Command::new("git");
    sandbox.confine(&mut git);
    git.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
    git.current_dir(sandbox.path(dir));
    git.args([
        "-c",
        "user.name=Eve \u{1b}[31m",
        "-c",
        "user.email=eve@example.com",
        "-c",
        "protocol.file.allow=always",
    ]);
    let ended = run(git.args(args), b"");
    assert_eq!(ended.code, 0, "git {args:?}: {}", ended.stderr);
}

#[track_caller]
fn commit(sandbox: &Sandbox, dir: &str) {
    git(sandbox, dir, &["add", "-A"]);
    git(sandbox, dir, &["commit", "-q", "-m", "x"]);
}

/// A clone `repo` with rules that are upstream.
fn clone() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("origin")).unwrap();
    git(&sandbox, "origin", &["init", "-q", "-b", "main"]);
    sandbox.write("origin/.seal.yaml", RULES);
    sandbox.write("origin/keys/prod.pub", sandbox.read("prod.pub"));
    sandbox.write("origin/keys/dev.pub", sandbox.read("backup.pub"));
    for directory in ["prod/shop", "dev"] {
        sandbox.write(format!("origin/{directory}/README"), "");
    }
    commit(&sandbox, "origin");
    git(&sandbox, ".", &["clone", "-q", "origin", "repo"]);
    sandbox
}

fn add(sandbox: &Sandbox, file: &str, line: &str) {
    let text = String::from_utf8(sandbox.read(file)).unwrap();
    sandbox.write(file, format!("{text}{line}\n"));
}

/// Runs `seal` in a directory of the sandbox.
fn seal_in(sandbox: &Sandbox, dir: &str, args: &[&str]) -> Run {
    run(sandbox.seal(args).current_dir(sandbox.path(dir)), b"")
}

/// Makes a SealedSecret in a file of the clone.
fn create(sandbox: &Sandbox, file: &str, more: &[&str]) -> Run {
    let args = [&["create", "db", "--literal", "password=opensesame", "-o", file], more].concat();
    seal_in(sandbox, "repo", &args)
}

#[test]
fn what_upstream_seals_to_is_sealed_to_without_a_question() {
    let sandbox = clone();
    let run = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, "sealing to prod, as .seal.yaml:6 says\n"));
    let opened = sandbox.succeed(["unseal", "-i", "prod.key", "repo/prod/shop/db.yaml"], "");
    assert!(String::from_utf8(opened).unwrap().contains("namespace: shop"));
}

#[test]
fn a_key_that_upstream_does_not_have_is_named_and_needs_its_fingerprint() {
    let sandbox = clone();
    let mallory = Key::new();
    add(&sandbox, "repo/keys/prod.pub", &mallory.recipient);
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    let expected = format!(
        "error: .seal.yaml:6 seals to a key that @{{upstream}} doesn't have there: prod (keys/prod.pub) {0}, not committed\n\
         hint: compare it with what its owner says; to seal to it: --accept {0}\n",
        mallory.fingerprint
    );
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.ends_with(&expected), "{}", refused.stderr);
    assert!(!sandbox.path("repo/prod/shop/db.yaml").exists());

    // Other paths have nothing new.
    assert_eq!(create(&sandbox, "dev/db.yaml", &["-n", "dev"]).code, 0);
    // Another fingerprint accepts nothing.
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &["--accept", &Key::new().fingerprint]).code, 2);

    commit(&sandbox, "repo");
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    let origin = |stderr: &str| stderr.split("commit ").nth(1).unwrap_or_default().to_owned();
    let told = origin(&refused.stderr);
    // An author's name is somebody's words.
    assert!(told[8..].starts_with(" by Eve \\u{1b}[31m on 20"), "{}", refused.stderr);

    let accepted = create(&sandbox, "prod/shop/db.yaml", &["--accept", &mallory.fingerprint]);
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    let sealed = String::from_utf8(sandbox.read("repo/prod/shop/db.yaml")).unwrap();
    assert!(sealed.contains(&mallory.fingerprint));

    // The branch's own upstream says nothing of a review: it may be the branch of whoever brings the key in.
    git(&sandbox, "repo", &["push", "-q", "origin", "HEAD:refs/heads/new"]);
    git(&sandbox, "repo", &["branch", "-q", "--set-upstream-to=origin/new"]);
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("a key that origin/HEAD doesn't have there"), "{}", refused.stderr);

    // Upstream has it now.
    git(&sandbox, "origin", &["config", "receive.denyCurrentBranch", "ignore"]);
    git(&sandbox, "repo", &["push", "-q", "origin", "HEAD:refs/heads/main"]);
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &[]).code, 0);
}

#[test]
fn a_rule_that_seals_a_path_to_a_known_key_of_another_path_is_new_there() {
    let sandbox = clone();
    sandbox.write("repo/.seal.yaml", RULES.replace("to: [prod]", "to: [prod, dev]"));
    commit(&sandbox, "repo");
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("dev (keys/dev.pub) "), "{}", refused.stderr);
    assert_eq!(create(&sandbox, "dev/db.yaml", &["-n", "dev"]).code, 0);
    // Fewer keys need nobody's word: `check` and a review see that.
    sandbox.write("repo/.seal.yaml", RULES.replace("to: [dev]", "to: none"));
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &[]).code, 0);
}

#[test]
fn without_a_remote_head_is_upstream_and_without_a_commit_nothing_is() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("repo")).unwrap();
    git(&sandbox, "repo", &["init", "-q"]);
    sandbox.write("repo/.seal.yaml", RULES);
    sandbox.write("repo/keys/prod.pub", sandbox.read("prod.pub"));
    sandbox.write("repo/keys/dev.pub", sandbox.read("classic.pub"));
    sandbox.write("repo/prod/shop/README", "");
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &[]).code, 0);
    commit(&sandbox, "repo");
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &[]).code, 0);
    add(&sandbox, "repo/keys/prod.pub", &Key::new().recipient);
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("HEAD doesn't have there"), "{}", refused.stderr);
    commit(&sandbox, "repo");
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &[]).code, 0);
}

#[test]
fn rules_of_upstream_that_are_broken_make_every_key_new() {
    let sandbox = clone();
    sandbox.write("repo/.seal.yaml", "version: 9\n");
    commit(&sandbox, "repo");
    git(&sandbox, "repo", &["push", "-q", "origin", "HEAD:refs/heads/new"]);
    git(&sandbox, "repo", &["branch", "-q", "--set-upstream-to=origin/new"]);
    sandbox.write("repo/.seal.yaml", RULES);
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    let warning = "warning: the rules of @{upstream} can't be read: version 9 isn't known\n";
    assert!(refused.stderr.contains(warning), "{}", refused.stderr);
}

#[test]
fn a_work_tree_a_submodule_and_a_subdirectory_have_the_rules_of_their_own_top() {
    let sandbox = clone();
    // A subdirectory.
    let args = ["create", "db", "--literal", "password=opensesame", "-o", "db.yaml"];
    let run = seal_in(&sandbox, "repo/prod/shop", &args);
    assert_eq!((run.code, run.stderr.as_str()), (0, "sealing to prod, as ../../.seal.yaml:6 says\n"));
    // A linked work tree, whose `.git` is a file.
    git(&sandbox, "repo", &["worktree", "add", "-q", "../linked"]);
    let run = seal_in(&sandbox, "linked/prod/shop", &args);
    assert_eq!((run.code, run.stderr.as_str()), (0, "sealing to prod, as ../../.seal.yaml:6 says\n"));
    // A submodule has none, also beneath a path that the rules around it know.
    fs::create_dir(sandbox.path("module")).unwrap();
    git(&sandbox, "module", &["init", "-q"]);
    sandbox.write("module/README", "");
    commit(&sandbox, "module");
    git(&sandbox, "repo", &["submodule", "add", "-q", "../module", "prod/shop/module"]);
    let run = seal_in(&sandbox, "repo/prod/shop/module", &[&args[..], &["-n", "a"]].concat());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("without -r, and without a terminal"), "{}", run.stderr);
    sandbox.write("repo/prod/shop/module/.seal.yaml", "version: 1\nrules: [{path: '**', to: none}]\n");
    let run = seal_in(
        &sandbox,
        "repo",
        &["create", "db", "-n", "a", "--literal", "a=b", "-o", "prod/shop/module/db.yaml"],
    );
    assert!(run.stderr.contains("prod/shop/module/.seal.yaml:2 says to: none"), "{}", run.stderr);
}

#[test]
fn a_pin_behind_a_symbolic_link_is_refused_in_the_work_tree_and_upstream() {
    let sandbox = clone();
    fs::write(sandbox.path("outside.pub"), Key::new().recipient).unwrap();
    let pin = sandbox.path("repo/keys/prod.pub");
    fs::remove_file(&pin).unwrap();
    symlink("../../outside.pub", &pin).unwrap();
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("keys/prod.pub is behind a symbolic link"), "{}", refused.stderr);
    // Upstream has the link, and this work tree the file: then upstream says nothing.
    commit(&sandbox, "repo");
    git(&sandbox, "repo", &["push", "-q", "origin", "HEAD:refs/heads/new"]);
    git(&sandbox, "repo", &["branch", "-q", "--set-upstream-to=origin/new"]);
    fs::remove_file(&pin).unwrap();
    fs::write(&pin, sandbox.read("prod.pub")).unwrap();
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("the rules of @{upstream} can't be read"), "{}", refused.stderr);

    let keys = sandbox.path("repo/keys");
    fs::rename(&keys, sandbox.path("elsewhere")).unwrap();
    symlink("../elsewhere", &keys).unwrap();
    let refused = create(&sandbox, "prod/shop/db.yaml", &[]);
    assert!(refused.stderr.contains("keys/dev.pub is behind a symbolic link"), "{}", refused.stderr);
}

#[test]
fn a_file_behind_a_symbolic_link_has_the_rule_of_its_own_place() {
    let sandbox = clone();
    assert_eq!(create(&sandbox, "dev/db.yaml", &["-n", "dev"]).code, 0);
    symlink("../../dev/db.yaml", sandbox.path("repo/prod/shop/link.yaml")).unwrap();
    let run = create(&sandbox, "prod/shop/link.yaml", &["-n", "dev"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, "sealing to dev, as .seal.yaml:7 says\n"));
}

#[test]
fn each_file_is_rotated_to_the_recipients_of_its_rule() {
    let sandbox = clone();
    for (file, namespace) in [("prod/shop/db.yaml", "shop"), ("dev/db.yaml", "dev"), ("other.yaml", "x")] {
        let pins = ["-n", namespace, "-r", "../ssh.pub"];
        assert_eq!(create(&sandbox, file, &pins).code, 0);
    }
    let rotate = |more: &[&str]| seal_in(&sandbox, "repo", &[&["rotate", "-i", "../ssh.key"], more].concat());
    // A file without a rule would need a cluster.
    assert_eq!(rotate(&[]).code, 2);
    let mallory = Key::new();
    add(&sandbox, "repo/keys/prod.pub", &mallory.recipient);
    let refused = rotate(&["prod", "dev"]);
    assert_eq!(refused.code, 2);
    assert_eq!(refused.stderr.matches("that @{upstream} doesn't have").count(), 1, "{}", refused.stderr);
    let done = rotate(&["prod", "dev", "--accept", &mallory.fingerprint]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let sealed = |file: &str| String::from_utf8(sandbox.read(file)).unwrap();
    assert!(!sealed("repo/dev/db.yaml").contains(&mallory.fingerprint));
    assert!(sealed("repo/prod/shop/db.yaml").contains(&mallory.fingerprint));
    sandbox.succeed(["unseal", "-i", "prod.key", "repo/prod/shop/db.yaml"], "");
    sandbox.succeed(["unseal", "-i", "backup.key", "repo/dev/db.yaml"], "");
}

#[test]
fn a_file_into_which_nothing_may_be_sealed_does_not_stop_the_others() {
    let sandbox = clone();
    for (file, namespace) in [("prod/shop/db.yaml", "shop"), ("dev/db.yaml", "dev")] {
        assert_eq!(create(&sandbox, file, &["-n", namespace, "-r", "../ssh.pub"]).code, 0);
    }
    sandbox.write("repo/.seal.yaml", RULES.replace("to: [dev]", "to: none"));
    let run = seal_in(&sandbox, "repo", &["rotate", "-i", "../ssh.key"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("nothing may be sealed into dev/db.yaml: .seal.yaml:7 says to: none"));
    sandbox.succeed(["unseal", "-i", "prod.key", "repo/prod/shop/db.yaml"], "");
}

#[test]
fn one_item_is_set_by_the_rule_of_its_file() {
    let sandbox = clone();
    assert_eq!(create(&sandbox, "prod/shop/db.yaml", &["-r", "../prod.pub"]).code, 0);
    let set = |file: &str| {
        let mut seal = sandbox.seal(["set", file, "token"]);
        run(seal.current_dir(sandbox.path("repo")), b"opensesame")
    };
    let run = set("prod/shop/db.yaml");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(String::from_utf8(run.stdout).unwrap(), "prod/shop/db.yaml: token added for prod\n");
    fs::create_dir(sandbox.path("repo/prod/pay")).unwrap();
    fs::copy(sandbox.path("repo/prod/shop/db.yaml"), sandbox.path("repo/prod/pay/db.yaml")).unwrap();
    let run = set("prod/pay/db.yaml");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("namespace shop isn't that of prod/pay/db.yaml: by .seal.yaml:6 it is pay"));
}

#[test]
fn a_command_asks_git_for_objects_with_one_process() {
    let sandbox = clone();
    add(&sandbox, "repo/keys/prod.pub", &Key::new().recipient);
    commit(&sandbox, "repo");
    for file in ["prod/shop/a.yaml", "prod/shop/b.yaml", "prod/pay/c.yaml"] {
        let secret =
            "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: opensesame}\n";
        sandbox.write(format!("repo/{file}"), secret);
    }
    let real = installed_git();
    let script =
        format!("#!/bin/sh\necho \"$@\" >> \"{}\"\nexec {real} \"$@\"\n", sandbox.path("log").display());
    sandbox.write("bin/git", script);
    fs::set_permissions(sandbox.path("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut seal = sandbox.seal(["-w", "prod/shop/a.yaml", "prod/shop/b.yaml", "prod/pay/c.yaml"]);
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    let ended = run(seal.env("PATH", path).current_dir(sandbox.path("repo")), b"");
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let log = String::from_utf8(sandbox.read("log")).unwrap();
    assert_eq!(log.matches("cat-file").count(), 1, "{log}");
    assert!(log.lines().count() <= 12, "{log}");
}

fn installed_git() -> String {
    let directories = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let found = directories.iter().map(|directory| directory.join("git")).find(|git| git.exists());
    found.as_deref().map(Path::display).expect("git is installed").to_string()
}

#[test]
fn rules_that_are_made_to_be_slow_are_not() {
    let sandbox = Sandbox::new();
    let hostile: String = (0..900)
        .map(|index| format!("- {{path: '{}x{index}', to: none}}\n", "**/a*a*a*/".repeat(15)))
        .collect();
    sandbox.write(".seal.yaml", format!("version: 1\nrules:\n{hostile}"));
    let file = format!("{}x", "aaaaaaaa/".repeat(300));
    let start = std::time::Instant::now();
    let run =
        sandbox.run(["create", "db", "-n", "a", "-r", "prod.pub", "--literal", "a=b", "--for", &file], "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    // The machine may be slow; tried one after another, the ways through such a path don't end at all.
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

#[test]
fn a_repository_of_500_files_gets_the_rules_that_its_files_follow() {
    let sandbox = clone();
    fs::remove_file(sandbox.path("repo/.seal.yaml")).unwrap();
    sandbox.write("cold.pub", sandbox.run(["keys", "new", "-o", "cold.key"], "").stdout);
    let sealed = |pins: &str| {
        let args = ["create", "db", "-n", "namespace0", "-r", pins, "--literal", "password=opensesame"];
        String::from_utf8(sandbox.succeed(args, "")).unwrap()
    };
    let (prod, dev) = (sealed("prod.pub"), sealed("backup.pub"));
    for index in 0..100 {
        let namespace = format!("team{index}");
        let write = |file: String, text: &str| {
            sandbox.write(format!("repo/{file}"), text.replace("namespace0", &namespace));
        };
        write(format!("clusters/prod/{namespace}/db.yaml"), &prod);
        write(format!("clusters/prod/{namespace}/deep/web.yaml"), &prod);
        write(format!("clusters/dev/{namespace}/db.yaml"), &dev);
        write(format!("clusters/dev/{namespace}/deployment.yaml"), "apiVersion: apps/v1\nkind: Deployment\n");
        write(
            format!("apps/{namespace}/overlays/prod/db.yaml"),
            &prod.replace("  namespace: namespace0\n", ""),
        );
    }
    let args = ["init", "-r", "keys/prod.pub", "-r", "keys/dev.pub", "--recovery", "cold=../cold.pub"];
    let run = seal_in(&sandbox, "repo", &args);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = String::from_utf8(run.stdout).unwrap();
    let expected = "found keys/prod.pub: prod-2026 7507ada810f7332c\n";
    assert!(report.starts_with(expected), "{report}");
    assert!(report.contains("wrote .seal.yaml: 4 rules, for 400 SealedSecrets and 0 Secrets\n"), "{report}");
    assert!(report.contains("/keys/cold.pub @OWNERS\n"), "{report}");
    let rules = String::from_utf8(sandbox.read("repo/.seal.yaml")).unwrap();
    let rules = rules.split("rules:\n").nth(1).unwrap();
    let expected = "  - path: \"apps/*/overlays/prod/**\"\n    to: [prod, cold]\n    scopes: [strict]\n  \
                    - path: \"clusters/dev/{namespace}/**\"\n    to: [dev, cold]\n    scopes: [strict]\n  \
                    - path: \"clusters/prod/{namespace}/**\"\n    to: [prod, cold]\n    scopes: [strict]\n  \
                    - path: \"**\"\n    to: none\n";
    assert_eq!(rules, expected);
    // Nothing is written a second time, and nothing of what is there was changed.
    let again = seal_in(&sandbox, "repo/clusters", &args);
    assert_eq!(again.code, 3);
    assert!(again.stderr.contains("../.seal.yaml is there already"), "{}", again.stderr);
}

#[test]
fn a_first_rules_file_is_written_with_all_of_its_keys_or_not_at_all() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("repo")).unwrap();
    fs::set_permissions(sandbox.path("repo"), fs::Permissions::from_mode(0o755)).unwrap();
    // `keys` is a link to a directory of somebody else's.
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    symlink("../elsewhere", sandbox.path("repo/keys")).unwrap();
    let run = seal_in(&sandbox, "repo", &["init", "-r", "../prod.pub"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(fs::read_dir(sandbox.path("elsewhere")).unwrap().next().is_none());
    assert!(!sandbox.path("repo/.seal.yaml").exists());
    fs::remove_file(sandbox.path("repo/keys")).unwrap();
    assert_eq!(seal_in(&sandbox, "repo", &["init", "-r", "../prod.pub"]).code, 0);
    assert_eq!(sandbox.read("repo/keys/prod.pub"), sandbox.read("prod.pub"));
}
