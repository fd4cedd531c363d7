//! Which files are looked at, and which are reported on.

use std::fs;
use std::os::unix::fs::symlink;

use super::{BROKEN, FINE, Repo, found};
use crate::sandbox::run;

#[test]
fn a_work_tree_is_what_a_commit_of_everything_would_have() {
    let repo = Repo::new();
    repo.commit(&[
        ("tracked.yaml", BROKEN),
        ("gone.yaml", BROKEN),
        (".gitignore", "ignored*\n"),
        ("ignored-and-tracked.yaml", FINE),
    ]);
    repo.write("ignored-and-tracked.yaml", BROKEN);
    repo.git(["add", "-f", "ignored-and-tracked.yaml"]);
    repo.write("dir/untracked.yml", BROKEN);
    repo.write("ignored.yaml", BROKEN);
    repo.write(".github/workflows/x.yaml", BROKEN);
    fs::remove_file(repo.dir().join("gone.yaml")).unwrap();
    fs::write(repo.beside("outside.yaml"), BROKEN).unwrap();
    symlink(repo.beside("outside.yaml"), repo.dir().join("link.yaml")).unwrap();
    let expected = [
        ".github/workflows/x.yaml:3:17 unreadable",
        "dir/untracked.yml:3:17 unreadable",
        "ignored-and-tracked.yaml:3:17 unreadable",
        "tracked.yaml:3:17 unreadable",
    ];
    assert_eq!(repo.found::<&str>([]), found(&expected));
    // What is named is looked at, ignored or not, and the rest isn't reported on.
    assert_eq!(
        repo.found(["dir", "ignored.yaml"]),
        found(&["dir/untracked.yml:3:17 unreadable", "ignored.yaml:3:17 unreadable"])
    );
    // From a directory, paths lead there from where the user is.
    let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
    let below = run(seal.args(["check"]).current_dir(repo.dir().join("dir")), b"");
    let text = String::from_utf8(below.stdout).unwrap();
    assert!(
        text.contains("\nuntracked.yml:3:17 error") && text.contains("\n../tracked.yaml:3:17 error"),
        "{text}"
    );
    assert_eq!(below.code, 1);
}

#[test]
fn a_directory_that_a_link_took_the_place_of_is_gone() {
    let repo = Repo::new();
    repo.commit(&[("dir/a.yaml", FINE)]);
    fs::remove_dir_all(repo.dir().join("dir")).unwrap();
    fs::create_dir(repo.beside("elsewhere")).unwrap();
    fs::write(repo.beside("elsewhere/a.yaml"), BROKEN).unwrap();
    symlink(repo.beside("elsewhere"), repo.dir().join("dir")).unwrap();
    assert_eq!(repo.found::<&str>([]), found(&[]));
}

#[test]
fn outside_of_git_every_file_is_looked_at() {
    let repo = Repo::without_git();
    repo.write("a/b.yaml", BROKEN);
    repo.write(".hidden/c.json", "{\"kind\": \"Secret\", \"a\": [}");
    assert_eq!(repo.found::<&str>([]).1.len(), 2);
    assert_eq!(repo.found(["a"]), found(&["a/b.yaml:3:17 unreadable"]));
    for (args, code) in
        [(vec!["none.yaml"], 3), (vec!["--staged"], 3), (vec!["--policy", "main"], 3), (vec!["a", "/"], 2)]
    {
        let run = repo.check(&args);
        assert_eq!((run.code, run.stdout.as_slice()), (code, b"".as_slice()), "{args:?} {}", run.stderr);
    }
}

#[test]
fn submodules_and_other_repositories_are_counted_and_a_linked_work_tree_is_one_of_its_own() {
    let (repo, other) = (Repo::new(), Repo::new());
    other.commit(&[("a.yaml", BROKEN)]);
    repo.git(["submodule", "--quiet", "add", other.dir().to_str().unwrap(), "sub"]);
    repo.git(["clone", "-q", other.dir().to_str().unwrap(), "inside"]);
    repo.commit(&[("b.yaml", FINE)]);
    repo.git(["rm", "-q", "--cached", "inside"]);
    let run_here = repo.check::<&str>([]);
    assert!(run_here.stderr.contains("2 repositories weren't looked at"), "{}", run_here.stderr);
    assert_eq!(repo.found(["sub"]), found(&["sub/a.yaml:3:17 unreadable"]));
    let linked = repo.beside("linked");
    repo.git(["worktree", "add", "-q", linked.to_str().unwrap()]);
    fs::write(linked.join("c.yaml"), BROKEN).unwrap();
    let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
    let there = run(seal.args(["check", "--strict"]).current_dir(&linked), b"");
    assert!(there.code == 1 && there.stdout.starts_with(b"c.yaml:3:17 "), "{}", there.stderr);
}

#[test]
fn a_repository_that_git_does_not_trust_is_a_failure_and_no_plain_directory() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", BROKEN)]);
    fs::write(repo.dir().join(".git/HEAD"), "nonsense").unwrap();
    let run = repo.check::<&str>([]);
    assert_eq!((run.code, run.stdout.as_slice()), (3, b"".as_slice()), "{}", run.stderr);
}

