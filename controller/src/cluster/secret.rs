//! The meaning of a Secret's metadata: whose the Secret is, whether it is in sync, and how to write it.
//!
//! [`crate::plan`] decides whether to write, and [`super::body`] makes the request. Invariant: metadata alone
//! decides whether a Secret is ours, somebody else's, or in sync.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use seal_crds::resources::bitnami::{MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES};
use seal_crds::resources::{ADOPT_ANNOTATION, DIGEST_ANNOTATION, Group, NOT_TAKEN_OVER, SecretVersion};
use seal_crds::{Digest, Format, ItemName, Place, Sealed};

use super::evidence::{is_same_secret, since, version};
use super::fields::{
    FIELD_MANAGER, FieldSet, any_immutable, applied_by_others, extra_items, held, of_sealed_secrets, owned,
    owns_exactly, put_by_us, updated,
};
use crate::store::{Observed, SecretState, SyncState, Written};

/// The SealedSecret on whose behalf a Secret is looked at or written.
pub(super) struct Owner<'a> {
    pub(super) sealed: &'a dyn Sealed,
    pub(super) uid: &'a str,
    /// Secrets of Bitnami SealedSecrets outlive them.
    pub(super) orphans: bool,
    /// The version of the Secret that the status remembers.
    pub(super) remembered: Option<&'a SecretVersion>,
    /// The status, ours or that of sealed-secrets, says that the Secret was in sync with this generation.
    pub(super) is_said: bool,
    pub(super) now: Timestamp,
}

/// The parts of a Secret that a write includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// The owner reference, by which the Secret goes with its SealedSecret.
    pub(super) reference: bool,
    /// The type. If we only put items into somebody else's Secret, it keeps its own type.
    pub(super) type_: bool,
}

