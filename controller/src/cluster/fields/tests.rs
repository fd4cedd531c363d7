//! Field sets as kube-apiserver 1.36 writes them.
//!
//! `tests/cluster` tests the API server's merging.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, Time};
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

/// managedFields as kube-apiserver 1.36 writes them after a creation.
fn created() -> ManagedFieldsEntry {
    entry(
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
    )
}

fn fields_of(entry: &mut ManagedFieldsEntry) -> &mut Value {
    &mut entry.fields_v1.as_mut().unwrap().0
}

#[test]
fn what_we_created_is_in_sync_until_somebody_takes_a_field() {
    assert!(owns_exactly(&[created()], &expected()));
    let theirs = entry("kubectl-edit", "Update", serde_json::json!({"f:data": {"f:extra": {}}}));
    assert!(owns_exactly(&[created(), theirs], &expected()), "foreign keys are not drift");

    let mut lost = created();
    fields_of(&mut lost)["f:data"] = serde_json::json!({});
    let mut renamed = created();
    renamed.manager = Some("kubectl-create".into());
    let second = entry("velero", "Update", serde_json::json!({"f:data": {"f:password": {}}}));
    for managed in [vec![lost], vec![renamed], vec![created(), second], vec![created(), ours()]] {
        assert!(!owns_exactly(&managed, &expected()), "{managed:?}");
    }
}

/// A creation, to which our later updates added a shared owner reference and a note.
fn created_and_noted() -> ManagedFieldsEntry {
    let mut entry = created();
    let metadata = &mut fields_of(&mut entry)["f:metadata"];
    metadata["f:ownerReferences"]["k:{\"uid\":\"peer\"}"] = serde_json::json!({});
    metadata["f:annotations"]["f:sealing.dev/not-taken-over"] = serde_json::json!({});
    entry
}

#[test]
fn what_we_put_there_later_is_no_drift_of_a_creation_and_no_apply_removes_it() {
    let managed = [created_and_noted()];
    assert!(owns_exactly(&managed, &expected()));
    let entries = claimed(&managed, &expected(), &[]).unwrap();
    assert!(owns_exactly(&entries, &expected()));
    let left = serde_json::json!({
        "f:metadata": {
            "f:annotations": {"f:sealing.dev/not-taken-over": {}},
            "f:ownerReferences": {"k:{\"uid\":\"peer\"}": {}},
        },
    });
    assert_eq!(entries[1].fields_v1.as_ref().unwrap().0, left);
    let removed = claimed(&managed, &expected(), &["peer"]).unwrap();
    assert!(
        FieldSet::of(&removed[0]).has_owner_reference() && !FieldSet::of(&removed[1]).has_owner_reference()
    );
}

#[test]
fn an_apply_finds_as_its_own_what_a_creation_put_there() {
    let mut old = created();
    fields_of(&mut old)["f:data"]["f:gone"] = serde_json::json!({});
    let label =
        entry("kubectl-label", "Update", serde_json::json!({"f:metadata": {"f:labels": {"f:x": {}}}}));
    let entries = claimed(&[old, label.clone()], &expected(), &[]).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!((&entries[0].operation, &entries[1]), (&Some("Apply".to_owned()), &label));
    assert_eq!(FieldSet::of(&entries[0]).data().collect::<Vec<_>>(), ["gone", "password"]);
    assert!(!owns_exactly(&entries, &expected()), "until the apply it isn't in sync");
    assert_eq!(claimed(&entries, &expected(), &[]), None, "an interrupted write goes on with the apply");
    assert_eq!(
        claimed(&taken_over(), &expected(), &[]),
        None,
        "no apply leaves the digest and the owner out"
    );

    // Somebody applied under our name over a creation, or a controller that didn't claim first.
    let mut beside = created();
    *fields_of(&mut beside) = serde_json::json!({"f:data": {"f:gone": {}}});
    let entries = claimed(&[ours(), beside], &expected(), &[]).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(FieldSet::of(&entries[0]).data().collect::<Vec<_>>(), ["gone", "password"]);
}

/// A type never changes, so an update that isn't a creation has none in its entry.
#[test]
fn only_a_creation_and_an_apply_hold_a_secret() {
    let mut note = created();
    *fields_of(&mut note) =
        serde_json::json!({"f:metadata": {"f:annotations": {"f:sealing.dev/not-taken-over": {}}}});
    assert_eq!(held(&[note]), None);
    let at = |entry: ManagedFieldsEntry, second| ManagedFieldsEntry {
        time: Some(Time(Timestamp::from_second(second).unwrap())),
        ..entry
    };
    let second = |managed: &[ManagedFieldsEntry]| held_at(managed).map(Timestamp::as_second);
    assert_eq!(second(&[at(created(), 7)]), Some(7));
    assert_eq!(second(&[at(created(), 7), at(ours(), 9)]), Some(9), "an apply counts more");
    assert_eq!(second(&[at(taken_over()[1].clone(), 7)]), None);
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
    let entries = claimed(&[ours(), entry("velero", "Update", old)], &expected(), &["u-0"]).unwrap();
    assert_eq!(entries.len(), 1, "nothing is left to the other manager");
    assert!(!owns_exactly(&entries, &expected()), "until the next apply it isn't in sync");
    let fields = &entries[0].fields_v1.as_ref().unwrap().0;
    assert!(fields["f:metadata"]["f:ownerReferences"].get("k:{\"uid\":\"u-0\"}").is_some());
    assert_eq!(claimed(&[ours()], &expected(), &["u-1"]), None, "an apply removes its own");
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
