//! The commands in hints: pasted as they stand, they mend what was found.
//!
//! Invariant: a test runs the text of the report itself in a shell, with nothing but IDENTITY and the values filled in.

use super::{FINE, Repo};
use crate::sandbox::{Sandbox, run};

const RULES: &str = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: '**', to: [prod]}]\n";

/// A repository with rules, the keys of the sandbox beside it, and the program in `PATH`.
fn repository(sandbox: &Sandbox) -> Repo {
    let repo = Repo::new();
    let pins = String::from_utf8(sandbox.read("prod.pub")).unwrap();
    repo.commit(&[(".seal.yaml", RULES), ("prod.pub", &pins), ("fine.yaml", FINE)]);
    for (name, text) in [("prod.key", sandbox.read("prod.key")), ("value", b"new".to_vec())] {
        std::fs::write(repo.beside(name), text).unwrap();
    }
    repo
}

/// A SealedSecret with two items, for a namespace and recipients.
fn sealed(sandbox: &Sandbox, name: &str, namespace: &str, recipients: &[&str]) -> String {
    let to = recipients.iter().flat_map(|recipient| ["-r", *recipient]);
    let args = ["create", name, "-n", namespace, "--literal", "user=a", "--literal", "password=b"];
    String::from_utf8(sandbox.succeed(args.into_iter().chain(to), "")).unwrap()
}

/// The line of the report about a rule.
#[track_caller]
fn line(repo: &Repo, args: &[&str], rule: &str) -> String {
    let run = repo.check(args);
    let report = String::from_utf8(run.stdout).unwrap();
    let mut lines = report.lines().filter(|line| line.contains(&format!(" {rule}: ")));
    let (line, more) = (lines.next(), lines.next());
    assert!(more.is_none(), "{report}");
    line.unwrap_or_else(|| panic!("{report}{}", run.stderr)).to_owned()
}

/// Runs a command of the report, from its first word to a semicolon or the end of the line.
#[track_caller]
fn paste(repo: &Repo, line: &str, from: &str) {
    let at = line.find(from).unwrap_or_else(|| panic!("no {from} in {line}"));
    let command = line[at..].split(';').next().unwrap();
    let key = repo.beside("prod.key").display().to_string();
    let mut typed = command.replace("IDENTITY", &key);
    // Values are asked for at a terminal, and here they come from a file.
    for item in ["user", "password"] {
        let value = format!("--file {item}={}", repo.beside("value").display());
        typed = typed.replace(&format!("--prompt {item}"), &value);
    }
    let mut shell = repo.command("/bin/sh");
    let run = run(shell.args(["-c", &typed]), b"");
    assert_eq!(run.code, 0, "{typed}: {}", run.stderr);
}

#[track_caller]
fn assert_opens(repo: &Repo, file: &str) {
    let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
    let run = run(seal.args(["unseal", file, "-i"]).arg(repo.beside("prod.key")), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
}

fn is_clean(repo: &Repo) -> bool {
    repo.check(["--strict"]).code == 0
}

#[test]
fn a_copy_is_sealed_again_by_the_command_with_a_key_and_by_the_one_without() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    let original = sealed(&sandbox, "db", "dev", &["prod.pub"]);
    repo.commit(&[("dev/db.yaml", &original)]);
    let copy = original.replace("namespace: dev", "namespace: prod");
    for (from, with_key) in [("seal move ", true), ("seal set ", false)] {
        repo.write("prod/a db.yaml", &copy);
        let line = line(&repo, &[], "copied");
        let named = "seal move 'prod/a db.yaml' --from dev/db -i IDENTITY";
        assert!(line.ends_with(" --prompt password --prompt user") && line.contains(named), "{line}");
        paste(&repo, &line, from);
        assert!(is_clean(&repo), "{line}");
        assert_opens(&repo, "prod/a db.yaml");
        let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
        let key = repo.beside("prod.key");
        let value = run(seal.args(["unseal", "prod/a db.yaml", "--item", "user", "-i"]).arg(key), b"").stdout;
        assert_eq!(value, if with_key { b"a".as_slice() } else { b"new" });
    }
}

#[test]
fn of_several_objects_in_a_file_the_command_names_the_one_and_of_several_items_those_that_were_copied() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    let [original, other] = ["db", "web"].map(|name| sealed(&sandbox, name, "dev", &["prod.pub"]));
    repo.commit(&[("db.yaml", &original)]);
    let both = format!("{other}---\n{}", original.replace("namespace: dev", "namespace: prod"));
    repo.write("two.yaml", both);
    let found = line(&repo, &[], "copied");
    assert!(found.contains("seal move two.yaml --object prod/db --from dev/db -i IDENTITY;"), "{found}");
    paste(&repo, &found, "seal move ");
    assert!(is_clean(&repo), "{found}");
    // One item with its envelope, pasted into another object.
    repo.git(["checkout", "-q", "--", "."]);
    std::fs::remove_file(repo.dir().join("two.yaml")).unwrap();
    let mut mixed: serde_json::Value = serde_yaml::from_str(&other).unwrap();
    let theirs: serde_json::Value = serde_yaml::from_str(&original).unwrap();
    mixed["spec"]["encryptedData"]["user"] = theirs["spec"]["encryptedData"]["user"].clone();
    mixed["spec"]["envelopes"].as_array_mut().unwrap().push(theirs["spec"]["envelopes"][0].clone());
    repo.write("mixed.json", mixed.to_string());
    let found = line(&repo, &[], "copied");
    assert!(found.ends_with("seal what came from there again: seal set mixed.json --prompt user"), "{found}");
    paste(&repo, &found, "seal set ");
    assert!(is_clean(&repo), "{found}");
    assert_opens(&repo, "mixed.json");
}

