//! Checkouts as people and attackers leave them: what is found, and what is reported as unreadable.
//!
//! Not what is done about it. Invariant: an error never quotes a value.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
    let tmp = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = tmp.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    tmp
}

fn sealed(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name:?}, namespace: {namespace:?}}}\n"
    )
}

fn places(checkout: &Checkout) -> Vec<String> {
    checkout.objects.keys().map(Place::to_string).collect()
}

fn problems(checkout: &Checkout) -> Vec<String> {
    checkout.problems.iter().map(Problem::to_string).collect()
}

#[test]
fn objects_are_found_in_documents_lists_and_json() {
    let db = sealed("prod", "db");
    let json = |name: &str| {
        format!(
            r#"{{"apiVersion":"sealing.dev/v1alpha1","kind":"SealedSecret","metadata":{{"namespace":"prod","name":"{name}"}}}}"#
        )
    };
    let tmp = checkout(&[
        ("a.yaml", &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---\n{db}")),
        (
            "deep/er/b.yml",
            &format!("kind: List\napiVersion: v1\nitems: [{}, {}]", json("in-list"), json("too")),
        ),
        ("c.json", &json("in-json")),
        ("d.txt", &sealed("prod", "not-a-manifest")),
    ]);
    let found = read(tmp.path());
    assert_eq!(places(&found), ["prod/db", "prod/in-json", "prod/in-list", "prod/too"]);
    assert!(found.is_complete(), "{:?}", problems(&found));
    let Some(Found::One(manifest)) = found.objects.values().next() else { panic!("prod/db is one object") };
    assert_eq!(manifest.source.to_string(), "a.yaml (document 2)");
}

/// `yes` is `true` to kubectl, and so in a cluster; on a host it is no other object.
#[test]
fn an_object_means_what_it_means_to_kubectl() {
    let text = format!(
        "{}spec: {{template: {{immutable: yes}}, encryptedData: {{017: a}}}}\n",
        sealed("prod", "db")
    );
    let found = read(checkout(&[("a.yaml", &text)]).path());
    let Some(Found::One(manifest)) = found.objects.values().next() else { panic!("{:?}", problems(&found)) };
    let expected = serde_json::json!({"template": {"immutable": true}, "encryptedData": {"15": "a"}});
    assert_eq!(manifest.object["spec"], expected);
}

#[test]
fn other_kinds_and_hidden_places_are_passed_by() {
    let tmp = checkout(&[
        ("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: SealedSecret}\n"),
        ("kind.yaml", "apiVersion: sealing.dev/v1alpha1\nkind: SealingKey\nmetadata: {name: SealedSecret}\n"),
        (".git/x.yaml", &sealed("prod", "hidden")),
        (".hidden.yaml", &sealed("prod", "hidden")),
        ("chart/templates/x.yaml", "{{- if .Values.x }}\nkind: Deployment\n{{ end }}\n"),
    ]);
    let found = read(tmp.path());
    assert!(found.objects.is_empty() && found.is_complete(), "{:?}", problems(&found));
}

#[test]
fn links_are_passed_by_wherever_they_lead() {
    let outside = checkout(&[("x.yaml", &sealed("prod", "outside"))]);
    let tmp = checkout(&[("real/a.yaml", &sealed("prod", "db"))]);
    symlink(outside.path(), tmp.path().join("out")).unwrap();
    symlink(outside.path().join("x.yaml"), tmp.path().join("x.yaml")).unwrap();
    symlink("real/a.yaml", tmp.path().join("again.yaml")).unwrap();
    symlink("..", tmp.path().join("real/loop")).unwrap();
    let found = read(tmp.path());
    assert_eq!((places(&found), found.links), (vec!["prod/db".to_owned()], 4));
    assert!(found.problems.is_empty());
    let link = outside.path().join("current");
    symlink(tmp.path(), &link).unwrap();
    assert_eq!(places(&read(&link)), ["prod/db"], "the root itself may be a link");
}

#[test]
fn a_link_is_doubt_unless_it_leads_to_a_file_that_we_would_not_read() {
    let outside = checkout(&[("notes.txt", "")]);
    let tmp = checkout(&[("real/a.yaml", &sealed("prod", "db")), ("docs/README.md", "")]);
    symlink("docs/README.md", tmp.path().join("README")).unwrap();
    symlink("../README", tmp.path().join("docs/LICENSE")).unwrap();
    assert!(read(tmp.path()).is_complete());
    let doubtful = [
        ("a.yaml", Path::new("real/a.yaml")),
        ("b.json", Path::new("docs/README.md")),
        ("dir", Path::new("real")),
        ("dangling", Path::new("nowhere")),
        ("outside", &outside.path().join("notes.txt")),
        ("real/up", Path::new("..")),
    ];
    for (name, target) in doubtful {
        let link = tmp.path().join(name);
        symlink(target, &link).unwrap();
        let found = read(tmp.path());
        assert!(!found.is_complete() && found.problems.is_empty(), "{name}");
        assert_eq!((found.links, found.doubtful_link.as_deref()), (3, Some(Path::new(name))));
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_sealed_secret_of_a_mistyped_group_or_kind_is_a_problem() {
    let of = |head: &str| format!("{head}metadata: {{name: db, namespace: prod}}\n");
    let groups = ["", "apiVersion: sealing.dev\n", "apiVersion: seeling.dev/v1alpha1\n", "apiVersion: v1\n"];
    for group in groups {
        let found = read(checkout(&[("a.yaml", &of(&format!("{group}kind: SealedSecret\n")))]).path());
        let expected = "a.yaml (document 1) is a SealedSecret, but its apiVersion isn't sealing.dev/v1alpha1 \
                        or bitnami.com/v1alpha1";
        assert_eq!(problems(&found), [expected], "{group}");
    }
    for kind in ["", "kind: SealedSecrets\n", "kind: Sealedsecret\n"] {
        let text = of(&format!("apiVersion: sealing.dev/v1alpha1\n{kind}"));
        let found = read(checkout(&[("a.yaml", &text)]).path());
        let expected =
            "a.yaml (document 1) has an apiVersion of sealing.dev, but no kind that is known there";
        assert_eq!(problems(&found), [expected], "{kind}");
    }
    // Present, so nothing is pruned; the store says what is wrong with it.
    let text = of("apiVersion: sealing.dev/v9\nkind: SealedSecret\n");
    assert_eq!(places(&read(checkout(&[("a.yaml", &text)]).path())), ["prod/db"]);
}

#[test]
fn of_both_formats_for_one_place_the_native_one_counts_wherever_it_stands() {
    let theirs = sealed("prod", "db").replace("sealing.dev", "bitnami.com");
    let formats = |files: &[(&str, &str)]| {
        let found = read(checkout(files).path());
        assert!(found.is_complete(), "{:?}", problems(&found));
        let superseded = found.superseded.map(|source| source.to_string());
        let kinds = found.objects.into_values().map(|found| match found {
            Found::One(manifest) => format!("{:?}", manifest.format),
            Found::Several(format, sources) => format!("{} of {format:?}", sources.len()),
        });
        (kinds.collect::<Vec<_>>().join(" "), superseded.unwrap_or_default())
    };
    let (ours, theirs) = (sealed("prod", "db").as_str().to_owned(), theirs.as_str());
    let said = |kinds: &str, superseded: &str| (kinds.to_owned(), superseded.to_owned());
    assert_eq!(formats(&[("a.yaml", theirs)]), said("Bitnami", ""));
    assert_eq!(formats(&[("a.yaml", theirs), ("b.yaml", theirs)]), said("2 of Bitnami", ""));
    assert_eq!(formats(&[("a.yaml", theirs), ("b.yaml", &ours)]), said("Native", "a.yaml (document 1)"));
    assert_eq!(formats(&[("a.yaml", &ours), ("b.yaml", theirs)]), said("Native", "b.yaml (document 1)"));
    let both = [("a.yaml", theirs), ("b.yaml", theirs), ("c.yaml", &ours)];
    assert_eq!(formats(&both), said("Native", "a.yaml (document 1)"));
    let both = [("a.yaml", ours.as_str()), ("b.yaml", &ours), ("c.yaml", theirs)];
    assert_eq!(formats(&both), said("2 of Native", "c.yaml (document 1)"));
}

#[test]
fn objects_that_are_too_large_together_are_a_problem() {
    let large = |name: &str| format!("{}spec: {{x: {}}}\n", sealed("prod", name), "x".repeat(30_000));
    let tmp = checkout(&[("a.yaml", &large("a")), ("b.yaml", &large("b")), ("c.yaml", &large("c"))]);
    assert!(read(tmp.path()).is_complete());
    let found = read_up_to(tmp.path(), 80_000);
    assert_eq!(places(&found), ["prod/a", "prod/b"]);
    let expected = "c.yaml (document 1) takes up more memory than there is room for at line";
    assert!(problems(&found)[0].starts_with(expected), "{:?}", problems(&found));
}

#[test]
fn what_is_kept_of_objects_that_count_in_nothing_is_bounded_too() {
    let one = values::read(sealed("prod", "a").as_bytes(), Syntax::Yaml, usize::MAX).remove(0).unwrap();
    let (file, many) = (format!("{}/a.yaml", "d".repeat(200)), vec![sealed("prod", "a"); 100].join("---\n"));
    let found = read_up_to(checkout(&[(&file, &many)]).path(), 100 * values::weight(&one) + 5000);
    assert!(matches!(found.problems[..], [Problem::TooHeavy(_), ..]), "{:?}", problems(&found));
}

#[test]
fn what_can_not_be_read_is_a_problem_and_no_absence() {
    let cases: [(&str, &str, &str); 8] = [
        ("a.yaml", "kind: SealedSecret\n  x: [", "a.yaml (document 1) isn't YAML at line 2"),
        ("a.json", "{\"kind\": \"SealedSecret\"", "a.json (document 1) isn't JSON at line 1"),
        ("a.yaml", "kind: SealedSecret\nkind: SealedSecret\n", "a.yaml (document 1) has a key twice"),
        ("a.yaml", &sealed("../..", "db"), "a.yaml (document 1): namespace \"../..\" is not"),
        ("a.yaml", &sealed("prod", "..data"), "a.yaml (document 1): name \"..data\" is not"),
        ("a.yaml", &sealed("prod", "/etc/passwd"), "a.yaml (document 1): name \"/etc/passwd\" is not"),
        (
            "a.yaml",
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\n",
            "a.yaml (document 1) has no metadata.namespace",
        ),
        (
            "a\u{1b}[31m.yaml",
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\n",
            "a\\u{1b}[31m.yaml (document 1) has no metadata.namespace",
        ),
    ];
    for (file, text, expected) in cases {
        let tmp = checkout(&[(file, text), ("good.yaml", &sealed("prod", "good"))]);
        let found = read(tmp.path());
        assert!(!found.is_complete());
        assert!(problems(&found)[0].starts_with(expected), "{:?}", problems(&found));
        assert_eq!(places(&found), ["prod/good"], "one bad file doesn't hide the others");
    }
    let gone = read(Path::new("/nonexistent/checkout"));
    assert!(!gone.is_complete());
}

#[test]
fn a_fifo_or_a_huge_file_is_a_problem_and_does_not_hang() {
    let tmp = checkout(&[]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tmp.path().join("fifo.yaml"),
        FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::File::create(tmp.path().join("huge.yaml")).unwrap().set_len(MAX_FILE + 1).unwrap();
    let found = read(tmp.path());
    assert_eq!(problems(&found), ["can't read fifo.yaml", "huge.yaml is larger than 4 MiB"]);
}

#[test]
fn one_place_in_two_files_counts_in_neither() {
    let tmp = checkout(&[
        ("a.yaml", &sealed("prod", "db")),
        ("b.yaml", &format!("{0}---\n{0}", sealed("prod", "db"))),
        ("c.yaml", &sealed("prod", "cache")),
    ]);
    let found = read(tmp.path());
    let Some(Found::Several(_, sources)) = found.objects.values().nth(1) else {
        panic!("prod/db is ambiguous")
    };
    let sources: Vec<_> = sources.iter().map(Source::to_string).collect();
    assert_eq!(sources, ["a.yaml (document 1)", "b.yaml (document 1)", "b.yaml (document 2)"]);
    assert!(found.is_complete(), "both places are known to be there");
}

#[test]
fn a_checkout_that_git_is_changing_is_not_complete() {
    let tmp = checkout(&[("a.yaml", &sealed("prod", "db")), (".git/index.lock", "")]);
    assert_eq!(problems(&read(tmp.path())), ["Git is at work here (.git/index.lock is there)"]);
    fs::remove_file(tmp.path().join(".git/index.lock")).unwrap();
    assert!(read(tmp.path()).is_complete());
}
