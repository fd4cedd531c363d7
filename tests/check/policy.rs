//! `--policy`: what a pull request brings along to be judged by doesn't count.

use super::{BROKEN, Repo, found};

const RULES: &str = "version: 1\nrules: []\n";

#[test]
fn rules_and_a_baseline_that_come_with_the_fault_do_not_hide_it() {
    let repo = Repo::new();
    repo.commit(&[(".seal.yaml", RULES)]);
    repo.git(["branch", "-q", "upstream"]);
    let ignore = format!("{RULES}ignore:\n  - {{rule: unreadable, path: \"a.yaml\", reason: x}}\n");
    let baseline = "# seal baseline v1\nunreadable\tb.yaml\t\t\n";
    repo.commit(&[
        ("a.yaml", BROKEN),
        ("b.yaml", BROKEN),
        (".seal.yaml", &ignore),
        (".seal-baseline", baseline),
    ]);
    assert_eq!(repo.found::<&str>([]), found(&[]));
    let (code, mut lines) = repo.found(["--policy", "upstream"]);
    lines.retain(|line| line.ends_with(" unreadable"));
    assert_eq!((code, lines), found(&["a.yaml:3:17 unreadable", "b.yaml:3:17 unreadable"]));
    // Once upstream has them, they count.
    repo.git(["branch", "-q", "-f", "upstream"]);
    assert_eq!(repo.found(["--policy", "upstream"]), found(&[]));
    assert_eq!(repo.check(["--policy", "none"]).code, 2);
}

#[test]
fn rules_that_are_not_understood_are_no_findings_but_an_end() {
    let repo = Repo::new();
    repo.commit(&[(".seal.yaml", "version: 1\nruls: []\n"), ("a.yaml", BROKEN)]);
    let run = repo.check::<&str>([]);
    assert_eq!((run.code, run.stdout.as_slice()), (2, b"".as_slice()));
    assert!(run.stderr.contains("did you mean rules?"), "{}", run.stderr);
}

#[test]
fn neither_a_file_nor_a_tag_takes_the_place_of_the_range_or_revision_that_is_asked_for() {
    let repo = Repo::new();
    repo.commit(&[(".seal.yaml", RULES)]);
    repo.git(["update-ref", "refs/remotes/origin/main", "HEAD"]);
    repo.commit(&[("a.yaml", BROKEN), ("origin/main..HEAD", "x"), ("x..y", "x")]);
    let run = repo.check(["origin/main..HEAD"]);
    assert_eq!((run.code, run.stdout.as_slice()), (2, b"".as_slice()), "{}", run.stderr);
    assert!(run.stderr.contains("for the file write ./origin/main..HEAD"), "{}", run.stderr);
    assert_eq!(repo.check(["./origin/main..HEAD"]).code, 0);
    assert_eq!(repo.check(["x..y"]).code, 0, "no revisions have these names");

    repo.git(["rm", "-q", "--", "origin/main..HEAD"]);
    repo.git(["tag", "origin/main", "HEAD"]);
    for args in [["--policy", "origin/main"].as_slice(), &["origin/main..HEAD"]] {
        let run = repo.check(args);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("refs/remotes/origin/main"), "{}", run.stderr);
    }
}
