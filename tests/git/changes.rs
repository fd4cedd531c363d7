//! What git and `seal diff` show of changes.

use super::repo::{FILE, Repo};

/// A repository with one SealedSecret on `main`.
fn sealed() -> Repo {
    let repo = Repo::new();
    repo.create(FILE, &["user", "password"]);
    repo.commit("seal");
    repo
}

fn words(repo: &Repo, args: &[&str]) -> String {
    let run = repo.sandbox.run([&["diff"], args].concat(), "");
    assert!([0, 1].contains(&run.code) && run.stderr.is_empty(), "{}: {}", run.code, run.stderr);
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_diff_of_git_shows_short_names() {
    let repo = sealed();
    repo.branch("one", |repo| repo.set(FILE, "password", "new"));
    let diff = repo.git(["diff", "main", "one"]);
    let changed: Vec<&str> =
        diff.lines().filter(|line| line.starts_with(['+', '-']) && line.contains("password")).collect();
    assert_eq!(changed.len(), 2, "{diff}");
    assert!(changed.iter().all(|line| line.len() < 60), "{diff}");
    assert!(
        repo.git(["show", &format!("one:{FILE}")]).contains("age: YWdl"),
        "the object itself is as it was"
    );
}

#[test]
fn an_external_diff_says_it_in_words_and_shows_other_files_as_git_does() {
    let repo = sealed();
    repo.sandbox.write("values.yaml", "a: 1\n");
    repo.commit("values");
    repo.set(FILE, "password", "new");
    repo.sandbox.write("values.yaml", "a: 2\n");
    let mut diff = repo.command(["diff"]);
    let run = crate::sandbox::run(diff.env("GIT_EXTERNAL_DIFF", "seal git diff --"), b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.contains("prod/db.yaml  prod/db\n  ~ password     sealed again; new data key\n"), "{text}");
    assert!(text.contains("diff --git a/values.yaml b/values.yaml\n@@ -1 +1 @@\n-a: 1\n+a: 2\n"), "{text}");
}

#[test]
fn the_work_tree_a_revision_and_a_range_are_told_in_words() {
    let repo = sealed();
    assert_eq!(words(&repo, &["--exit-code"]), "");
    repo.set(FILE, "password", "new");
    let expected = "prod/db.yaml  prod/db\n  ~ password     sealed again; new data key\n";
    assert_eq!(words(&repo, &[]), expected);
    assert_eq!(repo.sandbox.run(["diff", "--exit-code"], "").code, 1);
    assert_eq!(words(&repo, &["HEAD", "prod"]), expected);
    assert_eq!(words(&repo, &["HEAD", "--", "elsewhere"]), "");
    let with_key = words(&repo, &["-i", "prod.key"]);
    assert_eq!(with_key, expected.replace("data key", "data key; value changed"));
    repo.commit("change");
    assert_eq!(words(&repo, &["HEAD~1..HEAD"]), expected);
    assert_eq!(words(&repo, &["HEAD~1...HEAD", FILE]), expected);
    assert_eq!(words(&repo, &["HEAD..HEAD"]), "");
    let json: serde_json::Value = serde_json::from_str(&words(&repo, &["HEAD~1", "--format=json"])).unwrap();
    assert_eq!(json["changes"][0]["kind"], "sealed-again");
    assert_eq!(json["changes"][0]["subject"], "password");
    let unknown = repo.sandbox.run(["diff", "nosuch"], "");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("fetch-depth: 0"), "{}", unknown.stderr);
}

#[test]
fn a_file_that_a_formatter_wrote_anew_is_unchanged() {
    let repo = sealed();
    let text = repo.text(FILE);
    for other in
        [text.replace('\n', "\r\n"), text.replace("    ", "        "), format!("# a comment\n{text}")]
    {
        repo.sandbox.write(FILE, other);
        assert_eq!(words(&repo, &["--exit-code"]), "");
    }
}

#[test]
fn a_file_that_was_copied_to_another_namespace_keeps_its_data_keys_and_is_told() {
    let repo = sealed();
    let copy = repo.text(FILE).replace("namespace: prod", "namespace: dev");
    repo.sandbox.write("dev/db.yaml", copy);
    let told = words(&repo, &[]);
    assert!(told.contains("  ! copied       from prod/db without sealing again: will not open\n"), "{told}");
    assert!(repo.refusal("dev/db.yaml").contains("sealed for prod/db, found in dev/db"));
}

