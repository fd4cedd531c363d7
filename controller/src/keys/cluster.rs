//! The Kubernetes API as the store of keys: requests, and nothing else.
//!
//! The private half of a key is in a Secret in the controller's namespace, and its public half in a
//! SealingKey beside it.
//!
//! Invariants: the answer to a request with a private half is metadata only. An answer with private halves is
//! wiped, and it is parsed here: the client would log the text of one that doesn't fit, and a parser's
//! message may quote it. (The HTTP client's own buffers are out of reach.)

use http::{Method, Request};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference, Secret};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::core::PartialObjectMeta;
use kube::core::response::Status;
use kube::{Client, Resource as _};
use seal_crds::keys::stored::{KeySecretList, StoredKey};
use seal_crds::resources::{
    KEY_BACKUP_LABEL, KEY_IN_USE, KeyState, SEALING_KEY_LABEL, STATE_ANNOTATION, SealingKey,
    SealingKeyStatus, bitnami,
};
use seal_crds::{Namespace, Reason};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::backups::{Backups, PublishBackup};
use super::bitnami::UNLABELLED_KEY;
use super::bitnami::tls_secret::TlsSecret;
use super::deletion::Release;
use super::holder::Holder;
use super::lifecycle::Raise;
use super::loaded::Loaded;
use super::published::Published;
use super::server_time::ServerTime;
use super::store::{KeyStore, Tried};
use crate::cluster::api::{failure, is_code};
use crate::cluster::fields::FIELD_MANAGER;
use crate::cluster::recorder::Recorder;
use crate::cluster::report::report;
use crate::failure::Failure;
use crate::store::{Notice, Reported};

/// The most SealingKeys or ConfigMaps of one page: one can be as large as the API server allows.
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
        let (text, time) = self.secrets(&self.namespace, &query, "loading the sealing keys").await?;
        let list: KeySecretList =
            serde_json::from_slice(&text).map_err(|_| unreadable("the API server's list of sealing keys"))?;
        Ok(Loaded { time, ..list.into() })
    }

    async fn backups(&self, holders: &[Holder]) -> Result<Backups, Failure> {
        let mut backups = Backups::new(holders);
        let mut params = ListParams::default().labels(KEY_BACKUP_LABEL).limit(PAGE);
        while !backups.is_empty() {
            let page = self.config_maps().list(&params).await;
            let page =
                page.map_err(|error| failure("listing the published backups of sealing keys", &error))?;
            page.items.iter().for_each(|found| backups.add(found));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        Ok(backups)
    }

    /// A ConfigMap that is there is replaced in one request, on the version that was found, so that nothing else is left
    /// in it. One that lost its label, or never had it, isn't found; it gets the label first, and is found then.
    async fn publish_backup(&self, backup: &PublishBackup) -> Result<Tried, Failure> {
        let PublishBackup { config_map, over, .. } = backup;
        let name = config_map.metadata.name.as_deref().unwrap_or_default();
        let tried = match over {
            Some(over) => {
                let replaced = json!([
                    { "op": "replace", "path": "/metadata/resourceVersion", "value": over },
                    { "op": "add", "path": "/data", "value": config_map.data },
                    { "op": "add", "path": "/binaryData", "value": {} },
                ]);
                let replaced = serde_json::from_value(replaced).expect("the operations are RFC 6902's");
                self.config_maps().patch(name, &ours(), &Patch::<()>::Json(replaced)).await
            }
            None => self.config_maps().create(&posted(), config_map).await,
        };
        let is_there = over.is_none();
        match tried {
            Ok(_) => Ok(Tried::Done),
            Err(error) if is_code(&error, 409) && is_there => {
                let label = json!({"metadata": {"labels": {KEY_BACKUP_LABEL: ""}}});
                let labelled = self.config_maps().patch_metadata(name, &ours(), &Patch::Merge(&label)).await;
                match labelled {
                    Err(error) if !is_code(&error, 404) => {
                        Err(failure("labelling a published backup", &error))
                    }
                    _ => Ok(Tried::Overtaken),
                }
            }
            Err(error) if is_code(&error, 409) || is_code(&error, 404) && !is_there => Ok(Tried::Overtaken),
            Err(error) => {
                Err(failure(&format!("publishing the backup of a sealing key in ConfigMap {name}"), &error))
            }
        }
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
        self.create_secret(&self.namespace, secret, "creating a sealing key").await
    }

    /// Writes the note by an apply, which makes the note ours even if somebody else wrote the same text.
    async fn note(&self, raise: &Raise) -> Result<Tried, Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace.as_str());
        let mut note = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": raise.secret, "resourceVersion": raise.resource_version,
                "annotations": { STATE_ANNOTATION: raise.floor },
            },
        });
        // An apply removes what it said before and leaves out now, so the finalizer is in each: without it, the API
        // server would delete a Secret that is being deleted.
        if raise.is_held {
            note["metadata"]["finalizers"] = json!([KEY_IN_USE]);
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_metadata(&raise.secret, &params, &Patch::Apply(&note)).await {
            Ok(_) => Ok(Tried::Done),
            Err(error) if is_code(&error, 409) || is_code(&error, 404) => Ok(Tried::Overtaken),
            Err(error) => Err(failure("noting a sealing key's state", &error)),
        }
    }

    async fn release(&self, release: &Release) -> Result<Tried, Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace.as_str());
        // The directive of strategic merge patches that takes one value from a list, whoever else changes the list.
        let patch = json!({"metadata": {
            "resourceVersion": release.resource_version,
            "$deleteFromPrimitiveList/finalizers": [KEY_IN_USE],
        }});
        match api.patch_metadata(&release.secret, &ours(), &Patch::Strategic(&patch)).await {
            Ok(_) => Ok(Tried::Done),
            Err(error) if is_code(&error, 409) || is_code(&error, 404) => Ok(Tried::Overtaken),
            Err(error) => Err(failure("letting a deleted sealing key go", &error)),
        }
    }

    async fn publish(&self, key: &SealingKey) -> Result<Option<SealingKey>, Failure> {
        match self.sealing_keys().create(&posted(), key).await {
            Ok(created) => Ok(Some(created)),
            Err(error) if is_code(&error, 409) => Ok(None),
            Err(error) => Err(failure("publishing a SealingKey", &error)),
        }
    }

    async fn say(&self, key: &SealingKey, status: &SealingKeyStatus) -> Result<Reported, Failure> {
        let name = key.metadata.name.as_deref().unwrap_or_default();
        let said = report::<SealingKey>(&self.client, &(), &key.metadata, status).await;
        said.map_err(|error| failure(&format!("writing the status of SealingKey {name}"), &error))
    }

    async fn announce(&self, key: &SealingKey, notice: &Notice) {
        self.tell(&key.object_ref(&()), notice, "Publish").await;
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

    async fn announce_bitnami(&self, name: &str, notice: &Notice) {
        let secret = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            name: Some(name.to_owned()),
            namespace: Some(self.bitnami_namespace.to_string()),
            ..ObjectReference::default()
        };
        self.tell(&secret, notice, "Create").await;
    }
}

