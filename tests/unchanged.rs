//! Sealing again without a change, in real repositories and with the real store: `-w` beside Git, `--remember`,
//! `SEAL_REMEMBER`.
//!
//! What stays of one object is tested beside its code (`objects/keeping`). Not here: what `seal` does without these flags
//! (`cli/seal/*.case`). Invariant: each test compares bytes of files, and not what the program says of them.

use std::path::Path;
use std::process::Command;

use crate::sandbox::{CANARY, Run, Sandbox, holds, run};

const COMMENT: &str = "# who asks for this: team-payments\n";

/// A sandbox that is a Git repository.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "-q", "-b", "main"]);
    sandbox
}

#[track_caller]
fn git(sandbox: &Sandbox, args: &[&str]) {
    let mut git = Command::new("git");
    sandbox.confine(&mut git);
    git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args(args);
    let run = run(&mut git, b"");
    assert_eq!(run.code, 0, "git {args:?}: {}", run.stderr);
}

/// `seal` with git in its `PATH`.
fn seal(sandbox: &Sandbox, args: &[&str]) -> Run {
    let mut seal = sandbox.seal(args);
    seal.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    run(&mut seal, b"")
}

fn secret(password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: prod}}\nstringData:\n  password: {CANARY}-{password}\n  user: app\n"
    )
}

/// A repository in which the sealed `db.yaml` is committed, with a comment in it.
fn with_sealed_file(flags: &[&str]) -> (Sandbox, String) {
    let sandbox = repository();
    sandbox.write("db.yaml", secret("one"));
    let sealed = seal(&sandbox, &[&["-w", "-r", "prod.pub"], flags, &["db.yaml"]].concat());
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    let text = format!("{COMMENT}{}", String::from_utf8(sandbox.read("db.yaml")).unwrap());
    sandbox.write("db.yaml", &text);
    git(&sandbox, &["add", "db.yaml"]);
    git(&sandbox, &["commit", "-qm", "sealed"]);
    (sandbox, text)
}

fn text(sandbox: &Sandbox, name: &str) -> String {
    String::from_utf8(sandbox.read(name)).unwrap()
}

#[test]
fn plaintext_over_a_committed_sealed_file_becomes_that_file_again_if_nothing_changed() {
    for flags in [&["-i", "prod.key"][..], &["--remember"]] {
        let (sandbox, sealed) = with_sealed_file(flags);
        sandbox.write("db.yaml", secret("one"));
        let again = seal(&sandbox, &[&["-w", "-r", "prod.pub"], flags, &["db.yaml"]].concat());
        assert_eq!((again.code, again.stderr.as_str()), (0, "prod/db: 2 items unchanged\n"), "{flags:?}");
        assert_eq!(text(&sandbox, "db.yaml"), sealed, "{flags:?}");
        // And once more: nothing is left to do.
        assert_eq!(seal(&sandbox, &[&["-w", "-r", "prod.pub"], flags, &["db.yaml"]].concat()).code, 0);
        assert_eq!(text(&sandbox, "db.yaml"), sealed, "{flags:?}");
    }
}

#[test]
fn one_changed_value_is_one_changed_line_and_one_new_envelope() {
    for flags in [&["-i", "prod.key"][..], &["--remember"]] {
        let (sandbox, sealed) = with_sealed_file(flags);
        sandbox.write("db.yaml", secret("two"));
        let again = seal(&sandbox, &[&["-w", "-r", "prod.pub"], flags, &["db.yaml"]].concat());
        assert_eq!(again.stderr, "prod/db: password sealed again; 1 item unchanged\n", "{flags:?}");
        let now = text(&sandbox, "db.yaml");
        let gone: Vec<&str> =
            sealed.lines().filter(|line| !now.lines().any(|other| other == *line)).collect();
        assert_eq!(gone.len(), 1, "{flags:?}: {gone:?}");
        assert!(gone[0].starts_with("    password: ") && now.starts_with(COMMENT));
        let opened = sandbox.succeed(["unseal", "-i", "prod.key", "db.yaml", "--item", "password"], "");
        assert_eq!(opened, format!("{CANARY}-two").into_bytes());
    }
}

#[test]
fn what_is_staged_counts_before_what_is_committed() {
    let (sandbox, committed) = with_sealed_file(&["-i", "prod.key"]);
    let staged = committed.replace(COMMENT, "# staged\n");
    sandbox.write("db.yaml", &staged);
    git(&sandbox, &["add", "db.yaml"]);
    sandbox.write("db.yaml", secret("one"));
    assert_eq!(seal(&sandbox, &["-w", "-r", "prod.pub", "-i", "prod.key", "db.yaml"]).code, 0);
    assert_eq!(text(&sandbox, "db.yaml"), staged);
    // Plaintext in the index is nothing to compare with.
    sandbox.write("db.yaml", secret("one"));
    git(&sandbox, &["add", "db.yaml"]);
    let run = seal(&sandbox, &["-w", "-r", "prod.pub", "-i", "prod.key", "db.yaml"]);
    assert_eq!(text(&sandbox, "db.yaml"), committed);
    assert!(run.stderr.contains("is staged in plaintext: git add db.yaml"), "{}", run.stderr);
}

#[test]
fn plaintext_that_stays_in_history_is_told_and_a_sealed_history_is_not() {
    let sandbox = repository();
    sandbox.write("db.yaml", secret("one"));
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-qm", "oops"]);
    sandbox.write("db.yaml", secret("two"));
    git(&sandbox, &["commit", "-qam", "oops again"]);
    let run = seal(&sandbox, &["-w", "-r", "prod.pub", "db.yaml"]);
    assert_eq!(run.code, 0);
    let said = "warning: the plaintext of db.yaml is still in 2 commits; change the values at their source\n";
    assert_eq!(run.stderr, said);
    assert!(!holds(&sandbox.read("db.yaml"), CANARY));
    let (sandbox, _) = with_sealed_file(&[]);
    sandbox.write("db.yaml", secret("two"));
    assert_eq!(seal(&sandbox, &["-w", "-r", "prod.pub", "db.yaml"]).stderr, "");
}

