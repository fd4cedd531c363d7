//! Who owns which field of a Secret: server-side apply's managedFields, as sets.
//!
//! An edit takes a field's ownership away from us, so drift shows in metadata, without reading a value
//! (tried on kube-apiserver 1.36: patch and replace move the changed field to the other manager; a deleted
//! key leaves our entry; an edit to the same value changes nothing). Not the merging itself; that is the
//! apiserver's. The encoding is `FieldsV1` of structured-merge-diff: nested objects, whose keys are path
//! segments, and a `.` for the container itself, which is of no interest here.
//!
//! Invariant: functions of their arguments; nothing here talks to a server.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use seal_crds::Shape;
use seal_crds::resources::DIGEST_ANNOTATION;
use serde_json::{Map, Value};

/// The name under which this controller owns fields.
pub(super) const FIELD_MANAGER: &str = "seal-controller";

/// A set of leaf fields, each a path of `FieldsV1` segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet(BTreeSet<Vec<String>>);

impl FieldSet {
    /// What we apply to a Secret of this shape, owned by the SealedSecret with this uid.
    pub(super) fn expected(shape: &Shape, owner_uid: &str) -> Self {
        let mut set = BTreeSet::new();
        let mut add = |path: &[&str]| {
            set.insert(path.iter().map(|&segment| segment.to_owned()).collect());
        };
        for key in &shape.keys {
            add(&["f:data", &format!("f:{key}")]);
        }
        for label in shape.labels.keys() {
            add(&["f:metadata", "f:labels", &format!("f:{label}")]);
        }
        for annotation in shape.annotations.keys() {
            add(&["f:metadata", "f:annotations", &format!("f:{annotation}")]);
        }
        add(&["f:metadata", "f:annotations", &format!("f:{DIGEST_ANNOTATION}")]);
        add(&["f:metadata", "f:ownerReferences", &owner_segment(owner_uid)]);
        add(&["f:type"]);
        if shape.immutable.is_some() {
            add(&["f:immutable"]);
        }
        Self(set)
    }

    fn of(entry: &ManagedFieldsEntry) -> Self {
        let mut set = BTreeSet::new();
        if let Some(FieldsV1(fields)) = &entry.fields_v1 {
            collect(fields, &mut Vec::new(), &mut set);
        }
        Self(set)
    }

    fn to_fields_v1(&self) -> FieldsV1 {
        let mut root = Value::Object(Map::new());
        for path in &self.0 {
            let mut at = &mut root;
            for segment in path {
                at = &mut at[segment.as_str()];
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
            }
        }
        FieldsV1(root)
    }

    fn shares_a_field_with(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }
}

fn owner_segment(uid: &str) -> String {
    format!("k:{}", serde_json::json!({ "uid": uid }))
}

fn collect(fields: &Value, path: &mut Vec<String>, out: &mut BTreeSet<Vec<String>>) {
    let children = fields.as_object().into_iter().flatten().filter(|(segment, _)| *segment != ".");
    let mut is_leaf = true;
    for (segment, child) in children {
        is_leaf = false;
        path.push(segment.clone());
        collect(child, path, out);
        path.pop();
    }
    if is_leaf && !path.is_empty() {
        out.insert(path.clone());
    }
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    is_apply(entry) && entry.manager.as_deref() == Some(FIELD_MANAGER)
}

