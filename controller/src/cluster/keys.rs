//! Sealing keys in the cluster: made once, loaded, published.
//!
//! The private half is a Secret in the controller's namespace; the public half a SealingKey. SealingKeys are
//! output: what is read back from them is that they exist and `spec.state`. Sequence and date come from
//! the Secret, and whom the controller would seal to never comes from the API: otherwise whoever may write
//! a SealingKey could read every Secret that is sealed afterwards.
//!
//! Not renewal, retirement or revocation. Invariants: the first key is created by POST under one name, so
//! two controllers started together make one; a recorded key whose private half is gone is reported and
//! never silently replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Method, Request};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use seal_crds::Namespace;
use seal_crds::keys::{Fingerprint, Identity, Keyring, Recipient, RsaPrivateKey};
use seal_crds::resources::{
    Condition, KeyState, SEALING_KEY_LABEL, SealingKey, SealingKeySpec, SealingKeyStatus, find_condition,
};
use serde_json::json;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::api::{failure, is_code};
use super::bitnami_keys::BitnamiKeys;
use super::fields::FIELD_MANAGER;
use super::key_secret::{KeySecret, KeySecretList, to_json};
use crate::failure::Failure;
use crate::status::rfc3339;

/// On the Secret with the private half: the state of its SealingKey, should that be lost.
const STATE_ANNOTATION: &str = "sealing.dev/state";

/// The name of the first key: fixed, so that creating it is a race with one winner.
const FIRST_KEY: &str = "sealing-key-first";

/// Keeps the keyring and the SealingKeys in step with the private halves.
pub(super) struct Keys {
    pub(super) client: Client,
    /// The controller's namespace.
    pub(super) namespace: Namespace,
    /// Offline recipients, from flags only.
    pub(super) recovery: Vec<Recipient>,
    /// The peer's, which are in the same keyring.
    pub(super) bitnami: BitnamiKeys,
    pub(super) keyring: watch::Sender<Arc<Keyring>>,
}

/// A key whose private half is at hand.
struct Loaded {
    name: String,
    identity: Identity,
    sequence: i64,
    created_at: String,
    /// The state it had last.
    state: KeyState,
}

impl Keys {
    /// Brings everything up to date: level-based, and safe to repeat.
    ///
    /// # Errors
    ///
    /// A transient failure; what was loaded before stays loaded.
    pub(super) async fn sync(&self) -> Result<(), Failure> {
        let mut loaded = self.load().await?;
        let mut published = self.published().await?;
        if loaded.is_empty() && published.is_empty() {
            self.create_first().await?;
            loaded = self.load().await?;
            if loaded.is_empty() {
                return Err(Failure::transient(
                    "KeyUnreadable",
                    format!(
                        "Secret {FIRST_KEY} exists, but isn't a sealing key: it needs the label \
                         {SEALING_KEY_LABEL} and the values it was made with; restore it from the backup"
                    ),
                ));
            }
        }
        for key in &loaded {
            if !published.contains_key(&key.name) {
                let object = self.publish(key).await?;
                published.insert(key.name.clone(), object);
            }
        }
        let primary = primary(&loaded, &published).map(|key| key.identity.fingerprint());
        for (name, object) in &published {
            let key = loaded.iter().find(|key| key.name == *name);
            if let Some(key) = key {
                self.record(key, object.spec.state).await?;
            }
            self.report(name, object, key, primary).await?;
        }
        let rsa_keys = match self.bitnami.sync().await {
            Ok(rsa_keys) => rsa_keys,
            // Identities don't wait for a namespace that nobody granted.
            Err(failure) if self.keyring.borrow().rsa_keys().is_empty() => {
                self.offer(loaded, primary, Vec::new());
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        };
        self.offer(loaded, primary, rsa_keys);
        Ok(())
    }

    /// The private halves, the newest first.
    async fn load(&self) -> Result<Vec<Loaded>, Failure> {
        let uri = format!("/api/v1/namespaces/{}/secrets?labelSelector={SEALING_KEY_LABEL}", self.namespace);
        let request = Request::get(uri).body(Vec::new()).expect("a validated namespace is a URL segment");
        let answer = self.client.request_text(request).await;
        let text = Zeroizing::new(answer.map_err(|error| failure("loading the sealing keys", &error))?);
        // Parsed here: the client would log the text of an answer that doesn't fit. The parser's message may
        // quote it too.
        let list: KeySecretList = serde_json::from_str(&text).map_err(|_| {
            Failure::transient("ApiError", "the API server's list of sealing keys can't be read")
        })?;
        let mut loaded: Vec<Loaded> = list.items.into_iter().filter_map(Loaded::from_secret).collect();
        loaded.sort_by_key(|key| std::cmp::Reverse(key.sequence));
        Ok(loaded)
    }

    async fn published(&self) -> Result<BTreeMap<String, SealingKey>, Failure> {
        let list = self
            .api()
            .list(&ListParams::default())
            .await
            .map_err(|error| failure("listing SealingKeys", &error))?;
        Ok(list.into_iter().filter_map(|key| Some((key.metadata.name.clone()?, key))).collect())
    }

    async fn create_first(&self) -> Result<(), Failure> {
        let identity = Identity::generate();
        let body = to_json(FIRST_KEY, &identity, 1, &rfc3339(Timestamp::now()));
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/namespaces/{}/secrets?fieldManager={FIELD_MANAGER}", self.namespace))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
            .body(body)
            .expect("a validated namespace is a URL segment");
        match self.client.request::<kube::core::PartialObjectMeta>(request).await {
            Ok(_) => {
                tracing::info!(key = FIRST_KEY, fingerprint = %identity.fingerprint(), "made the first sealing key")
            }
            // Somebody was quicker: theirs is the first key.
            Err(error) if is_code(&error, 409) => {}
            Err(error) => return Err(failure("creating the first sealing key", &error)),
        }
        Ok(())
    }

    /// Notes a state that somebody chose beside the private half: a SealingKey that is deleted and published
    /// again must not make a revoked key Active.
    async fn record(&self, key: &Loaded, state: KeyState) -> Result<(), Failure> {
        if key.state == state {
            return Ok(());
        }
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace.as_str());
        let patch = json!({ "metadata": { "annotations": { STATE_ANNOTATION: state } } });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        api.patch_metadata(&key.name, &params, &Patch::Merge(&patch))
            .await
            .map(drop)
            .map_err(|error| failure("recording a sealing key's state", &error))
    }

