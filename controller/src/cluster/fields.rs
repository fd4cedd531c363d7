//! The owners of a Secret's fields: the managedFields of server-side apply, as sets.
//!
//! An edit takes a field's ownership away from us, so drift shows in metadata, and no value has to be read
//! (tried on kube-apiserver 1.36: patch and replace move the changed field to the other manager; a deleted
//! key leaves our entry; an edit to the same value changes nothing). The API server does the merging, and
//! [`set`] the encoding.
//!
//! Invariant: every function depends on its arguments alone, and sends no request.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use k8s_openapi::jiff::Timestamp;
use seal_crds::ItemName;

use set::{OWNERS, owner_segment};

pub(crate) use set::FieldSet;

mod set;

/// The name under which this controller owns fields.
pub(crate) const FIELD_MANAGER: &str = "seal-controller";

/// The names under which the controller of sealed-secrets owns fields. client-go takes the program's name by
/// default: the first is its name in sealed-secrets' own image, the second its name in packages of other
/// people.
const SEALED_SECRETS: [&str; 2] = ["controller", "sealed-secrets-controller"];

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    is_apply(entry) && entry.manager.as_deref() == Some(FIELD_MANAGER)
}

fn is_apply(entry: &ManagedFieldsEntry) -> bool {
    entry.operation.as_deref() == Some("Apply") && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

fn is_update(entry: &ManagedFieldsEntry, manager: &str) -> bool {
    entry.operation.as_deref() == Some("Update")
        && entry.manager.as_deref() == Some(manager)
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether our Apply entry owns exactly the expected fields, and no `Update` entry owns one of them too.
///
/// The `Update` entries matter after a creation or adoption that was cut short: a field with a second owner
/// would stay behind when its item is removed.
///
/// Our own `Update` entry may own the digest and the owner reference instead: if one request takes a Secret
/// over, the API server puts the fields that it changes into that entry. Both are safe there, because no
/// apply ever leaves them out: every apply has the digest, and a reference that has to go is claimed first
/// ([`with_owners_claimed`]).
pub(super) fn owns_exactly(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> bool {
    let Some(applied) = managed.iter().find(|entry| is_ours(entry)) else { return false };
    let mut owned = FieldSet::of(applied);
    for entry in managed.iter().filter(|entry| !is_apply(entry)) {
        let shared = FieldSet(FieldSet::of(entry).0.intersection(&expected.0).cloned().collect());
        let may_be_ours = is_update(entry, FIELD_MANAGER) && shared.is_digest_or_owner();
        if !(shared.0.is_empty() || may_be_ours) {
            return false;
        }
        owned = owned.union(shared);
    }
    owned == *expected
}

/// The fields that we own by an apply; `None` before our first apply.
pub(super) fn applied(managed: &[ManagedFieldsEntry]) -> Option<FieldSet> {
    managed.iter().find(|entry| is_ours(entry)).map(FieldSet::of)
}

/// The time at which an apply of ours last changed something.
pub(super) fn applied_at(managed: &[ManagedFieldsEntry]) -> Option<Timestamp> {
    Some(managed.iter().find(|entry| is_ours(entry))?.time.as_ref()?.0)
}

/// Whether somebody else's entry names one of the expected fields or `stringData`. The API server writes
/// `stringData` to `data`, and its writer owns nothing there. Our own updates may name the digest and the
/// owner reference, as in [`owns_exactly`].
pub(super) fn may_change_values(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> bool {
    managed.iter().filter(|entry| !is_ours(entry)).any(|entry| {
        let fields = FieldSet::of(entry);
        let shared = FieldSet(fields.0.intersection(&expected.0).cloned().collect());
        let may_be_ours = is_update(entry, FIELD_MANAGER) && shared.is_digest_or_owner();
        fields.has_string_data() || !(shared.0.is_empty() || may_be_ours)
    })
}

/// Whether anybody has said that the Secret is immutable. We never say that it isn't.
pub(super) fn any_immutable(managed: &[ManagedFieldsEntry]) -> bool {
    managed.iter().any(|entry| FieldSet::of(entry).has_immutable())
}

/// Items that somebody put in beside the expected ones. Items that no manager owns are not included.
pub(super) fn extra_items(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> BTreeSet<ItemName> {
    let all = managed.iter().fold(FieldSet::default(), |all, entry| all.union(FieldSet::of(entry)));
    // The API server takes no other names as keys of `data`, but managedFields may hold any.
    all.without(expected).data().filter_map(|key| key.parse().ok()).collect()
}

/// The fields that we own, by an apply or an update.
pub(crate) fn owned(managed: &[ManagedFieldsEntry]) -> FieldSet {
    updated_by(managed, FIELD_MANAGER).union(applied(managed).unwrap_or_default())
}

/// The fields that the manager of this name owns by an update.
pub(crate) fn updated_by(managed: &[ManagedFieldsEntry], manager: &str) -> FieldSet {
    let updates = managed.iter().filter(|entry| is_update(entry, manager)).map(FieldSet::of);
    updates.fold(FieldSet::default(), FieldSet::union)
}

/// Values, labels and annotations that anybody set by an update.
pub(super) fn updated(managed: &[ManagedFieldsEntry]) -> FieldSet {
    let updates = managed.iter().filter(|entry| !is_apply(entry));
    updates.fold(FieldSet::default(), |all, entry| all.union(FieldSet::of(entry).content()))
}

/// Values, labels and annotations that others apply.
pub(super) fn applied_by_others(managed: &[ManagedFieldsEntry]) -> FieldSet {
    let others = managed.iter().filter(|entry| is_apply(entry) && !is_ours(entry));
    others.fold(FieldSet::default(), |all, entry| all.union(FieldSet::of(entry).content()))
}

/// The content that the controller of sealed-secrets put into a Secret, without the expected fields; `None`
/// if it has no part in the Secret. With `only_marks`, only the tracking marks of this content.
pub(super) fn of_sealed_secrets(
    managed: &[ManagedFieldsEntry],
    expected: &FieldSet,
    only_marks: bool,
) -> Option<FieldSet> {
    let is_theirs =
        |entry: &&ManagedFieldsEntry| SEALED_SECRETS.iter().any(|manager| is_update(entry, manager));
    let theirs = managed.iter().filter(is_theirs).map(FieldSet::of).reduce(FieldSet::union)?;
    let marks = theirs.tracking_marks().without(expected);
    let has_part =
        theirs.shares_a_field_with(expected) || theirs.has_owner_reference() || !marks.0.is_empty();
    has_part.then(|| if only_marks { marks } else { theirs.content().without(expected) })
}

/// Other `Apply` managers of expected fields: their names, and the fields as the API server names them in a
/// conflict (`.data.password`). If such a manager wants another value, forcing ours would start a fight
/// between two controllers.
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

/// The path in the form of a conflict's `details.causes[].field`.
fn conflict_field(path: &[String]) -> String {
    path.iter().filter_map(|segment| segment.strip_prefix("f:")).map(|name| format!(".{name}")).collect()
}

/// managedFields with the owner references of these uids moved from `Update` entries to our Apply entry, so
/// that the next apply, which doesn't name them, removes them; `None` if no `Update` entry has one.
///
/// Our entry then owns more than the expected fields, so the Secret isn't in sync until that apply.
pub(super) fn with_owners_claimed(
    managed: &[ManagedFieldsEntry],
    uids: &[&str],
) -> Option<Vec<ManagedFieldsEntry>> {
    let path = |uid: &&str| OWNERS.iter().map(ToString::to_string).chain([owner_segment(uid)]).collect();
    let claimed = FieldSet(uids.iter().map(path).collect());
    let has_one =
        |entry: &ManagedFieldsEntry| !is_apply(entry) && FieldSet::of(entry).shares_a_field_with(&claimed);
    if !managed.iter().any(has_one) {
        return None;
    }
    Some(moved(managed, &applied(managed).unwrap_or_default().union(claimed)))
}

/// managedFields with the expected fields moved from `Update` entries to our Apply entry; `None` if there is
/// nothing to move.
///
/// # Assumptions
///
/// The values of the expected fields are ours: this follows a write of ours, under the resourceVersion that
/// the write returned.
pub(super) fn settled(
    managed: &[ManagedFieldsEntry],
    expected: &FieldSet,
) -> Option<Vec<ManagedFieldsEntry>> {
    (!owns_exactly(managed, expected)).then(|| moved(managed, expected))
}

/// managedFields in which our Apply entry owns exactly these fields, and no `Update` entry owns any of them.
pub(super) fn moved(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> Vec<ManagedFieldsEntry> {
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
mod tests;
