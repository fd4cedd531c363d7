//! Field sets as kube-apiserver 1.36 writes them.
//!
//! `tests/cluster` tests the API server's merging.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;
use seal_crds::Shape;
use serde_json::Value;

use super::*;

fn shape() -> Shape {
    Shape {
        labels: [("app.kubernetes.io/name".to_owned(), "db".to_owned())].into(),
        keys: ["password".parse().unwrap()].into(),
        ..Shape::default()
    }
}

fn expected() -> FieldSet {
    FieldSet::expected(&shape(), Some("u-1"), true)
}

fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
    ManagedFieldsEntry {
        manager: Some(manager.into()),
        operation: Some(operation.into()),
        fields_v1: Some(FieldsV1(fields)),
        ..Default::default()
    }
}

/// managedFields as kube-apiserver 1.36 writes them after an apply.
fn ours() -> ManagedFieldsEntry {
    entry(
        FIELD_MANAGER,
        "Apply",
        serde_json::json!({
            "f:data": {"f:password": {}},
            "f:metadata": {
                "f:annotations": {"f:sealing.dev/digest": {}},
                "f:labels": {"f:app.kubernetes.io/name": {}},
                "f:ownerReferences": {"k:{\"uid\":\"u-1\"}": {}},
            },
            "f:type": {},
        }),
    )
}

#[test]
fn our_own_apply_is_in_sync() {
    assert!(owns_exactly(&[ours()], &expected()));
    assert_eq!(FieldSet::of(&ours()).to_fields_v1(), ours().fields_v1.unwrap());
}

#[test]
fn foreign_keys_are_not_drift() {
    let theirs = entry("kubectl-edit", "Update", serde_json::json!({"f:data": {".": {}, "f:extra": {}}}));
    assert!(owns_exactly(&[ours(), theirs], &expected()));
}

#[test]
fn lost_added_or_stripped_ownership_is_drift() {
    let mut lost = ours();
    lost.fields_v1.as_mut().unwrap().0["f:data"] = serde_json::json!({});
    let mut added = ours();
    added.fields_v1.as_mut().unwrap().0["f:data"]["f:old"] = serde_json::json!({});
    for managed in [vec![lost], vec![added], vec![]] {
        assert!(!owns_exactly(&managed, &expected()));
    }
}

#[test]
fn a_creation_is_settled_into_an_apply() {
    let created = entry(
        FIELD_MANAGER,
        "Update",
        serde_json::json!({
            "f:data": {".": {}, "f:password": {}},
            "f:metadata": {
                "f:annotations": {".": {}, "f:sealing.dev/digest": {}},
                "f:labels": {".": {}, "f:app.kubernetes.io/name": {}},
                "f:ownerReferences": {".": {}, "k:{\"uid\":\"u-1\"}": {}},
            },
            "f:type": {},
        }),
    );
    assert!(!owns_exactly(std::slice::from_ref(&created), &expected()));
    let settled = settled(&[created], &expected()).unwrap();
    assert_eq!(settled.len(), 1);
    assert!(owns_exactly(&settled, &expected()));
}

#[test]
fn an_adoption_leaves_others_only_what_is_not_ours() {
    let theirs = entry(
        "kubectl-create",
        "Update",
        serde_json::json!({
            "f:data": {".": {}, "f:password": {}, "f:extra": {}},
            "f:type": {},
        }),
    );
    assert!(!owns_exactly(&[ours(), theirs.clone()], &expected()), "a second owner must go");
    let settled = settled(&[ours(), theirs], &expected()).unwrap();
    assert!(owns_exactly(&settled, &expected()));
    assert_eq!(settled[1].fields_v1.as_ref().unwrap().0, serde_json::json!({"f:data": {"f:extra": {}}}));
}

#[test]
fn an_owner_reference_that_an_update_made_becomes_ours_to_remove() {
    let old = serde_json::json!({"f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"u-0\"}": {}}}});
    let claimed = with_owners_claimed(&[ours(), entry("velero", "Update", old)], &["u-0"]).unwrap();
    assert_eq!(claimed.len(), 1, "nothing is left to the other manager");
    assert!(!owns_exactly(&claimed, &expected()), "until the next apply it isn't in sync");
    let fields = &claimed[0].fields_v1.as_ref().unwrap().0;
    assert!(fields["f:metadata"]["f:ownerReferences"].get("k:{\"uid\":\"u-0\"}").is_some());
    assert_eq!(with_owners_claimed(&[ours()], &["u-1"]), None, "an apply removes its own");
}

