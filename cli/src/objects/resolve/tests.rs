//! Conflicts settled by a side, whole and item by item, in files of one object and of several.

use super::*;

const TEXT: &str = "spec:\n  encryptedData:\n<<<<<<< main\n    a: k1.a\n    b: k1.b\n=======\n    a: k2.a\n    \
                    b: >-\n      k2.b\n>>>>>>> 0123456 (set a)\n    c: k3.c\n<<<<<<< main\n=======\n    d: k2.d\n\
                    >>>>>>> 0123456 (set a)\n";

fn wanted(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn resolve(text: &str, take: &str, items: &[String]) -> Result<Resolved, ResolveError> {
    super::resolve(text, &Choice { take, items, object: None })
}

#[test]
fn a_side_is_kept_everywhere_by_its_label_or_the_first_word_of_it() {
    let ours = resolve(TEXT, "main", &[]).unwrap();
    assert_eq!(ours.text, "spec:\n  encryptedData:\n    a: k1.a\n    b: k1.b\n    c: k3.c\n");
    assert_eq!((ours.left, ours.items.len()), (0, 3));
    for label in ["0123456", "0123456 (set a)"] {
        let theirs = resolve(TEXT, label, &[]).unwrap();
        assert!(
            theirs.text.ends_with("    b: >-\n      k2.b\n    c: k3.c\n    d: k2.d\n"),
            "{}",
            theirs.text
        );
    }
}

#[test]
fn items_are_settled_one_by_one_and_the_others_stay_in_conflict() {
    let one = resolve(TEXT, "main", &wanted(&["b"])).unwrap();
    assert_eq!((one.left, one.items), (2, BTreeSet::from(["b".to_owned()])));
    assert_eq!(
        one.text,
        "spec:\n  encryptedData:\n<<<<<<< main\n    a: k1.a\n=======\n    a: k2.a\n>>>>>>> 0123456 (set a)\n    b: k1.b\n    \
         c: k3.c\n<<<<<<< main\n=======\n    d: k2.d\n>>>>>>> 0123456 (set a)\n"
    );
    let all = resolve(&one.text, "0123456", &[]).unwrap();
    assert_eq!(all.text, "spec:\n  encryptedData:\n    a: k2.a\n    b: k1.b\n    c: k3.c\n    d: k2.d\n");
}

#[test]
fn what_cannot_be_settled_is_refused() {
    let refused = |text: &str, take: &str, items: &[&str]| resolve(text, take, &wanted(items)).unwrap_err();
    assert_eq!(refused("a: b\n", "main", &[]), ResolveError::NoConflict);
    assert_eq!(refused(TEXT, "other", &[]), ResolveError::NoSuchLabel("other".to_owned()));
    assert_eq!(refused(TEXT, "main", &["x"]), ResolveError::NoSuchItem("x".to_owned()));
    assert_eq!(refused("<<<<<<< a\n", "a", &[]), ResolveError::Stray(StrayMarker { at: 0 }));
    let same = "<<<<<<< x y\na: 1\n=======\na: 2\n>>>>>>> x z\n";
    assert_eq!(refused(same, "x", &[]), ResolveError::SameLabel("x".to_owned()));
    assert!(resolve(same, "x z", &[]).is_ok());
    let more = "<<<<<<< x\n- a\na: 1\n=======\na: 2\n>>>>>>> y\n";
    assert_eq!(refused(more, "x", &["a"]), ResolveError::NotItems);
    assert_eq!(resolve(more, "x", &[]).unwrap().text, "- a\na: 1\n");
}

#[test]
fn longer_markers_are_found_by_themselves() {
    let text =
        TEXT.replace("<<<<<<<", "<<<<<<<<<").replace("=======", "=========").replace(">>>>>>>", ">>>>>>>>>");
    assert_eq!(marker_size(&text), 9);
    assert_eq!(resolve(&text, "main", &[]).unwrap().left, 0);
    assert_eq!(labels(&text), ["main", "0123456 (set a)"]);
}

/// Two objects with the same item in conflict, and a third document with a conflict of its own.
const SEVERAL: &str = "\
apiVersion: sealing.dev/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: prod}
spec:
  encryptedData:
<<<<<<< main
    password: a.1
=======
    password: a.2
>>>>>>> topic
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data:
<<<<<<< main
  password: x
=======
  password: y
>>>>>>> topic
---
apiVersion: sealing.dev/v1alpha1
kind: SealedSecret
metadata: {name: web, namespace: prod}
spec:
  encryptedData:
    password: b.0
<<<<<<< main
=======
    token: b.2
>>>>>>> topic
";

#[test]
fn of_several_objects_only_the_one_that_is_named_is_settled() {
    let settle = |object: Option<&str>, items: &[&str]| {
        super::resolve(SEVERAL, &Choice { take: "topic", items: &wanted(items), object })
    };
    let db = settle(Some("prod/db"), &["password"]).unwrap();
    assert_eq!((db.left, db.items), (2, BTreeSet::from(["password".to_owned()])));
    assert!(db.text.contains("    password: a.2\n---") && db.text.contains("  password: x"), "{}", db.text);
    let web = settle(Some("prod/web"), &[]).unwrap();
    assert_eq!(web.left, 2);
    assert!(web.text.ends_with("    password: b.0\n    token: b.2\n"), "{}", web.text);
    // An item of one object alone needs no name, and neither does everything.
    assert_eq!(settle(None, &["token"]).unwrap().left, 2);
    let password = settle(None, &["password"]).unwrap();
    assert!(password.left == 2 && password.text.contains("  password: x"), "{}", password.text);
    assert_eq!(settle(None, &[]).unwrap().left, 0);
    let owners = ["prod/db", "prod/web"].map(str::to_owned).to_vec();
    let no_such = ResolveError::NoSuchObject { wanted: "prod/x".to_owned(), owners: owners.clone() };
    assert_eq!(settle(Some("prod/x"), &[]).unwrap_err(), no_such);
    assert_eq!(
        settle(Some("prod/web"), &["password"]).unwrap_err(),
        ResolveError::NoSuchItem("password".to_owned())
    );
    let twice = SEVERAL.replace("    token: b.2", "    password: b.2");
    let both = super::resolve(&twice, &Choice { take: "topic", items: &wanted(&["password"]), object: None });
    assert_eq!(both.unwrap_err(), ResolveError::SeveralObjects { item: "password".to_owned(), owners });
}

#[test]
fn a_conflict_of_two_objects_is_settled_for_neither_alone() {
    let object = |name: &str, line: &str| {
        format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}}}\nspec: {{x: {line}}}\n"
        )
    };
    let both = |line: &str| format!("{}---\n{}", object("db", line), object("web", line));
    let text = format!("<<<<<<< a\n{}=======\n{}>>>>>>> b\n", both("1"), both("2"));
    let choice = Choice { take: "a", items: &[], object: Some("web") };
    let expected = ResolveError::NotOneObject { wanted: "web".to_owned() };
    assert_eq!(super::resolve(&text, &choice).unwrap_err(), expected);
}
