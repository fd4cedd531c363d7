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
use seal_crds::resources::NOT_TAKEN_OVER;

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

fn is_our_update(entry: &ManagedFieldsEntry) -> bool {
    is_update(entry, FIELD_MANAGER)
}

fn is_update(entry: &ManagedFieldsEntry, manager: &str) -> bool {
    entry.operation.as_deref() == Some("Update")
        && entry.manager.as_deref() == Some(manager)
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// The entry by which we hold a Secret's fields: that of our applies, or before the first apply that of the
/// creation.
///
/// A creation is one request, and the API server records it as an `Update`. Of all updates of ours, only a
/// creation has the type in its entry, because the type of a Secret never changes.
fn held_by(managed: &[ManagedFieldsEntry]) -> Option<&ManagedFieldsEntry> {
    let creates = |entry: &&ManagedFieldsEntry| is_our_update(entry) && FieldSet::of(entry).has_type();
    managed.iter().find(|entry| is_ours(entry)).or_else(|| managed.iter().find(creates))
}

/// The fields that we hold; `None` if we neither created the Secret nor ever applied it.
pub(super) fn held(managed: &[ManagedFieldsEntry]) -> Option<FieldSet> {
    held_by(managed).map(FieldSet::of)
}

/// The time at which we last changed something that we hold.
pub(super) fn held_at(managed: &[ManagedFieldsEntry]) -> Option<Timestamp> {
    Some(held_by(managed)?.time.as_ref()?.0)
}

/// Whether we hold all expected fields, and nobody else owns one of them by an update.
///
/// Our Apply entry holds nothing else, because the next apply would remove it. The entry of a creation may:
/// later updates of ours (a shared owner reference, a note) go into it too.
///
/// Other `Update` entries matter after an adoption that was cut short: a field with a second owner would stay
/// behind when its item is removed. Beside our Apply entry, an `Update` entry of our own may own the digest and
/// the owner reference instead: if one request takes a Secret over, the API server puts the fields that it
/// changes into that entry. Both are safe there, because no apply ever leaves them out: every apply has the
/// digest, and a reference that has to go is claimed first ([`claimed`]).
pub(super) fn owns_exactly(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> bool {
    let Some(ours) = held_by(managed) else { return false };
    let held = FieldSet::of(ours);
    let mut owned = if is_ours(ours) { held } else { held.shared_with(expected) };
    for entry in managed.iter().filter(|entry| !is_apply(entry) && !std::ptr::eq(*entry, ours)) {
        let shared = FieldSet::of(entry).shared_with(expected);
        if !(shared.0.is_empty() || may_be_updated(entry, &shared)) {
            return false;
        }
        owned = owned.union(shared);
    }
    owned == *expected
}

/// Whether an entry that isn't the one by which we hold the Secret names one of the expected fields or
/// `stringData`. The API server writes `stringData` to `data`, and its writer owns nothing there. Our own
/// updates may name the digest and the owner reference, as in [`owns_exactly`].
pub(super) fn may_change_values(managed: &[ManagedFieldsEntry], expected: &FieldSet) -> bool {
    let ours = held_by(managed);
    let is_other = |entry: &&ManagedFieldsEntry| ours.is_none_or(|ours| !std::ptr::eq(*entry, ours));
    managed.iter().filter(is_other).any(|entry| {
        let fields = FieldSet::of(entry);
        let shared = fields.shared_with(expected);
        fields.has_string_data() || !(shared.0.is_empty() || may_be_updated(entry, &shared))
    })
}

/// Whether the entry is of our own updates, and shares only what a take-over leaves there.
fn may_be_updated(entry: &ManagedFieldsEntry, shared: &FieldSet) -> bool {
    is_our_update(entry) && shared.is_digest_or_owner()
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
    updated_by(managed, FIELD_MANAGER).union(applied(managed))
}

/// The fields that we own by an apply.
fn applied(managed: &[ManagedFieldsEntry]) -> FieldSet {
    managed.iter().find(|entry| is_ours(entry)).map(FieldSet::of).unwrap_or_default()
}

/// Values, labels and annotations that we put into the Secret. The note that it wasn't taken over is not
/// included: it stays as long as the Secret.
pub(super) fn put_by_us(managed: &[ManagedFieldsEntry]) -> FieldSet {
    owned(managed).content().without(&FieldSet::of_metadata([], [&NOT_TAKEN_OVER.to_owned()]))
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

/// managedFields in which our Apply entry has all that our next apply must be able to remove; `None` if it has
/// that already.
///
/// An apply removes what we applied before and it leaves out, and nothing else. So it must find there what we put
/// into the Secret when we created it, and the owner references of these uids, whoever set them: a restored
/// backup, sealed-secrets, or we ourselves when we took the Secret over. If it left a creation's entry behind, each
/// field would have two owners, and stay when its item is removed.
///
/// Our entry may then own more than the expected fields, so the Secret isn't in sync until that apply.
pub(super) fn claimed(
    managed: &[ManagedFieldsEntry],
    expected: &FieldSet,
    uids: &[&str],
) -> Option<Vec<ManagedFieldsEntry>> {
    let path = |uid: &&str| OWNERS.iter().map(ToString::to_string).chain([owner_segment(uid)]).collect();
    let references = FieldSet(uids.iter().map(path).collect());
    let updates = updated_by(managed, FIELD_MANAGER);
    let put = put_by_us(managed).union(updates.shared_with(expected));
    let is_set =
        |entry: &ManagedFieldsEntry| !is_apply(entry) && FieldSet::of(entry).shares_a_field_with(&references);
    let is_complete = put.clone().without(&applied(managed)).is_digest_or_owner();
    if is_complete && !managed.iter().any(is_set) {
        return None;
    }
    Some(moved(managed, &applied(managed).union(put).union(references)))
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