impl Owner<'_> {
    /// The parts that a write of this Secret includes; `found` is `None` if the write creates it.
    ///
    /// A Secret with the Bitnami annotation `patch` belongs to somebody else and outlives our SealedSecret,
    /// unless the annotation `managed` also gives it to us. A Secret that we made ourselves stays ours.
    pub(super) fn manner(&self, found: Option<&ObjectMeta>) -> Manner {
        let owned = self.sealed.shape().owned && !(self.orphans && self.sealed.format() == Format::Bitnami);
        let Some(found) = found else { return Manner { reference: owned, type_: true } };
        let patch = is_true(found, PATCH);
        let lent = patch && !is_true(found, MANAGED) && self.controlling(found).is_none();
        // If an apply left out a type that we set before, the API server would remove it.
        let type_ = !patch || held(managed_fields(found)).is_some_and(|fields| fields.has_type());
        Manner { reference: owned && !lent, type_ }
    }

    /// The fields that an apply with these parts owns.
    pub(super) fn fields(&self, manner: Manner) -> FieldSet {
        FieldSet::expected(self.sealed.shape(), manner.reference.then_some(self.uid), manner.type_)
    }

    /// The owner reference by which the object controls the Secret.
    pub(super) fn reference(&self) -> OwnerReference {
        let owner = owner(self.group(), self.sealed.place(), self.uid);
        OwnerReference { controller: Some(true), ..owner }
    }

    /// The uids of the owner references that an apply has to remove. One object has one controller, and the
    /// API server refuses a second. And if no reference is wanted, the Secret would be deleted with any owner
    /// of ours.
    pub(super) fn removed_uids<'m>(&self, found: &'m ObjectMeta) -> Vec<&'m str> {
        let wanted = self.manner(Some(found)).reference;
        let controlling = self.controlling(found);
        let owners = found.owner_references.iter().flatten();
        let goes = |owner: &&OwnerReference| {
            if owner.uid == self.uid { !wanted } else { controlling.is_some_and(|it| it.uid == owner.uid) }
        };
        owners.filter(goes).map(|owner| owner.uid.as_str()).collect()
    }

    /// The state of a Secret, by its metadata.
    pub(super) fn classify(&self, found: Option<&ObjectMeta>) -> SecretState {
        match (self.whose(found), found) {
            (
                SecretState::Ours(SyncState::Drifted | SyncState::Outdated)
                | SecretState::Foreign { adoptable: true },
                Some(found),
            ) if self.must_stay(found) => SecretState::Immutable,
            (state, _) => state,
        }
    }

    /// Whether a Secret is immutable and was written from something else than the object as it stands. Then
    /// its values stay, whatever the object says.
    ///
    /// The threat: the API server accepts an apply to an immutable Secret if the values are the same, and
    /// refuses it if they aren't. A person who may edit the object, but not read the Secret, would learn from
    /// each edit whether a value is their guess, or the result of a template. So metadata decides, and
    /// nothing is opened or sent. A Secret that was made for another format, or isn't ours, may be taken over
    /// once: a try that fails is noted on the Secret ([`NOT_TAKEN_OVER`]), and no object makes another.
    ///
    /// Another manager that owns the field `immutable` may have set it to false. Metadata doesn't show that,
    /// and the case isn't worth a request.
    fn must_stay(&self, found: &ObjectMeta) -> bool {
        let managed = managed_fields(found);
        if self.is_said || annotation(found, DIGEST_ANNOTATION) == Some(&self.sealed.digest().to_string()) {
            return false;
        }
        let ours = owned(managed);
        let was_ours = (ours.has_digest() || ours.has_immutable())
            && controller(found).is_none_or(|owner| group(owner) == Some(self.group()));
        annotation(found, NOT_TAKEN_OVER).is_some() || (was_ours && is_immutable(found))
    }

    fn group(&self) -> Group {
        Group::of(self.sealed.format())
    }

    /// Whose the Secret is, and whether it is in sync.
    fn whose(&self, found: Option<&ObjectMeta>) -> SecretState {
        let Some(found) = found else { return SecretState::Absent };
        match controller(found) {
            Some(owner) if !is_ours(owner, self.sealed.place()) => {
                // Its controller would write it back, whether or not the Secret permits adoption.
                SecretState::Foreign { adoptable: false }
            }
            None if self.is_replaced(found) => SecretState::Ours(SyncState::Drifted),
            None if !is_unowned_ours(found) || self.is_detached(found) => {
                SecretState::Foreign { adoptable: self.may_adopt(found) }
            }
            _ => SecretState::Ours(self.sync_state(found)),
        }
    }

    /// The state of a Secret, and the items that it holds beside ours, by its metadata.
    pub(super) fn observe(&self, found: Option<&ObjectMeta>) -> Observed {
        let state = self.classify(found);
        let extra = match (state, found) {
            (SecretState::Ours(_), Some(found)) => self.extra(found),
            _ => BTreeSet::new(),
        };
        Observed { state, extra, left_out: self.sealed.shape().left_out.clone() }
    }

    /// The result of a write over `before`; `None` if the write created the Secret.
    pub(super) fn written(&self, before: Option<&ObjectMeta>, after: &ObjectMeta) -> Written {
        Written {
            changed: before.is_none_or(|before| before.resource_version != after.resource_version),
            version: version(after),
            extra: self.extra(after),
        }
    }

    /// Whether somebody replaced all of a Secret of ours, as `kubectl replace` does. This removes the
    /// annotation and the reference that made it ours. But the Secret still has the uid that it had when we
    /// last wrote it, and we still own its type, which no replacement changes. If we only put items into
    /// somebody's Secret, we never owned its type, and the Secret is theirs again.
    fn is_replaced(&self, found: &ObjectMeta) -> bool {
        self.remembered.is_some_and(|remembered| is_same_secret(remembered, found))
            && held(managed_fields(found)).is_some_and(|fields| fields.has_type())
            && annotation(found, DIGEST_ANNOTATION).is_none()
    }

    /// Whether somebody has taken only the owner reference away from a Secret that we last wrote with one.
    /// Such a Secret stays when its SealedSecret goes, and is no longer kept in sync. The garbage collector
    /// takes references away for `--cascade=orphan`; if we put the reference back, it would delete the Secret
    /// after all. Bitnami SealedSecrets are excepted, because an annotation and a flag add and remove their
    /// references.
    fn is_detached(&self, found: &ObjectMeta) -> bool {
        self.sealed.format() == Format::Native
            && self.manner(Some(found)).reference
            && self.remembered.is_some_and(|remembered| is_same_secret(remembered, found))
    }

    /// Whether the Secret permits this object to take it over. It permits that by our annotation with the
    /// object's name, or by an annotation of sealed-secrets for any SealedSecret of the Secret's name. If
    /// sealed-secrets made the Secret for a SealedSecret that doesn't own it, the annotation there tells
    /// sealed-secrets to set no owner, and permits nothing by itself. Annotations get copied, so
    /// managedFields must also show that sealed-secrets wrote the Secret.
    fn may_adopt(&self, found: &ObjectMeta) -> bool {
        annotation(found, ADOPT_ANNOTATION) == Some(self.sealed.place().name.as_str())
            || is_true(found, MANAGED)
            || is_true(found, PATCH)
            || (is_true(found, SKIP_SET_OWNER_REFERENCES)
                && !self.sealed.shape().owned
                && self.is_by_sealed_secrets(found))
    }

    fn is_by_sealed_secrets(&self, found: &ObjectMeta) -> bool {
        let expected = self.fields(self.manner(Some(found)));
        of_sealed_secrets(managed_fields(found), &expected, false).is_some()
    }

    fn sync_state(&self, found: &ObjectMeta) -> SyncState {
        let manner = self.manner(Some(found));
        let expected = self.fields(manner);
        let digest = annotation(found, DIGEST_ANNOTATION);
        let is_current = digest == Some(&self.sealed.digest().to_string());
        // The digest is ours like every field, so nobody else wrote it.
        let is_as_written = (is_current || digest.is_some_and(Digest::is_of_another_renderer))
            && controller(found).cloned() == manner.reference.then(|| self.reference())
            && self.removed_uids(found).is_empty()
            && owns_exactly(managed_fields(found), &expected);
        let state = match self.remembered {
            _ if !is_as_written => SyncState::Drifted,
            Some(remembered) => since(remembered, found, &expected, self.now),
            None => SyncState::InSync,
        };
        match state {
            SyncState::InSync | SyncState::Touched if !is_current => SyncState::Outdated,
            state => state,
        }
    }

    /// The items that somebody else put into a Secret of ours.
    fn extra(&self, found: &ObjectMeta) -> BTreeSet<ItemName> {
        extra_items(managed_fields(found), &self.fields(self.manner(Some(found))))
    }

    /// The fields to remove when one request takes the whole Secret over; `None` if an apply does the work.
    ///
    /// An apply removes the fields that we put there before and no longer want. So it serves if we hold fields
    /// of the Secret, and sealed-secrets hasn't written it since. Otherwise it would take two requests, because
    /// an apply can neither take fields from their makers nor remove what they put there.
    pub(super) fn taken_over(&self, found: &ObjectMeta) -> Option<FieldSet> {
        let managed = managed_fields(found);
        let expected = self.fields(self.manner(Some(found)));
        let patch = is_true(found, PATCH);
        let is_ours = matches!(self.whose(Some(found)), SecretState::Ours(_));
        let by_sealed_secrets = is_ours || patch || is_true(found, SKIP_SET_OWNER_REFERENCES);
        let left = if !is_ours && is_true(found, MANAGED) && !patch {
            Some(all_content(found).without(&expected))
        } else if by_sealed_secrets {
            of_sealed_secrets(managed, &expected, patch)
        } else {
            None
        };
        let left = left.or_else(|| held(managed).is_none().then(FieldSet::default))?;
        Some(left.union(put_by_us(managed).without(&expected)).without(&applied_by_others(managed)))
    }

    /// The reference to a SealedSecret of this name that controls the Secret.
    fn controlling<'m>(&self, found: &'m ObjectMeta) -> Option<&'m OwnerReference> {
        controller(found).filter(|owner| is_ours(owner, self.sealed.place()))
    }
}

