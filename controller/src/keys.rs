//! Sealing keys in the cluster: made once, loaded, published.
//!
//! The private half is a Secret in the controller's namespace; the public half a SealingKey. What is to be done is
//! decided in [`lifecycle`]; here it is read and done. SealingKeys are output: what is read back from them is that they
//! exist, `spec.state`, and what the controller said itself in status. Sequence and date come from the Secret, and
//! whom the controller would seal to never comes from the API: otherwise whoever may write a SealingKey could read
//! every Secret that is sealed afterwards.
//!
//! Not renewal. Invariants: a key is created by POST under a name that both of two controllers choose, so they make
//! one; states and statuses are written only if their object is still the one they were decided on. What was read is
//! handed to the reconcilers before anything is written, so no write that fails keeps Secrets from being opened; and
//! what can't be said of one SealingKey keeps nothing from being said of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Method, Request};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource as _};
use seal_crds::keys::{Fingerprint, Identity, Keyring, Recipient, RsaPrivateKey};
use seal_crds::resources::{
    SEALING_KEY_LABEL, STATE_ANNOTATION, SealingKey, SealingKeySpec, SealingKeyStatus, find_condition,
};
use seal_crds::{Namespace, Reason};
use serde_json::json;
use zeroize::Zeroizing;

use self::bitnami::BitnamiKeys;
use self::key_secret::{KeySecretList, NotAKey, to_json};
use self::lifecycle::{Observed, Publish, Raise, Rank, Report, Step};
use self::published::Published;
use self::said::{Complaint, Said};
use crate::cluster::api::{failure, is_code};
use crate::cluster::fields::FIELD_MANAGER;
use crate::failure::Failure;
use crate::serve::Health;
use crate::status::rfc3339;

pub(crate) mod bitnami;
mod key_secret;
mod lifecycle;
mod published;
pub(crate) mod said;
mod status;
pub(crate) mod watch;

/// How many steps one look takes at most: making, noting, publishing, reporting, and room for somebody who writes at
/// the same time.
const MAX_STEPS: usize = 8;

/// How many SealingKeys are read at once.
const PAGE: u32 = 50;

/// How many statuses one look writes at most of SealingKeys that others planted: there may be any number.
const MAX_PLANTED_WRITES: usize = 50;

/// Keeps the keyring and the SealingKeys in step with the private halves.
pub(crate) struct Keys {
    pub(crate) client: Client,
    /// The controller's namespace.
    pub(crate) namespace: Namespace,
    /// Offline recipients, from flags only.
    pub(crate) recovery: Vec<Recipient>,
    /// The peer's, which are in the same keyring.
    pub(crate) bitnami: BitnamiKeys,
    pub(crate) keyring: tokio::sync::watch::Sender<Arc<Keyring>>,
    pub(crate) events: Recorder,
    /// Told where there is no key to seal to.
    pub(crate) health: Health,
    pub(crate) said: Said,
}

/// What was read from the API.
struct Found {
    holders: Vec<lifecycle::Holder>,
    identities: Vec<Identity>,
    later: Vec<Option<Fingerprint>>,
    /// Secrets with the label that aren't keys, and why.
    problems: Vec<(String, NotAKey)>,
    published: Vec<SealingKey>,
    /// What is wrong where there are more SealingKeys than are looked at.
    crowd: Option<String>,
}

