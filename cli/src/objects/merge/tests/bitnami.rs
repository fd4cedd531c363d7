//! Merges of objects of bitnami.com: each line stands for itself, and there are no envelopes.

use seal_crds::Binding;
use seal_crds::bitnami::seal_item;
use seal_crds::keys::Certificate;

use super::*;

/// A line of an item, sealed anew.
fn line() -> String {
    let pem = include_bytes!("../../../../../crds/src/keys/testdata/rsa-2048.crt");
    let certificate = Certificate::from_pem(pem).unwrap();
    seal_item(certificate.public_key(), &Binding::new(Scope::Strict, &place()), b"x")
}

fn object(items: &[(&str, &str)], rest: &str) -> String {
    let items: String = items.iter().map(|(name, line)| format!("    {name}: {line}\n")).collect();
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: db\n  namespace: prod\nspec:\n  \
         encryptedData:\n{items}{rest}"
    )
}

#[test]
fn items_that_each_side_adds_changes_or_removes_merge() {
    let [user, old, new, token] = [(); 4].map(|()| line());
    let base = object(&[("gone", &old), ("password", &old), ("user", &user)], "");
    let ours = object(&[("gone", &old), ("password", &new), ("user", &user)], "");
    let theirs = object(&[("password", &old), ("token", &token), ("user", &user)], "");
    let merged = merge_texts(&base, &ours, &theirs);
    assert!(merged.is_clean, "{}", merged.text);
    assert_eq!(merged.text, object(&[("password", &new), ("token", &token), ("user", &user)], ""));
    assert!(read(&merged.text).fault.is_none());
}

#[test]
fn an_item_that_both_sides_changed_is_a_conflict_of_its_line_alone() {
    let [user, old, ours, theirs] = [(); 4].map(|()| line());
    let with = |password: &str| object(&[("password", password), ("user", &user)], "");
    let merged = merge_texts(&with(&old), &with(&ours), &with(&theirs));
    assert_eq!(merged.conflicts, ["prod/db: password changed on both sides"]);
    for (side, line) in [(Side::Ours, &ours), (Side::Theirs, &theirs)] {
        assert_eq!(conflict::take(&merged.text, MARKER_SIZE, side).unwrap(), with(line));
    }
}

/// The scope is an annotation, and every line of it is sealed under it.
#[test]
fn a_scope_that_changed_on_one_side_takes_no_line_of_the_other() {
    let [user, again, new] = [(); 3].map(|()| line());
    let wide = |text: String| {
        text.replace(
            "namespace: prod\n",
            "namespace: prod\n  annotations:\n    sealedsecrets.bitnami.com/namespace-wide: \"true\"\n",
        )
    };
    let base = object(&[("user", &user)], "");
    let ours = wide(object(&[("user", &again)], ""));
    let merged = merge_texts(&base, &ours, &object(&[("new", &new), ("user", &user)], ""));
    assert!(
        !merged.is_clean && merged.conflicts[0].contains("its scope changed on one side"),
        "{:?}",
        merged.conflicts
    );
    assert_eq!(conflict::take(&merged.text, MARKER_SIZE, Side::Ours).unwrap(), ours);
    assert_eq!(merge_texts(&base, &ours, &base).text, ours);
}

#[test]
fn templates_are_merged_as_text() {
    let user = line();
    let template = |lines: &str| object(&[("user", &user)], &format!("  template:\n    data:\n{lines}"));
    let base = template("      a: \"1\"\n      m: \"1\"\n      n: \"1\"\n      z: \"1\"\n");
    let (ours, theirs) =
        (base.replace("a: \"1\"", "a: \"2\""), base.replace("z: \"1\"", "z: \"{{ .user }}\""));
    let merged = merge_texts(&base, &ours, &theirs);
    assert!(merged.is_clean && merged.conflicts.is_empty(), "{}", merged.text);
    assert!(
        merged.text.contains("a: \"2\"") && merged.text.contains("z: \"{{ .user }}\""),
        "{}",
        merged.text
    );
    let apart = merge_texts(&base, &ours, &base.replace("a: \"1\"", "a: \"3\""));
    assert!(
        !apart.is_clean && conflict::find(&apart.text, MARKER_SIZE).unwrap().len() == 1,
        "{}",
        apart.text
    );
}
