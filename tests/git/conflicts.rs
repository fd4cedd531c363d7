//! Conflicts: what stands in the file, what is said, and how they are settled.

use super::repo::{FILE, Repo};

/// What is said once nothing is left to settle.
const NEXT: &str = "next: git add prod/db.yaml\n";

/// Two branches that set one item to different values, and one of them another item too. `two` is checked out.
fn apart() -> Repo {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    repo.branch("one", |repo| {
        repo.set(FILE, "password", "from one");
        repo.set(FILE, "token", "from one");
    });
    repo.branch("two", |repo| repo.set(FILE, "password", "from two"));
    repo
}

#[test]
fn a_conflict_stands_round_one_line_and_either_choice_opens() {
    for (take, value) in [("one", "from one"), ("two", "from two")] {
        let repo = apart();
        let merge = repo.try_git(["merge", "one"]);
        assert_eq!(merge.code, 1);
        let named = |branch: &str| format!("{branch} {}", &repo.git(["rev-parse", branch])[..7]);
        let said = format!("{}{}", String::from_utf8_lossy(&merge.stdout), merge.stderr);
        for part in [
            "prod/db.yaml: prod/db: password changed on both sides",
            &format!("prod/db.yaml: conflict between {} (ours) and {} (theirs)", named("two"), named("one")),
            "to keep one: seal resolve prod/db.yaml --take one",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let text = repo.text(FILE);
        let inside: Vec<&str> = text
            .lines()
            .skip_while(|line| *line != "<<<<<<< two")
            .take_while(|line| !line.starts_with(">>>>>>> one"))
            .collect();
        assert_eq!(inside.len(), 4, "{text}");
        assert!(inside[1].starts_with("    password: ") && inside[2] == "=======", "{text}");

        let resolved = repo.sandbox.run(["resolve", FILE, "--take", take], "");
        assert_eq!((resolved.code, resolved.stderr.as_str()), (0, NEXT));
        let told = String::from_utf8(resolved.stdout).unwrap();
        assert!(told.starts_with(&format!("prod/db.yaml: password as in {take}\n")), "{told}");
        assert!(told.contains("prod/db.yaml: dropped the envelope of 1 data key "), "{told}");
        assert_eq!([repo.value(FILE, "password"), repo.value(FILE, "token")], [value, "from one"]);
        repo.commit("merge");
        assert_eq!(repo.git(["status", "--porcelain"]), "");
    }
}

#[test]
fn an_item_that_one_side_removed_and_the_other_changed_is_a_conflict() {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    repo.branch("removed", |repo| repo.rm(FILE, "password"));
    repo.branch("changed", |repo| repo.set(FILE, "password", "new"));
    let merge = repo.try_git(["merge", "removed"]);
    assert_eq!(merge.code, 1);
    let said = format!("{}{}", String::from_utf8_lossy(&merge.stdout), merge.stderr);
    assert!(said.contains("prod/db.yaml: prod/db: password changed in ours, removed in theirs\n"), "{said}");
    let resolved = repo.sandbox.run(["resolve", FILE, "--take", "removed", "password"], "");
    assert_eq!(resolved.code, 0, "{}", resolved.stderr);
    assert_eq!(repo.value(FILE, "user"), "first-user");
    assert!(!repo.text(FILE).contains("password") && repo.text(FILE).matches("age: ").count() == 1);
}

#[test]
fn a_rebase_names_the_branch_below_and_the_commit_that_goes_onto_it() {
    let repo = apart();
    let rebase = repo.try_git(["rebase", "one"]);
    assert_eq!(rebase.code, 1);
    let text = repo.text(FILE);
    let onto = repo.git(["rev-parse", "one"]);
    let commit = repo.git(["rev-parse", "two"]);
    assert!(text.contains(&format!("<<<<<<< onto {}\n", &onto[..7])), "{text}");
    assert!(text.contains(&format!(">>>>>>> {} (change on two)\n", &commit[..7])), "{text}");
    let resolved = repo.sandbox.run(["resolve", FILE, "--take", &commit[..7]], "");
    assert_eq!(resolved.code, 0, "{}", resolved.stderr);
    repo.git(["add", FILE]);
    repo.git(["rebase", "--continue"]);
    assert_eq!(repo.value(FILE, "password"), "from two", "theirs is the commit that is rebased");
}

#[test]
fn both_sides_that_rewrapped_to_different_recipients_conflict_and_neither_is_guessed() {
    let repo = Repo::new();
    repo.create(FILE, &["user"]);
    repo.commit("seal");
    repo.branch("one", |repo| repo.rotate(&["prod.pub", "backup.pub"]));
    repo.branch("two", |repo| repo.set(FILE, "x", "y"));
    repo.git(["switch", "--quiet", "--create", "three", "main"]);
    let run = repo.sandbox.run(["rotate", FILE, "-i", "prod.key", "-r", "backup.pub"], "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    repo.commit("to the backup alone");
    let merge = repo.try_git(["merge", "one"]);
    assert_eq!(merge.code, 1);
    let said = format!("{}{}", String::from_utf8_lossy(&merge.stdout), merge.stderr);
    assert!(said.contains("both sides sealed the same data keys again, to other recipients"), "{said}");
    assert!(repo.text(FILE).contains("<<<<<<< three"), "{}", repo.text(FILE));
}

#[test]
fn some_items_are_settled_and_the_others_stay() {
    let repo = Repo::new();
    repo.create(FILE, &["a", "b", "user"]);
    repo.commit("seal");
    for branch in ["one", "two"] {
        repo.branch(branch, |repo| {
            repo.set(FILE, "a", branch);
            repo.set(FILE, "b", branch);
        });
    }
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    let first = repo.sandbox.run(["resolve", FILE, "--take", "one", "a"], "");
    let left =
        "1 conflict is left in prod/db.yaml\nnext: seal resolve prod/db.yaml --take ours, or --take theirs\n";
    assert_eq!((first.code, first.stderr.as_str()), (1, left));
    let second = repo.sandbox.run(["resolve", FILE, "--take", "two"], "");
    assert_eq!((second.code, second.stderr.as_str()), (0, NEXT));
    assert_eq!([repo.value(FILE, "a"), repo.value(FILE, "b")], ["one", "two"]);
}

#[test]
fn a_conflict_that_shows_the_base_too_is_settled_alike() {
    let repo = apart();
    repo.git(["config", "merge.conflictStyle", "diff3"]);
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    assert!(repo.text(FILE).contains("||||||| base"), "{}", repo.text(FILE));
    let resolved = repo.sandbox.run(["resolve", FILE, "--take", "one", "password"], "");
    assert_eq!((resolved.code, resolved.stderr.as_str()), (0, NEXT));
    assert_eq!([repo.value(FILE, "password"), repo.value(FILE, "token")], ["from one", "from one"]);
}

#[test]
fn branches_that_were_merged_into_each_other_before_never_mix_what_is_sealed() {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    for branch in ["one", "two"] {
        repo.branch(branch, |repo| repo.set(FILE, "password", branch));
    }
    // Each takes the other in, and settles it for itself: the base of the next merge has a conflict in it.
    let one = repo.git(["rev-parse", "one"]);
    let two = repo.git(["rev-parse", "two"]);
    for (branch, other) in [("one", &two), ("two", &one)] {
        repo.git(["switch", "--quiet", branch]);
        assert_eq!(repo.try_git(["merge", other.trim()]).code, 1);
        let text = repo.text(FILE);
        let ours = text.lines().find_map(|line| line.strip_prefix("<<<<<<< ")).unwrap();
        let run = repo.sandbox.run(["resolve", FILE, "--take", ours], "");
        assert_eq!(run.code, 0, "{}", run.stderr);
        repo.set(FILE, branch, "mine");
        repo.commit("settled");
    }
    let merge = repo.try_git(["merge", "one"]);
    assert_eq!(merge.code, 1, "{}", merge.stderr);
    assert!(repo.text(FILE).contains("<<<<<<< "), "{}", repo.text(FILE));
}

#[test]
fn a_commit_that_is_picked_reverted_or_merged_again_is_named() {
    let short = |repo: &Repo, revision: &str| repo.git(["rev-parse", revision])[..7].to_owned();
    let assert_label = |repo: &Repo, label: &str| {
        let text = repo.text(FILE);
        assert!(text.contains(&format!(">>>>>>> {label}\n")), "{label}: {text}");
    };
    // The first of several that are picked; a git before 2.45 doesn't tell its drivers.
    let repo = apart();
    let one = format!("{} (change on one)", short(&repo, "one"));
    assert_eq!(repo.try_git(["cherry-pick", "one", "main"]).code, 1);
    // By now the commit is noted, and the file is merged again.
    repo.git(["checkout", "--quiet", "--merge", FILE]);
    assert_label(&repo, &one);
    repo.git(["cherry-pick", "--abort"]);

    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    repo.git(["checkout", "--quiet", "--merge", FILE]);
    assert_label(&repo, &one);
    repo.git(["merge", "--abort"]);

    repo.set(FILE, "password", "later");
    repo.commit("later");
    let two = format!("parent of {} (change on two)", short(&repo, "HEAD~1"));
    assert_eq!(repo.try_git(["revert", "--no-edit", "HEAD~1"]).code, 1);
    repo.git(["checkout", "--quiet", "--merge", FILE]);
    assert_label(&repo, &two);
}

#[test]
fn an_object_that_moved_on_one_side_opens_by_either_choice() {
    for take in ["moved", "changed"] {
        let repo = Repo::new();
        repo.create(FILE, &["a", "m"]);
        repo.commit("seal");
        repo.branch("changed", |repo| repo.set(FILE, "b", "new"));
        repo.branch("moved", |repo| {
            let run = repo.sandbox.run(["move", FILE, "-n", "stage", "-i", "prod.key", "-r", "prod.pub"], "");
            assert_eq!(run.code, 0, "{}", run.stderr);
        });
        let sides =
            ["moved", "changed"].map(|branch| (branch, repo.git(["show", &format!("{branch}:{FILE}")])));
        let merge = repo.try_git(["merge", "changed"]);
        assert_eq!(merge.code, 1);
        let said = format!("{}{}", String::from_utf8_lossy(&merge.stdout), merge.stderr);
        assert!(said.contains("to keep one: seal resolve prod/db.yaml --take changed"), "{said}");
        let resolved = repo.sandbox.run(["resolve", FILE, "--take", take], "");
        assert_eq!(resolved.code, 0, "{}", resolved.stderr);
        let expected = sides.iter().find(|(branch, _)| *branch == take).unwrap();
        assert_eq!(repo.text(FILE), expected.1);
        assert_eq!(repo.value(FILE, "m"), "first-m");
    }
}

#[test]
fn a_choice_after_which_an_object_would_not_open_ends_with_findings() {
    let repo = apart();
    let text = repo.text(FILE);
    let (head, rest) = text.split_once("    password: ").unwrap();
    let (line, tail) = rest.split_once('\n').unwrap();
    let (other, line) = (format!("{}.x", "A".repeat(43)), format!("    password: {line}"));
    let marked = format!("{head}<<<<<<< a\n{line}\n=======\n    password: {other}\n>>>>>>> b\n{tail}");
    for (take, code) in [("a", 0), ("b", 1)] {
        repo.sandbox.write(FILE, &marked);
        let run = repo.sandbox.run(["resolve", FILE, "--take", take], "");
        assert_eq!(run.code, code, "{}", run.stderr);
        assert_eq!(run.stderr.contains("will not open"), code == 1, "{}", run.stderr);
    }
}