impl Keys {
    /// Brings everything up to date: level-based, and safe to repeat.
    ///
    /// # Errors
    ///
    /// A transient failure; what was loaded before stays loaded.
    pub(crate) async fn sync(&self) -> Result<(), Failure> {
        let mut made = None;
        for _ in 0..MAX_STEPS {
            let mut found = self.find().await?;
            let identities = std::mem::take(&mut found.identities);
            let observed = Observed::new(&found.holders, &found.later, &found.published);
            let (step, state) = (lifecycle::next(&observed), lifecycle::state(&observed));
            let offered = self.offer(identities, state.primary).await;
            match step {
                Step::Make { name, .. } if made.as_ref() == Some(&name) => {
                    self.complain(&found, None);
                    return Err(unreadable(&name, &found));
                }
                Step::Make { name, sequence } => {
                    self.make(&name, sequence).await?;
                    made = Some(name);
                }
                Step::Raise(raised) => self.raise(&raised).await?,
                Step::Publish(keys) => {
                    if let Err(failure) = self.publish(&keys).await {
                        // What can't be published, such as for a quota, keeps nothing from being said of the others.
                        self.report(&found, &state).await?;
                        return Err(failure);
                    }
                }
                Step::Report => {
                    if self.report(&found, &state).await? {
                        return offered;
                    }
                }
            }
        }
        Err(Failure::new(Reason::Conflict, "somebody else changes the sealing keys again and again"))
    }

    /// Secrets before SealingKeys, because what is kept of these depends on those. A key that is made in between isn't
    /// taken for a lost one: where one seems lost, the Secrets are read again.
    async fn find(&self) -> Result<Found, Failure> {
        let found = self.load().await?;
        let published = self.published(&found.holders).await?;
        let observed = Observed::new(&found.holders, &found.later, &published.kept);
        let found = if observed.misses_one() { self.load().await? } else { found };
        Ok(Found { crowd: published.complaint(), published: published.kept, ..found })
    }