#[test]
fn the_environment_opts_in_and_the_store_is_private_and_holds_no_value() {
    let sandbox = Sandbox::new();
    sandbox.write("in.yaml", secret("one"));
    let remember = |value: &str| {
        let mut seal = sandbox.seal(["-r", "prod.pub", "in.yaml", "-o", "out.yaml"]);
        run(seal.env("SEAL_REMEMBER", value), b"")
    };
    assert_eq!(remember("0").code, 0);
    assert!(sandbox.temporary_files().is_empty(), "a false value opts out");
    assert_eq!(remember("1").code, 0);
    let first = sandbox.read("out.yaml");
    assert_eq!(remember("1").code, 0);
    assert_eq!(sandbox.read("out.yaml"), first);
    let files = sandbox.temporary_files();
    let names: Vec<&Path> = files.keys().map(std::path::PathBuf::as_path).collect();
    let store = Path::new(".local/state/seal/fingerprints");
    assert_eq!(names, [store.join("key"), store.join("v1")]);
    assert!(files.values().all(|content| !holds(content, CANARY)));
    assert_eq!(files[&store.join("v1")].iter().filter(|byte| **byte == b'\n').count(), 2);
    // What it knows is worth nothing for other recipients.
    let other = sandbox.run(["--remember", "-r", "backup.pub", "in.yaml", "-o", "out.yaml"], "");
    assert_eq!(other.stderr, "prod/db: password, user sealed again\n");
}

#[test]
fn a_store_that_cannot_be_used_costs_a_warning_and_everything_is_sealed() {
    let sandbox = Sandbox::new();
    sandbox.write("in.yaml", secret("one"));
    let mut seal = sandbox.seal(["--remember", "-r", "prod.pub", "in.yaml", "-o", "out.yaml"]);
    let run = run(seal.env("HOME", "/dev/null").env("XDG_STATE_HOME", "/dev/null/state"), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.starts_with("warning: nothing is remembered: /dev/null/state/seal/fingerprints"),
        "{}",
        run.stderr
    );
    assert!(!holds(&sandbox.read("out.yaml"), CANARY));
}

#[test]
fn a_file_that_is_the_same_is_not_written() {
    let sandbox = Sandbox::new();
    sandbox.write("in.yaml", secret("one"));
    sandbox.succeed(["-r", "prod.pub", "in.yaml", "-o", "out.yaml"], "");
    let before = std::fs::metadata(sandbox.path("out.yaml")).unwrap().modified().unwrap();
    let again = sandbox.run(["-r", "prod.pub", "-i", "prod.key", "in.yaml", "-o", "out.yaml"], "");
    assert_eq!(again.code, 0);
    assert_eq!(std::fs::metadata(sandbox.path("out.yaml")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_secret_that_comes_leaves_the_others_with_their_comments() {
    let (sandbox, sealed) = with_sealed_file(&["-i", "prod.key"]);
    let other = secret("three").replace("name: db", "name: web");
    for both in [format!("{}---\n{other}", secret("one")), format!("{other}---\n{}", secret("one"))] {
        sandbox.write("db.yaml", &both);
        let run = seal(&sandbox, &["-w", "-r", "prod.pub", "-i", "prod.key", "db.yaml"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, "prod/db: 2 items unchanged\n"));
        let now = text(&sandbox, "db.yaml");
        assert!(now.contains(&sealed), "{now}");
        assert_eq!(now.matches("kind: SealedSecret").count(), 2);
        let opened = sandbox.succeed(["unseal", "-i", "prod.key", "db.yaml"], "");
        assert_eq!(String::from_utf8(opened).unwrap().matches("kind: Secret").count(), 2);
    }
}

#[test]
fn a_comment_that_was_typed_since_stays_and_only_what_changed_is_sealed_again() {
    for flags in [&["-i", "prod.key"][..], &["--remember"]] {
        let (sandbox, _) = with_sealed_file(flags);
        let config = |comment: &str| {
            format!(
                "---\n# {comment}\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: prod}}\n"
            )
        };
        let seal = || seal(&sandbox, &[&["-w", "-r", "prod.pub"], flags, &["db.yaml"]].concat());
        sandbox.write("db.yaml", secret("one") + &config("old"));
        assert_eq!(seal().code, 0);
        git(&sandbox, &["commit", "-qam", "sealed"]);
        let sealed = text(&sandbox, "db.yaml");
        // One above a Secret isn't sealed, because it may hold plaintext, and that is said.
        let left_out = "warning: 1 comment inside of Secrets left out of db.yaml: a comment isn't sealed\n";
        for (lead, comment, warning) in [("", "new", ""), ("# typed\n", "old", left_out)] {
            sandbox.write("db.yaml", format!("{lead}{}{}", secret("two"), config(comment)));
            let again = seal();
            let said = format!("prod/db: password sealed again; 1 item unchanged\n{warning}");
            assert_eq!((again.code, again.stderr), (0, said), "{flags:?}");
            let now = text(&sandbox, "db.yaml");
            assert!(now.contains(&config(comment)) && !now.contains("# typed"), "{flags:?}: {now}");
            let user = sealed.lines().find(|line| line.starts_with("    user: ")).unwrap();
            assert!(now.contains(user), "{flags:?}: {now}");
        }
        assert_eq!(text(&sandbox, "db.yaml").matches("# old").count(), 1);
    }
}
