//! Checkouts as people and attackers leave them: the objects that are found, and the problems that are reported.
//!
//! Invariant: an error never quotes a value.

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
    let Some(Declared::Once(manifest)) = found.objects.values().next() else {
        panic!("prod/db is one object")
    };
    assert_eq!(manifest.origin.to_string(), "a.yaml (document 2)");
}

/// The only SealedSecret of a file with this text.
fn only(text: &str) -> Declaration {
    let found = read(checkout(&[("a.yaml", text)]).path());
    assert!(found.is_complete(), "{:?}", problems(&found));
    match found.objects.into_values().next() {
        Some(Declared::Once(declaration)) => declaration,
        _ => panic!("one object: {text}"),
    }
}

/// `yes` is `true` to kubectl, and so in a cluster; on a host it is no other object.
#[test]
fn an_object_means_what_it_means_to_kubectl() {
    let text =
        format!("{}spec: {{template: {{immutable: yes}}, encryptedData: {{a: b}}}}\n", sealed("prod", "db"));
    let expected = serde_json::json!({"template": {"immutable": true}, "encryptedData": {"a": "b"}});
    assert_eq!(only(&text).parts.unwrap().spec, expected);
    let theirs = sealed("prod", "db").replace("sealing.dev", "bitnami.com");
    let theirs =
        theirs.replace("metadata: {", "status: {x: .inf}\nmetadata: {generation: 1, annotations: {a: b}, ");
    assert_eq!(only(&theirs).parts.unwrap().annotations["a"], "b");
}

/// An unrelated document may be written in any way that is YAML: it is no reason to stop pruning.
#[test]
fn an_unrelated_document_must_only_be_yaml() {
    for unrelated in [
        "base: &base {a: b}\nservice: {<<: *base, c: d}\n",
        "base: &base {a: b}\n<<: *base\nc: d\n",
        "apiVersion: v1\nkind: ConfigMap\n<<: {kind: Pod}\n",
        "apiVersion: a/v1\nkind: A\nspec: {max: .inf, min: -.inf, not: .nan}\n",
        "apiVersion: a/v1\nkind: A\nspec: {max: 1e400, more: 99999999999999999999999, hex: 0xfffffffffffffffff}\n",
        "name: ci\non: {push: {}}\nyes: 1\n~: 2\n1.50: 3\n[a]: 4\n",
        "a: 1\na: 2\n",
        "Resources: {Name: !Sub x, Map: !x {}}\n",
        "- a\n- b\n",
        "text\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, data: {on: .inf, <<: {a: b}}}\n",
    ] {
        let text = format!("{}---\n{unrelated}", sealed("prod", "db"));
        let found = read(checkout(&[("a.yaml", &text)]).path());
        assert_eq!((places(&found), problems(&found)), (vec!["prod/db".to_owned()], vec![]), "{unrelated}");
    }
    let json = r#"{"kind": "A", "max": 1e400, "a": 1, "a": 2, "text": "SealedSecret"}"#;
    assert!(read(checkout(&[("a.json", json)]).path()).is_complete());
}

/// The same inside of a SealedSecret makes that object malformed, in the words of the command line.
#[test]
fn a_sealed_secret_that_readers_could_disagree_on_is_malformed_alone() {
    for (spec, expected) in [
        ("{encryptedData: {<<: {a: b}}}", "merge keys (<<) aren't understood here at line 4, column 24"),
        (
            "{scope: .inf}",
            "this value is a number to kubectl, which wants a string there at line 4, column 15",
        ),
        ("{scope: 99999999999999999999}", "this value is a number to kubectl, which wants a string there"),
        ("{encryptedData: {on: a}}", "the unquoted key on is a boolean to kubectl at line 4, column 24"),
        ("{encryptedData: {017: a}}", "the unquoted key 017 is a number to kubectl at line 4, column 24"),
        ("{scope: strict, scope: strict}", "the key scope is there twice at line 4, column 23"),
        ("{scope: !x strict}", "this value has a tag that seal doesn't know at line 4"),
        ("!x {}", "this has a tag that seal doesn't know at line 4"),
    ] {
        let bad = format!("{}spec: {spec}\n", sealed("prod", "bad"));
        let item = bad.trim_end().replace('\n', "\n  ");
        for text in [bad.clone(), format!("kind: List\napiVersion: v1\nitems:\n- {item}\n")] {
            let tmp = checkout(&[("a.yaml", &format!("{text}---\n{}", sealed("prod", "db")))]);
            let found = read(tmp.path());
            assert!(found.is_complete(), "{:?}", problems(&found));
            assert_eq!(places(&found), ["prod/bad", "prod/db"]);
            let mut objects = found.objects.into_values();
            let Some(Declared::Once(Declaration { parts: Err(error), .. })) = objects.next() else {
                panic!("{text}")
            };
            if text == bad {
                assert!(error.to_string().starts_with(expected), "{error}");
            }
            assert!(matches!(objects.next(), Some(Declared::Once(Declaration { parts: Ok(_), .. }))));
        }
    }
    let outside = format!("on: x\n{}", sealed("prod", "db"));
    assert!(only(&outside).parts.is_err(), "kubectl sends a field that the file doesn't show");
}

