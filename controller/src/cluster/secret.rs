//! A Secret, by its metadata: whose it is, whether it is right, and how it is to be written.
//!
//! Not the decision to write, and not the request ([`super::body`]). Invariant: whether a Secret is ours, somebody
//! else's, or in sync is decided from metadata alone.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use seal_crds::resources::bitnami::{MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES};
use seal_crds::resources::{ADOPT_ANNOTATION, DIGEST_ANNOTATION, Group, NOT_TAKEN_OVER, SecretVersion};
use seal_crds::{Format, ItemName, Place, Sealed};

use super::evidence::{is_same_secret, since, version};
use super::fields::{
    FieldSet, any_immutable, applied, applied_by_others, extra_items, of_the_peer, owned, owns_exactly,
    updated,
};
use crate::store::{Observed, State, Target, Written};

/// The SealedSecret on whose behalf a Secret is looked at or written.
pub(super) struct Owner<'a> {
    pub(super) sealed: &'a dyn Sealed,
    pub(super) uid: &'a str,
    /// Whether Secrets of the peer's format outlive their SealedSecrets.
    pub(super) orphans: bool,
    /// The Secret as the status remembers it.
    pub(super) remembered: Option<&'a SecretVersion>,
    /// Whether the status, ours or the peer's, says of this generation that the Secret has been what it says.
    pub(super) is_said: bool,
    pub(super) now: Timestamp,
}

/// How a Secret is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// With an owner reference, so that it goes with its SealedSecret.
    pub(super) reference: bool,
    /// With its type. One that is somebody's, and only has our items put in, keeps its own.
    pub(super) type_: bool,
}

