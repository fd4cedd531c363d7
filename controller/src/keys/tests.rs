//! The keys of a controller over a store in memory: the effects, their order, and the results of requests
//! that fail or come too late.
//!
//! The decisions have their own stories ([`super::lifecycle`]). The memory keeps Secrets as JSON and takes
//! each write as the API server would: only under the version that it was decided on. Invariant: every
//! successful look is followed by one that writes nothing.

mod deletion;

use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use seal_crds::keys::stored::KeySecretList;
use seal_crds::plaintext::WipedString;
use seal_crds::resources::{
    KeyState, PublishedState, STATE_ANNOTATION, SealingKey, SealingKeySpec, SealingKeyStatus, find_condition,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::backups::Backups;
use super::bitnami::tls_secret::TlsSecret;
use super::clock::Clock;
use super::settings::RecipientFlags;
use super::*;
use crate::leadership::Standing;
use crate::leadership::tests::TestClock;
use crate::metrics::Metrics;
use crate::proof::Opened;
use crate::store::Notice;
use stopped::Stop;

mod bitnami_renewal;
mod recipients;
mod stopped;

const FIRST: &str = "sealing-key-first";

/// Another client's act in the middle of a look.
type Interruption = Box<dyn FnOnce(&mut World) + Send>;

/// The content of the namespace of the keys.
#[derive(Default)]
struct World {
    secrets: Vec<Value>,
    sealing_keys: Vec<SealingKey>,
    bitnami: Vec<Value>,
    /// The name of a Secret that the list of sealed-secrets' keys doesn't show.
    hidden_bitnami: Option<String>,
    config_maps: Vec<ConfigMap>,
    /// The objects, by name, with the keys of which each opens it.
    objects: BTreeMap<&'static str, Vec<Fingerprint>>,
    /// How many objects proofs have opened.
    opened: usize,
    /// The time, by both clocks.
    now: Timestamp,
    version: u64,
    /// Writes that were tried, and Events.
    did: Vec<String>,
    /// Requests that fail.
    fails: Vec<&'static str>,
    /// A SealingKey that changes before each of its statuses is written.
    unrest: Option<&'static str>,
    /// Acts of another client, each before the first request that begins with its text.
    interruptions: Vec<(&'static str, Interruption)>,
}

#[derive(Clone, Default)]
struct Memory {
    world: Arc<Mutex<World>>,
    /// Stops the controller that has this clone.
    stop: Option<Arc<Stop>>,
}

impl Memory {
    /// Begins a request, which takes a moment.
    async fn begin(&self, request: &str) -> Result<std::sync::MutexGuard<'_, World>, Failure> {
        self.interrupt(request);
        tokio::task::yield_now().await;
        if let Some(stop) = &self.stop {
            stop.at(request).await;
        }
        let mut world = self.world.lock().unwrap();
        if !["load", "list", "prove"].iter().any(|read| request.starts_with(read)) {
            world.did.push(request.to_owned());
        }
        match world.fails.iter().any(|fails| request.starts_with(fails)) {
            true => Err(Failure::new(Reason::ApiUnavailable, format!("{request} failed"))),
            false => Ok(world),
        }
    }

    fn interrupt(&self, request: &str) {
        let mut world = self.world.lock().unwrap();
        while let Some(at) = world.interruptions.iter().position(|(before, _)| request.starts_with(before)) {
            let (_, interrupt) = world.interruptions.remove(at);
            interrupt(&mut world);
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The writes and Events since the last call.
    fn did(&self) -> Vec<String> {
        std::mem::take(&mut self.world().did)
    }

    fn before(&self, request: &'static str, interrupt: impl FnOnce(&mut World) + Send + 'static) {
        self.world().interruptions.push((request, Box::new(interrupt)));
    }
}

impl World {
    fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// A Secret with a private half, written by this manager.
    fn add(&mut self, name: &str, sequence: i64, state: KeyState, manager: &str) -> Fingerprint {
        let identity = Identity::generate();
        let fingerprint = identity.fingerprint();
        let created_at = Time(Timestamp::UNIX_EPOCH);
        let key = StoredKey { identity, sequence, created_at, recovery: None };
        let secret = serde_json::from_slice(&key.to_json(name, state)).unwrap();
        self.keep(secret, manager);
        fingerprint
    }

    fn keep(&mut self, mut secret: Value, manager: &str) {
        let fields = json!({
            "f:data": {"f:identity": {}}, "f:metadata": {"f:annotations": {"f:sealing.dev/state": {}}},
        });
        secret["metadata"]["resourceVersion"] = self.next_version().into();
        secret["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}]);
        self.secrets.push(secret);
    }

    fn secret(&mut self, name: &str) -> Option<&mut Value> {
        self.secrets.iter_mut().find(|secret| secret["metadata"]["name"] == name)
    }

    fn note(&mut self, name: &str) -> Value {
        self.secret(name).unwrap()["metadata"]["annotations"][STATE_ANNOTATION].clone()
    }

    fn sealing_key(&mut self, name: &str) -> &mut SealingKey {
        self.sealing_keys.iter_mut().find(|key| key.metadata.name.as_deref() == Some(name)).unwrap()
    }

    fn publish(&mut self, mut key: SealingKey) -> SealingKey {
        key.metadata.resource_version = Some(self.next_version());
        self.sealing_keys.push(key.clone());
        key
    }

    /// A SealingKey of somebody who may write them.
    fn plant(&mut self, name: &str) {
        let recipient = Identity::generate().recipient().to_string();
        let created_at = "2026-01-01T00:00:00Z".to_owned();
        let spec = SealingKeySpec {
            recipient,
            sequence: 9,
            created_at,
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        self.publish(SealingKey::new(name, spec));
    }

    fn ask(&mut self, name: &str, state: KeyState) {
        let version = Some(self.next_version());
        let key = self.sealing_key(name);
        (key.spec.state, key.metadata.resource_version) = (state, version);
    }

    fn state(&self, name: &str) -> Option<PublishedState> {
        let key = self.sealing_keys.iter().find(|key| key.metadata.name.as_deref() == Some(name))?;
        key.status.as_ref()?.state
    }

    /// The names of the keys that somebody would seal to.
    fn primaries(&self) -> Vec<&str> {
        let primaries = self.sealing_keys.iter().filter(|key| key.is_primary());
        primaries.map(|key| key.metadata.name.as_deref().unwrap()).collect()
    }
}

impl KeyStore for Memory {
    async fn load(&self) -> Result<Loaded, Failure> {
        let world = self.begin("load").await?;
        let list = json!({ "items": world.secrets });
        let loaded: Loaded = serde_json::from_value::<KeySecretList>(list).unwrap().into();
        Ok(Loaded { clock: Clock::new(Some(world.now), world.now), ..loaded })
    }

    async fn backups(&self, holders: &[Holder]) -> Result<Backups, Failure> {
        let mut backups = Backups::new(holders);
        self.begin("list backups").await?.config_maps.iter().for_each(|found| backups.add(found));
        Ok(backups)
    }

    async fn publish_backup(&self, backup: &PublishBackup) -> Result<Tried, Failure> {
        let name = backup.config_map.metadata.name.clone();
        let mut world = self.begin(&format!("back up {}", name.as_deref().unwrap())).await?;
        let version = world.next_version();
        let found = world.config_maps.iter().position(|found| found.metadata.name == name);
        let is_as_found = |at: usize| world.config_maps[at].metadata.resource_version == backup.over;
        match found {
            Some(at) if backup.over.is_some() && is_as_found(at) => drop(world.config_maps.remove(at)),
            None if backup.over.is_none() => {}
            _ => return Ok(Tried::Overtaken),
        }
        let mut config_map = backup.config_map.clone();
        config_map.metadata.resource_version = Some(version);
        world.config_maps.push(config_map);
        Ok(Tried::Done)
    }

    async fn published(&self, holders: &[Holder]) -> Result<Published, Failure> {
        let mut published = Published::new(holders);
        self.begin("list").await?.sealing_keys.iter().for_each(|key| published.add(key.clone()));
        Ok(published)
    }

    async fn create(&self, name: &str, key: &StoredKey) -> Result<Tried, Failure> {
        let mut world = self.begin(&format!("create {name}")).await?;
        if world.secret(name).is_some() {
            return Ok(Tried::Overtaken);
        }
        let secret = serde_json::from_slice(&key.to_json(name, KeyState::Active)).unwrap();
        world.keep(secret, "seal-controller");
        Ok(Tried::Done)
    }

    async fn note(&self, raise: &Raise) -> Result<Tried, Failure> {
        let mut world = self.begin(&format!("note {} {:?}", raise.secret, raise.floor)).await?;
        let version = world.next_version();
        let Some(secret) = world.secret(&raise.secret) else { return Ok(Tried::Overtaken) };
        if secret["metadata"]["resourceVersion"] != raise.resource_version {
            return Ok(Tried::Overtaken);
        }
        let said = &secret["metadata"]["annotations"][STATE_ANNOTATION];
        let before = serde_json::from_value::<KeyState>(said.clone()).unwrap_or(KeyState::Active);
        assert!(
            before <= raise.floor,
            "the floor of {} sinks from {before:?} to {:?}",
            raise.secret,
            raise.floor
        );
        secret["metadata"]["annotations"][STATE_ANNOTATION] = json!(raise.floor);
        secret["metadata"]["resourceVersion"] = version.into();
        let fields = json!({"f:metadata": {"f:annotations": {"f:sealing.dev/state": {}}}});
        let ours = json!({"manager": "seal-controller", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields});
        secret["metadata"]["managedFields"].as_array_mut().unwrap().push(ours);
        Ok(Tried::Done)
    }

    async fn release(&self, release: &Release) -> Result<Tried, Failure> {
        let mut world = self.begin(&format!("release {}", release.secret)).await?;
        let Some(secret) = world.secret(&release.secret) else { return Ok(Tried::Overtaken) };
        if secret["metadata"]["resourceVersion"] != release.resource_version {
            return Ok(Tried::Overtaken);
        }
        world.let_go(&release.secret);
        Ok(Tried::Done)
    }

    async fn publish(&self, key: &SealingKey) -> Result<Option<SealingKey>, Failure> {
        let mut key = key.clone();
        let generated = key.metadata.generate_name.take().map(|start| start + "x");
        key.metadata.name = key.metadata.name.or(generated);
        let name = key.metadata.name.clone();
        let mut world = self.begin(&format!("publish {}", name.as_deref().unwrap())).await?;
        if world.sealing_keys.iter().any(|found| found.metadata.name == name) {
            return Ok(None);
        }
        Ok(Some(world.publish(key)))
    }

    async fn say(&self, key: &SealingKey, status: &SealingKeyStatus) -> Result<Reported, Failure> {
        let name = key.metadata.name.as_deref().unwrap();
        let primary = find_condition(&status.conditions, "Primary").unwrap();
        let mut world = self.begin(&format!("say {name} {}", primary.reason)).await?;
        let version = Some(world.next_version());
        let is_unrest = world.unrest == Some(name);
        let is_there = world.sealing_keys.iter().any(|found| found.metadata.name == key.metadata.name);
        if !is_there {
            return Ok(Reported::Stale);
        }
        let found = world.sealing_key(name);
        if is_unrest || found.metadata.resource_version != key.metadata.resource_version {
            return Ok(Reported::Stale);
        }
        (found.status, found.metadata.resource_version) = (Some(status.clone()), version);
        assert!(world.primaries().len() <= 1, "{:?}", world.primaries());
        Ok(Reported::UpToDate)
    }

    async fn announce(&self, key: &SealingKey, notice: &Notice) {
        let name = key.metadata.name.as_deref().unwrap();
        self.world().did.push(format!("announce {name} {}", notice.reason));
    }

    async fn load_bitnami(&self) -> Result<Vec<TlsSecret>, Failure> {
        let world = self.begin("load_bitnami").await?;
        Ok(serde_json::from_value(json!(world.bitnami)).unwrap())
    }

    async fn create_bitnami(&self, secret: Zeroizing<Vec<u8>>) -> Result<Tried, Failure> {
        let secret: Value = serde_json::from_slice(&secret).unwrap();
        let name = secret["metadata"]["name"].clone();
        let mut world = self.begin(&format!("create_bitnami {}", name.as_str().unwrap())).await?;
        let is_hidden = world.hidden_bitnami.as_deref() == name.as_str();
        if is_hidden || world.bitnami.iter().any(|found| found["metadata"]["name"] == name) {
            return Ok(Tried::Overtaken);
        }
        world.bitnami.push(secret);
        Ok(Tried::Done)
    }

    async fn announce_bitnami(&self, name: &str, notice: &Notice) {
        self.world().did.push(format!("announce {name} {}", notice.reason));
    }
}

impl Proof for Memory {
    fn needing(&self, keys: Arc<Keyring>, known: Opened) -> BoxFuture<'_, Result<Needing, Failure>> {
        let answer = async move {
            let mut world = self.begin("prove").await?;
            let (mut shut, mut opened) = (Vec::new(), Opened::default());
            for (name, openers) in world.objects.clone() {
                let is_known = known.has(&id(name, &openers));
                world.opened += usize::from(!is_known);
                match is_known || openers.iter().any(|key| keys.find(key).is_some()) {
                    true => opened.insert(id(name, &openers)),
                    false => shut.push(name.to_owned()),
                }
            }
            Ok(Needing::of(shut, opened))
        };
        answer.boxed()
    }

    fn is_all<'a>(&'a self, opened: &'a Opened) -> BoxFuture<'a, Result<bool, Failure>> {
        let answer = async move {
            let world = self.begin("list objects").await?;
            let ids = world.objects.iter().map(|(name, openers)| Some(id(name, openers)));
            Ok(opened.is_all_of(&ids.collect::<Vec<_>>()))
        };
        answer.boxed()
    }
}

/// An object of this name that these keys open: a change of them is one of its spec.
fn id(name: &str, openers: &[Fingerprint]) -> (String, i64) {
    let spec: String = openers.iter().map(ToString::to_string).collect();
    (format!("{name} {spec}"), 1)
}

/// A controller over this memory.
fn keys(store: &Memory) -> Keys<Memory> {
    let bitnami = BitnamiKeys {
        namespace: "keys".parse().unwrap(),
        making: None,
        certificate: tokio::sync::watch::Sender::new(None),
        metrics: Metrics::default(),
        said: Said::default(),
        unmade: Said::default(),
    };
    Keys {
        store: store.clone(),
        settings: Settings::default(),
        bitnami,
        keyring: tokio::sync::watch::Sender::new(Arc::default()),
        recipients: tokio::sync::watch::Sender::new(None),
        proof: Arc::new(store.clone()),
        rest: Rest::default(),
        counted: tokio::sync::watch::Sender::new(None).subscribe(),
        health: Health::default(),
        metrics: Metrics::default(),
        said: Said::default(),
    }
}

/// A controller with its first key.
async fn started() -> (Memory, Keys<Memory>) {
    let store = Memory::default();
    let keys = keys(&store);
    assert_eq!(keys.lead(pending()).await, Ok(()));
    store.did();
    (store, keys)
}

/// Looks until all is done, and then once more, which does nothing.
async fn settle(keys: &Keys<Memory>) -> Vec<String> {
    assert_eq!(keys.lead(pending()).await, Ok(()));
    let did = keys.store.did();
    assert_eq!(keys.lead(pending()).await, Ok(()));
    assert_eq!(keys.store.did(), [""; 0], "a second look does nothing");
    did
}

#[tokio::test]
async fn the_first_key_is_made_published_said_and_at_hand() {
    let store = Memory::default();
    let keys = keys(&store);
    let did = settle(&keys).await;
    assert_eq!(
        did,
        ["create sealing-key-first", "publish sealing-key-first", "say sealing-key-first NewestActive"]
    );
    assert_eq!(store.world().primaries(), [FIRST]);
    assert_eq!(store.world().note(FIRST), "Active");
    assert_eq!(keys.keyring.borrow().len(), 1);
    assert_eq!(keys.health.readiness().1, "starting\n", "the keys are said, and the caches aren't complete");
}

#[tokio::test]
async fn two_controllers_started_together_have_one_key() {
    let store = Memory::default();
    let (one, other) = (keys(&store), keys(&store));
    // Both controllers have seen that there is no key, and the other one is quicker.
    store.before("create", |world| {
        world.add(FIRST, 1, KeyState::Active, "seal-controller");
    });
    assert_eq!(one.lead(pending()).await, Ok(()));
    assert_eq!(other.lead(pending()).await, Ok(()));
    assert_eq!(store.world().secrets.len(), 1);
    assert_eq!(store.world().primaries(), [FIRST]);
    assert!(one.keyring.borrow().fingerprints().eq(other.keyring.borrow().fingerprints()));
}

#[tokio::test]
async fn a_replica_that_does_not_lead_opens_with_every_key_and_writes_nothing() {
    let store = Memory::default();
    let (leader, follower) = (keys(&store), keys(&store));
    assert_eq!(follower.follow().await, Ok(()));
    assert_eq!((follower.keyring.borrow().len(), store.did().len()), (0, 0), "it waits for the first key");
    assert_eq!(follower.health.readiness().1, "starting\n");
    settle(&leader).await;
    let newer = store.world().add("restored", 2, KeyState::Active, "kubectl-create");
    store.world().plant("planted");
    assert_eq!(follower.follow().await, Ok(()));
    assert_eq!(follower.keyring.borrow().len(), 2);
    assert_eq!(
        follower.keyring.borrow().fingerprints().next(),
        leader.keyring.borrow().fingerprints().next()
    );
    assert_eq!(store.did(), [""; 0]);
    // The primary is said, so a client may seal.
    follower.health.set_ready();
    assert_eq!(follower.health.readiness().1, "ok\n");
    store.world().ask(FIRST, KeyState::Revoked);
    assert_eq!(follower.follow().await, Ok(()));
    assert!(follower.keyring.borrow().fingerprints().any(|fingerprint| fingerprint == newer));
    assert!(follower.health.readiness().1.contains("it is revoked"), "{}", follower.health.readiness().1);
    assert_eq!(store.did(), [""; 0]);
}

#[tokio::test]
async fn a_look_leads_only_while_the_term_lasts() {
    let store = Memory::default();
    let keys = keys(&store);
    let time = TestClock::default();
    let until = time.clock().now().plus(Duration::from_secs(10));
    let (_term, standing) = tokio::sync::watch::channel(Standing::Leads(until));
    let leadership = Leadership::new(standing, time.clock());
    // The process is stopped before it publishes, until long after the end of the term.
    let stopped = time.clone();
    store.before("publish", move |_| stopped.advance(Duration::from_secs(3600)));
    assert_eq!(keys.look(&leadership, pending()).await, Ok(()));
    assert_eq!(store.did(), ["create sealing-key-first"]);
    assert_eq!(keys.keyring.borrow().len(), 1, "it goes on as a follower");
    assert_eq!(store.world().primaries(), [""; 0]);
}

#[tokio::test]
async fn what_was_loaded_opens_also_where_nothing_can_be_written() {
    let store = Memory::default();
    let fingerprint = store.world().add("restored", 1, KeyState::Active, "kubectl-create");
    store.world().fails = vec!["create", "note", "publish", "say"];
    let keys = keys(&store);
    assert_eq!(keys.lead(pending()).await.unwrap_err().reason, Reason::ApiUnavailable);
    assert!(keys.keyring.borrow().fingerprints().eq([fingerprint]));
}

#[tokio::test]
async fn the_keyring_has_the_primary_first_and_loses_a_key_whose_secret_is_gone() {
    let (store, keys) = started().await;
    let newer = store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    settle(&keys).await;
    assert_eq!(keys.keyring.borrow().fingerprints().next(), Some(newer));
    assert_eq!(store.world().note(FIRST), "Retiring");
    store.world().secrets.remove(0);
    settle(&keys).await;
    assert!(keys.keyring.borrow().fingerprints().eq([newer]));
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Lost));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn a_sealing_key_whose_status_cannot_be_written_keeps_nothing_from_being_said_of_others() {
    let store = Memory::default();
    ["a-full-one", "b-planted"].iter().for_each(|name| store.world().plant(name));
    store.world().fails = vec!["say a-full-one"];
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("say a-full-one"), "{failure}");
    assert_eq!(store.world().primaries(), [FIRST]);
    assert_eq!(store.world().state("b-planted"), Some(PublishedState::Planted));
    // The status also tells when the primary isn't the primary any more.
    store.world().ask(FIRST, KeyState::Revoked);
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Revoked));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
    assert_eq!(store.world().note(FIRST), "Revoked");
}

