//! `seal` isn't installed, or not configured: nothing is lost.

use super::repo::{FILE, Repo};

/// Two branches that change one item; `two` is checked out.
fn apart() -> Repo {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    for branch in ["one", "two"] {
        repo.branch(branch, |repo| repo.set(FILE, "password", branch));
    }
    repo
}

#[test]
fn without_the_program_git_merges_lines_and_no_side_is_lost() {
    let mut repo = apart();
    let theirs = repo.git(["show", &format!("one:{FILE}")]);
    repo.uninstall();
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    let text = repo.text(FILE);
    let password = theirs.lines().find(|line| line.starts_with("    password: ")).unwrap();
    assert!(text.contains("<<<<<<< ours") && text.contains(password), "{text}");
}

#[test]
fn a_driver_that_cannot_start_would_lose_a_side_which_is_why_the_configuration_has_another_way() {
    let mut repo = apart();
    repo.git(["config", "merge.seal.driver", "seal git merge %O %A %B %L %P %S %X %Y"]);
    let ours = repo.text(FILE);
    repo.uninstall();
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    assert_eq!(repo.text(FILE), ours, "without a marker: git add would lose the other side");
}

#[test]
fn without_the_program_a_diff_shows_the_text() {
    let mut repo = apart();
    let short = repo.git(["diff", "main", "two", "--", FILE]);
    repo.uninstall();
    let long = repo.git(["diff", "main", "two", "--", FILE]);
    assert!(short.len() < 2_000 && long.len() > 2_000, "{short}\n{long}");
    repo.git(["config", "diff.seal.textconv", "seal git textconv"]);
    assert_ne!(
        repo.try_git(["diff", "main", "two", "--", FILE]).code,
        0,
        "which is why there is another way"
    );
}

#[test]
fn an_older_seal_without_the_command_is_as_good_as_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let repo = apart();
    let old = repo.sandbox.path("../programs/seal");
    std::fs::remove_file(&old).unwrap();
    std::fs::write(&old, "#!/bin/sh\necho 'error: unknown command' >&2\nexit 2\n").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    assert!(repo.text(FILE).contains("<<<<<<< ours"), "{}", repo.text(FILE));
    repo.git(["merge", "--abort"]);
    assert!(repo.git(["diff", "main", "two", "--", FILE]).contains("password"));
}
