//! The public facts about a Secret that holds the private half of a sealing key.
//!
//! The contract reads the Secret ([`seal_crds::keys::stored`]); this file adds the writer of each part, from the API
//! server's managedFields. Invariant: nothing here holds a private half, or anything that was made of one but the
//! recipient and the backup.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::Recipient;
use seal_crds::keys::stored::{IDENTITY, Note, RESTORE_MANAGER, Recovery, StoredKey};
use seal_crds::resources::{KEY_IN_USE, KeyState, STATE_ANNOTATION};

use crate::cluster::fields::{FieldSet, owned, updated_by};
use crate::conditions::rfc3339;

/// The public facts about a Secret that holds a private half.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// The Secret's name.
    pub(super) secret: String,
    pub(super) resource_version: String,
    pub(super) recipient: Recipient,
    pub(super) sequence: i64,
    /// The creation time, as RFC 3339 in UTC with seconds, so that the order of texts is the order of time.
    pub(super) created_at: String,
    /// The time at which the API server says that it made the Secret; the same form.
    pub(super) stored_at: String,
    /// The recovery set that was fixed when the key was made, with the key's backup.
    pub(super) recovery: Option<Recovery>,
    /// When somebody deleted the Secret, by the API server's clock; a finalizer holds it.
    pub(super) deleted_at: Option<Timestamp>,
    /// The finalizer of sealing keys holds the Secret.
    pub(super) is_held: bool,
    pub(super) note: Note,
    /// The controller wrote the note, by the API server's record; or the note is Active, and `seal keys restore` wrote
    /// it, which does that only for --keep-primary.
    ///
    /// The threat is a mistake: every saved Secret carries the note Active of its time, and must not become the primary
    /// because somebody creates it again. It isn't a person who creates Secrets here: he could plant a primary under any
    /// name of a manager.
    pub(super) is_noted_by_us: bool,
    /// The controller made the Secret, by the API server's record, which whoever creates Secrets can have say so.
    pub(super) is_made_by_us: bool,
}

impl Holder {
    /// Whether somebody has deleted the Secret.
    pub(super) fn is_deleting(&self) -> bool {
        self.deleted_at.is_some()
    }

    pub(super) fn new(metadata: ObjectMeta, key: &mut StoredKey) -> Self {
        let managed = metadata.managed_fields.as_deref().unwrap_or_default();
        let ours = owned(managed);
        let note = Note::of(&metadata);
        let notes = |fields: &FieldSet| fields.annotations().any(|annotation| annotation == STATE_ANNOTATION);
        let is_kept = note == Note::Says(KeyState::Active) && notes(&updated_by(managed, RESTORE_MANAGER));
        Self {
            note,
            is_noted_by_us: is_kept || notes(&ours),
            deleted_at: metadata.deletion_timestamp.map(|time| time.0),
            is_held: metadata.finalizers.iter().flatten().any(|finalizer| finalizer == KEY_IN_USE),
            stored_at: metadata.creation_timestamp.map(|time| rfc3339(time.0)).unwrap_or_default(),
            recovery: key.recovery.take(),
            is_made_by_us: ours.data().any(|item| item == IDENTITY),
            secret: metadata.name.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            recipient: key.identity.recipient().clone(),
            sequence: key.sequence,
            created_at: rfc3339(key.created_at.0),
        }
    }
}
