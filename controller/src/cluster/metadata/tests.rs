//! Metadata as the API server writes it into a list and into the event of a watch.
//!
//! Each text is read by the types with which the client reads it.

use kube::core::{ObjectList, WatchEvent};
use seal_crds::resources::Group;
use serde_json::json;

use super::super::object::Object;
use super::*;

/// Reads a list as the API server writes it, with the client's types.
fn listed<T: DeserializeOwned + Clone>(items: &[String]) -> Vec<T> {
    let list = format!(
        r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#,
        items.join(",")
    );
    serde_json::from_str::<ObjectList<T>>(&list).unwrap().items
}

/// Reads an event of a watch as the API server writes it, with the client's types.
fn watched<T: DeserializeOwned>(object: &str) -> T {
    let event = format!(r#"{{"type":"MODIFIED","object":{object}}}"#);
    match serde_json::from_str(&event).unwrap() {
        WatchEvent::Modified(object) => object,
        other => panic!("{other:?}"),
    }
}

fn both<T: DeserializeOwned + Clone>(object: &str) -> [T; 2] {
    let [first, second] = listed(&[object.to_owned(), object.to_owned()]).try_into().ok().unwrap();
    drop::<T>(first);
    [second, watched(object)]
}

fn nested(depth: usize) -> String {
    r#"{"a":"#.repeat(depth) + "0" + &"}".repeat(depth)
}

fn object(metadata: &str, rest: &str) -> String {
    format!(
        r#"{{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{{"name":"db","namespace":"prod",
        "uid":"u-1","resourceVersion":"7","generation":2{metadata}}}{rest}}}"#
    )
}

#[test]
fn one_object_that_is_too_deep_stops_no_list_and_no_watch() {
    for depth in [127, 100_000] {
        let deep = nested(depth);
        for text in [
            object("", &format!(r#","spec":{{"template":{{"metadata":{{"x":{deep}}}}}}}"#)),
            object("", &format!(r#","spec":{{}},"status":{deep}"#)),
            object("", &format!(r#","spec":{{}},"extra":{deep}"#)),
            object(&format!(r#","managedFields":[{{"fieldsV1":{deep}}}]"#), ""),
            object(&format!(r#","labels":{deep},"annotations":{deep},"ownerReferences":[{deep}]"#), ""),
        ] {
            for found in both::<Object>(&text) {
                assert_eq!(found.metadata.name.as_deref(), Some("db"));
                assert_eq!((found.metadata.generation, found.group()), (Some(2), Group::BITNAMI));
                let is_deep = text.contains("template");
                assert_eq!(found.spec.to_value().is_err(), is_deep, "{:?}", found.spec.to_value());
            }
        }
        let secret = object(&format!(r#","managedFields":[{{"fieldsV1":{deep}}}]"#), "");
        for found in both::<Metadata<Secret>>(&secret) {
            let found = found.row.read().unwrap();
            assert_eq!((found.uid.as_deref(), found.managed_fields), (Some("u-1"), None));
        }
        for found in both::<Metadata<SealedSecret>>(&secret) {
            assert_eq!(found.metadata.resource_version.as_deref(), Some("7"));
        }
    }
}

#[test]
fn what_is_read_is_kept_and_nothing_else() {
    let managed = json!([{"manager": "seal-controller", "operation": "Apply", "fieldsV1": {"f:type": {}}}]);
    let owners = json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "o-1"}]);
    let mut whole = json!({"metadata": {
        "name": "db", "namespace": "prod", "uid": "u-1", "resourceVersion": "7", "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
        "labels": {"a": "b"}, "finalizers": ["x/y"], "ownerReferences": owners, "managedFields": managed,
        "annotations": {
            "sealing.dev/digest": "d", "kubectl.kubernetes.io/last-applied-configuration": "hunter2",
            "reconcile.fluxcd.io/requestedAt": "now", "sealedsecrets.bitnami.com/cluster-wide": "true",
        },
    }});
    let secret = watched::<Metadata<Secret>>(&whole.to_string());
    let head = &secret.metadata;
    assert_eq!(
        (head.name.as_deref(), head.namespace.as_deref(), head.generation),
        (Some("db"), Some("prod"), Some(2))
    );
    let found = serde_json::to_value(secret.row.read()).unwrap();
    let metadata = whole["metadata"].as_object_mut().unwrap();
    for gone in ["name", "namespace", "generation", "labels", "finalizers", "creationTimestamp"] {
        metadata.remove(gone);
    }
    metadata["annotations"] = json!({"sealing.dev/digest": "d"});
    assert_eq!(found, whole["metadata"]);

    let sealed = watched::<Object>(&whole.to_string());
    assert_eq!((sealed.metadata.managed_fields, sealed.metadata.labels), (None, None));
    assert_eq!(sealed.metadata.annotations, None, "no Secret's annotation is a SealedSecret's");
    assert!(sealed.metadata.deletion_timestamp.is_some());
    whole["metadata"]["annotations"] = json!({"reconcile.fluxcd.io/requestedAt": "now", "x": "y"});
    let sealed = watched::<Object>(&whole.to_string());
    assert_eq!(
        sealed.metadata.annotations.unwrap().into_keys().collect::<Vec<_>>(),
        ["reconcile.fluxcd.io/requestedAt"]
    );
}

/// A Secret that its owner keeps and whose managedFields would take many times the memory of their text.
#[test]
fn no_tree_is_made_of_managed_fields_that_are_too_heavy() {
    let owner = r#""ownerReferences":[{"apiVersion":"sealing.dev/v1alpha1","kind":"SealedSecret","name":"db","uid":"u","controller":true}]"#;
    let secret = |count: usize| {
        let fields: String = (0..count).map(|n| format!(r#""f:{n}":{{"f:":{{}}}},"#)).collect();
        object(&format!(r#",{owner},"managedFields":[{{"fieldsV1":{{{fields}"f:x":{{}}}}}}]"#), "")
    };
    let kept =
        |count| watched::<Metadata<Secret>>(&secret(count)).row.read().unwrap().managed_fields.is_some();
    assert!(kept(1000) && !kept(60_000));
}

/// A cluster has many more Secrets of others than ours.
#[test]
fn little_is_kept_of_secrets_that_are_not_ours() {
    let managed = r#""managedFields":[{"manager":"helm","operation":"Update","fieldsV1":{"f:type":{}}}]"#;
    let release =
        r#""ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x","uid":"o-1","controller":true}]"#;
    for (text, most) in [(managed.to_owned(), 40), (format!("{managed},{release}"), 130)] {
        let row = watched::<Metadata<Secret>>(&object(&format!(",{text}"), "")).row;
        assert!(row.len() <= most && row.read().unwrap().managed_fields.is_none(), "{row:?}");
        let sealed = watched::<Metadata<SealedSecret>>(&object(&format!(",{text}"), "")).row;
        assert!(sealed.len() <= 40, "{sealed:?}");
    }
}

#[test]
fn metadata_of_any_shape_is_read() {
    for text in [r#"{}"#, r#"{"metadata":null}"#, r#"{"metadata":[]}"#, r#"{"metadata":{"name":7}}"#] {
        let found = watched::<Metadata<Secret>>(text);
        assert_eq!((found.metadata, found.row.read()), (ObjectMeta::default(), Some(ObjectMeta::default())));
        assert_eq!(watched::<Object>(text).metadata, ObjectMeta::default());
    }
}