    async fn publish(&self, key: &Loaded) -> Result<SealingKey, Failure> {
        let spec = SealingKeySpec {
            recipient: key.identity.recipient().to_string(),
            sequence: key.sequence,
            created_at: key.created_at.clone(),
            state: key.state,
        };
        let object = SealingKey::new(&key.name, spec);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match self.api().create(&params, &object).await {
            Ok(created) => {
                tracing::info!(key = key.name, fingerprint = %key.identity.fingerprint(), "published the sealing key");
                Ok(created)
            }
            Err(error) if is_code(&error, 409) => {
                self.api().get(&key.name).await.map_err(|error| failure("reading a SealingKey", &error))
            }
            Err(error) => Err(failure("publishing a SealingKey", &error)),
        }
    }

    async fn report(
        &self,
        name: &str,
        object: &SealingKey,
        key: Option<&Loaded>,
        primary: Option<Fingerprint>,
    ) -> Result<(), Failure> {
        let status = self.next_status(object, key, primary, Timestamp::now());
        if object.status.as_ref() == Some(&status) {
            return Ok(());
        }
        if let Some(stalled) = find_condition(&status.conditions, "Stalled") {
            tracing::warn!(key = name, reason = stalled.reason, "{}", stalled.message);
        }
        let mut body = json!({ "fingerprint": null, "recoveryRecipients": null });
        let fields = serde_json::to_value(&status).expect("a status is plain data");
        body.as_object_mut()
            .expect("it was made an object above")
            .extend(fields.as_object().cloned().unwrap_or_default());
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match self.api().patch_status(name, &params, &Patch::Merge(&json!({ "status": body }))).await {
            Ok(_) => Ok(()),
            Err(error) if is_code(&error, 404) => Ok(()),
            Err(error) => Err(failure("writing a SealingKey's status", &error)),
        }
    }

    fn next_status(
        &self,
        object: &SealingKey,
        key: Option<&Loaded>,
        primary: Option<Fingerprint>,
        now: Timestamp,
    ) -> SealingKeyStatus {
        let fingerprint = key.map(|key| key.identity.fingerprint());
        let is_primary = fingerprint.is_some() && fingerprint == primary && problem(object, key).is_none();
        let condition = |type_: &str, status: bool, reason: &str, message: &str| {
            let before = object.status.as_ref().and_then(|status| find_condition(&status.conditions, type_));
            let since = before.filter(|before| before.status == status.into());
            Condition {
                type_: type_.to_owned(),
                status: status.into(),
                observed_generation: object.metadata.generation,
                last_transition_time: since
                    .map_or_else(|| rfc3339(now), |before| before.last_transition_time.clone()),
                last_update_time: None,
                reason: reason.to_owned(),
                message: message.to_owned(),
            }
        };
        let mut conditions = vec![match is_primary {
            true => condition("Primary", true, "NewestActive", "Secrets are sealed to this key"),
            false => condition("Primary", false, "NotNewestActive", "Secrets are not sealed to this key"),
        }];
        conditions.extend(
            problem(object, key).map(|(reason, message)| condition("Stalled", true, reason, message)),
        );
        SealingKeyStatus {
            fingerprint: fingerprint.map(|fingerprint| fingerprint.to_string()),
            conditions,
            recovery_recipients: match is_primary {
                true => self.recovery.iter().map(ToString::to_string).collect(),
                false => Vec::new(),
            },
        }
    }

