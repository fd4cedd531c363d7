//! The keys of sealed-secrets in a cluster: its TLS Secrets, with their private halves, to prove that one isn't needed.
//!
//! They have no SealingKey and no finalizer, so nobody but this program tries the objects without a key before its Secret
//! goes. Invariants: a private half lives in buffers that are wiped, as far as they are ours (the HTTP client's are not);
//! nothing that the API server or a parser says of such a Secret is repeated.

use http::{Method, Request, StatusCode, header};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use kube::client::Body;
use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use seal_documents::key_file;
use serde_json::json;
use zeroize::Zeroizing;

use super::error::ConnectError;
use super::own::Cluster;

/// The value of the label by which a key counts.
const ACTIVE: &str = "active";

/// The name of the Secret in which sealed-secrets kept its key before it labelled them.
const UNLABELLED: &str = "sealed-secrets-key";

/// The most bytes of a Secret, which Kubernetes bounds at one megabyte before base64.
const MAX_SECRET: usize = 4 * 1024 * 1024;

/// A Secret with a key of sealed-secrets.
pub(crate) struct RsaSecret {
    pub(crate) name: String,
    uid: String,
    /// Whether the key counts. A key with another label opens nothing in a cluster.
    pub(crate) is_active: bool,
    /// The key. Empty if the Secret holds none that can be used.
    pub(crate) keys: Keyring,
}

impl RsaSecret {
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.keys.rsa_keys().first().map(seal_crds::keys::RsaPrivateKey::fingerprint)
    }
}

impl Cluster {
    /// The Secrets with keys of sealed-secrets in the namespace.
    pub(crate) fn rsa_secrets(&self) -> Result<Vec<RsaSecret>, ConnectError> {
        let api: Api<Secret> = Api::namespaced(self.connection.client.clone(), self.namespace());
        let labelled = ListParams::default().labels(SEALING_KEY_LABEL);
        let unlabelled = ListParams::default().fields(&format!("metadata.name={UNLABELLED}"));
        let doing = format!("list Secrets in namespace {}", self.namespace());
        let mut found: Vec<RsaSecret> = Vec::new();
        for params in [labelled, unlabelled] {
            let listed = self.connection.attempt(&doing, async { api.list_metadata(&params).await })?;
            let listed =
                listed.map_err(|_| ConnectError::Contended { what: "the list of Secrets".to_owned() })?;
            for secret in listed.items {
                let metadata = secret.metadata;
                let (Some(name), Some(uid)) = (metadata.name, metadata.uid) else { continue };
                if found.iter().any(|known| known.uid == uid) {
                    continue;
                }
                let label = metadata.labels.as_ref().and_then(|labels| labels.get(SEALING_KEY_LABEL));
                let is_active = label.is_none_or(|label| label == ACTIVE);
                if let Some(keys) = self.read(&name)? {
                    found.push(RsaSecret { name, uid, is_active, keys });
                }
            }
        }
        Ok(found)
    }

    /// The key in a Secret; an empty keyring if there is none that can be used, and `None` if the Secret is gone.
    fn read(&self, name: &str) -> Result<Option<Keyring>, ConnectError> {
        let request = Request::get(format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace()))
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .expect("a namespace and the name of an object that was listed make a path");
        let (status, body) = self.connection.send(request, MAX_SECRET)?;
        let body = Zeroizing::new(body);
        match status {
            StatusCode::OK => Ok(Some(key_file::read(name.to_owned(), body).unwrap_or_default())),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.refused(status, format!("read Secrets in namespace {}", self.namespace()))),
        }
    }

    /// Deletes the Secret of a key, if it is the one that was found.
    pub(crate) fn delete_rsa_secret(&self, secret: &RsaSecret) -> Result<(), ConnectError> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": secret.uid },
        });
        self.delete_metadata_only(&secret.name, &options)
    }

    /// Sends a DELETE for a Secret, whose answer is asked for as metadata alone.
    pub(super) fn delete_metadata_only(
        &self,
        name: &str,
        options: &serde_json::Value,
    ) -> Result<(), ConnectError> {
        let doing = format!("delete Secret {name} in namespace {}", self.namespace());
        match self.ask_metadata_only(Method::DELETE, name, "", "application/json", options)? {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NOT_FOUND => Ok(()),
            StatusCode::CONFLICT => Err(ConnectError::Gone { what: format!("Secret {name}") }),
            status => Err(self.refused(status, doing)),
        }
    }
}
