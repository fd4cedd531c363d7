use std::collections::BTreeSet;

use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::*;

fn source(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), Zeroizing::new(text.to_owned()))
}

/// A native object with one item under the data key of this letter.
fn native(place: &str, scope: &str, key: &str) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    let id = key.repeat(43);
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  \
         scope: {scope}\n  envelopes:\n  - {{keys: [{id}], age: AAAA}}\n  encryptedData: {{password: {id}.AAAA}}\n---\n"
    )
}

fn bitnami(place: &str, item: &str) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: \
         {{encryptedData: {{token: {item}}}}}\n---\n"
    )
}

fn messages(repository: &str, rendered: &str) -> Vec<String> {
    let (file, stdin) = (source("dev/db.yaml", repository), source("<stdin>", rendered));
    let files = vec![
        Scanned::manifest("dev/db.yaml", &file, Origin::Tree),
        Scanned::manifest("<stdin>", &stdin, Origin::Rendered),
    ];
    let context = Context::new(files, BTreeSet::new(), 0);
    let mut found = Vec::new();
    compare(&context, &mut found);
    assert!(found.iter().all(|finding| finding.related == ["dev/db.yaml"]));
    found.into_iter().map(|finding| finding.message).collect()
}

#[test]
fn a_place_that_a_tool_changed_is_found_by_the_ids_of_the_data_keys() {
    let changed =
        "staging/dev-db-v2 was sealed as prod/db (dev/db.yaml), so it will not open as it is rendered";
    let repository = native("prod/db", "strict", "A");
    assert_eq!(messages(&repository, &native("staging/dev-db-v2", "strict", "A")), [changed]);
    assert_eq!(messages(&bitnami("prod/db", "QUJD"), &bitnami("staging/dev-db-v2", "QUJD")), [changed]);
}

#[test]
fn what_the_scope_does_not_bind_may_change() {
    for (scope, rendered, expected) in [
        ("strict", "prod/db", 0),
        ("strict", "prod/x-db", 1),
        ("namespace-wide", "prod/x-db", 0),
        ("namespace-wide", "dev/db", 1),
        ("cluster-wide", "dev/x-db", 0),
    ] {
        let found = messages(&native("prod/db", scope, "A"), &native(rendered, scope, "A"));
        assert_eq!(found.len(), expected, "{scope} {rendered}: {found:?}");
    }
}

#[test]
fn objects_from_elsewhere_and_copies_in_their_own_place_are_right() {
    assert!(messages(&native("prod/db", "strict", "A"), &native("dev/db", "strict", "B")).is_empty());
    let both = native("prod/db", "strict", "A") + &native("dev/db", "strict", "A");
    assert!(messages(&both, &native("dev/db", "strict", "A")).is_empty());
}
