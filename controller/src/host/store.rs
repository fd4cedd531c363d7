//! Host mode as a [`Store`]: what the reconcile core sees of a checkout and an output directory.
//!
//! A translation and nothing else: files to objects, directories to targets, errors to failures. Invariant: a
//! message holds fixed words, validated names, file names from the checkout, and keys of a manifest that look
//! like keys. Of an operating system's error it holds only the kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seal_crds::hex::hex;
use seal_crds::resources::{Group, SealedSecretStatus};
use seal_crds::{ItemName, Place, Plaintext, Reason, Sealed};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::directory::{DirectoryState, DirectoryStore};
use super::manifests;
use super::status::StatusFiles;
use super::volume::VolumeError;
use crate::decode::{RawObject, decode};
use crate::failure::Failure;
use crate::policy::Policy;
use crate::store::{
    Last, Notice, Observed, Reported, Requests, SecretState, Store, Successor, SyncState, Write, Written,
};

/// The SealedSecret of the checkout for one place, or all of them if several claim that place.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    place: Place,
    found: Arc<manifests::Declared>,
    revision: String,
}

impl Object {
    /// An object from what was found in the checkout for a place.
    pub(crate) fn new(place: Place, found: manifests::Declared) -> Self {
        let revision = revision(&found);
        Self { place, found: Arc::new(found), revision }
    }

    /// The namespace and name of the Secret.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// A hash that changes with the object and with the place of its manifest.
    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }
}

/// SHA-256 of the manifest as it stands and of its file's name. A new hash counts up the generation here, as
/// a change counts up `metadata.generation` in a cluster.
fn revision(found: &manifests::Declared) -> String {
    let text = match found {
        manifests::Declared::Once(manifest) => {
            let manifests::Declaration { origin, api_version, parts, .. } = manifest;
            match parts {
                Ok(parts) => format!("{origin}\n{api_version}\n{:?}\n{}", parts.annotations, parts.spec),
                Err(error) => format!("{origin}\n{api_version}\n{error}"),
            }
        }
        manifests::Declared::Several(_, sources) => format!("{sources:?}"),
    };
    hex(&Sha256::digest(text))
}

/// The content of a status file: the status as in a cluster, and the manifest that it speaks of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StatusFile {
    /// The manifest's file and document number; empty if several manifests claim the place.
    manifest: String,
    /// The manifest's [`revision`]; `status.observedGeneration` counts its changes.
    revision: String,
    status: SealedSecretStatus,
}

/// Secrets as files and statuses as files.
#[derive(Debug)]
pub(crate) struct HostStore {
    /// The Secrets.
    pub(crate) directory: DirectoryStore,
    /// The statuses.
    pub(crate) status: StatusFiles,
}

impl Store for HostStore {
    type Object = Object;

    fn place(&self, object: &Object) -> Result<Place, Failure> {
        Ok(object.place.clone())
    }

    /// Always `None`: of two formats for one place, [`manifests`](super::manifests) has already left one out.
    async fn successor(&self, _: &Object) -> Result<Option<Successor>, Failure> {
        Ok(None)
    }

    async fn share(&self, _: &Object) -> Result<(), Failure> {
        Ok(())
    }