#[test]
fn two_files_are_compared_by_their_items_and_with_a_key_by_their_values() {
    let repo = sealed();
    repo.create("staging/db.yaml", &["user", "password", "smtp-pass"]);
    repo.set("staging/db.yaml", "password", "another");
    assert_eq!(words(&repo, &[FILE, "staging/db.yaml"]), "missing in prod: smtp-pass\n");
    assert_eq!(
        words(&repo, &[FILE, "staging/db.yaml", "-i", "prod.key"]),
        "missing in prod: smtp-pass\nsame: user\ndifferent: password\n"
    );
    assert_eq!(repo.sandbox.run(["diff", FILE, "staging/db.yaml", "--exit-code"], "").code, 1);
    assert_eq!(repo.sandbox.run(["diff", FILE, FILE, "--exit-code"], "").code, 0);
}

#[test]
fn a_link_and_a_path_with_a_line_break_do_not_deceive() {
    let repo = sealed();
    let text = repo.text(FILE);
    repo.sandbox.write("a\nprod/db.yaml  prod\u{1b}[2J.yaml", &text);
    std::os::unix::fs::symlink("db.yaml", repo.sandbox.path("prod/link.yaml")).unwrap();
    let run = repo.sandbox.run(["diff", "HEAD"], "");
    let told = String::from_utf8(run.stdout).unwrap();
    assert!(told.contains("a\\nprod/db.yaml  prod\\u{1b}[2J.yaml") && !told.contains('\u{1b}'), "{told}");
    assert!(told.contains("! prod/link.yaml  is a symbolic link to db.yaml, and isn't followed\n"), "{told}");
    repo.commit("link");
    assert!(words(&repo, &["HEAD~..HEAD"]).contains("! prod/link.yaml  is a symbolic link to db.yaml"));
    // It is told once, when it comes.
    assert_eq!(words(&repo, &[]), "");
}

#[test]
fn attributes_by_which_git_shows_or_merges_something_else_are_told() {
    let repo = sealed();
    let attributes = repo.text(".gitattributes");
    let gone = attributes.lines().next().unwrap();
    repo.sandbox.write(".gitattributes", attributes.replacen(gone, "*.yaml binary", 1));
    repo.sandbox.write("prod/.gitattributes", "# a comment\n* -diff\n");
    let expected = [
        &format!("! .gitattributes  git no longer shows and merges by: {gone}"),
        "! .gitattributes  git shows and merges by: *.yaml binary",
        "! prod/.gitattributes  git shows and merges by: * -diff",
    ];
    let told = words(&repo, &[]);
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    repo.commit("attributes");
    assert_eq!(words(&repo, &["HEAD~..HEAD"]), told);
}

#[test]
fn what_the_tools_of_kubernetes_write_anew_is_unchanged() {
    let repo = sealed();
    let text = repo.text(FILE);
    let path = repo.sandbox.path(FILE);
    let path = path.to_str().unwrap();
    for (program, args) in [
        ("yq", vec!["-i", "-P", "sort_keys(..)", path]),
        ("reformat", vec!["kustomize", path]),
        ("reformat", vec!["kyaml", path]),
    ] {
        repo.sandbox.write(FILE, &text);
        let done =
            std::process::Command::new(seal_tests::toolchain::bin(program)).args(&args).status().unwrap();
        assert!(done.success(), "{program}");
        assert_ne!(repo.text(FILE), text, "{args:?}");
        assert_eq!(words(&repo, &["--exit-code"]), "", "{args:?}");
    }
}

#[test]
fn whom_is_sealed_to_from_now_on_comes_first() {
    let repo = sealed();
    repo.sandbox.write("keys/prod.pin", repo.sandbox.read("prod.pub"));
    repo.sandbox.write("keys/mallory.pin", repo.sandbox.read("backup.pub"));
    let rules = |to: &str| {
        format!(
            "version: 1\nrecipients:\n  prod: {{file: keys/prod.pin}}\n  mallory: {{file: keys/mallory.pin}}\nrules:\n- path: \
             \"prod/**\"\n  to: [{to}]\n"
        )
    };
    repo.sandbox.write(".seal.yaml", rules("prod"));
    repo.commit("rules");
    assert_eq!(words(&repo, &[]), "");
    repo.sandbox.write(".seal.yaml", rules("prod, mallory"));
    repo.rm(FILE, "user");
    let told = words(&repo, &["--exit-code"]);
    let expected = "! .seal.yaml  PINS: prod/** now also seals to mallory 5f8f3b456fdcceef (keys/mallory.pin)\nprod/db.yaml";
    assert!(told.starts_with(expected), "{told}");
    repo.commit("mallory");
    assert!(words(&repo, &["HEAD~1..HEAD"]).starts_with(expected));
    repo.sandbox.write(".seal.yaml", "version: 9\n");
    assert!(words(&repo, &[]).starts_with("! .seal.yaml  can't be understood: "));
}
