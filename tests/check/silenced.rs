//! What takes findings out of the report: the baseline, `--new-since`, `ignore`, comments.

use std::fs;

use super::{BROKEN, FINE, Repo, found};

#[test]
fn a_baseline_covers_what_was_there_and_nothing_that_comes_later() {
    let repo = Repo::new();
    repo.commit(&[("b.yaml", BROKEN), ("A.yaml", BROKEN), ("fine.yaml", FINE)]);
    let written = repo.check(["--write-baseline"]);
    assert_eq!((written.code, written.stderr.as_str()), (0, ".seal-baseline: 2 findings; commit it\n"));
    let baseline = fs::read_to_string(repo.dir().join(".seal-baseline")).unwrap();
    assert_eq!(baseline, "# seal baseline v1\nunreadable\tA.yaml\t\t\nunreadable\tb.yaml\t\t\n");
    assert_eq!(repo.found::<&str>([]), found(&[]));
    assert!(repo.check::<&str>([]).stderr.starts_with("no findings in 4 files; 2 more allowed"));
    repo.write("c.yaml", BROKEN);
    assert_eq!(repo.found::<&str>([]), found(&["c.yaml:3:17 unreadable"]));
    // Written again it is the same, whatever else it covered.
    repo.write("c.yaml", FINE);
    repo.check(["--write-baseline"]);
    assert_eq!(fs::read_to_string(repo.dir().join(".seal-baseline")).unwrap(), baseline);
    repo.write("b.yaml", FINE);
    assert_eq!(repo.found::<&str>([]), found(&[".seal-baseline stale-baseline"]));
    repo.write(".seal-baseline", "nonsense\n");
    assert_eq!(repo.check::<&str>([]).code, 2);
}

#[test]
fn a_baseline_that_is_a_link_is_neither_read_nor_written_through() {
    let repo = Repo::new();
    fs::write(repo.beside("profile"), "# seal baseline v1\nunreadable\ta.yaml\t\t\n").unwrap();
    std::os::unix::fs::symlink("../profile", repo.dir().join(".seal-baseline")).unwrap();
    repo.commit(&[("a.yaml", BROKEN)]);
    let before = fs::read(repo.beside("profile")).unwrap();
    for args in [&["--write-baseline"][..], &[], &["--staged"]] {
        let run = repo.check(args);
        assert_eq!((run.code, run.stdout.as_slice()), (2, b"".as_slice()), "{args:?} {}", run.stderr);
    }
    assert_eq!(fs::read(repo.beside("profile")).unwrap(), before);
}

#[test]
fn what_a_revision_had_is_not_new() {
    let repo = Repo::new();
    repo.commit(&[("old.yaml", BROKEN)]);
    repo.git(["tag", "base"]);
    repo.commit(&[("new.yaml", BROKEN)]);
    repo.write("old.yaml", format!("# a line above\n{BROKEN}"));
    assert_eq!(repo.found(["--new-since", "base"]), found(&["new.yaml:3:17 unreadable"]));
    assert_eq!(repo.check(["--new-since", "none"]).code, 2);
}

#[test]
fn the_rules_file_ignores_one_rule_at_its_paths_and_an_entry_without_a_use_is_a_finding() {
    let repo = Repo::new();
    let rules =
        "version: 1\nrules: []\nignore:\n  - {rule: unreadable, path: \"test/**\", reason: fixture}\n";
    repo.commit(&[("test/a.yaml", BROKEN), ("b.yaml", BROKEN), (".seal.yaml", rules)]);
    assert_eq!(repo.found::<&str>([]), found(&["b.yaml:3:17 unreadable"]));
    repo.git(["rm", "-q", "-r", "test"]);
    assert_eq!(repo.found(["."]), found(&[".seal.yaml:4:5 unused-allow", "b.yaml:3:17 unreadable"]));
    repo.write(".seal.yaml", rules.replace("unreadable", "unreadble"));
    let run = repo.check::<&str>([]);
    assert_eq!((run.code, run.stdout.as_slice()), (2, b"".as_slice()));
    assert!(run.stderr.contains("there is no rule unreadble, did you mean unreadable?"), "{}", run.stderr);
    assert!(run.stderr.contains(".seal.yaml:4:"), "{}", run.stderr);
}

#[test]
fn a_comment_that_allows_nothing_is_a_finding() {
    let repo = Repo::new();
    repo.write("a.yaml", format!("# seal: allow place -- there is none\n{FINE}"));
    repo.write("b.yaml", format!("# seal: allow place\n{FINE}---\n# seal: allow private-key -- x\n{FINE}"));
    let expected = ["a.yaml:1:1 unused-allow", "b.yaml:1:1 unused-allow", "b.yaml:6:1 unused-allow"];
    assert_eq!(repo.found::<&str>([]), found(&expected));
}