#[test]
fn another_applier_of_our_field_is_named() {
    let theirs = entry("argocd", "Apply", serde_json::json!({"f:data": {"f:password": {}}}));
    assert_eq!(
        other_appliers(&[ours(), theirs], &expected()),
        [("argocd".to_owned(), ".data.password".to_owned())]
    );
    let elsewhere = entry("argocd", "Apply", serde_json::json!({"f:data": {"f:extra": {}}}));
    assert_eq!(other_appliers(&[ours(), elsewhere], &expected()), []);
}

/// managedFields as the API server writes them after a take-over in one request: the changed fields are an
/// update's.
fn taken_over() -> [ManagedFieldsEntry; 2] {
    let mut applied = ours();
    let fields = &mut applied.fields_v1.as_mut().unwrap().0["f:metadata"];
    fields.as_object_mut().unwrap().retain(|key, _| key == "f:labels");
    let changed = serde_json::json!({"f:metadata": {
        "f:annotations": {".": {}, "f:sealing.dev/digest": {}},
        "f:ownerReferences": {"k:{\"uid\":\"u-1\"}": {}},
    }});
    [applied, entry(FIELD_MANAGER, "Update", changed)]
}

#[test]
fn what_a_take_over_changed_may_be_our_updates_if_it_is_digest_or_owner() {
    assert!(owns_exactly(&taken_over(), &expected()));
    let [applied, mut changed] = taken_over();
    assert!(!owns_exactly(std::slice::from_ref(&applied), &expected()), "both are needed");
    changed.manager = Some("kubectl-edit".into());
    assert!(!owns_exactly(&[applied.clone(), changed.clone()], &expected()), "somebody else's are not ours");
    changed.manager = Some(FIELD_MANAGER.into());
    changed.fields_v1.as_mut().unwrap().0["f:data"] = serde_json::json!({"f:password": {}});
    assert!(!owns_exactly(&[applied, changed], &expected()), "a value would stay behind when its item goes");
}

#[test]
fn a_digest_is_ours_by_who_wrote_it_not_by_its_being_there() {
    for managed in [&[ours()][..], &taken_over()] {
        assert!(owned(managed).has_digest() && owned(managed).has_type());
    }
    let copied = entry(
        "kubectl-create",
        "Update",
        serde_json::json!({"f:metadata": {"f:annotations": {"f:sealing.dev/digest": {}}}}),
    );
    assert!(!owned(&[copied]).has_digest() && !owned(&[]).has_digest());
}

#[test]
fn what_the_peer_left_goes_but_for_what_stays_and_in_a_patched_secret_only_marks_go() {
    let theirs = entry(
        "controller",
        "Update",
        serde_json::json!({
            "f:data": {".": {}, "f:password": {}, "f:old": {}},
            "f:metadata": {
                "f:annotations": {".": {}, "f:argocd.argoproj.io/tracking-id": {}, "f:sealedsecrets.bitnami.com/managed": {}},
                "f:ownerReferences": {".": {}, "k:{\"uid\":\"u-0\"}": {}},
            },
            "f:type": {},
        }),
    );
    let left = of_sealed_secrets(std::slice::from_ref(&theirs), &expected(), false).unwrap();
    assert_eq!(left.data().collect::<Vec<_>>(), ["old"]);
    let annotations: Vec<_> = left.annotations().collect();
    assert_eq!(annotations, ["argocd.argoproj.io/tracking-id", "sealedsecrets.bitnami.com/managed"]);
    let left = of_sealed_secrets(&[theirs], &expected(), true).unwrap();
    assert_eq!((left.data().count(), left.annotations().count()), (0, 1));
    let other = entry("controller", "Update", serde_json::json!({"f:metadata": {"f:labels": {"f:x": {}}}}));
    assert_eq!(of_sealed_secrets(&[other], &expected(), false), None, "another program may have that name");
}
