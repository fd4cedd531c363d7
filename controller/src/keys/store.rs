//! The seam between the keys and where they are kept.
//!
//! The Kubernetes API implements it ([`super::cluster`]), and memory in tests. A store reads and writes as it
//! is told, and decides nothing. Invariants: a Secret is created by a POST, which can't overwrite one; a note
//! and a status are written only onto the version that they were decided on.

use std::future::Future;

use seal_crds::keys::stored::StoredKey;
use seal_crds::resources::{SealingKey, SealingKeyStatus};
use zeroize::Zeroizing;

use super::backups::{Backups, PublishBackup};
use super::bitnami::tls_secret::TlsSecret;
use super::deletion::Release;
use super::holder::Holder;
use super::lifecycle::Raise;
use super::loaded::Loaded;
use super::published::Published;
use crate::failure::Failure;
use crate::store::{Notice, Reported};

/// The store of the private halves, the SealingKeys and the keys of sealed-secrets.
///
/// # Errors
///
/// Every request fails with a transient failure.
pub(crate) trait KeyStore: Send + Sync + 'static {
    /// Loads the private halves, and takes the time from the same answer. The backups aren't looked at.
    fn load(&self) -> impl Future<Output = Result<Loaded, Failure>> + Send;

    /// Tells which backups are published. Makes no request if there are none to publish.
    fn backups(&self, holders: &[Holder]) -> impl Future<Output = Result<Backups, Failure>> + Send;

    /// Creates the ConfigMap of a backup, or corrects the one that was found.
    fn publish_backup(&self, backup: &PublishBackup) -> impl Future<Output = Result<Tried, Failure>> + Send;

    /// Lists the SealingKeys. These Secrets hold the private halves, and so decide which SealingKeys are
    /// kept.
    fn published(&self, holders: &[Holder]) -> impl Future<Output = Result<Published, Failure>> + Send;

    /// Creates the Secret of this name for a new key, with the state Active noted on it.
    fn create(&self, name: &str, key: &StoredKey) -> impl Future<Output = Result<Tried, Failure>> + Send;

    /// Notes a state beside a private half, and holds the Secret by the finalizer of sealing keys. There the note stays,
    /// even if somebody deletes or changes the SealingKey.
    fn note(&self, raise: &Raise) -> impl Future<Output = Result<Tried, Failure>> + Send;

    /// Takes the finalizer of sealing keys from a Secret that is being deleted, so that it goes.
    fn release(&self, release: &Release) -> impl Future<Output = Result<Tried, Failure>> + Send;

    /// Creates a SealingKey, and returns it as it was created; `None` if its name is taken.
    fn publish(&self, key: &SealingKey) -> impl Future<Output = Result<Option<SealingKey>, Failure>> + Send;

    /// Writes the whole status of a SealingKey.
    fn say(
        &self,
        key: &SealingKey,
        status: &SealingKeyStatus,
    ) -> impl Future<Output = Result<Reported, Failure>> + Send;

    /// Tells people of a SealingKey. The notice may be lost.
    fn announce(&self, key: &SealingKey, notice: &Notice) -> impl Future<Output = ()> + Send;

    /// Loads the Secrets that sealed-secrets would take for its keys, by their label and by their name.
    fn load_bitnami(&self) -> impl Future<Output = Result<Vec<TlsSecret>, Failure>> + Send;

    /// Creates a Secret for a key of sealed-secrets' kind, from its JSON.
    fn create_bitnami(
        &self,
        secret: Zeroizing<Vec<u8>>,
    ) -> impl Future<Output = Result<Tried, Failure>> + Send;

    /// Tells people of the Secret of a key of sealed-secrets' kind. The notice may be lost.
    fn announce_bitnami(&self, name: &str, notice: &Notice) -> impl Future<Output = ()> + Send;
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The write is done.
    Done,
    /// Somebody was quicker: the name is taken, or the object has changed or is gone. The next step decides
    /// on the present state.
    Overtaken,
}