fn is_apply(entry: &ManagedFieldsEntry) -> bool {
    entry.operation.as_deref() == Some("Apply") && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether our Apply entry owns exactly the expected fields, and no `Update` entry owns one of them too.
///
/// The second half matters after a creation or adoption that was cut short: a field with a second owner
/// would stay behind when its item is removed.
pub(super) fn owns_exactly(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> bool {
    managed.iter().any(|entry| is_ours(entry) && FieldSet::of(entry) == *expected)
        && !managed.iter().any(|entry| !is_apply(entry) && FieldSet::of(entry).shares_a_field_with(expected))
}

/// Other `Apply` managers of expected fields: their names, and the fields as a conflict of the apiserver names
/// them (`.data.password`). Where one of them wants another value, forcing would only start a fight between
/// two controllers.
pub(super) fn other_appliers(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> Vec<(String, String)> {
    let others = managed.iter().filter(|entry| is_apply(entry) && !is_ours(entry));
    others
        .flat_map(|entry| {
            let manager = entry.manager.clone().unwrap_or_default();
            let shared: Vec<_> = FieldSet::of(entry).0.intersection(&expected.0).cloned().collect();
            shared.into_iter().map(move |path| (manager.clone(), conflict_field(&path)))
        })
        .collect()
}

/// The path as in `details.causes[].field` of a conflict.
fn conflict_field(path: &[String]) -> String {
    path.iter().filter_map(|segment| segment.strip_prefix("f:")).map(|name| format!(".{name}")).collect()
}

/// managedFields with the owner reference of this uid moved from an `Update` entry to our Apply entry, so that
/// the next apply, which doesn't name it, removes it; `None` where no `Update` entry has it.
///
/// Our entry then owns more than what is expected, so until that apply the Secret isn't in sync.
pub(super) fn with_owner_claimed(
    managed: &[ManagedFieldsEntry],
    uid: &str,
) -> Option<Vec<ManagedFieldsEntry>> {
    let path = vec!["f:metadata".to_owned(), "f:ownerReferences".to_owned(), owner_segment(uid)];
    let has_it = |entry: &ManagedFieldsEntry| !is_apply(entry) && FieldSet::of(entry).0.contains(&path);
    if !managed.iter().any(has_it) {
        return None;
    }
    let mut ours = FieldSet::default();
    if let Some(entry) = managed.iter().find(|entry| is_ours(entry)) {
        ours = FieldSet::of(entry);
    }
    ours.0.insert(path);
    Some(moved(managed, &ours))
}

/// managedFields with the expected fields moved from `Update` entries to our Apply entry; `None` where
/// there is nothing to move.
///
/// # Assumptions
///
/// The values of the expected fields are ours: this follows a write of ours, under the resourceVersion it
/// returned.
pub(super) fn settled(
    managed: &[ManagedFieldsEntry],
    expected: &FieldSet,
) -> Option<Vec<ManagedFieldsEntry>> {
    (!owns_exactly(managed, expected)).then(|| moved(managed, expected))
}

/// managedFields with our Apply entry owning just these fields, and no `Update` entry any of them.
fn moved(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> Vec<ManagedFieldsEntry> {
    let mut ours =
        managed.iter().find(|entry| is_ours(entry)).cloned().unwrap_or_else(|| ManagedFieldsEntry {
            manager: Some(FIELD_MANAGER.to_owned()),
            operation: Some("Apply".to_owned()),
            api_version: Some("v1".to_owned()),
            fields_type: Some("FieldsV1".to_owned()),
            time: managed.iter().filter_map(|entry| entry.time.clone()).max(),
            ..Default::default()
        });
    ours.fields_v1 = Some(expected.to_fields_v1());
    let mut settled = vec![ours];
    for entry in managed.iter().filter(|entry| !is_ours(entry)) {
        let mut entry = entry.clone();
        if !is_apply(&entry) {
            let rest = FieldSet::of(&entry).0.difference(&expected.0).cloned().collect::<BTreeSet<_>>();
            if rest.is_empty() {
                continue;
            }
            entry.fields_v1 = Some(FieldSet(rest).to_fields_v1());
        }
        settled.push(entry);
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            type_: "Opaque".into(),
            immutable: None,
            labels: [("app.kubernetes.io/name".to_owned(), "db".to_owned())].into(),
            annotations: Default::default(),
            keys: ["password".parse().unwrap()].into(),
            owned: true,
        }
    }

    fn expected() -> FieldSet {
        FieldSet::expected(&shape(), "u-1")
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.into()),
            operation: Some(operation.into()),
            fields_v1: Some(FieldsV1(fields)),
            ..Default::default()
        }
    }

    /// As kube-apiserver 1.36 writes it after an apply.
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
        let old =
            serde_json::json!({"f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"u-0\"}": {}}}});
        let claimed = with_owner_claimed(&[ours(), entry("velero", "Update", old)], "u-0").unwrap();
        assert_eq!(claimed.len(), 1, "nothing is left to the other manager");
        assert!(!owns_exactly(&claimed, &expected()), "until the next apply it isn't in sync");
        let fields = &claimed[0].fields_v1.as_ref().unwrap().0;
        assert!(fields["f:metadata"]["f:ownerReferences"].get("k:{\"uid\":\"u-0\"}").is_some());
        assert_eq!(with_owner_claimed(&[ours()], "u-1"), None, "an apply removes its own");
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
}