/// All content of a Secret that its metadata shows. Values that no manager owns are not included.
fn all_content(found: &ObjectMeta) -> FieldSet {
    let labels = found.labels.iter().flatten().map(|(key, _)| key);
    let annotations = found.annotations.iter().flatten().map(|(key, _)| key);
    FieldSet::of_metadata(labels, annotations).union(updated(managed_fields(found)))
}

/// All annotations that [`Owner::classify`] needs. No others are kept: kubectl's last-applied-configuration
/// holds the values of Secrets that somebody applied in plain.
pub(super) const ANNOTATIONS: [&str; 6] =
    [ADOPT_ANNOTATION, DIGEST_ANNOTATION, NOT_TAKEN_OVER, MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES];

/// Whether a Secret may be ours, given its metadata without managedFields, and these as text. If not,
/// [`Owner::classify`] needs no managedFields: a cluster holds many such Secrets, and managedFields are most of
/// their metadata.
pub(super) fn may_have_part(metadata: &ObjectMeta, managed: &str) -> bool {
    match controller(metadata) {
        Some(owner) => group(owner).is_some(),
        // Ours without an owner, ours before somebody replaced it, or one of sealed-secrets without an owner. The
        // API server writes no letter of a manager's name as an escape.
        None => managed.contains(FIELD_MANAGER) || is_true(metadata, SKIP_SET_OWNER_REFERENCES),
    }
}