#[tokio::test]
async fn a_key_that_cannot_be_published_keeps_nothing_from_being_said_of_others() {
    let (store, keys) = started().await;
    store.world().add("restored", 7, KeyState::Active, "kubectl-create");
    store.world().fails = vec!["publish"];
    store.world().ask(FIRST, KeyState::Revoked);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("publish restored"), "{failure}");
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Revoked));
    assert_eq!(keys.keyring.borrow().len(), 3, "the new key, in place of the revoked one, opens too");
    assert_eq!(store.world().primaries(), [""; 0]);
    store.world().fails.clear();
    store.did();
    let mut did = settle(&keys).await;
    did.retain(|did| did.contains("restored"));
    assert_eq!(did, ["publish restored", "announce restored KeyAdded", "say restored NotNewestActive"]);
    assert_eq!(store.world().primaries(), ["sealing-key-8"]);
}

#[tokio::test]
async fn a_state_that_was_decided_on_an_older_secret_is_not_noted_and_what_follows_is_decided_afresh() {
    let (store, keys) = started().await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    store.world().add("sealing-key-3", 3, KeyState::Active, "seal-controller");
    // Somebody revokes the older key beside its private half, a moment before the controller notes Retiring
    // there.
    store.before("note sealing-key-first", |world| {
        let version = world.next_version();
        let secret = world.secret(FIRST).unwrap();
        secret["metadata"]["annotations"][STATE_ANNOTATION] = json!("Revoked");
        secret["metadata"]["resourceVersion"] = version.into();
    });
    let did = settle(&keys).await;
    let tried = ["note sealing-key-first Retiring", "note sealing-key-2 Retiring"];
    assert_eq!(did[2..4], tried, "{did:?}");
    assert_eq!(store.world().note(FIRST), "Revoked");
    assert_eq!(store.world().primaries(), ["sealing-key-3"]);
}