impl Owner<'_> {
    /// How this Secret is written; none is one that is about to be made.
    ///
    /// What is annotated with the peer's `patch` belongs to somebody else and outlives us, unless `managed` gives it
    /// to us beside; one that we made ourselves stays ours.
    pub(super) fn manner(&self, found: Option<&ObjectMeta>) -> Manner {
        let owned = self.sealed.shape().owned && !(self.orphans && self.sealed.format() == Format::Bitnami);
        let Some(found) = found else { return Manner { reference: owned, type_: true } };
        let patch = is_true(found, PATCH);
        let lent = patch && !is_true(found, MANAGED) && self.controlling(found).is_none();
        // A type that we have applied before can't be left out: it would be taken away.
        let type_ = !patch || applied(managed_fields(found)).is_some_and(|fields| fields.has_type());
        Manner { reference: owned && !lent, type_ }
    }

    /// The fields an apply owns.
    pub(super) fn fields(&self, manner: Manner) -> FieldSet {
        FieldSet::expected(self.sealed.shape(), manner.reference.then_some(self.uid), manner.type_)
    }

    /// Says that the object controls the Secret.
    pub(super) fn reference(&self) -> OwnerReference {
        let owner = owner(self.group(), self.sealed.place(), self.uid);
        OwnerReference { controller: Some(true), ..owner }
    }

    /// The uids of the owner references that an apply has to remove. One object has one controller, and the apiserver
    /// refuses a second beside it; and where none is wanted, any of ours would have the Secret deleted with us.
    pub(super) fn removed_uids<'m>(&self, found: &'m ObjectMeta) -> Vec<&'m str> {
        let wanted = self.manner(Some(found)).reference;
        let controlling = self.controlling(found);
        let owners = found.owner_references.iter().flatten();
        let goes = |owner: &&OwnerReference| {
            if owner.uid == self.uid { !wanted } else { controlling.is_some_and(|it| it.uid == owner.uid) }
        };
        owners.filter(goes).map(|owner| owner.uid.as_str()).collect()
    }

    /// What a Secret's metadata says of it.
    pub(super) fn classify(&self, found: Option<&ObjectMeta>) -> Target {
        match (self.whose(found), found) {
            (Target::Ours(State::Drifted) | Target::Foreign { adoptable: true }, Some(found))
                if self.is_fixed(found) =>
            {
                Target::Fixed
            }
            (target, _) => target,
        }
    }

    /// Whether a Secret that isn't from this object as it stands is immutable, so that its values stay whatever the
    /// object says.
    ///
    /// The threat: the API server takes an apply over an immutable Secret if its values are the same, and refuses it if
    /// not. Whoever may edit the object, but not read the Secret, would learn by each edit whether a value is what they
    /// guess, or what a template makes of it. So that is decided from metadata, and nothing is opened or sent. What was
    /// made for another format, or isn't ours, may be taken over once: a try that fails is noted on the Secret
    /// ([`NOT_TAKEN_OVER`]) and stays the last, whichever object comes.
    ///
    /// Who else says `immutable` may as well say false; that can't be told, and isn't worth the question.
    fn is_fixed(&self, found: &ObjectMeta) -> bool {
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

    /// Whose it is, and whether it is right.
    fn whose(&self, found: Option<&ObjectMeta>) -> Target {
        let Some(found) = found else { return Target::Absent };
        match controller(found) {
            Some(owner) if !is_ours(owner, self.sealed.place()) => {
                // Whoever controls it would write it back; a permission to adopt doesn't change that.
                Target::Foreign { adoptable: false }
            }
            None if self.is_replaced(found) => Target::Ours(State::Drifted),
            None if !is_unowned_ours(found) || self.is_detached(found) => {
                Target::Foreign { adoptable: self.may_adopt(found) }
            }
            _ => Target::Ours(self.state(found)),
        }
    }

    /// What a Secret's metadata says of it, and of what it holds beside ours.
    pub(super) fn observe(&self, found: Option<&ObjectMeta>) -> Observed {
        let target = self.classify(found);
        let extra = match (target, found) {
            (Target::Ours(_), Some(found)) => self.extra(found),
            _ => BTreeSet::new(),
        };
        Observed { target, extra, left_out: self.sealed.shape().left_out.clone() }
    }

    /// What became of a write over `before`; none is a Secret that was made.
    pub(super) fn written(&self, before: Option<&ObjectMeta>, after: &ObjectMeta) -> Written {
        Written {
            changed: before.is_none_or(|before| before.resource_version != after.resource_version),
            version: version(after),
            extra: self.extra(after),
        }
    }

    /// Whether somebody put another object in the place of a Secret of ours, as `kubectl replace` does: all that told
    /// whose it is went with what it was. It has the uid that it had when we last wrote it, and its type is still ours,
    /// which no replacement changes; one that was only lent to us never had our type, and is its owner's again.
    fn is_replaced(&self, found: &ObjectMeta) -> bool {
        self.remembered.is_some_and(|remembered| is_same_secret(remembered, found))
            && applied(managed_fields(found)).is_some_and(|fields| fields.has_type())
            && annotation(found, DIGEST_ANNOTATION).is_none()
    }

    /// Whether somebody has taken the owner reference away from a Secret that we last wrote with one, and nothing
    /// else: so it stays when its SealedSecret goes, and is no longer kept right. The garbage collector does that for
    /// `--cascade=orphan`, and a reference that came back would have it delete the Secret after all. In the peer's
    /// format references come and go with an annotation and a flag.
    fn is_detached(&self, found: &ObjectMeta) -> bool {
        self.sealed.format() == Format::Native
            && self.manner(Some(found)).reference
            && self.remembered.is_some_and(|remembered| is_same_secret(remembered, found))
    }

    /// Whether the Secret says that it may be taken over: to us by name, or to whichever SealedSecret has its name, in
    /// the peer's words. What the peer made for a SealedSecret that doesn't own its Secret says so in an annotation
    /// that speaks to the peer and permits nothing; text gets copied, so the peer's hand must show in it.
    fn may_adopt(&self, found: &ObjectMeta) -> bool {
        annotation(found, ADOPT_ANNOTATION) == Some(self.sealed.place().name.as_str())
            || is_true(found, MANAGED)
            || is_true(found, PATCH)
            || (is_true(found, SKIP_SET_OWNER_REFERENCES)
                && !self.sealed.shape().owned
                && self.is_by_peer(found))
    }

    fn is_by_peer(&self, found: &ObjectMeta) -> bool {
        let expected = self.fields(self.manner(Some(found)));
        of_the_peer(managed_fields(found), &expected, false).is_some()
    }

    fn state(&self, found: &ObjectMeta) -> State {
        let manner = self.manner(Some(found));
        let expected = self.fields(manner);
        let is_as_written = annotation(found, DIGEST_ANNOTATION) == Some(&self.sealed.digest().to_string())
            && controller(found).cloned() == manner.reference.then(|| self.reference())
            && self.removed_uids(found).is_empty()
            && owns_exactly(managed_fields(found), &expected);
        match self.remembered {
            _ if !is_as_written => State::Drifted,
            Some(remembered) => since(remembered, found, &expected, self.now),
            None => State::Right,
        }
    }

    /// Items that somebody else put into a Secret of ours.
    fn extra(&self, found: &ObjectMeta) -> BTreeSet<ItemName> {
        extra_items(managed_fields(found), &self.fields(self.manner(Some(found))))
    }

    /// What goes from a Secret that is taken over as a whole, in one request; `None` where an apply does.
    ///
    /// An apply removes what we applied before and no longer do, so it serves wherever we have applied and the peer
    /// had no hand in the Secret since. Elsewhere it would take two requests, since it can neither take
    /// fields from those who made them nor remove what those put there.
    pub(super) fn taken_over(&self, found: &ObjectMeta) -> Option<FieldSet> {
        let managed = managed_fields(found);
        let expected = self.fields(self.manner(Some(found)));
        let patch = is_true(found, PATCH);
        let is_ours = matches!(self.whose(Some(found)), Target::Ours(_));
        let by_peer = is_ours || patch || is_true(found, SKIP_SET_OWNER_REFERENCES);
        let left = if !is_ours && is_true(found, MANAGED) && !patch {
            Some(all_content(found).without(&expected))
        } else if by_peer {
            of_the_peer(managed, &expected, patch)
        } else {
            None
        };
        let left = left.or_else(|| applied(managed).is_none().then(FieldSet::default));
        Some(left?.without(&applied_by_others(managed)))
    }

    /// The owner reference that makes the Secret ours.
    fn controlling<'m>(&self, found: &'m ObjectMeta) -> Option<&'m OwnerReference> {
        controller(found).filter(|owner| is_ours(owner, self.sealed.place()))
    }
}

