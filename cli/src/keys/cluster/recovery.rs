//! The requests of backup and restore: the published backups, the keys that there are, and a key's Secret to create.
//!
//! The callers decide. Invariants: a Secret is created by a POST, which can't overwrite one. What the API server says
//! about a body is never repeated, because it may quote a private half; an answer with private halves is wiped, as far
//! as the buffers are ours (the HTTP client's are not).

use std::collections::BTreeMap;

use http::{Request, StatusCode, header};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectList;
use kube::client::Body;
use seal_crds::keys::stored::{KeySecretList, Note, RESTORE_MANAGER};
use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::{GROUP, SEALING_KEY_LABEL, SealingKey, SealingKeyStatus, VERSION};
use zeroize::Zeroizing;

use super::error::ConnectError;
use super::own::Cluster;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The most bytes of a list: more than the most keys, and the most ConfigMaps beside them, take.
const MAX_LIST: usize = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoveryError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{server} doesn't let you {verb} {what} in namespace {namespace} (403)")]
    Forbidden { server: String, verb: &'static str, what: &'static str, namespace: String },
    #[error("{server} has no namespace {namespace}")]
    NoNamespace { server: String, namespace: String },
    #[error("{server} refused to {verb} {what} in namespace {namespace}: status {status}")]
    Refused { server: String, verb: &'static str, what: &'static str, namespace: String, status: u16 },
    #[error("{server} answered with something that isn't a list of {what}")]
    NotAList { server: String, what: &'static str },
}

impl Explain for RecoveryError {
    fn rule(&self) -> Rule {
        Rule::NoCluster
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Connect(error) => error.exit(),
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Connect(error) => return error.hint(),
            Self::Forbidden { what: "configmaps", namespace, .. } => {
                format!("the Role sealing-key-backup-reader of namespace {namespace} lets you; ask for it")
            }
            Self::Forbidden { what: "secrets", .. } => {
                "restoring takes the verbs list and create on secrets of this namespace".to_owned()
            }
            Self::NoNamespace { namespace, .. } => {
                format!(
                    "kubectl create namespace {namespace}, or give the controller's with --controller-namespace"
                )
            }
            Self::Forbidden { .. } | Self::Refused { .. } | Self::NotAList { .. } => return None,
        })
    }
}

/// A Secret that holds a key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldKey {
    pub(crate) secret: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) sequence: i64,
    pub(crate) note: Note,
    pub(crate) is_deleting: bool,
}

/// The keys of a cluster, as far as a key to restore has to fit in.
#[derive(Default)]
pub(crate) struct ClusterKeys {
    pub(crate) held: Vec<HeldKey>,
    /// What the controller has recorded of its keys.
    pub(crate) recorded: BTreeMap<Fingerprint, RecordedKey>,
}

/// What the controller has recorded of a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordedKey {
    pub(crate) sequence: i64,
    /// The recovery set that the key was made with.
    pub(crate) recovery: Vec<Recipient>,
}

/// What came of a Secret to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    Done,
    /// There is a Secret of this name.
    NameTaken,
}

impl Cluster {
    /// The ConfigMaps whose names are those of published backups.
    pub(crate) fn published_backups(&self) -> Result<Vec<ConfigMap>, RecoveryError> {
        let path = format!("/api/v1/namespaces/{}/configmaps", self.namespace());
        let list = self.list_whole(&path, "configmaps")?;
        let list: ObjectList<ConfigMap> = parsed(&list).ok_or_else(|| self.not_a_list("ConfigMaps"))?;
        let is_backup = |map: &ConfigMap| {
            map.metadata.name.as_deref().is_some_and(|name| name.starts_with("sealing-key-backup-"))
        };
        Ok(list.items.into_iter().filter(is_backup).collect())
    }