#[tokio::test]
async fn no_key_is_called_the_primary_while_another_may_still_be_said_to_be() {
    let (store, keys) = started().await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    // The first SealingKey, whose status calls it the primary, changes again and again.
    store.world().unrest = Some(FIRST);
    assert_eq!(keys.lead(pending()).await.unwrap_err().reason, Reason::Conflict);
    let did = store.did();
    assert!(!did.iter().any(|did| did.starts_with("say sealing-key-2")), "{did:?}");
    assert_eq!(store.world().primaries(), [FIRST]);
    store.world().unrest = None;
    settle(&keys).await;
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn no_key_is_called_the_primary_before_a_lost_one_is_recorded_as_retiring() {
    let (store, keys) = started().await;
    store.world().secrets.clear();
    settle(&keys).await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    let floor = |store: &Memory| store.world().sealing_key(FIRST).status.clone().unwrap().floor;
    store.world().fails = vec!["say sealing-key-first"];
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(floor(&store), Some(KeyState::Active));
    assert_eq!(store.world().primaries(), [""; 0]);
    store.world().fails.clear();
    settle(&keys).await;
    assert_eq!(floor(&store), Some(KeyState::Retiring));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn one_look_writes_only_so_many_statuses_of_what_others_planted() {
    let (store, keys) = started().await;
    (0..MAX_PLANTED_WRITES + 7).for_each(|i| store.world().plant(&format!("planted-{i}")));
    assert_eq!(keys.lead(pending()).await, Ok(()));
    assert_eq!(store.did().len(), MAX_PLANTED_WRITES);
    assert_eq!(settle(&keys).await.len(), 7, "the rest at the next look");
}

#[tokio::test]
async fn what_has_the_first_keys_name_and_is_no_key_is_said_with_what_is_wrong() {
    let store = Memory::default();
    store.world().add(FIRST, 1, KeyState::Active, "kubectl-create");
    store.world().secret(FIRST).unwrap()["data"]["identity"] = json!("bm90IGEga2V5");
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::KeyUnreadable);
    assert!(failure.message.contains("data.identity isn't an identity"), "{failure}");
    assert_eq!(store.did(), ["create sealing-key-first"], "once, and nothing is written over it");

    // Nor does one with the next key's name keep anything from being said.
    let (store, keys) = started().await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "kubectl-create");
    store.world().secret("sealing-key-2").unwrap()["data"]["identity"] = json!("bm90IGEga2V5");
    store.world().ask(FIRST, KeyState::Revoked);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.contains("Secret sealing-key-2 exists"), "{failure}");
    assert_eq!(store.world().primaries(), [""; 0]);
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Revoked));
}

