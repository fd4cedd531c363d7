//! Merges that are clean, and open.

use super::repo::{FILE, Repo};

/// Two branches that each add an item; `two` is checked out.
fn apart() -> Repo {
    let repo = Repo::new();
    repo.create(FILE, &["user"]);
    repo.commit("seal");
    repo.branch("one", |repo| repo.set(FILE, "password", "one"));
    repo.branch("two", |repo| repo.set(FILE, "token", "two"));
    repo
}

#[test]
fn two_branches_that_add_different_items_merge_and_open() {
    let repo = apart();
    repo.git(["merge", "--quiet", "one"]);
    let value = |item| repo.value(FILE, item);
    assert_eq!([value("user"), value("password"), value("token")], ["first-user", "one", "two"]);
    assert_eq!(repo.git(["status", "--porcelain"]), "");
}

#[test]
fn a_text_merge_of_two_branches_that_add_items_conflicts_in_the_envelopes() {
    let repo = Repo::without_config();
    repo.create(FILE, &["user"]);
    repo.commit("seal");
    repo.branch("one", |repo| repo.set(FILE, "password", "from one"));
    repo.branch("two", |repo| repo.set(FILE, "token", "from two"));
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    assert!(repo.text(FILE).contains("<<<<<<< HEAD"), "{}", repo.text(FILE));
}

#[test]
fn two_branches_that_remove_different_items_of_one_envelope_merge_and_open() {
    for is_configured in [true, false] {
        let repo = if is_configured { Repo::new() } else { Repo::without_config() };
        repo.create(FILE, &["a-first", "m-stays", "z-last"]);
        repo.set(FILE, "m-stays", "of another envelope");
        repo.commit("seal");
        repo.branch("one", |repo| repo.rm(FILE, "a-first"));
        repo.branch("two", |repo| repo.rm(FILE, "z-last"));
        repo.git(["merge", "--quiet", "one"]);
        if is_configured {
            assert_eq!(repo.value(FILE, "m-stays"), "of another envelope");
            assert_eq!(repo.text(FILE).matches("age: ").count(), 1);
        } else {
            assert!(
                repo.refusal(FILE).contains("holds no data key that an item needs"),
                "{}",
                repo.refusal(FILE)
            );
        }
    }
}

#[test]
fn a_rotation_on_one_branch_and_a_new_value_on_the_other_both_count() {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    repo.branch("rotated", |repo| repo.rotate(&["prod.pub", "backup.pub"]));
    repo.branch("changed", |repo| repo.set(FILE, "password", "new"));
    repo.git(["merge", "--quiet", "rotated"]);
    assert_eq!(repo.value(FILE, "password"), "new");
    // What wasn't changed is open to the new recipient too.
    let text = repo.text(FILE);
    assert_eq!(text.matches("age: ").count(), 2, "{text}");
    assert_eq!(text.matches("fingerprint: 5f8f3b456fdcceef").count(), 1, "{text}");
}

#[test]
fn a_file_that_both_branches_added_merges() {
    let repo = Repo::new();
    repo.create(FILE, &["user"]);
    let text = repo.text(FILE);
    std::fs::remove_dir_all(repo.sandbox.path("prod")).unwrap();
    let add = |repo: &Repo, item: &str| {
        repo.sandbox.write(FILE, &text);
        repo.set(FILE, item, item);
    };
    repo.branch("one", |repo| add(repo, "password"));
    repo.branch("two", |repo| add(repo, "token"));
    repo.git(["merge", "--quiet", "one"]);
    assert_eq!([repo.value(FILE, "password"), repo.value(FILE, "token")], ["password", "token"]);
}

#[test]
fn a_rebase_a_cherry_pick_and_a_revert_merge_items_too() {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    repo.branch("mine", |repo| repo.set(FILE, "token", "mine"));
    repo.branch("upstream", |repo| repo.set(FILE, "password", "theirs"));
    repo.git(["switch", "--quiet", "mine"]);
    repo.git(["rebase", "--quiet", "upstream"]);
    assert_eq!([repo.value(FILE, "password"), repo.value(FILE, "token")], ["theirs", "mine"]);

    repo.branch("picked", |repo| repo.set(FILE, "user", "picked"));
    repo.git(["switch", "--quiet", "mine"]);
    repo.git(["cherry-pick", "picked"]);
    assert_eq!([repo.value(FILE, "user"), repo.value(FILE, "token")], ["picked", "mine"]);

    // The value before the rebase's base comes back, with the envelope that it needs.
    repo.git(["revert", "--no-edit", "upstream"]);
    let value = |item| repo.value(FILE, item);
    assert_eq!([value("password"), value("user"), value("token")], ["first-password", "picked", "mine"]);
}

#[test]
fn a_linked_work_tree_has_the_driver() {
    let repo = apart();
    repo.git(["worktree", "add", "--quiet", "linked", "one"]);
    repo.git(["-C", "linked", "merge", "--quiet", "two"]);
    assert_eq!(repo.value("linked/prod/db.yaml", "token"), "two");
}

#[test]
fn a_submodule_has_the_attributes_and_needs_a_configuration_of_its_own() {
    let repo = apart();
    let url = repo.sandbox.dir().join(".git").display().to_string();
    repo.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "module"]);
    let merge = |repo: &Repo| {
        repo.git(["-C", "module", "switch", "--quiet", "--detach", "origin/one"]);
        repo.try_git(["-C", "module", "merge", "origin/two"])
    };
    assert_eq!(merge(&repo).code, 1, "git merges lines");
    repo.git(["-C", "module", "merge", "--abort"]);
    let config = ".git/modules/module/config";
    let both = [repo.sandbox.read(config), repo.sandbox.succeed(["git", "config"], "")];
    repo.sandbox.write(config, both.concat());
    let merged = merge(&repo);
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    assert_eq!(repo.value("module/prod/db.yaml", "token"), "two");
}