/// Everything in a Secret that can be told from its metadata. Values that nobody is written down for aren't among it.
fn all_content(found: &ObjectMeta) -> FieldSet {
    let labels = found.labels.iter().flatten().map(|(key, _)| key);
    let annotations = found.annotations.iter().flatten().map(|(key, _)| key);
    FieldSet::of_metadata(labels, annotations).union(updated(managed_fields(found)))
}

/// All annotations that [`Owner::classify`] needs. Others aren't kept: kubectl's last-applied-configuration holds the
/// values of Secrets that were applied in plain.
pub(super) const ANNOTATIONS: [&str; 6] =
    [ADOPT_ANNOTATION, DIGEST_ANNOTATION, NOT_TAKEN_OVER, MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES];

/// Drops the managedFields of what isn't ours, which [`Owner::classify`] doesn't need: a cluster holds many such
/// Secrets, and they are most of their metadata.
pub(super) fn trim(metadata: &mut ObjectMeta) {
    let has_part = match controller(metadata) {
        Some(owner) => group(owner).is_some(),
        // Ours without an owner, ours once and replaced, or the peer's without an owner.
        None => !owned(managed_fields(metadata)).is_empty() || is_true(metadata, SKIP_SET_OWNER_REFERENCES),
    };
    if !has_part {
        metadata.managed_fields = None;
    }
}

/// Whether a Secret without an owner is one of ours: it has a digest, which we wrote, and either its type is ours, so
/// that we made it or took it over as a whole, or it says that items may be put in. Its SealedSecret didn't want to
/// own it, or was deleted without it, or somebody took the reference away.
///
/// The annotation alone would not do. It is text, and text gets copied: by who makes one Secret from another, by a
/// tool that mirrors Secrets with their annotations. A foreign Secret would be ours then, and be written over by a
/// SealedSecret of its name. Who owns a field is written down by the API server, which writes our name for
/// nobody who doesn't ask for it; and who may do that to a Secret may change it anyway.
///
/// Nor would the digest's owner do alone: what somebody lends us (`patch`) is theirs again when they no longer say so.
fn is_unowned_ours(found: &ObjectMeta) -> bool {
    let ours = owned(managed_fields(found));
    annotation(found, DIGEST_ANNOTATION).is_some()
        && ours.has_digest()
        && (ours.has_type() || is_true(found, PATCH))
}

/// Whether a Secret is immutable, as far as its managedFields show.
pub(super) fn is_immutable(found: &ObjectMeta) -> bool {
    any_immutable(managed_fields(found))
}

fn managed_fields(metadata: &ObjectMeta) -> &[ManagedFieldsEntry] {
    metadata.managed_fields.as_deref().unwrap_or_default()
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// Says that the Secret stays as long as this SealedSecret is there.
///
/// `blockOwnerDeletion: false`: no finalizer is wanted, and true would need a permission on finalizers.
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

/// The group of a SealedSecret; none where the owner is anything else.
fn group(owner: &OwnerReference) -> Option<Group> {
    Group::find(&owner.api_version, &owner.kind)
}

/// Any uid, and either format: an object that was deleted and made again, or has moved from one to the other, keeps
/// its Secret.
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
