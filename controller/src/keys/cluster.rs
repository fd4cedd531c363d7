//! The Kubernetes API as the store of keys: requests, and nothing else.
//!
//! The private half of a key is in a Secret in the controller's namespace, and its public half in a
//! SealingKey beside it.
//!
//! Invariants: the answer to a request with a private half is metadata only. An answer with private halves is
//! wiped, and it is parsed here: the client would log the text of one that doesn't fit, and a parser's
//! message may quote it. (The HTTP client's own buffers are out of reach.)

use http::{Method, Request};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::events::Recorder;
use kube::{Client, Resource as _};
use seal_crds::keys::stored::{KeySecretList, StoredKey};
use seal_crds::resources::{
    KeyState, SEALING_KEY_LABEL, STATE_ANNOTATION, SealingKey, SealingKeyStatus, bitnami,
};
use seal_crds::{Namespace, Reason};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::bitnami::UNLABELLED_KEY;
use super::bitnami::tls_secret::TlsSecret;
use super::lifecycle::Raise;
use super::loaded::{Holder, Loaded};
use super::published::Published;
use super::store::{KeyStore, Tried};
use crate::cluster::api::{event, failure, is_code};
use crate::cluster::fields::FIELD_MANAGER;
use crate::cluster::report::report;
use crate::failure::Failure;
use crate::store::{Notice, Reported};

/// The most SealingKeys of one page: one can be as large as the API server allows.
const PAGE: u32 = 50;

pub(crate) struct ClusterKeys {
    pub(crate) client: Client,
    /// The controller's namespace.
    pub(crate) namespace: Namespace,
    /// The namespace of sealed-secrets' keys.
    pub(crate) bitnami_namespace: Namespace,
    pub(crate) events: Recorder,
}

impl KeyStore for ClusterKeys {
    async fn load(&self) -> Result<Loaded, Failure> {
        let query = format!("labelSelector={SEALING_KEY_LABEL}");
        let text = self.secrets(&self.namespace, &query, "loading the sealing keys").await?;
        let list: KeySecretList =
            serde_json::from_str(&text).map_err(|_| unreadable("the API server's list of sealing keys"))?;
        Ok(list.into())
    }

    async fn published(&self, holders: &[Holder]) -> Result<Published, Failure> {
        let mut published = Published::new(holders);
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = self.sealing_keys().list(&params).await;
            let page = page.map_err(|error| failure("listing SealingKeys", &error))?;
            page.items.into_iter().for_each(|object| published.add(object));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(published),
            }
        }
    }

    async fn create(&self, name: &str, key: &StoredKey) -> Result<Tried, Failure> {
        let secret = key.to_json(name, KeyState::Active);
        self.create_secret(&self.namespace, secret, "creating the first sealing key").await
    }

    /// Writes the note by an apply, which makes the note ours even if somebody else wrote the same text.
    async fn note(&self, raise: &Raise) -> Result<Tried, Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace.as_str());
        let note = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": raise.secret, "resourceVersion": raise.resource_version,
                "annotations": { STATE_ANNOTATION: raise.floor },
            },
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_metadata(&raise.secret, &params, &Patch::Apply(&note)).await {
            Ok(_) => Ok(Tried::Done),
            Err(error) if is_code(&error, 409) || is_code(&error, 404) => Ok(Tried::Overtaken),
            Err(error) => Err(failure("noting a sealing key's state", &error)),
        }
    }

    async fn publish(&self, key: &SealingKey) -> Result<Option<SealingKey>, Failure> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match self.sealing_keys().create(&params, key).await {
            Ok(created) => Ok(Some(created)),
            Err(error) if is_code(&error, 409) => Ok(None),
            Err(error) => Err(failure("publishing a SealingKey", &error)),
        }
    }

    async fn say(&self, key: &SealingKey, status: &SealingKeyStatus) -> Result<Reported, Failure> {
        let name = key.metadata.name.as_deref().unwrap_or_default();
        let said = report(&self.sealing_keys(), &key.metadata, status).await;
        said.map_err(|error| failure(&format!("writing the status of SealingKey {name}"), &error))
    }

    async fn announce(&self, key: &SealingKey, notice: &Notice) {
        if self.events.publish(&event(notice, "Publish"), &key.object_ref(&())).await.is_err() {
            tracing::warn!(reason = notice.reason, "an Event about a sealing key couldn't be written");
        }
    }

    async fn load_bitnami(&self) -> Result<Vec<TlsSecret>, Failure> {
        let labelled = format!("labelSelector={}", bitnami::SEALING_KEY_LABEL);
        let unlabelled = format!("fieldSelector=metadata.name%3D{UNLABELLED_KEY}");
        let mut secrets = self.tls_secrets(&labelled).await?;
        let unlabelled = self.tls_secrets(&unlabelled).await?;
        secrets.extend(unlabelled.into_iter().filter(|secret| secret.label().is_none()));
        Ok(secrets)
    }

    async fn create_bitnami(&self, secret: Zeroizing<Vec<u8>>) -> Result<Tried, Failure> {
        let doing = "creating a sealing key of sealed-secrets' kind";
        self.create_secret(&self.bitnami_namespace, secret, doing).await
    }
}

impl ClusterKeys {
    fn sealing_keys(&self) -> Api<SealingKey> {
        Api::namespaced(self.client.clone(), self.namespace.as_str())
    }

    async fn tls_secrets(&self, query: &str) -> Result<Vec<TlsSecret>, Failure> {
        #[derive(Deserialize)]
        struct TlsSecretList {
            items: Vec<TlsSecret>,
        }
        let text = self.secrets(&self.bitnami_namespace, query, "loading sealed-secrets' keys").await?;
        let list: TlsSecretList = serde_json::from_str(&text)
            .map_err(|_| unreadable("the API server's list of sealed-secrets' keys"))?;
        Ok(list.items)
    }

    /// Requests a list of Secrets, and returns its text.
    async fn secrets(
        &self,
        namespace: &Namespace,
        query: &str,
        doing: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        let uri = format!("/api/v1/namespaces/{namespace}/secrets?{query}");
        let request = Request::get(uri).body(Vec::new()).expect("a validated namespace is a URL segment");
        let answer = self.client.request_text(request).await;
        Ok(Zeroizing::new(answer.map_err(|error| failure(doing, &error))?))
    }

    async fn create_secret(
        &self,
        namespace: &Namespace,
        mut secret: Zeroizing<Vec<u8>>,
        doing: &str,
    ) -> Result<Tried, Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/namespaces/{namespace}/secrets?fieldManager={FIELD_MANAGER}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
            .body(std::mem::take(&mut *secret))
            .expect("a validated namespace is a URL segment");
        match self.client.request::<PartialObjectMeta<Secret>>(request).await {
            Ok(_) => Ok(Tried::Done),
            Err(error) if is_code(&error, 409) => Ok(Tried::Overtaken),
            Err(error) => Err(failure(doing, &error)),
        }
    }
}

fn unreadable(what: &str) -> Failure {
    Failure::new(Reason::ApiError, format!("{what} can't be read"))
}
