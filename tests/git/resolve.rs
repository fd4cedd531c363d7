//! Conflicts that git left without the merge driver: merged item by item afterwards, and settled without a question.

use super::repo::{FILE, Repo};
use crate::sandbox::Run;

/// A repository whose clone has no driver: git merges lines.
fn without_driver() -> Repo {
    let repo = Repo::without_config();
    repo.create(FILE, &["old", "password", "user"]);
    repo.commit("seal");
    repo
}

/// Merges branch `one` into branch `two`, which git can't.
fn merge(repo: &Repo) {
    let merge = repo.try_git(["merge", "one"]);
    assert_eq!(merge.code, 1, "{}{}", String::from_utf8_lossy(&merge.stdout), merge.stderr);
}

fn resolve(repo: &Repo, args: &[&str]) -> Run {
    repo.sandbox.run([&["resolve", FILE], args].concat(), "")
}

fn stdout(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

const NEXT: &str = "next: git add prod/db.yaml\n";

#[test]
fn what_git_merged_by_lines_is_merged_item_by_item() {
    let repo = without_driver();
    repo.branch("one", |repo| repo.set(FILE, "token", "from one"));
    repo.branch("two", |repo| repo.set(FILE, "smtp", "from two"));
    merge(&repo);
    assert!(repo.text(FILE).contains("<<<<<<< "), "{}", repo.text(FILE));
    let run = resolve(&repo, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
    assert_eq!(stdout(&run), "prod/db.yaml: merged item by item\n");
    let values = ["token", "smtp", "password"].map(|item| repo.value(FILE, item));
    assert_eq!(values, ["from one", "from two", "first-password"]);
    repo.git(["add", FILE]);
    repo.git(["commit", "--quiet", "--no-edit"]);
    assert_eq!(repo.git(["status", "--porcelain"]), "");
}

#[test]
fn what_a_side_removed_is_named() {
    let repo = without_driver();
    repo.create("prod/web.yaml", &["a"]);
    repo.sandbox.write(
        FILE,
        format!("{}---\n{}", repo.text(FILE), repo.text("prod/web.yaml").replace("name: db", "name: web")),
    );
    repo.commit("two objects");
    repo.branch("one", |repo| {
        let run = repo.sandbox.run(["rm", FILE, "old", "--object", "prod/db"], "");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let text = repo.text(FILE);
        repo.sandbox.write(FILE, text.split_once("---\n").unwrap().0);
    });
    repo.branch("two", |repo| {
        let args = ["set", FILE, "password", "--object", "prod/db", "-r", "prod.pub"];
        let run = repo.sandbox.run(args, "from two");
        assert_eq!(run.code, 0, "{}", run.stderr);
    });
    merge(&repo);
    let run = resolve(&repo, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
    assert_eq!(
        stdout(&run),
        "prod/db.yaml: merged item by item\nprod/db.yaml: prod/db: old removed, as in one\n\
         prod/db.yaml: prod/web: removed, with 1 item, as in one\n"
    );
    assert_eq!(repo.value(FILE, "password"), "from two");
}

#[test]
fn a_true_conflict_is_left_round_its_line_and_one_word_settles_all() {
    for (take, values) in [("ours", ["two", "two"]), ("theirs", ["one", "one"])] {
        let repo = without_driver();
        for branch in ["one", "two"] {
            repo.branch(branch, |repo| {
                repo.set(FILE, "password", branch);
                repo.set(FILE, "user", branch);
                repo.set(FILE, branch, branch);
            });
        }
        merge(&repo);
        let by_lines = repo.text(FILE);
        let run = resolve(&repo, &[]);
        assert_eq!(run.code, 1);
        let two = repo.git(["rev-parse", "two"]);
        assert_eq!(
            run.stderr,
            format!(
                "prod/db.yaml: prod/db: password, user changed on both sides\nprod/db.yaml: conflict between HEAD {} (ours) and \
                 one (theirs)\n1 conflict is left in prod/db.yaml\nnext: seal resolve prod/db.yaml --take ours, or --take \
                 theirs\n",
                &two[..7]
            )
        );
        let text = repo.text(FILE);
        let lines = text.split("<<<<<<< ").skip(1).map(|rest| rest.split(">>>>>>> ").next().unwrap());
        assert!(lines.clone().all(|lines| !lines.contains("age: ")), "{text}");
        // The same, in one go and in two.
        let run = resolve(&repo, &["--take", take]);
        assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
        let settled = repo.text(FILE);
        repo.sandbox.write(FILE, by_lines);
        let run = resolve(&repo, &["--take", take]);
        assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
        assert!(
            stdout(&run).contains(&format!("prod/db.yaml: password, user as in {take}\n")),
            "{}",
            stdout(&run)
        );
        assert_eq!(repo.text(FILE), settled);
        assert_eq!(["password", "user"].map(|item| repo.value(FILE, item)), values);
        assert_eq!(["one", "two"].map(|item| repo.value(FILE, item)), ["one", "two"]);
    }
}

#[test]
fn with_an_identity_equal_values_are_no_conflict() {
    let repo = without_driver();
    for branch in ["one", "two"] {
        repo.branch(branch, |repo| repo.set(FILE, "password", "the same"));
    }
    merge(&repo);
    let run = resolve(&repo, &["-i", "prod.key"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
    assert_eq!(repo.value(FILE, "password"), "the same");
}

#[test]
fn where_the_driver_could_not_start_the_other_side_is_brought_back() {
    let repo = without_driver();
    repo.git(["config", "merge.seal.driver", "no-such-seal git merge %O %A %B %L %P %S %X %Y"]);
    repo.branch("one", |repo| repo.set(FILE, "token", "from one"));
    repo.branch("two", |repo| repo.set(FILE, "smtp", "from two"));
    merge(&repo);
    assert!(!repo.text(FILE).contains("<<<<<<<"), "git left our version");
    let run = resolve(&repo, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
    assert_eq!(["token", "smtp"].map(|item| repo.value(FILE, item)), ["from one", "from two"]);
}

#[test]
fn a_text_that_somebody_worked_on_is_not_merged_anew() {
    let repo = without_driver();
    for branch in ["one", "two"] {
        repo.branch(branch, |repo| repo.set(FILE, "password", branch));
    }
    merge(&repo);
    let worked_on = format!("# mine\n{}", repo.text(FILE));
    repo.sandbox.write(FILE, &worked_on);
    let run = resolve(&repo, &[]);
    assert_eq!((run.code, repo.text(FILE)), (2, worked_on));
    assert!(
        run.stderr.contains("no side is chosen\nhint: say which: --take ours, --take theirs, or a label"),
        "{}",
        run.stderr
    );
    let run = resolve(&repo, &["--take", "theirs"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, NEXT));
    assert!(repo.text(FILE).starts_with("# mine\n"));
    assert_eq!(repo.value(FILE, "password"), "one");
    // Settled by hand, it waits only for git add.
    let run = resolve(&repo, &[]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.ends_with("there is no conflict in it\nhint: if it is right so: git add prod/db.yaml\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_file_that_one_side_removed_is_kept_or_removed_by_git() {
    let repo = without_driver();
    repo.branch("one", |repo| std::fs::remove_file(repo.sandbox.path(FILE)).unwrap());
    repo.branch("two", |repo| repo.set(FILE, "password", "new"));
    merge(&repo);
    let run = resolve(&repo, &["--take", "ours"]);
    assert_eq!(run.code, 2);
    let expected = "the file is removed in theirs, and changed in ours\nhint: to keep it: git add prod/db.yaml; to remove it: git rm prod/db.yaml\n";
    assert!(run.stderr.ends_with(expected), "{}", run.stderr);
}

#[test]
fn a_branch_called_ours_does_not_take_the_place_of_our_side() {
    let repo = Repo::new();
    repo.create(FILE, &["password"]);
    repo.commit("seal");
    for branch in ["ours", "two"] {
        repo.branch(branch, |repo| repo.set(FILE, "password", branch));
    }
    assert_eq!(repo.try_git(["merge", "ours"]).code, 1);
    let run = resolve(&repo, &["--take", "ours"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains(
            "ours is the label of the other side\nhint: write the label of the side to keep: two, ours\n"
        ),
        "{}",
        run.stderr
    );
    assert_eq!(resolve(&repo, &["--take", "two"]).code, 0);
    assert_eq!(repo.value(FILE, "password"), "two");
}
