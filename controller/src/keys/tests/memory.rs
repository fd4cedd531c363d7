//! The store of the tests: a namespace in memory, with the objects that need its keys.
//!
//! It keeps Secrets as JSON and takes each write as the API server would: only under the version that it was decided on.
//! Another client can act before any request, requests can fail, and a controller can be stopped. Invariants, which every
//! write holds: no floor sinks, and at most one SealingKey is called the primary.

use super::*;

/// Another client's act in the middle of a look.
pub(super) type Interruption = Box<dyn FnOnce(&mut World) + Send>;

/// The content of the namespace of the keys.
#[derive(Default)]
pub(super) struct World {
    pub(super) secrets: Vec<Value>,
    pub(super) sealing_keys: Vec<SealingKey>,
    pub(super) bitnami: Vec<Value>,
    /// The name of a Secret that the list of sealed-secrets' keys doesn't show.
    pub(super) hidden_bitnami: Option<String>,
    pub(super) config_maps: Vec<ConfigMap>,
    /// The objects, by name, with the keys of which each opens it.
    pub(super) objects: BTreeMap<&'static str, Vec<Fingerprint>>,
    /// How many objects proofs have opened.
    pub(super) opened: usize,
    /// The time, by both clocks.
    pub(super) now: Timestamp,
    pub(super) version: u64,
    /// Writes that were tried, and Events.
    pub(super) did: Vec<String>,
    /// Requests that fail.
    pub(super) fails: Vec<&'static str>,
    /// A SealingKey that changes before each of its statuses is written.
    pub(super) unrest: Option<&'static str>,
    /// Acts of another client, each before the first request that begins with its text.
    pub(super) interruptions: Vec<(&'static str, Interruption)>,
}

#[derive(Clone, Default)]
pub(super) struct Memory {
    pub(super) world: Arc<Mutex<World>>,
    /// Stops the controller that has this clone.
    pub(super) stop: Option<Arc<Stop>>,
}

impl Memory {
    /// Begins a request, which takes a moment.
    pub(super) async fn begin(&self, request: &str) -> Result<std::sync::MutexGuard<'_, World>, Failure> {
        self.interrupt(request);
        tokio::task::yield_now().await;
        if let Some(stop) = &self.stop {
            stop.at(request).await;
        }
        let mut world = self.world.lock().unwrap();
        if !["load", "list", "prove"].iter().any(|read| request.starts_with(read)) {
            world.did.push(request.to_owned());
        }
        if world.fails.iter().any(|fails| request.starts_with(fails)) {
            return Err(Failure::new(Reason::ApiUnavailable, format!("{request} failed")));
        }
        Ok(world)
    }

    pub(super) fn interrupt(&self, request: &str) {
        let mut world = self.world.lock().unwrap();
        while let Some(at) = world.interruptions.iter().position(|(before, _)| request.starts_with(before)) {
            let (_, interrupt) = world.interruptions.remove(at);
            interrupt(&mut world);
        }
    }

    pub(super) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The writes and Events since the last call.
    pub(super) fn did(&self) -> Vec<String> {
        std::mem::take(&mut self.world().did)
    }

    pub(super) fn before(&self, request: &'static str, interrupt: impl FnOnce(&mut World) + Send + 'static) {
        self.world().interruptions.push((request, Box::new(interrupt)));
    }
}

impl World {
    pub(super) fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// A Secret with a private half, written by this manager.
    pub(super) fn add(&mut self, name: &str, sequence: i64, state: KeyState, manager: &str) -> Fingerprint {
        let identity = Identity::generate();
        let fingerprint = identity.fingerprint();
        let created_at = Time(Timestamp::UNIX_EPOCH);
        let key = StoredKey { identity, sequence, created_at, recovery: None };
        let secret = serde_json::from_slice(&key.to_json(name, state)).unwrap();
        self.keep(secret, manager);
        fingerprint
    }

    pub(super) fn keep(&mut self, mut secret: Value, manager: &str) {
        let fields = json!({
            "f:data": {"f:identity": {}}, "f:metadata": {"f:annotations": {"f:sealing.dev/state": {}}},
        });
        secret["metadata"]["resourceVersion"] = self.next_version().into();
        secret["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}]);
        self.secrets.push(secret);
    }

    pub(super) fn secret(&mut self, name: &str) -> Option<&mut Value> {
        self.secrets.iter_mut().find(|secret| secret["metadata"]["name"] == name)
    }

    pub(super) fn note(&mut self, name: &str) -> Value {
        self.secret(name).unwrap()["metadata"]["annotations"][STATE_ANNOTATION].clone()
    }

    pub(super) fn sealing_key(&mut self, name: &str) -> &mut SealingKey {
        self.sealing_keys.iter_mut().find(|key| key.metadata.name.as_deref() == Some(name)).unwrap()
    }

    pub(super) fn publish(&mut self, mut key: SealingKey) -> SealingKey {
        key.metadata.resource_version = Some(self.next_version());
        self.sealing_keys.push(key.clone());
        key
    }

    /// A SealingKey of somebody who may write them.
    pub(super) fn plant(&mut self, name: &str) {
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

    pub(super) fn ask(&mut self, name: &str, state: KeyState) {
        let version = Some(self.next_version());
        let key = self.sealing_key(name);
        (key.spec.state, key.metadata.resource_version) = (state, version);
    }

    pub(super) fn state(&self, name: &str) -> Option<PublishedState> {
        let key = self.sealing_keys.iter().find(|key| key.metadata.name.as_deref() == Some(name))?;
        key.status.as_ref()?.state
    }

    /// The names of the keys that somebody would seal to.
    pub(super) fn primaries(&self) -> Vec<&str> {
        let primaries = self.sealing_keys.iter().filter(|key| key.is_primary());
        primaries.map(|key| key.metadata.name.as_deref().unwrap()).collect()
    }
}

impl KeyStore for Memory {
    async fn load(&self) -> Result<Loaded, Failure> {
        let world = self.begin("load").await?;
        let list = json!({ "items": world.secrets });
        let loaded: Loaded = serde_json::from_value::<KeySecretList>(list).unwrap().into();
        Ok(Loaded { time: ServerTime::new(Some(world.now), world.now), ..loaded })
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
                if is_known || openers.iter().any(|key| keys.find(key).is_some()) {
                    opened.insert(id(name, &openers));
                } else {
                    shut.push(name.to_owned());
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
pub(super) fn id(name: &str, openers: &[Fingerprint]) -> (String, i64) {
    let spec: String = openers.iter().map(ToString::to_string).collect();
    (format!("{name} {spec}"), 1)
}