/// It might be the manifest of a Secret that is there.
#[test]
fn an_object_that_may_be_a_sealed_secret_is_a_problem_and_no_absence() {
    let metadata = "metadata: {name: db, namespace: prod}\n";
    for (text, expected) in [
        (format!("x: &x {{apiVersion: sealing.dev/v1alpha1, kind: SealedSecret}}\n<<: *x\n{metadata}"), "merge keys"),
        (format!("kind: ConfigMap\nkind: SealedSecret\napiVersion: v1\n{metadata}"), "the key kind is there twice"),
        (format!("kind: !!binary U2VhbGVkU2VjcmV0\napiVersion: sealing.dev/v1alpha1\n{metadata}"), "the type of this"),
        (format!("!!binary a2luZA==: SealedSecret\napiVersion: sealing.dev/v1alpha1\n{metadata}"), "a key must be"),
        ("kind: List\napiVersion: v1\nitems: []\nitems: [{kind: SealedSecret}]\n".to_owned(), "the key items is"),
        (
            "kind: SealedSecret\napiVersion: sealing.dev/v1alpha1\nmetadata: {name: a, name: db, namespace: prod}\n"
                .to_owned(),
            "the key name is there twice",
        ),
    ] {
        let found = read(checkout(&[("a.yaml", &text)]).path());
        assert!(found.objects.is_empty(), "{text}");
        let expected = format!("a.yaml (document 1): {expected}");
        assert!(problems(&found)[0].starts_with(&expected), "{:?}", problems(&found));
    }
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
            Declared::Once(manifest) => format!("{:?}", manifest.format),
            Declared::Several(format, sources) => format!("{} of {format:?}", sources.len()),
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
    let found = read_up_to(tmp.path(), Room::new(65_000));
    assert_eq!(places(&found), ["prod/a", "prod/b"]);
    let expected = "c.yaml (document 1) takes up more memory than there is room for at line";
    assert!(problems(&found)[0].starts_with(expected), "{:?}", problems(&found));
}

#[test]
fn what_is_kept_of_objects_that_count_in_nothing_is_bounded_too() {
    // What is decoded of each of them weighs less than their places and the name of their file.
    let (file, many) = (format!("{}/a.yaml", "d".repeat(200)), vec![sealed("prod", "a"); 100].join("---\n"));
    let found = read_up_to(checkout(&[(&file, &many)]).path(), Room::new(100 * 200));
    assert!(matches!(found.problems[..], [Problem::TooHeavy(_), ..]), "{:?}", problems(&found));
}

#[test]
fn what_can_not_be_read_is_a_problem_and_no_absence() {
    let cases: [(&str, &str, &str); 8] = [
        ("a.yaml", "kind: SealedSecret\n  x: [", "a.yaml (document 1) isn't YAML at line 2"),
        ("a.json", "{\"kind\": \"SealedSecret\"", "a.json (document 1) isn't JSON at line 1"),
        (
            "a.yaml",
            "kind: SealedSecret\nkind: SealedSecret\n",
            "a.yaml (document 1): the key kind is there twice",
        ),
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
    let Some(Declared::Several(_, sources)) = found.objects.values().nth(1) else {
        panic!("prod/db is ambiguous")
    };
    let sources: Vec<_> = sources.iter().map(Origin::to_string).collect();
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
