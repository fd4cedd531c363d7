//! The steps of a look that change something: a key is made with its backup, states are noted, and backups and keys are
//! published.
//!
//! [`super::lifecycle`] decides on a step, and this file carries it out. Invariants: a key is made by one request, with its
//! backup in it, so there is never a key without the backup that it should have. A note that couldn't be written stops the
//! notes after it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use seal_crds::Reason;
use seal_crds::keys::stored::{Recovery, StoredKey};
use seal_crds::keys::{Identity, Recipient, backup};
use seal_crds::resources::SEALING_KEY_LABEL;

use super::Keys;
use super::backups::PublishBackup;
use super::lifecycle::{Make, Publish, Raise, Step};
use super::loaded::Loaded;
use super::store::{KeyStore, Tried};
use crate::failure::Failure;

impl<S: KeyStore> Keys<S> {
    /// Makes or publishes what this step says; `false` if it says nothing of the kind.
    pub(super) async fn act(
        &self,
        step: &Step,
        made: &mut Option<String>,
        loaded: &Loaded,
    ) -> Result<bool, Failure> {
        match step {
            Step::Make(key) if made.as_ref() == Some(&key.name) => Err(unreadable(&key.name, loaded)),
            Step::Make(key) => {
                self.make(key).await?;
                *made = Some(key.name.clone());
                Ok(true)
            }
            Step::Publish(backups, keys) => self.publish(backups, keys).await.map(|()| true),
            Step::Raise(_) | Step::Say => Ok(false),
        }
    }

    /// Makes a key with its backup, in one request.
    async fn make(&self, key: &Make) -> Result<(), Failure> {
        let Make { name, sequence, created_at, recovery } = key;
        let (identity, created_at) = (Identity::generate(), Time(*created_at));
        let fingerprint = identity.fingerprint();
        let recovery = backed_up(&identity, *sequence, &created_at, recovery)?;
        let stored = StoredKey { identity, sequence: *sequence, created_at, recovery };
        // Before the request: it may succeed although its answer is lost.
        self.arrivals.make(fingerprint);
        // If somebody was quicker, their key is the one of this name.
        if self.store.create(name, &stored).await? == Tried::Done {
            tracing::info!(key = name, %fingerprint, "made a sealing key");
        }
        Ok(())
    }

    pub(super) async fn raise(&self, raises: &[Raise]) -> Result<(), Failure> {
        for raise in raises {
            // The notes have an order, so a note that wasn't written stops the later ones.
            if self.store.note(raise).await? == Tried::Overtaken {
                return Ok(());
            }
            tracing::info!(secret = raise.secret, state = ?raise.floor, "noted the state of a sealing key");
        }
        Ok(())
    }

    /// Publishes the backups, and then the keys: once a key is published, its name isn't secret, and somebody could take
    /// that of its backup. One that can't be published holds up no other.
    ///
    /// # Errors
    ///
    /// The first failure.
    async fn publish(&self, backups: &[PublishBackup], keys: &[Publish]) -> Result<(), Failure> {
        let mut failed = None;
        for backup in backups {
            match self.store.publish_backup(backup).await {
                Ok(Tried::Done) => {
                    let fingerprint = backup.fingerprint;
                    tracing::info!(config_map = backup.config_map.metadata.name, %fingerprint, "published a backup");
                }
                // The next step looks at what is there.
                Ok(Tried::Overtaken) => {}
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        for Publish { key, fingerprint } in keys {
            match self.store.publish(key).await {
                Ok(Some(created)) => {
                    tracing::info!(key = created.metadata.name, %fingerprint, "published the sealing key");
                }
                // Somebody has taken the name; the next step looks at their SealingKey.
                Ok(None) => {}
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The recovery set of a new key with the key's backup; `None` if the set is empty.
fn backed_up(
    identity: &Identity,
    sequence: i64,
    created_at: &Time,
    recipients: &[Recipient],
) -> Result<Option<Recovery>, Failure> {
    if recipients.is_empty() {
        return Ok(None);
    }
    let failed = |why: String| {
        Failure::new(Reason::BackupFailed, format!("a new sealing key can't be backed up: {why}"))
    };
    let backup = backup::encrypt(identity, sequence, created_at, recipients);
    let backup = backup.map_err(|error| failed(error.to_string()))?;
    let recovery = Recovery::new(recipients.iter().cloned(), backup);
    recovery.map(Some).ok_or_else(|| failed("there are too many recovery recipients".to_owned()))
}

/// The failure if something else has the name of the key to make.
fn unreadable(name: &str, loaded: &Loaded) -> Failure {
    let problem = match loaded.problems.iter().find(|(secret, _)| secret == name) {
        Some((_, problem)) => problem.to_string(),
        None => format!("it has no label {SEALING_KEY_LABEL}"),
    };
    Failure::new(
        Reason::KeyUnreadable,
        format!(
            "Secret {name} exists, but isn't a sealing key: {problem}; restore it from the backup, or give it another name"
        ),
    )
}