/// The parameters of a creation by this controller.
fn posted() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// The parameters of a patch by this controller.
fn ours() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

impl ClusterKeys {
    async fn tell(&self, about: &ObjectReference, notice: &Notice, action: &'static str) {
        if self.events.publish(notice, action, about).await.is_err() {
            tracing::warn!(reason = notice.reason, "an Event about a sealing key couldn't be written");
        }
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), self.namespace.as_str())
    }

    fn sealing_keys(&self) -> Api<SealingKey> {
        Api::namespaced(self.client.clone(), self.namespace.as_str())
    }

    async fn tls_secrets(&self, query: &str) -> Result<Vec<TlsSecret>, Failure> {
        #[derive(Deserialize)]
        struct TlsSecretList {
            items: Vec<TlsSecret>,
        }
        let (text, _) = self.secrets(&self.bitnami_namespace, query, "loading sealed-secrets' keys").await?;
        let list: TlsSecretList = serde_json::from_slice(&text)
            .map_err(|_| unreadable("the API server's list of sealed-secrets' keys"))?;
        Ok(list.items)
    }

    /// Requests a list of Secrets, and returns its text, and the time by the API server's clock.
    async fn secrets(
        &self,
        namespace: &Namespace,
        query: &str,
        doing: &str,
    ) -> Result<(Zeroizing<Vec<u8>>, ServerTime), Failure> {
        let uri = format!("/api/v1/namespaces/{namespace}/secrets?{query}");
        let request = Request::get(uri).body(Body::empty()).expect("a validated namespace is a URL segment");
        let failure = |error| failure(doing, &error);
        let answer = self.client.send(request).await.map_err(failure)?;
        let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        let time = ServerTime::of_answer(date, Timestamp::now());
        let code = answer.status();
        let text = Zeroizing::new(Vec::from(answer.into_body().collect_bytes().await.map_err(failure)?));
        if !code.is_success() {
            // Only the code: the text may quote what was sent.
            let status = Status::failure("", "").with_code(code.as_u16());
            return Err(failure(kube::Error::Api(status.boxed())));
        }
        Ok((text, time))
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