#[test]
fn an_object_that_was_given_another_place_or_scope_by_hand_is_sealed_again_by_the_command() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    let original = sealed(&sandbox, "db", "dev", &["prod.pub"]);
    repo.commit(&[("db.yaml", &original)]);
    repo.write("db.yaml", original.replace("name: db", "name: store"));
    let found = line(&repo, &[], "moved");
    paste(&repo, &found, "seal move db.yaml --from dev/db -i IDENTITY");
    assert!(is_clean(&repo), "{found}");
    assert_opens(&repo, "db.yaml");
    repo.write(".seal.yaml", RULES.replace("to: [prod]", "to: [prod], scopes: [strict, namespace-wide]"));
    repo.write("db.yaml", original.replace("scope: strict", "scope: namespace-wide"));
    let found = line(&repo, &[], "moved");
    assert!(found.contains("write its scope as it was, strict; or "), "{found}");
    paste(&repo, &found, "seal set ");
    assert!(is_clean(&repo), "{found}");
    assert_opens(&repo, "db.yaml");
}

/// An object of bitnami.com doesn't say for which place it was sealed, so the command has to.
#[test]
fn a_copy_of_an_object_of_bitnami_is_sealed_again_by_the_command() {
    let sandbox = Sandbox::new();
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: dev}\nstringData: {user: a}\n";
    let original =
        String::from_utf8(sandbox.succeed(["--seal-format", "bitnami", "--cert", "rsa.crt"], secret))
            .unwrap();
    sandbox.write("dev.yaml", &original);
    sandbox.write("prod.yaml", original.replace("namespace: dev", "namespace: prod"));
    let check = sandbox.run(["check"], "");
    let report = String::from_utf8(check.stdout).unwrap();
    assert!(report.contains("seal move prod.yaml --from dev/db -i IDENTITY; or "), "{report}");
    let moved =
        sandbox.run(["move", "prod.yaml", "--from", "dev/db", "-i", "rsa.key", "--cert", "rsa.crt"], "");
    assert_eq!(String::from_utf8(moved.stdout).unwrap(), "prod.yaml: dev/db is prod/db now, sealed again\n");
    assert_eq!(sandbox.succeed(["unseal", "prod.yaml", "-i", "rsa.key", "--item", "user"], ""), b"a");
}

#[test]
fn a_stranger_among_the_recipients_is_rotated_out_and_the_values_that_it_had_are_named() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    repo.write("db.yaml", sealed(&sandbox, "db", "dev", &["prod.pub", "backup.pub"]));
    let found = line(&repo, &[], "recipients-extra");
    let set = "change the values at their source, too: seal set db.yaml --prompt password --prompt user";
    assert!(found.ends_with(set), "{found}");
    paste(&repo, &found, "seal rotate db.yaml -i IDENTITY");
    assert!(is_clean(&repo), "{found}");
    paste(&repo, &found, "seal set ");
    assert!(is_clean(&repo));
    assert_opens(&repo, "db.yaml");
}

/// The file of now is right already. What is left is the history, and whoever has it.
#[test]
fn what_a_past_commit_had_is_changed_at_its_source_or_taken_out_of_the_commits() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    repo.git(["tag", "base"]);
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: dev}\nstringData: {user: a}\n";
    repo.commit(&[("db.yaml", plain), ("gone.yaml", &plain.replace("name: db", "name: gone"))]);
    let leaked = repo.git(["rev-parse", "--short=8", "HEAD"]);
    repo.git(["rm", "-q", "gone.yaml"]);
    repo.commit(&[("db.yaml", &sealed(&sandbox, "db", "dev", &["prod.pub", "backup.pub"]))]);
    let strange = repo.git(["rev-parse", "--short=8", "HEAD"]);
    repo.commit(&[("db.yaml", &sealed(&sandbox, "db", "dev", &["prod.pub"]))]);
    let report = String::from_utf8(repo.check(["base..HEAD"]).stdout).unwrap();
    let hints: Vec<&str> = report.lines().map(|line| line.split_once("); ").unwrap().1).collect();
    let out =
        |commit: &str| format!("take the commit out while nobody else has it: git rebase -i {commit}~1");
    let set = "change the value at its source, and seal the new one: seal set db.yaml";
    let expected = [
        format!("{set} --prompt user; or {}", out(&leaked)),
        format!("{set} --prompt password --prompt user; or {}", out(&strange)),
        format!("change the value at its source; or {}", out(&leaked)),
    ];
    let (mut hints, mut expected) = (hints, expected.each_ref().map(String::as_str));
    hints.sort_unstable();
    expected.sort_unstable();
    assert_eq!(hints, expected, "{report}");
    paste(&repo, report.lines().find(|line| line.contains(&strange)).unwrap(), "seal set ");
    assert!(is_clean(&repo));
    // The command about the commits is one that git takes.
    repo.git(["stash", "-q"]);
    let mut shell = repo.command("/bin/sh");
    shell.env("GIT_SEQUENCE_EDITOR", "true").args(["-c", &format!("git rebase -q -i {leaked}~1")]);
    let rebased = run(&mut shell, b"");
    assert_eq!(rebased.code, 0, "{}", rebased.stderr);
}