#[tokio::test]
async fn a_key_that_is_made_while_a_look_reads_is_not_taken_for_a_lost_one() {
    let (store, keys) = started().await;
    // After the Secrets were read, another controller makes a key, publishes it and writes its status.
    store.before("list", |world| {
        world.add("sealing-key-2", 2, KeyState::Active, "seal-controller");
        let list = json!({ "items": world.secrets });
        let loaded = Loaded::from(serde_json::from_value::<KeySecretList>(list).unwrap());
        let holder = loaded.holders.iter().find(|holder| holder.secret == "sealing-key-2").unwrap();
        let spec = SealingKeySpec {
            recipient: holder.recipient.to_string(),
            sequence: 2,
            created_at: holder.created_at.clone(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let mut key = SealingKey::new("sealing-key-2", spec);
        let fingerprint = Some(key.fingerprint().to_string());
        let floor = Some(KeyState::Active);
        key.status = Some(SealingKeyStatus { fingerprint, floor, ..SealingKeyStatus::default() });
        world.publish(key);
    });
    let did = settle(&keys).await;
    assert!(did.iter().all(|did| !did.contains("NotNewestActive") || did.contains(FIRST)), "{did:?}");
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn identities_do_not_wait_for_the_keys_of_sealed_secrets() {
    let store = Memory::default();
    store.world().fails = vec!["load_bitnami"];
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("load_bitnami"), "{failure}");
    assert_eq!((keys.keyring.borrow().len(), keys.keyring.borrow().rsa_keys().len()), (1, 0));
    assert_eq!(store.world().primaries(), [FIRST]);

    let (pem, certificate) =
        (include_str!("bitnami/testdata/newer.pem"), include_str!("bitnami/testdata/newer.crt"));
    let data = json!({"tls.key": encode(pem), "tls.crt": encode(certificate)});
    let labels = json!({"sealedsecrets.bitnami.com/sealed-secrets-key": "active"});
    store.world().bitnami.push(json!({"metadata": {"name": "x", "labels": labels}, "data": data}));
    store.world().fails.clear();
    settle(&keys).await;
    assert_eq!((keys.keyring.borrow().len(), keys.keyring.borrow().rsa_keys().len()), (1, 1));
    // Once they are loaded, they stay loaded after a failure.
    store.world().fails = vec!["load_bitnami"];
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(keys.keyring.borrow().rsa_keys().len(), 1);
}

/// The text in base64.
fn encode(text: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    assert_eq!(*WipedString::from(encoded.clone()).decoded(), text);
    encoded
}

/// A controller with its first key, made with a recovery set, and these flags for the next one.
async fn started_with_recovery(next: &[Recipient]) -> (Memory, Keys<Memory>, Recipient) {
    let store = Memory::default();
    let recovery = Identity::generate().recipient().clone();
    let mut keys = keys(&store);
    keys.settings = settings(std::slice::from_ref(&recovery));
    settle(&keys).await;
    keys.settings = settings(next);
    (store, keys, recovery)
}

fn settings(recovery: &[Recipient]) -> Settings {
    let flags = RecipientFlags { recovery: recovery.to_vec(), ..RecipientFlags::default() };
    Settings::new(jiff::SignedDuration::from_hours(24 * 365), flags).unwrap()
}

/// The texts of the published backups.
fn published_backups(store: &Memory) -> Vec<String> {
    let world = store.world();
    world.config_maps.iter().flat_map(|map| map.data.clone().unwrap().into_values()).collect()
}

#[tokio::test]
async fn a_recovery_set_that_is_swapped_and_swapped_back_gives_the_intruder_nothing() {
    let intruder = Identity::generate();
    let (store, mut keys, recovery) = started_with_recovery(&[intruder.recipient().clone()]).await;
    let before = published_backups(&store);
    assert_eq!(before.len(), 1);
    let set = |keys: &Keys<Memory>| {
        let recipients = keys.recipients.borrow().clone().unwrap();
        recipients.current().iter().map(|named| named.recipient.clone()).collect::<Vec<_>>()
    };
    let mut did = settle(&keys).await;
    assert_eq!(did, ["say sealing-key-first NewestActive"], "only that the set has changed");
    assert!(!set(&keys).contains(intruder.recipient()) && set(&keys).contains(&recovery));
    keys.settings = settings(&[recovery]);
    did.extend(settle(&keys).await);
    assert_eq!(did.len(), 2);
    assert_eq!(published_backups(&store), before);
    let status = store.world().sealing_key(FIRST).status.clone().unwrap();
    assert!(!format!("{status:?}").contains(intruder.recipient().as_str()));
    assert_eq!(find_condition(&status.conditions, "RecoveryChanged"), None);
}

#[tokio::test]
async fn a_renewal_that_is_cut_short_before_any_request_is_finished_by_the_next_look() {
    let requests = [
        "create sealing-key-2",
        "back up",
        "publish sealing-key-2",
        "note sealing-key-first Retiring",
        "say sealing-key-first",
        "say sealing-key-2",
    ];
    for cut in requests {
        let (store, first, _) = started_with_recovery(&[Identity::generate().recipient().clone()]).await;
        store.did();
        store.world().ask(FIRST, KeyState::Retiring);
        store.world().fails = vec![cut];
        let failure = first.lead(pending()).await.unwrap_err();
        assert!(failure.message.starts_with(cut), "{failure}");
        // What is said to be the primary has everything that it needs.
        let primaries = store.world().primaries().into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert!(primaries.len() <= 1, "{cut}: {primaries:?}");
        if primaries == ["sealing-key-2"] {
            assert_eq!(store.world().note(FIRST), "Retiring");
            assert_eq!(published_backups(&store).len(), 2);
        }
        store.world().fails.clear();
        // Another controller goes on, which knows nothing of the first.
        let settings = first.settings.clone();
        let next = Keys { settings, ..keys(&store) };
        settle(&next).await;
        assert_eq!(store.world().primaries(), ["sealing-key-2"], "{cut}");
        assert_eq!(store.world().secrets.len(), 2, "{cut}: no third key");
        assert_eq!(store.world().note(FIRST), "Retiring", "{cut}");
        assert_eq!(store.world().note("sealing-key-2"), "Active", "{cut}");
        assert_eq!(published_backups(&store).len(), 2, "{cut}");
    }
}

#[tokio::test]
async fn two_leaders_that_renew_at_the_same_time_make_one_key() {
    let (store, keys, _) = started_with_recovery(&[]).await;
    store.world().ask(FIRST, KeyState::Retiring);
    // The other one is quicker, and its key is the one.
    store.before("create sealing-key-2", |world| {
        world.add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    });
    settle(&keys).await;
    assert_eq!(store.world().secrets.len(), 2);
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn a_leader_with_old_data_lowers_no_state_and_overwrites_no_record_of_a_deleted_key() {
    let (store, keys) = started().await;
    store.world().ask(FIRST, KeyState::Retiring);
    settle(&keys).await;
    // The leader has listed the SealingKeys. Meanwhile another one has seen that nothing needs the first key, wrote
    // that down, and let its Secret go.
    store.world().ask(FIRST, KeyState::Revoked);
    store.before("list", |_| {});
    store.before("load", |_| {});
    store.before("load", |world| {
        let version = Some(world.next_version());
        let key = world.sealing_key(FIRST);
        key.status.as_mut().unwrap().state = Some(PublishedState::Destroyed);
        key.metadata.resource_version = version;
        world.secrets.retain(|secret| secret["metadata"]["name"] != FIRST);
    });
    settle(&keys).await;
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Destroyed));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn a_published_backup_is_healed_and_who_changes_it_meanwhile_is_not_overwritten_blindly() {
    let (store, keys, recovery) = started_with_recovery(&[]).await;
    keys.store.did();
    let before = published_backups(&store);
    let tamper = |world: &mut World, text: &str| {
        let version = Some(world.next_version());
        let map = &mut world.config_maps[0];
        map.data.as_mut().unwrap().insert("stolen".into(), text.into());
        map.metadata.resource_version = version;
    };
    tamper(&mut store.world(), "x");
    store.before("back up", move |world| tamper(world, "y"));
    let did = settle(&keys).await;
    assert_eq!(did.iter().filter(|did| did.starts_with("back up")).count(), 2, "{did:?}");
    assert_eq!(published_backups(&store), before);
    store.world().config_maps.clear();
    settle(&keys).await;
    assert_eq!(published_backups(&store), before);
    drop(recovery);
}

#[tokio::test]
async fn who_opens_does_not_wait_for_the_right_to_read_backups() {
    let (store, _, _) = started_with_recovery(&[]).await;
    store.world().fails = vec!["list backups"];
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("list backups"), "{failure}");
    assert_eq!(keys.keyring.borrow().len(), 1);
    assert_eq!(store.world().primaries(), [FIRST], "nothing is said that isn't known");
}

#[tokio::test]
async fn a_renewal_is_announced_in_one_event() {
    let (store, keys, recovery) = started_with_recovery(&[]).await;
    let keys = Keys { settings: settings(&[recovery]), ..keys };
    settle(&keys).await;
    assert!(keys.metrics.to_text().contains("seal_controller_key_renewal_timestamp_seconds 31536000"));
    store.world().now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 340);
    let did = settle(&keys).await;
    assert_eq!(did, ["say sealing-key-first NewestActive", "announce sealing-key-first RenewalSoon"]);
}