    /// The keys that there are. Without the definitions, which a new cluster may not have yet, none is recorded.
    pub(crate) fn held_keys(&self) -> Result<ClusterKeys, RecoveryError> {
        let path =
            format!("/api/v1/namespaces/{}/secrets?labelSelector={SEALING_KEY_LABEL}", self.namespace());
        let secrets = self.list_whole(&path, "secrets")?;
        let secrets: KeySecretList = parsed(&secrets).ok_or_else(|| self.not_a_list("Secrets"))?;
        let held = secrets.items.into_iter().filter_map(|secret| secret.into_key().ok());
        let held = held.map(|(metadata, key)| HeldKey {
            fingerprint: key.identity.fingerprint(),
            sequence: key.sequence,
            note: Note::of(&metadata),
            is_deleting: metadata.deletion_timestamp.is_some(),
            secret: metadata.name.unwrap_or_default(),
        });
        let path = format!("/apis/{GROUP}/{VERSION}/namespaces/{}/sealingkeys", self.namespace());
        let (status, body) = self.send_wiped(Request::get(path), Vec::new())?;
        let recorded = match status {
            StatusCode::NOT_FOUND => BTreeMap::new(),
            StatusCode::OK => {
                let list: ObjectList<SealingKey> =
                    parsed(&body).ok_or_else(|| self.not_a_list("SealingKeys"))?;
                recorded(&list.items)
            }
            status => return Err(self.refused_to("list", "sealingkeys", status)),
        };
        Ok(ClusterKeys { held: held.collect(), recorded })
    }

    /// Creates a Secret from its JSON. The API server records who wrote it under a name of its own: by that the
    /// controller tells the note of this command from the one that every backup carries.
    pub(crate) fn create_secret(&self, secret: &Zeroizing<Vec<u8>>) -> Result<Created, RecoveryError> {
        let path = format!("/api/v1/namespaces/{}/secrets?fieldManager={RESTORE_MANAGER}", self.namespace());
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        match self.send_wiped(request, secret.to_vec())?.0 {
            StatusCode::CREATED | StatusCode::OK => Ok(Created::Done),
            StatusCode::CONFLICT => Ok(Created::NameTaken),
            status => Err(self.refused_to("create", "secrets", status)),
        }
    }

    fn list_whole(&self, path: &str, what: &'static str) -> Result<Zeroizing<Vec<u8>>, RecoveryError> {
        match self.send_wiped(Request::get(path), Vec::new())? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(self.refused_to("list", what, status)),
        }
    }

    fn send_wiped(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), RecoveryError> {
        let request = request.header(header::ACCEPT, "application/json").body(Body::from(body));
        let request = request.expect("names of plain letters make a path");
        let (status, body) = self.connection.send(request, MAX_LIST)?;
        match status {
            StatusCode::UNAUTHORIZED => {
                let (server, context) = (self.server().to_owned(), self.context().to_owned());
                Err(ConnectError::Unauthenticated { server, context }.into())
            }
            status => Ok((status, Zeroizing::new(body))),
        }
    }

    fn refused_to(&self, verb: &'static str, what: &'static str, status: StatusCode) -> RecoveryError {
        let (server, namespace) = (self.server().to_owned(), self.namespace().to_owned());
        match status {
            StatusCode::FORBIDDEN => RecoveryError::Forbidden { server, verb, what, namespace },
            StatusCode::NOT_FOUND => RecoveryError::NoNamespace { server, namespace },
            status => RecoveryError::Refused { server, verb, what, namespace, status: status.as_u16() },
        }
    }

    fn not_a_list(&self, what: &'static str) -> RecoveryError {
        RecoveryError::NotAList { server: self.server().to_owned(), what }
    }
}

/// What these SealingKeys record of keys. Of two that are about one key, the one with a recovery set says it.
fn recorded(keys: &[SealingKey]) -> BTreeMap<Fingerprint, RecordedKey> {
    let mut all: BTreeMap<Fingerprint, RecordedKey> = BTreeMap::new();
    for key in keys.iter().filter(|key| key.is_recorded()) {
        let recorded = all.entry(key.fingerprint()).or_default();
        recorded.sequence = key.spec.sequence;
        if recorded.recovery.is_empty() {
            recorded.recovery = recovery_of(key).collect();
        }
    }
    all
}

/// The recipients that a backup of the key is encrypted to, as the controller says, also those that are revoked.
pub(crate) fn recovery_of(key: &SealingKey) -> impl Iterator<Item = Recipient> {
    key.status.iter().flat_map(SealingKeyStatus::backup_recipients)
}

/// The name of a Secret with a key that is restored, which its SealingKey gets too. Keys that the controller makes have
/// other names.
pub(crate) fn name_of_restored(key: &Fingerprint) -> String {
    format!("sealing-key-{}", key.short())
}

/// Parses an answer. The parser's error may quote it, so it goes no further.
fn parsed<'b, T: serde::Deserialize<'b>>(body: &'b [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