    /// Hands the keyring to the reconcilers, the primary of each kind first, only where it changed.
    fn offer(&self, loaded: Vec<Loaded>, primary: Option<Fingerprint>, rsa_keys: Vec<RsaPrivateKey>) {
        let (first, rest): (Vec<_>, Vec<_>) =
            loaded.into_iter().map(|key| key.identity).partition(|key| Some(key.fingerprint()) == primary);
        let mut keyring: Keyring = first.into_iter().chain(rest).collect();
        for key in rsa_keys {
            keyring.insert_rsa_key(key);
        }
        self.keyring.send_if_modified(|current| {
            let is_new = !has_same_keys(current, &keyring);
            if is_new {
                tracing::info!(
                    keys = keyring.len(),
                    rsa_keys = keyring.rsa_keys().len(),
                    "loaded the sealing keys"
                );
                *current = Arc::new(keyring);
            }
            is_new
        });
    }

    fn api(&self) -> Api<SealingKey> {
        Api::namespaced(self.client.clone(), self.namespace.as_str())
    }
}

impl Loaded {
    /// A Secret that isn't a sealing key is passed over; its SealingKey, if it has one, will say that the
    /// private half is missing.
    fn from_secret(secret: KeySecret) -> Option<Self> {
        let KeySecret { metadata, data } = secret;
        let name = metadata.name?;
        let identity = Identity::parse(&data.identity.0);
        let sequence = data.sequence.0.parse().ok().filter(|sequence| *sequence >= 1);
        let created_at = data.created_at.0.parse::<Timestamp>().ok().map(rfc3339);
        let state = metadata.annotations.and_then(|mut annotations| annotations.remove(STATE_ANNOTATION));
        let state = state.and_then(|state| serde_json::from_value(state.into()).ok());
        match (identity, sequence, created_at) {
            (Ok(identity), Some(sequence), Some(created_at)) => {
                let state = state.unwrap_or(KeyState::Active);
                Some(Self { name, identity, sequence, created_at, state })
            }
            _ => {
                tracing::warn!(
                    secret = name,
                    "a Secret labelled as a sealing key isn't one; it is passed over"
                );
                None
            }
        }
    }
}

/// Whether both hold the same keys of either kind in the same order.
fn has_same_keys(one: &Keyring, other: &Keyring) -> bool {
    let rsa =
        |keyring: &Keyring| keyring.rsa_keys().iter().map(RsaPrivateKey::fingerprint).collect::<Vec<_>>();
    one.fingerprints().eq(other.fingerprints()) && rsa(one) == rsa(other)
}

/// The newest Active key whose private half is loaded.
fn primary<'a>(loaded: &'a [Loaded], published: &BTreeMap<String, SealingKey>) -> Option<&'a Loaded> {
    loaded
        .iter()
        .filter(|key| {
            published.get(&key.name).is_some_and(|object| {
                object.spec.state == KeyState::Active && problem(object, Some(key)).is_none()
            })
        })
        .max_by_key(|key| key.sequence)
}

/// Why a SealingKey can't be used as it stands.
fn problem(object: &SealingKey, key: Option<&Loaded>) -> Option<(&'static str, &'static str)> {
    match key {
        None => Some((
            "IdentityMissing",
            "the Secret with the private half is missing or unreadable; restore it from the backup",
        )),
        // Somebody else wrote this SealingKey: whoever seals to what it says doesn't seal to us.
        Some(key) if key.identity.recipient().to_string() != object.spec.recipient => Some((
            "RecipientMismatch",
            "spec.recipient is not the public half of the loaded identity; delete this SealingKey, and it is published anew",
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(name: &str, sequence: i64) -> Loaded {
        let identity = Identity::generate();
        let created_at = "2026-01-01T00:00:00Z".into();
        Loaded { name: name.into(), identity, sequence, created_at, state: KeyState::Active }
    }

    fn published(key: &Loaded, state: KeyState) -> (String, SealingKey) {
        let spec = SealingKeySpec {
            recipient: key.identity.recipient().to_string(),
            sequence: key.sequence,
            created_at: key.created_at.clone(),
            state,
        };
        (key.name.clone(), SealingKey::new(&key.name, spec))
    }

    #[test]
    fn the_primary_is_the_newest_active_key_at_hand() {
        let keys = [loaded("a", 1), loaded("b", 2), loaded("c", 3)];
        let named = |states: [KeyState; 3]| {
            let published = keys.iter().zip(states).map(|(key, state)| published(key, state)).collect();
            primary(&keys, &published).map(|key| key.name.as_str())
        };
        use KeyState::{Active, Retiring, Revoked};
        assert_eq!(named([Active, Active, Active]), Some("c"));
        assert_eq!(named([Active, Active, Revoked]), Some("b"));
        assert_eq!(named([Active, Retiring, Retiring]), Some("a"));
        assert_eq!(named([Retiring, Retiring, Revoked]), None);
    }

    #[test]
    fn a_sealing_key_that_names_another_recipient_is_not_used() {
        let key = loaded("a", 1);
        let (name, mut object) = published(&key, KeyState::Active);
        object.spec.recipient = Identity::generate().recipient().to_string();
        assert_eq!(problem(&object, Some(&key)).map(|(reason, _)| reason), Some("RecipientMismatch"));
        assert!(primary(&[key], &[(name, object)].into()).is_none());
    }
}