#[test]
fn an_item_that_both_sides_set_to_one_value_is_no_conflict_to_whoever_has_the_key() {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    repo.branch("one", |repo| repo.set(FILE, "password", "the same"));
    repo.branch("two", |repo| repo.set(FILE, "password", "the same"));
    let ours = repo.text(FILE);
    assert_eq!(repo.try_git(["merge", "one"]).code, 1);
    repo.git(["merge", "--abort"]);
    let mut merge = repo.command(["merge", "--quiet", "one"]);
    let run = crate::sandbox::run(merge.env("SEAL_IDENTITY", repo.sandbox.path("prod.key")), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(repo.text(FILE), ours);
}

#[test]
fn an_equal_value_for_other_people_or_for_templates_is_a_conflict_even_to_whoever_has_the_key() {
    let template = |repo: &Repo| {
        let run = repo
            .sandbox
            .run(["set", FILE, "password", "-r", "prod.pub", "--template-item", "password"], "same");
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    let widened = |repo: &Repo| {
        let run = repo.sandbox.run(["set", FILE, "password", "-r", "prod.pub", "-r", "backup.pub"], "same");
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    for ours in [&template as &dyn Fn(&Repo), &widened] {
        let repo = Repo::new();
        repo.create(FILE, &["user", "password"]);
        repo.commit("seal");
        repo.branch("one", |repo| repo.set(FILE, "password", "same"));
        repo.branch("two", ours);
        let mut merge = repo.command(["merge", "--quiet", "one"]);
        let run = crate::sandbox::run(merge.env("SEAL_IDENTITY", repo.sandbox.path("prod.key")), b"");
        assert_eq!(run.code, 1, "{}", run.stderr);
    }
}

#[test]
fn an_item_that_is_sealed_anew_to_somebody_whom_the_other_side_took_out_is_told() {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.rotate(&["prod.pub", "backup.pub"]);
    repo.commit("seal");
    repo.branch("narrowed", |repo| repo.rotate(&["prod.pub"]));
    repo.branch("set", |repo| {
        let run = repo.sandbox.run(["set", FILE, "password", "-r", "prod.pub", "-r", "backup.pub"], "new");
        assert_eq!(run.code, 0, "{}", run.stderr);
    });
    let merge = repo.try_git(["merge", "--quiet", "narrowed"]);
    assert_eq!(merge.code, 0, "{}", merge.stderr);
    let told = "prod/db.yaml: prod/db: password is sealed to 5f8f3b456fdcceef, whom the other side took out";
    assert!(merge.stderr.contains(told), "{}", merge.stderr);
    assert!(!merge.stderr.contains("user is sealed"), "{}", merge.stderr);
}

#[test]
fn a_file_whose_name_is_an_option_is_merged_and_shown_as_any_other() {
    for file in ["--x.yaml", "-iprod.key.yaml", "-i.yaml"] {
        let path = format!("./{file}");
        let mut repo = Repo::new();
        repo.create(&path, &["a-first", "m-stays", "z-last"]);
        repo.set(&path, "m-stays", "of another envelope");
        repo.commit("seal");
        repo.branch("one", |repo| repo.rm(&path, "a-first"));
        repo.branch("two", |repo| repo.rm(&path, "z-last"));
        let merge = repo.try_git(["merge", "one"]);
        assert_eq!((merge.code, merge.stderr.as_str()), (0, ""), "{file}");
        assert_eq!(repo.value(&path, "m-stays"), "of another envelope");
        repo.set(&path, "m-stays", "new");
        let short = repo.git(["diff"]);
        assert!(short.contains("m-stays") && short.len() < 2_000, "{short}");
        repo.uninstall();
        assert!(repo.git(["diff"]).contains("m-stays"), "{file}");
    }
}

#[test]
fn a_merged_file_becomes_a_secret_on_a_host() {
    let repo = apart();
    repo.git(["merge", "--quiet", "one"]);
    let mut host = std::process::Command::new(env!("CARGO_BIN_EXE_test-seal-controller"));
    repo.sandbox.confine(&mut host);
    host.args(["host", "--once", "--manifests=prod", "--secrets=secrets", "--identity=prod.key"]);
    let run = crate::sandbox::run(&mut host, b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let item = |item: &str| repo.text(&format!("secrets/prod/db/{item}"));
    assert_eq!([item("user"), item("password"), item("token")], ["first-user", "one", "two"]);
}

#[test]
fn a_kustomization_keeps_the_data_keys_and_changes_the_place_that_they_are_bound_to() {
    let repo = apart();
    repo.sandbox
        .write("prod/kustomization.yaml", "resources: [db.yaml]\nnamespace: staging\nnamePrefix: dev-\n");
    let built = std::process::Command::new(seal_tests::toolchain::bin("kubectl"))
        .arg("kustomize")
        .arg(repo.sandbox.path("prod"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    repo.sandbox.write("built.yaml", built.stdout);
    assert!(repo.refusal("built.yaml").contains("sealed for prod/db, found in staging/dev-db"));
    let diff = repo.sandbox.run(["diff", FILE, "built.yaml", "-i", "prod.key"], "");
    assert_eq!(diff.stdout, b"same: token, user\n", "{}", diff.stderr);
}