/// Whether a Secret without an owner is one of ours: it has a digest, which we wrote, and either we own its
/// type, because we made it or took all of it over, or it permits us to put items in (`patch`). Its
/// SealedSecret didn't want to own it, or was deleted without it, or somebody took the reference away.
///
/// The annotation alone isn't enough. It is text, and people and tools that make one Secret from another copy
/// it. Then a foreign Secret would count as ours, and a SealedSecret of its name would write over it. The API
/// server records the owner of a field, and records our name only for a client that gives our name. A client
/// that may do so to a Secret may change the Secret anyway.
///
/// Nor is the digest's owner enough: a Secret that somebody only lends us (`patch`) is theirs again once they
/// remove the annotation.
fn is_unowned_ours(found: &ObjectMeta) -> bool {
    let ours = owned(managed_fields(found));
    annotation(found, DIGEST_ANNOTATION).is_some()
        && ours.has_digest()
        && (ours.has_type() || is_true(found, PATCH))
}

/// Whether a Secret is immutable, by its managedFields.
pub(super) fn is_immutable(found: &ObjectMeta) -> bool {
    any_immutable(managed_fields(found))
}

fn managed_fields(metadata: &ObjectMeta) -> &[ManagedFieldsEntry] {
    metadata.managed_fields.as_deref().unwrap_or_default()
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// An owner reference, by which the Secret stays as long as this SealedSecret is there.
///
/// `blockOwnerDeletion` is false: we want no finalizer, and true would need a permission on finalizers.
pub(super) fn owner(group: Group, place: &Place, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: group.api_version.to_owned(),
        kind: group.kind.to_owned(),
        name: place.name.to_string(),
        uid: uid.to_owned(),
        controller: None,
        block_owner_deletion: Some(false),
    }
}

/// The uid of the native SealedSecret of this name that controls the Secret.
pub(super) fn native_owner<'m>(found: &'m ObjectMeta, name: &str) -> Option<&'m str> {
    let owner = controller(found)?;
    let is_native = group(owner) == Some(Group::NATIVE) && owner.name == name;
    is_native.then_some(owner.uid.as_str())
}

/// The group of an owner that is a SealedSecret; `None` for any other owner.
fn group(owner: &OwnerReference) -> Option<Group> {
    Group::find(&owner.api_version, &owner.kind)
}

/// Whether the owner is a SealedSecret of this name, of either format and with any uid: an object that was
/// deleted and made again, or has moved from one format to the other, keeps its Secret.
fn is_ours(owner: &OwnerReference, place: &Place) -> bool {
    group(owner).is_some() && owner.name == place.name.as_str()
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn is_true(metadata: &ObjectMeta, key: &str) -> bool {
    annotation(metadata, key) == Some("true")
}

#[cfg(test)]
pub(super) mod tests;