#[tokio::test]
async fn an_immutable_config_map_in_place_of_a_backup_stops_neither_sealing_nor_what_else_is_to_do() {
    let (store, keys, _) = started_with_recovery(&[Identity::generate().recipient().clone()]).await;
    store.world().ask(FIRST, KeyState::Retiring);
    settle(&keys).await;
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
    let second = keys.keyring.borrow().fingerprints().next().unwrap();
    let name = backup::config_map_name(&second);
    {
        let mut world = store.world();
        let map = world.config_maps.iter_mut().find(|map| map.metadata.name.as_ref() == Some(&name));
        map.unwrap().data = None;
        // The API server corrects no immutable ConfigMap.
        world.fails = vec!["back up"];
        world.objects = [("prod/db", vec![second])].into();
        let secret = world.secret(FIRST).unwrap();
        secret["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("back up"), "{failure}");
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
    assert!(store.world().secret(FIRST).is_none(), "the deleted key goes");
    let missing = |store: &Memory| {
        let status = store.world().sealing_key("sealing-key-2").status.clone().unwrap();
        find_condition(&status.conditions, "BackupMissing").map(|missing| missing.message.clone())
    };
    assert!(missing(&store).unwrap().contains(&name));
    // A newer key is made and published all the same.
    store.world().fails = vec![Box::leak(format!("back up {name}").into_boxed_str())];
    store.world().ask("sealing-key-2", KeyState::Revoked);
    for _ in 0..3 {
        keys.lead(pending()).await.unwrap_err();
    }
    assert_eq!(store.world().primaries(), ["sealing-key-3"]);
    store.world().fails.clear();
    settle(&keys).await;
    assert_eq!(missing(&store), None);
}

#[tokio::test]
async fn a_recipient_that_the_files_add_is_announced_whichever_way_it_comes() {
    let intruder = || Identity::generate().recipient().clone();
    let (store, mut keys, recovery) = started_with_recovery(&[]).await;
    let flags = |recovery: &[Recipient], extra: &[Recipient], revoked: &[Fingerprint]| {
        let (recovery, extra) = (recovery.to_vec(), extra.to_vec());
        let revoked = revoked.iter().copied().collect();
        let flags = RecipientFlags { recovery, extra, revoked, ..RecipientFlags::default() };
        Settings::new(jiff::SignedDuration::ZERO, flags).unwrap()
    };
    let announced =
        |did: Vec<String>| did.into_iter().filter(|did| did.ends_with("RecipientsAdded")).collect::<Vec<_>>();
    let kept = [recovery];
    // As an extra recipient; again once it was away; and beside one that is known.
    let extra = [intruder(), intruder()];
    for (extra, is_new) in [
        (&extra[..0], false),
        (&extra[..1], true),
        (&extra[..0], false),
        (&extra[..1], true),
        (&extra[..], true),
    ] {
        keys.settings = flags(&kept, extra, &[]);
        let expected = if is_new { vec!["announce sealing-key-first RecipientsAdded"] } else { vec![] };
        assert_eq!(announced(settle(&keys).await), expected);
        assert_eq!(announced(settle(&keys).await), [""; 0]);
    }
    // In the recovery set of a new key, while the file of revoked recipients names the primary.
    let first = keys.keyring.borrow().fingerprints().next().unwrap();
    keys.settings = flags(&[intruder()], &extra, &[first]);
    assert_eq!(announced(settle(&keys).await), ["announce sealing-key-2 RecipientsAdded"]);
    // The same when there was no primary in between.
    store.world().ask("sealing-key-2", KeyState::Revoked);
    store.world().fails = vec!["create"];
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(store.world().primaries(), [""; 0]);
    store.world().fails.clear();
    keys.settings = flags(&[intruder()], &extra, &[first]);
    assert_eq!(announced(settle(&keys).await), ["announce sealing-key-3 RecipientsAdded"]);
}
