//! The loaded keys: the private halves, and the public facts about the Secrets that hold them ([`Holder`]).
//!
//! [`super::lifecycle`] decides on the keys' states.
//!
//! Invariant: a Secret that isn't a sealing key is passed over with the reason, and keeps no other from being
//! loaded.

use std::cmp::Reverse;

use seal_crds::keys::stored::{KeySecretList, NotAKey};
use seal_crds::keys::{Fingerprint, Identity};

use super::backups::Backups;
use super::holder::Holder;
use super::server_time::ServerTime;

/// The keys of the controller's namespace, the newest first.
#[derive(Default)]
pub(crate) struct Loaded {
    /// The private halves, in the order of `holders`.
    pub(super) identities: Vec<Identity>,
    /// The Secrets that hold the private halves.
    pub(super) holders: Vec<Holder>,
    /// The Secrets that a later version of the controller made, by the fingerprint of their recipient if they
    /// have one. Their keys aren't loaded, but don't count as lost.
    pub(super) later: Vec<Option<Fingerprint>>,
    /// The Secrets with the label of sealing keys that hold none, by name.
    pub(super) problems: Vec<(String, NotAKey)>,
    /// The time at which they were loaded.
    pub(super) time: ServerTime,
    /// The backups of the keys, and which of them are published.
    pub(super) backups: Backups,
}

impl From<KeySecretList> for Loaded {
    fn from(list: KeySecretList) -> Self {
        let mut loaded = Self::default();
        let mut keys = Vec::new();
        for secret in list.items {
            let name = secret.metadata.name.clone().unwrap_or_default();
            match secret.into_key() {
                Ok((metadata, mut key)) => keys.push((Holder::new(metadata, &mut key), key.identity)),
                Err(problem) => {
                    if let NotAKey::LaterVersion(fingerprint) = problem {
                        loaded.later.push(fingerprint);
                    }
                    loaded.problems.push((name, problem));
                }
            }
        }
        keys.sort_by_key(|(holder, _)| Reverse(holder.sequence));
        (loaded.holders, loaded.identities) = keys.into_iter().unzip();
        loaded
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use seal_crds::keys::stored::{Note, RESTORE_MANAGER, StoredKey};
    use seal_crds::resources::{KeyState, STATE_ANNOTATION};
    use serde_json::{Value, json};

    use super::*;

    /// A Secret as the controller makes it.
    fn secret(name: &str, sequence: i64) -> Value {
        let created_at = Time(Timestamp::UNIX_EPOCH);
        let key = StoredKey { identity: Identity::generate(), sequence, created_at, recovery: None };
        serde_json::from_slice(&key.to_json(name, KeyState::Active)).unwrap()
    }

    fn load(secrets: &[Value]) -> Loaded {
        serde_json::from_value::<KeySecretList>(json!({ "items": secrets })).unwrap().into()
    }

    /// managedFields of somebody who wrote the note and the private half.
    fn written_by(manager: &str) -> Value {
        let fields = json!({
            "f:data": {"f:identity": {}},
            "f:metadata": {"f:annotations": {".": {}, "f:sealing.dev/state": {}}},
        });
        json!([{"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}])
    }

    #[test]
    fn who_wrote_the_note_and_the_private_half_is_known() {
        let noted = |text: &str, manager: &str| {
            let mut secret = secret("k", 1);
            secret["metadata"]["annotations"][STATE_ANNOTATION] = json!(text);
            secret["metadata"]["managedFields"] = written_by(manager);
            let holder = load(&[secret]).holders.remove(0);
            (holder.note, holder.is_noted_by_us, holder.is_made_by_us)
        };
        assert_eq!(noted("Retiring", "seal-controller"), (Note::Says(KeyState::Retiring), true, true));
        assert_eq!(noted("Revoked", "kubectl-create"), (Note::Says(KeyState::Revoked), false, false));
        // Only --keep-primary notes Active under this name. A saved Secret says Active too, under another.
        assert_eq!(noted("Active", "kubectl-create"), (Note::Says(KeyState::Active), false, false));
        assert_eq!(noted("Active", RESTORE_MANAGER), (Note::Says(KeyState::Active), true, false));
        assert_eq!(noted("Retiring", RESTORE_MANAGER), (Note::Says(KeyState::Retiring), false, false));
        assert_eq!(noted("active", "seal-controller"), (Note::Unreadable, true, true));
    }

    #[test]
    fn a_deletion_that_a_finalizer_holds_is_seen_and_when_the_secret_was_made() {
        let mut held = secret("k", 1);
        held["metadata"]["creationTimestamp"] = json!("2026-02-01T00:00:00Z");
        let before = load(&[held.clone()]).holders.remove(0);
        assert_eq!((before.deleted_at, before.is_held), (None, true));
        assert_eq!(before.stored_at, "2026-02-01T00:00:00Z");
        held["metadata"]["deletionTimestamp"] = json!("2026-02-02T00:00:00Z");
        held["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
        let after = load(&[held]).holders.remove(0);
        let deleted_at = "2026-02-02T00:00:00Z".parse().ok();
        assert_eq!((after.deleted_at, after.is_held), (deleted_at, false));
    }

    #[test]
    fn the_newest_is_first_and_what_is_no_key_keeps_none_from_being_loaded() {
        let (mut broken, mut later) = (secret("broken", 3), secret("later", 4));
        broken["data"]["identity"] = json!("!!");
        later["data"]["format"] = json!("Mw==");
        let loaded = load(&[secret("old", 1), broken, secret("new", 2), later]);
        let holders: Vec<_> = loaded.holders.iter().map(|holder| holder.secret.as_str()).collect();
        assert_eq!(holders, ["new", "old"]);
        let fingerprints = loaded.holders.iter().map(|holder| holder.recipient.fingerprint());
        assert!(fingerprints.eq(loaded.identities.iter().map(Identity::fingerprint)));
        assert!(matches!(loaded.later[..], [Some(_)]), "by its recipient");
        let problems: Vec<_> = loaded.problems.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(problems, ["broken", "later"]);
    }
}
