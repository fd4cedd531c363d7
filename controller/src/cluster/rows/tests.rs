//! Rows as a watch fills them: lists that are taken anew, lists that break off, and metadata that is meant to
//! fill memory.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::*;

type Cached = Metadata<Secret>;

const OWNER: &str = r#"[{"apiVersion":"sealing.dev/v1alpha1","kind":"SealedSecret","name":"db","uid":"u","controller":true}]"#;

fn secret(name: &str, version: &str) -> Cached {
    let metadata = json!({"namespace": "prod", "name": name, "uid": name, "resourceVersion": version});
    serde_json::from_value(json!({ "metadata": metadata })).unwrap()
}

/// A Secret that its owner keeps, with managedFields of this many bytes.
fn heavy(name: &str, version: &str, bytes: usize) -> Cached {
    let filler = "x".repeat(bytes);
    let text = format!(
        r#"{{"metadata":{{"namespace":"prod","name":"{name}","uid":"{name}","resourceVersion":"{version}",
            "ownerReferences":{OWNER},"managedFields":[{{"manager":"{filler}"}}]}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn names(changed: Vec<Name>) -> Vec<String> {
    let mut names: Vec<String> = changed.into_iter().map(|name| name.name.to_string()).collect();
    names.sort();
    names
}

fn version(rows: &Rows, name: &str) -> Option<String> {
    rows.find(&Name::new("prod", name))?.read()?.resource_version
}

#[test]
fn a_list_taken_anew_changes_what_differs_and_at_its_end_what_is_gone() {
    let mut rows = Rows::default();
    let mut on = |event: Event<Cached>| {
        let changed = names(rows.on(event));
        (changed, ["same", "changed", "gone", "new"].map(|name| version(&rows, name)))
    };
    for event in [
        Event::Init,
        Event::InitApply(secret("same", "1")),
        Event::InitApply(secret("changed", "1")),
        Event::InitApply(secret("gone", "1")),
    ] {
        on(event);
    }
    let [one, two] = ["1", "2"].map(|version| Some(version.to_owned()));
    let first = [one.clone(), one.clone(), one.clone(), None];
    assert_eq!(on(Event::InitDone), (vec![], first.clone()));

    // A list that breaks off, because its token expired, removes nothing.
    assert_eq!(on(Event::Init), (vec![], first.clone()));
    assert_eq!(on(Event::InitApply(secret("same", "1"))), (vec![], first.clone()));
    assert_eq!(on(Event::Init), (vec![], first));
    let with_change = [one.clone(), two.clone(), one.clone(), None];
    assert_eq!(on(Event::InitApply(secret("changed", "2"))), (vec!["changed".into()], with_change));
    let (changed, _) = on(Event::InitApply(secret("new", "2")));
    assert_eq!(changed, ["new"]);
    on(Event::InitApply(secret("same", "1")));
    assert_eq!(on(Event::InitDone), (vec!["gone".into()], [one, two.clone(), None, two]));
}

#[test]
fn every_event_between_lists_names_its_object() {
    let mut rows = Rows::default();
    rows.on::<Secret>(Event::Init);
    rows.on::<Secret>(Event::InitDone);
    for event in
        [Event::Apply(secret("db", "1")), Event::Apply(secret("db", "2")), Event::Delete(secret("db", "3"))]
    {
        assert_eq!(names(rows.on(event)), ["db"]);
    }
    assert!(rows.rows.is_empty() && rows.weight == 0, "what is kept of an object goes when the object does");
    assert_eq!(names(rows.on(Event::Delete(secret("unknown", "1")))), ["unknown"]);
}

/// An object that came after the list, while the next one is arriving, can't be told from one that the next list
/// lacks until that list is complete.
#[test]
fn what_comes_after_a_list_stays_until_another_list_lacks_it() {
    let mut rows = Rows::default();
    for event in [Event::Init, Event::InitDone, Event::Apply(secret("late", "1")), Event::Init] {
        rows.on(event);
    }
    assert_eq!(version(&rows, "late").as_deref(), Some("1"));
    assert_eq!(names(rows.on::<Secret>(Event::InitDone)), ["late"]);
}

#[test]
fn metadata_that_is_large_is_cut_to_its_version_and_its_changes_are_seen() {
    let mut rows = Rows::default();
    let name = Name::new("prod", "db");
    assert_eq!(names(rows.on(Event::Apply(heavy("db", "1", MAX_ROW)))), ["db"]);
    let row = rows.find(&name).unwrap();
    assert!(row.read().is_none() && row.len() < 100 && rows.weight == 0);

    rows.on::<Secret>(Event::Init);
    assert!(rows.on(Event::InitApply(heavy("db", "1", MAX_ROW))).is_empty(), "it is the same version");
    assert_eq!(names(rows.on(Event::InitApply(heavy("db", "2", MAX_ROW)))), ["db"]);
    assert_eq!(names(rows.on(Event::Apply(heavy("db", "3", 1)))), ["db"]);
    assert_eq!(version(&rows, "db").as_deref(), Some("3"));
}

#[test]
fn all_rows_together_have_a_bound_and_room_is_given_back() {
    let mut rows = Rows::default();
    let each = MAX_ROW - 1000;
    let count = MAX_WEIGHT / each + 10;
    for number in 0..count {
        rows.on(Event::Apply(heavy(&format!("s-{number}"), "1", each)));
    }
    let whole = rows.rows.values().filter(|listed| listed.row.read().is_some()).count();
    assert!(rows.weight <= MAX_WEIGHT && whole < count && whole > count - 50, "{whole} of {count}");
    for number in 0..count {
        rows.on(Event::Delete(secret(&format!("s-{number}"), "2")));
    }
    assert_eq!((rows.weight, rows.rows.len()), (0, 0));
}