#[test]
fn files_of_any_size_and_form_are_no_end() {
    let repo = Repo::new();
    repo.write(
        "utf16.yaml",
        "\u{feff}kind: Secret".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    );
    repo.write("latin1.yaml", b"kind: Secret\n# caf\xe9\n");
    repo.write("binary.yaml", [0, 1, 2, 0xff]);
    repo.write("template.yaml", "{{ if .x }}\nkind: Secret\n{{ end }}\n");
    repo.write("deep.yaml", format!("kind: Secret\na: {}", "[".repeat(100_000)));
    let large = fs::File::create(repo.dir().join("large.yaml")).unwrap();
    large.set_len(100 * 1024 * 1024).unwrap();
    fs::File::create(repo.dir().join("large.iso")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let (code, lines) = repo.found::<&str>([]);
    let files: Vec<&str> = lines.iter().map(|line| line.split([' ', ':']).next().unwrap()).collect();
    assert_eq!((code, files), (1, vec!["deep.yaml", "large.iso", "large.yaml", "latin1.yaml", "utf16.yaml"]));
    let run = repo.check::<&str>([]);
    assert!(
        run.stderr.contains("1 Helm template wasn't looked at; check the result: helm template"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.ends_with("2 errors, 2 warnings, 1 note in 7 files\n"), "{}", run.stderr);
    assert_eq!(repo.check(["latin1.yaml"]).code, 0, "a warning is none without --strict");
}

#[test]
fn a_file_that_a_sparse_checkout_leaves_out_is_read_from_the_index_with_its_rules() {
    let repo = Repo::new();
    repo.commit(&[("apps/here.yaml", FINE), ("left/out.yaml", BROKEN), ("left/there.yaml", FINE)]);
    repo.git(["sparse-checkout", "set", "apps"]);
    assert!(!repo.dir().join("left").exists());
    assert_eq!(repo.found::<&str>([]), found(&["left/out.yaml:3:17 unreadable"]));
    // One that stands on the disk all the same is read there.
    repo.write("left/there.yaml", BROKEN);
    let both = ["left/out.yaml:3:17 unreadable", "left/there.yaml:3:17 unreadable"];
    assert_eq!(repo.found::<&str>([]), found(&both));
    repo.write("left/out.yaml", FINE);
    repo.write("left/there.yaml", FINE);
    assert_eq!(repo.found::<&str>([]), found(&[]));
    // Rules that are left out count, too.
    repo.git(["sparse-checkout", "disable"]);
    repo.commit(&[
        ("left/.seal.yaml", "version: 1\nignore:\n- {rule: unreadable, path: '*.yaml', reason: broken}\n"),
        ("left/out.yaml", BROKEN),
    ]);
    repo.git(["sparse-checkout", "set", "apps"]);
    assert_eq!(repo.found::<&str>([]), found(&[]));
}

const PLAIN: &str = "apiVersion: v1\nkind: Secret\nstringData: {a: opensesame}\n";

/// A file that a kustomization names is a manifest whatever it is called, and so is the file behind a link that is called one.
#[test]
fn files_that_kustomizations_and_links_take_for_manifests_are_read_by_whatever_name() {
    let repo = Repo::new();
    repo.write(
        "app/kustomization.yaml",
        "resources: [db.txt, directory/behind.txt, first.txt]\npatches: [{path: patch}]\ngenerators: [../gen]\n",
    );
    repo.write("app/db.txt", PLAIN);
    repo.write("app/patch", PLAIN);
    repo.write("app/other.txt", PLAIN);
    repo.write(
        "gen",
        "apiVersion: builtin\nkind: SecretGenerator\nmetadata: {name: x}\nliterals: [a=opensesame]\n",
    );
    repo.write("target", PLAIN);
    symlink("../target", repo.dir().join("app/link.yaml")).unwrap();
    symlink("/etc/passwd", repo.dir().join("app/outside.yaml")).unwrap();
    // kustomize goes through directories that are links, and from one link to the next.
    repo.write("real/behind.txt", PLAIN);
    symlink("../real", repo.dir().join("app/directory")).unwrap();
    symlink("next.txt", repo.dir().join("app/first.txt")).unwrap();
    symlink("../last", repo.dir().join("app/next.txt")).unwrap();
    repo.write("last", PLAIN);
    let expected = found(&[
        "app/db.txt:3:14 plaintext",
        "app/patch:3:14 plaintext",
        "gen:4:12 plaintext-generator",
        "last:3:14 plaintext",
        "real/behind.txt:3:14 plaintext",
        "target:3:14 plaintext",
    ]);
    assert_eq!(repo.found::<&str>([]), expected);
    // The index and a commit have the same.
    repo.git(["add", "-A"]);
    assert_eq!(repo.found(["--staged"]), expected);
}

/// Nothing in such a patch says that it is about a Secret: the kustomization does.
#[test]
fn a_json_patch_of_a_secret_is_found_by_its_target() {
    let repo = Repo::new();
    let patch = "- op: replace\n  path: /data/password\n  value: b3BlbnNlc2FtZQ==\n";
    repo.write("app/patch.yaml", patch);
    repo.write(
        "app/kustomization.yaml",
        "patches: [{target: {kind: ConfigMap, name: db}, path: patch.yaml}]\n",
    );
    assert_eq!(repo.found::<&str>([]), found(&[]));
    repo.write("app/kustomization.yaml", "patches: [{target: {kind: Secret, name: db}, path: patch.yaml}]\n");
    let expected = found(&["app/patch.yaml:3:10 plaintext"]);
    assert_eq!(repo.found::<&str>([]), expected);
    repo.git(["add", "-A"]);
    assert_eq!(repo.found(["--staged"]), expected);
}
