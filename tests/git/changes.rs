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

/// Rules by which `prod/` is sealed to the key of `prod.pub`, pinned in `keys/prod.pin`.
const RULES: &str =
    "version: 1\nrecipients: {prod: {file: keys/prod.pin}}\nrules: [{path: 'prod/**', to: [prod]}]\n";

#[test]
fn two_revisions_are_a_range_and_a_word_that_is_nothing_is_refused() {
    let repo = sealed();
    repo.branch("one", |repo| repo.set(FILE, "password", "new"));
    repo.git(["switch", "--quiet", "main"]);
    repo.set(FILE, "user", "not of either");
    repo.branch("two", |repo| repo.set(FILE, "token", "new"));
    let range = words(&repo, &["main..one"]);
    assert_eq!(range, "prod/db.yaml  prod/db\n  ~ password     sealed again; new data key\n");
    for args in [&["main", "one"][..], &["main", "one", "prod"], &["main", "one", "--", FILE]] {
        assert_eq!(words(&repo, args), range, "{args:?}");
    }
    assert_eq!(words(&repo, &["main", "one", ".gitattributes"]), "");
    for (args, refusal) in [
        (&["main", "nosuch"][..], "nosuch is neither a revision nor a file or directory\n"),
        (&["nosuch"], "nosuch is neither a revision nor a file or directory\n"),
        (&[FILE, "prod/nosuch.yaml"], "prod/nosuch.yaml is neither a revision nor a file or directory\n"),
        (
            &["main", "one", "two"],
            "two is one revision too many\nhint: two states are compared: seal diff OLD NEW",
        ),
        (&["main..one", "two"], "two is one revision too many\n"),
        (&[FILE, "one"], "one is one revision too many\n"),
    ] {
        let run = repo.sandbox.run([&["diff"], args].concat(), "");
        assert_eq!((run.code, run.stdout.as_slice()), (2, &b""[..]), "{args:?}");
        assert!(run.stderr.starts_with(&format!("error: {refusal}")), "{args:?}: {}", run.stderr);
    }
    repo.sandbox.write("one", "x\n");
    let run = repo.sandbox.run(["diff", "main", "one"], "");
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("error: one is a revision and a path\n"), "{}", run.stderr);
}

#[test]
fn a_key_that_comes_with_a_pin_of_its_own_is_new_whatever_it_is_called() {
    let repo = sealed();
    let seal_to = |pins: &[&str]| {
        let mut args = vec!["rotate", FILE, "-i", "prod.key"];
        args.extend(pins.iter().flat_map(|pin| ["-r", pin]));
        let run = repo.sandbox.run(args, "");
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    repo.sandbox.write("keys/prod.pin", repo.sandbox.read("prod.pub"));
    repo.sandbox.write(".seal.yaml", RULES);
    repo.commit("rules");
    let backup = "5f8f3b456fdcceef";
    // Pinned as `recovery`, and named so in the envelope, by the change that seals to it.
    let mut pin = b"# name: prod\n".to_vec();
    pin.extend(repo.sandbox.read("backup.pub"));
    repo.sandbox.write("keys/recovery.pin", pin);
    let rules = RULES
        .replace("recipients: {", "recipients: {recovery: {file: keys/recovery.pin}, ")
        .replace("to: [prod]", "to: [prod, recovery]");
    repo.sandbox.write(".seal.yaml", rules);
    seal_to(&["keys/prod.pin", "keys/recovery.pin"]);
    let expected = format!(
        "! .seal.yaml  PINS: prod/** now also seals to a new key {backup} as recovery (keys/recovery.pin, new)\nprod/db.yaml  \
         prod/db\n  ! 2 items rewrapped: now also to a new key {backup}, prod kept; no value changed\n"
    );
    assert_eq!(words(&repo, &[]), expected);
    repo.commit("recovery");
    assert_eq!(words(&repo, &["HEAD~..HEAD"]), expected);
    // From then on it has that name.
    seal_to(&["keys/prod.pin"]);
    assert!(words(&repo, &[]).contains("no longer to recovery, prod kept"), "{}", words(&repo, &[]));
}

#[test]
fn a_line_of_the_baseline_is_told_when_it_comes_and_when_it_goes() {
    let repo = sealed();
    repo.sandbox.write(
        "api.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: api, namespace: prod}\nstringData: {key: x}\n",
    );
    repo.commit("plaintext");
    assert_eq!(repo.sandbox.run(["check", "--write-baseline"], "").code, 0);
    let came = "! .seal-baseline  silences: plaintext api.yaml prod/api key\n";
    assert_eq!(words(&repo, &["HEAD", "prod"]), came);
    repo.commit("silence it");
    assert_eq!(words(&repo, &["HEAD~..HEAD"]), came);
    let baseline = repo.text(".seal-baseline");
    repo.sandbox.write(".seal-baseline", format!("{baseline}no\u{1b}rule\n"));
    assert_eq!(words(&repo, &[]), "! .seal-baseline  silences: no\\u{1b}rule\n");
    repo.sandbox.write(".seal-baseline", "# seal baseline v1\n");
    assert_eq!(words(&repo, &[]), "- .seal-baseline  no longer silences: plaintext api.yaml prod/api key\n");
    std::fs::remove_file(repo.sandbox.path(".seal-baseline")).unwrap();
    std::os::unix::fs::symlink("api.yaml", repo.sandbox.path(".seal-baseline")).unwrap();
    assert!(words(&repo, &[]).contains("! .seal-baseline  is a symbolic link, and isn't followed\n"));
}

#[test]
fn an_item_that_is_back_to_what_it_was_names_the_commit() {
    let repo = sealed();
    let first = repo.git(["rev-parse", "HEAD"]);
    let first_text = repo.text(FILE);
    repo.set(FILE, "password", "second");
    repo.rm(FILE, "user");
    repo.commit("second");
    repo.set(FILE, "password", "third");
    repo.commit("third");
    repo.sandbox.write(FILE, &first_text);
    let expected = format!(
        "prod/db.yaml  prod/db\n  ~ password     back to what it was in commit {id}\n  + user         added, as it was in commit \
         {id}\n",
        id = &first[..8]
    );
    assert_eq!(words(&repo, &[]), expected);
    repo.commit("as at first");
    assert_eq!(words(&repo, &["HEAD~..HEAD"]), expected);
    assert_eq!(
        words(&repo, &["HEAD~..HEAD", "-i", "prod.key"]),
        expected.replacen(&first[..8], &format!("{}; value changed", &first[..8]), 1)
    );
}

#[test]
fn an_item_with_another_name_and_the_same_value_is_renamed_for_whoever_opens_both() {
    let repo = sealed();
    let rename = ["move", FILE, "--item", "password=db-password", "-i", "prod.key", "-r", "prod.pub"];
    let run = repo.sandbox.run(rename, "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        words(&repo, &[]),
        "prod/db.yaml  prod/db\n  + db-password  added\n  - password     removed\n"
    );
    assert_eq!(
        words(&repo, &["-i", "prod.key"]),
        "prod/db.yaml  prod/db\n  ~ db-password  renamed from password; same value\n"
    );
    // Another value, or one that two items have, is no rename.
    repo.set(FILE, "db-password", "another");
    let apart = "prod/db.yaml  prod/db\n  + db-password  added\n  - password     removed\n";
    assert_eq!(words(&repo, &["-i", "prod.key"]), apart);
    repo.set(FILE, "db-password", "first-password");
    repo.set(FILE, "other", "first-password");
    assert!(!words(&repo, &["-i", "prod.key"]).contains("renamed"));
}
