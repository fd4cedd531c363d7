//! The Secrets that hold the private half of a sealing key: found, deleted, and let go, without ever reading one.
//!
//! Which Secret holds which key is decided by its `data.recipient`, and not by its name. The API server compares it, by a
//! JSON Patch that only tests and changes nothing; and every answer is asked for as metadata alone. So no private half
//! reaches this program, and a person may delete keys without a right to read them. Invariant: a Secret is deleted or let
//! go only under the uid and with the recipient that were found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{Method, Request, StatusCode, header};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use kube::client::Body;
use seal_crds::resources::{KEY_IN_USE, SEALING_KEY_LABEL, SealingKey};
use serde_json::{Value, json};

use super::error::ConnectError;
use super::own::Cluster;

/// The most bytes of an answer, which has metadata only.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The form in which the API server sends an object without its data.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A Secret that holds the private half of a key.
pub(crate) struct KeySecret {
    pub(crate) name: String,
    uid: String,
    /// The recipient of the key, as `data` has it.
    recipient: String,
    finalizers: Vec<String>,
}

impl Cluster {
    /// The Secrets that hold the private half of this key.
    pub(crate) fn secrets_of(&self, key: &SealingKey) -> Result<Vec<KeySecret>, ConnectError> {
        let api: Api<Secret> = Api::namespaced(self.connection.client.clone(), self.namespace());
        let params = ListParams::default().labels(SEALING_KEY_LABEL);
        let doing = format!("list the Secrets of sealing keys in namespace {}", self.namespace());
        let listed = self.connection.attempt(&doing, async { api.list_metadata(&params).await })?;
        let listed =
            listed.map_err(|_| ConnectError::Contended { what: "the list of Secrets".to_owned() })?;
        let mut found = Vec::new();
        for secret in listed.items {
            let metadata = secret.metadata;
            let (Some(name), Some(uid)) = (metadata.name, metadata.uid) else { continue };
            let secret = KeySecret {
                name,
                uid,
                recipient: BASE64.encode(&key.spec.recipient),
                finalizers: metadata.finalizers.unwrap_or_default(),
            };
            // A test that fails is the answer no. So is a Secret that is gone by now.
            if self.patch(&secret, "?dryRun=All", json!([]))? == StatusCode::OK {
                found.push(secret);
            }
        }
        Ok(found)
    }

    /// Asks for the deletion of a Secret. While it has finalizers, it stays.
    pub(crate) fn delete_secret(&self, secret: &KeySecret) -> Result<(), ConnectError> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": secret.uid },
        });
        self.delete_metadata_only(&secret.name, &options)
    }

    /// Takes the controller's finalizer off a Secret whose deletion was asked for, so that it goes.
    pub(crate) fn let_go(&self, secret: &KeySecret) -> Result<(), ConnectError> {
        let Some(at) = secret.finalizers.iter().position(|finalizer| finalizer == KEY_IN_USE) else {
            return Ok(());
        };
        let path = format!("/metadata/finalizers/{at}");
        let removal = json!([
            { "op": "test", "path": path, "value": KEY_IN_USE },
            { "op": "remove", "path": path },
        ]);
        let doing = format!("change Secret {} in namespace {}", secret.name, self.namespace());
        match self.patch(secret, "", removal)? {
            StatusCode::OK | StatusCode::NOT_FOUND => Ok(()),
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => {
                Err(ConnectError::Contended { what: format!("Secret {}", secret.name) })
            }
            status => Err(self.refused(status, doing)),
        }
    }

    /// Patches a Secret if it is the one that was found, and holds this key.
    fn patch(&self, secret: &KeySecret, query: &str, operations: Value) -> Result<StatusCode, ConnectError> {
        let mut all = vec![
            json!({ "op": "test", "path": "/metadata/uid", "value": secret.uid }),
            json!({ "op": "test", "path": "/data/recipient", "value": secret.recipient }),
        ];
        all.extend(operations.as_array().cloned().unwrap_or_default());
        let kind = "application/json-patch+json";
        let status = self.ask_metadata_only(Method::PATCH, &secret.name, query, kind, &Value::from(all))?;
        let is_answer = [
            StatusCode::OK,
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            // A test that fails.
            StatusCode::UNPROCESSABLE_ENTITY,
        ]
        .contains(&status);
        // Any other status says nothing of the Secret, so it must not be taken for the answer no.
        if is_answer {
            Ok(status)
        } else {
            Err(self.refused(status, format!("patch Secrets in namespace {}", self.namespace())))
        }
    }

    /// Sends a request about a Secret, and asks for metadata alone in the answer.
    pub(super) fn ask_metadata_only(
        &self,
        method: Method,
        name: &str,
        query: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<StatusCode, ConnectError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/namespaces/{}/secrets/{name}{query}", self.namespace()))
            .header(header::ACCEPT, METADATA_ONLY)
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::from(body.to_string().into_bytes()))
            .expect("a namespace and the name of an object that was listed make a path");
        self.connection.send(request, MAX_ANSWER).map(|(status, _)| status)
    }

    pub(super) fn refused(&self, status: StatusCode, doing: String) -> ConnectError {
        let server = self.server().to_owned();
        match status {
            StatusCode::FORBIDDEN => ConnectError::NotAllowed { server, doing },
            StatusCode::UNAUTHORIZED => {
                ConnectError::Unauthenticated { server, context: self.context().to_owned() }
            }
            status => ConnectError::Unexpected { server, what: format!("status {}", status.as_u16()) },
        }
    }
}