    fn decode(object: &Object, last: &Last, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure> {
        let manifest = match &*object.found {
            manifests::Declared::Once(manifest) => manifest,
            manifests::Declared::Several(_, sources) => return Err(several(sources)),
        };
        let version = Group::of(manifest.format).api_version;
        if manifest.api_version != version {
            let message = format!("the manifest's apiVersion is not {version}, the one this program knows");
            return Err(Failure::new(Reason::UnknownVersion, message));
        }
        let parts =
            manifest.parts.as_ref().map_err(|error| Failure::new(Reason::Malformed, error.to_string()))?;
        let raw = RawObject {
            format: manifest.format,
            place: object.place.clone(),
            annotations: &parts.annotations,
            spec: &parts.spec,
            status: last.status.as_ref(),
        };
        decode(raw, policy)
    }

    fn last(&self, object: &Object) -> Last {
        let format = object.found.format();
        let Some(file) = self.status.read::<StatusFile>(&object.place) else {
            return Last { format, generation: 1, ..Last::default() };
        };
        let changed = i64::from(file.revision != object.revision);
        let generation = file.status.observed_generation.max(0).saturating_add(changed);
        Last { format, generation, status: Some(file.status), requests: Requests::default() }
    }

    async fn observe(&self, object: &Object, sealed: &dyn Sealed) -> Result<Observed, Failure> {
        let place = &object.place;
        let found = self.directory.observe(place, &sealed.digest().to_string(), &sealed.shape().keys);
        let (state, extra) = match found.map_err(|error| failure(place, error))? {
            DirectoryState::Absent => (SecretState::Absent, BTreeSet::new()),
            // The core's own words for this speak of annotations, and a directory has none.
            DirectoryState::Foreign { why, adoptable: false } => {
                return Err(failure(place, VolumeError::Foreign(why)));
            }
            DirectoryState::Foreign { .. } => (SecretState::Foreign { adoptable: true }, BTreeSet::new()),
            DirectoryState::Ours { current, drift, extra } => {
                if let Some(drift) = &drift {
                    tracing::warn!(%place, %drift, "the Secret isn't as it was written");
                }
                let state = match drift {
                    Some(_) => SyncState::Drifted,
                    None if current => SyncState::InSync,
                    // It is as it was written, so there is nothing to heal.
                    None => SyncState::Outdated,
                };
                (SecretState::Ours(state), extra)
            }
        };
        Ok(Observed { state, extra, left_out: Vec::new() })
    }

    async fn write(
        &self,
        object: &Object,
        sealed: &dyn Sealed,
        _: Write,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<Written, Failure> {
        // The directory store looks again right before it writes, and so finds out by itself whether it
        // makes, changes or takes over a directory.
        let written = self.directory.write(&object.place, &sealed.digest().to_string(), data).await;
        let changed = written.map_err(|error| failure(&object.place, error))?;
        let Observed { extra, .. } = self.observe(object, sealed).await?;
        Ok(Written { changed, version: None, extra })
    }

    /// Nothing bounds a file.
    fn weight(&self, _: &Object) -> usize {
        0
    }

    async fn report(&self, object: &Object, status: &SealedSecretStatus) -> Result<Reported, Failure> {
        let manifest = match &*object.found {
            manifests::Declared::Once(manifest) => manifest.origin.to_string(),
            manifests::Declared::Several(..) => String::new(),
        };
        let file = StatusFile { manifest, revision: object.revision.clone(), status: status.clone() };
        self.status.write(&object.place, &file).map(|_| Reported::UpToDate).map_err(|error| {
            Failure::new(Reason::StatusFailed, format!("can't write the status file: {}", error.kind()))
        })
    }

    /// Writes the notice to the log, which is all that a host has. Warnings are left out: the reconcile has
    /// already logged them.
    async fn notify(&self, object: &Object, notice: &Notice) {
        let (place, reason, message) = (&object.place, notice.reason, &notice.message);
        if !notice.warning {
            tracing::info!(%place, reason, "{message}");
        }
    }
}

fn several(sources: &[manifests::Origin]) -> Failure {
    let named = sources.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let more = match sources.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("the SealedSecret stands in {named}{more}: none of them counts until one is left");
    Failure::new(Reason::Ambiguous, message)
}

fn failure(place: &Place, error: VolumeError) -> Failure {
    match &error {
        VolumeError::Foreign(why) => Failure::new(
            Reason::ForeignSecret,
            format!("{place} isn't ours to write: {why}; it is written once that is gone"),
        ),
        VolumeError::Io { .. } if error.is_full() => {
            Failure::new(Reason::NoSpace, format!("{error}: no space left; the Secret is as it was"))
        }
        VolumeError::Io { source, .. } => {
            Failure::new(Reason::OutputFailed, format!("{error}: {}", source.kind()))
        }
    }
}