    /// In pages, since one SealingKey can be as large as the API server takes it.
    async fn published(&self, holders: &[lifecycle::Holder]) -> Result<Published, Failure> {
        let mut published = Published::new(holders);
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = self.api().list(&params).await;
            let page = page.map_err(|error| failure("listing SealingKeys", &error))?;
            page.items.into_iter().for_each(|object| published.add(object));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(published),
            }
        }
    }

    /// The private halves, and what is wrong with Secrets that claim to hold some.
    async fn load(&self) -> Result<Found, Failure> {
        let uri = format!("/api/v1/namespaces/{}/secrets?labelSelector={SEALING_KEY_LABEL}", self.namespace);
        let request = Request::get(uri).body(Vec::new()).expect("a validated namespace is a URL segment");
        let answer = self.client.request_text(request).await;
        let text = Zeroizing::new(answer.map_err(|error| failure("loading the sealing keys", &error))?);
        // Parsed here: the client would log the text of an answer that doesn't fit. The parser's message may
        // quote it too.
        let list: KeySecretList = serde_json::from_str(&text).map_err(|_| {
            Failure::new(Reason::ApiError, "the API server's list of sealing keys can't be read")
        })?;
        Ok(Found::new(list))
    }

    async fn make(&self, name: &str, sequence: i64) -> Result<(), Failure> {
        let identity = Identity::generate();
        let body = to_json(name, &identity, sequence, &rfc3339(Timestamp::now()));
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/namespaces/{}/secrets?fieldManager={FIELD_MANAGER}", self.namespace))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
            .body(body)
            .expect("a validated namespace is a URL segment");
        match self.client.request::<kube::core::PartialObjectMeta>(request).await {
            Ok(_) => {
                tracing::info!(key = name, fingerprint = %identity.fingerprint(), "made the first sealing key");
            }
            // Somebody was quicker: theirs is the first key.
            Err(error) if is_code(&error, 409) => {}
            Err(error) => return Err(failure("creating the first sealing key", &error)),
        }
        Ok(())
    }

    /// Notes states beside private halves, where whatever becomes of the SealingKey can't lower them.
    ///
    /// By an apply, because that makes the note ours also where somebody else wrote the same text.
    async fn raise(&self, raised: &[Raise]) -> Result<(), Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace.as_str());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        for Raise { secret, resource_version, floor } in raised {
            let note = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {
                    "name": secret, "resourceVersion": resource_version,
                    "annotations": { STATE_ANNOTATION: floor },
                },
            });
            match api.patch_metadata(secret, &params, &Patch::Apply(&note)).await {
                Ok(_) => tracing::info!(secret, state = ?floor, "noted the state of a sealing key"),
                // Changed or gone since: decided afresh. What comes after it mustn't be written before it.
                Err(error) if is_code(&error, 409) || is_code(&error, 404) => return Ok(()),
                Err(error) => return Err(failure("noting a sealing key's state", &error)),
            }
        }
        Ok(())
    }

    /// Publishes what it can.
    ///
    /// # Errors
    ///
    /// The first failure.
    async fn publish(&self, keys: &[Publish]) -> Result<(), Failure> {
        let mut failed = None;
        for Publish { name, holder, state } in keys {
            let spec = SealingKeySpec {
                recipient: holder.recipient.to_string(),
                sequence: holder.sequence,
                created_at: holder.created_at.clone(),
                state: *state,
            };
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
            match self.api().create(&params, &SealingKey::new(name, spec)).await {
                Ok(created) => {
                    let fingerprint = holder.recipient.fingerprint();
                    tracing::info!(key = name, %fingerprint, "published the sealing key");
                    if !holder.is_made_by_us {
                        self.announce(&created, &holder.secret).await;
                    }
                }
                // Somebody was quicker: what is there is looked at next.
                Err(error) if is_code(&error, 409) => {}
                Err(error) => drop(failed.get_or_insert(failure("publishing a SealingKey", &error))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Whoever may create Secrets here can add a key, and opens what is sealed to it; so nobody does in silence.
    async fn announce(&self, key: &SealingKey, secret: &str) {
        let note = format!(
            "Secret {secret} holds a private half that this controller didn't make: it was restored, or somebody added it"
        );
        tracing::warn!(
            secret,
            "a private half that this controller didn't make: it was restored, or somebody added it"
        );
        let event = Event {
            type_: EventType::Warning,
            reason: Reason::KeyAdded.as_str().to_owned(),
            note: Some(note),
            action: "Publish".to_owned(),
            secondary: None,
        };
        if self.events.publish(&event, &key.object_ref(&())).await.is_err() {
            tracing::warn!(secret, "the Event about an added key couldn't be written");
        }
    }

    /// Says what is so; `false` where one of the controller's own SealingKeys was changed meanwhile, so that it has to be
    /// decided afresh. Of those that others planted it says so as far as it gets.
    ///
    /// # Errors
    ///
    /// The first failure, after everything else is said: an object can be planted so large that its status can't be
    /// written.
    async fn report(&self, found: &Found, report: &Report) -> Result<bool, Failure> {
        self.complain(found, report.keyless.as_ref());
        let said = self.say_all(found, report).await;
        // Not earlier: who is told that it is ready wants to seal.
        self.health.set_keyless(report.keyless.clone());
        said
    }

    async fn say_all(&self, found: &Found, report: &Report) -> Result<bool, Failure> {
        let objects: BTreeMap<_, _> =
            found.published.iter().map(|object| (object.metadata.name.as_deref(), object)).collect();
        let (mut is_said, mut failed, mut planted) = (true, None, 0);
        for (name, verdict) in &report.verdicts {
            let Some(object) = objects.get(&Some(name.as_str())) else { continue };
            let status = status::next_status(object, verdict, &self.recovery, Timestamp::now());
            if object.status.as_ref() == Some(&status) {
                continue;
            }
            let is_planted = verdict.rank() == Rank::Planted;
            planted += usize::from(is_planted);
            if planted > MAX_PLANTED_WRITES {
                break;
            }
            match self.say(name, object, &status).await {
                Ok(true) => {}
                // Its next change is looked at anyway.
                Ok(false) if is_planted => {}
                // It may still be said to be the primary, so no other one is said to be.
                Ok(false) if object.is_primary() => return failed.map_or(Ok(false), Err),
                Ok(false) => is_said = false,
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        failed.map_or(Ok(is_said), Err)
    }

    async fn say(&self, name: &str, object: &SealingKey, next: &SealingKeyStatus) -> Result<bool, Failure> {
        let stalled = |status: &SealingKeyStatus| {
            find_condition(&status.conditions, "Stalled").map(|it| (it.reason.clone(), it.message.clone()))
        };
        if let Some((reason, message)) = stalled(next)
            && object.status.as_ref().and_then(stalled).is_none_or(|(before, _)| before != reason)
        {
            tracing::warn!(key = name, reason, "{message}");
        }
        let mut body =
            json!({ "fingerprint": null, "state": null, "floor": null, "recoveryRecipients": null });
        let fields = serde_json::to_value(next).expect("a status is plain data");
        body.as_object_mut()
            .expect("it was made an object above")
            .extend(fields.as_object().cloned().unwrap_or_default());
        let patch =
            json!({ "metadata": { "resourceVersion": object.metadata.resource_version }, "status": body });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        match self.api().patch_status(name, &params, &Patch::Merge(&patch)).await {
            Ok(_) => Ok(true),
            Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(false),
            Err(error) => Err(failure(&format!("writing the status of SealingKey {name}"), &error)),
        }
    }

    fn complain(&self, found: &Found, keyless: Option<&String>) {
        let all = keyless.into_iter().chain(&found.crowd);
        let all = all.map(|message| Complaint { secret: String::new(), message: message.clone() });
        let problems = found.problems.iter().map(|(secret, problem)| Complaint {
            secret: secret.clone(),
            message: format!("a Secret labelled as a sealing key isn't used as one: {problem}"),
        });
        self.said.say(problems.chain(all));
    }

    /// Hands the keyring to the reconcilers, with the peer's keys.
    async fn offer(&self, identities: Vec<Identity>, primary: Option<Fingerprint>) -> Result<(), Failure> {
        match self.bitnami.sync().await {
            Ok(rsa_keys) => self.replace(identities, primary, rsa_keys),
            // Identities don't wait for a namespace that nobody granted.
            Err(failure) if self.keyring.borrow().rsa_keys().is_empty() => {
                self.replace(identities, primary, Vec::new());
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Replaces the keyring, the primary of each kind first, only where it changed.
    fn replace(&self, identities: Vec<Identity>, primary: Option<Fingerprint>, rsa_keys: Vec<RsaPrivateKey>) {
        let (first, rest): (Vec<_>, Vec<_>) =
            identities.into_iter().partition(|identity| Some(identity.fingerprint()) == primary);
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

impl Found {
    /// A Secret that isn't a sealing key is passed over; its SealingKey, if it has one, will say that the
    /// private half is missing. The newest keys come first.
    fn new(list: KeySecretList) -> Self {
        let mut keys = Vec::new();
        let (mut later, mut problems) = (Vec::new(), Vec::new());
        for secret in list.items {
            let name = secret.metadata.name.clone().unwrap_or_default();
            match secret.into_key() {
                Ok(key) => keys.push(key),
                Err(problem) => {
                    if let NotAKey::LaterVersion(fingerprint) = problem {
                        later.push(fingerprint);
                    }
                    problems.push((name, problem));
                }
            }
        }
        keys.sort_by_key(|(holder, _)| std::cmp::Reverse(holder.sequence));
        let (holders, identities) = keys.into_iter().unzip();
        Self { holders, identities, later, problems, published: Vec::new(), crowd: None }
    }
}

/// The name of the first key is taken by something else.
fn unreadable(name: &str, found: &Found) -> Failure {
    let problem = match found.problems.iter().find(|(secret, _)| secret == name) {
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

/// Whether both hold the same keys of either kind in the same order.
fn has_same_keys(one: &Keyring, other: &Keyring) -> bool {
    let rsa =
        |keyring: &Keyring| keyring.rsa_keys().iter().map(RsaPrivateKey::fingerprint).collect::<Vec<_>>();
    one.fingerprints().eq(other.fingerprints()) && rsa(one) == rsa(other)
}
