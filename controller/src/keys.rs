//! Keeps the keys of a cluster up to date: the keyring, the private halves, and the SealingKeys that publish
//! them.
//!
//! This file is the whole work in one scroll, over any [`KeyStore`]. Every replica does load → decide → offer
//! ([`Keys::follow`]); the leader goes on with act → say, until nothing is left to do ([`Keys::lead`]).
//! [`lifecycle`] decides, [`status`] words the statuses, [`cluster`] sends the requests, and [`watch`] starts
//! each look. [`deletion`] says which Secrets of deleted keys may go, and [`bitnami`] has the keys of
//! sealed-secrets, which go into the same keyring.
//!
//! SealingKeys are output. The controller reads back only that they exist, their `spec.state`, and what it
//! wrote itself into their status. Sequence and date come from the Secret, and the recipient to seal to never
//! comes from the API: otherwise a person who may write a SealingKey could read every Secret that is sealed
//! afterwards.
//!
//! Invariants: every effect is a line of [`Keys::lead`] or of a function that it calls in this file. The
//! loaded keys are offered to the reconcilers before anything is written, so a failed write keeps no Secret
//! from being opened. A status that can't be written to one SealingKey holds up no other SealingKey. A replica
//! that doesn't lead writes nothing. Nothing depends on that: each write has its own precondition, so two
//! leaders do what one would.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use seal_crds::Reason;
use seal_crds::keys::stored::{Recovery, StoredKey};
use seal_crds::keys::{Fingerprint, Identity, Keyring, Recipient, RsaPrivateKey, backup};
use seal_crds::native::NamedRecipient;
use seal_crds::resources::{SEALING_KEY_LABEL, SealingKey};

use self::backups::PublishBackup;
use self::bitnami::{BitnamiKeys, MakeBitnami};
use self::clock::Clock;
use self::deletion::{Asked, Deletions, Proven, Release, Rest};
use self::lifecycle::verdict::Rank;
use self::lifecycle::{Decision, Make, Publish, Raise, Step, decide};
use self::loaded::{Holder, Loaded};
use self::published::Published;
use self::said::{Complaint, Said};
use self::settings::Settings;
use self::status::{Statement, newcomers};
use self::store::{KeyStore, Tried};
use crate::failure::Failure;
use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::proof::{Needing, Proof};
use crate::recipients::Recipients;
use crate::serve::Health;
use crate::store::Reported;
use crate::usage::Counted;

mod backups;
pub(crate) mod bitnami;
mod clock;
pub(crate) mod cluster;
pub(crate) mod deletion;
mod lifecycle;
mod loaded;
mod published;
pub(crate) mod said;
pub(crate) mod settings;
mod status;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod watch;

/// The most steps of one look: making, noting, publishing and saying, and some more in case somebody else
/// writes at the same time.
const MAX_STEPS: usize = 16;

/// The most times that one look lists the SealingKeys anew because a key appeared meanwhile.
const MAX_LISTS: usize = 3;

/// The most statuses that one look writes to SealingKeys that others planted: there may be any number of
/// these.
const MAX_PLANTED_WRITES: usize = 50;

/// The time that a proof may take. A change of the keys ends it sooner, because nothing else is done about keys meanwhile.
const PROOF_LIMIT: Duration = Duration::from_secs(300);

/// Keeps the keyring and the SealingKeys up to date with the private halves.
pub(crate) struct Keys<S> {
    pub(crate) store: S,
    pub(crate) settings: Settings,
    /// The keys of sealed-secrets, which go into the same keyring.
    pub(crate) bitnami: BitnamiKeys,
    /// The keys that the reconcilers open with.
    pub(crate) keyring: tokio::sync::watch::Sender<Arc<Keyring>>,
    /// The recipients of this cluster, for the reconcilers; `None` until the keys are loaded.
    pub(crate) recipients: tokio::sync::watch::Sender<Option<Arc<Recipients>>>,
    /// Shows that nothing needs a key that is being deleted.
    pub(crate) proof: Arc<dyn Proof>,
    /// Keeps proofs that let no key go apart.
    pub(crate) rest: Rest,
    /// The number of objects that need each key; `None` until they are counted.
    pub(crate) counted: tokio::sync::watch::Receiver<Option<Arc<Counted>>>,
    /// Gets the reason if there is no key to seal to.
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) said: Said,
}

impl<S: KeyStore> Keys<S> {
    /// Looks at the keys: leads while `leadership` lasts, and follows otherwise. Once `changed` is over, a proof that is
    /// under way is dropped, and the next look is due.
    ///
    /// # Errors
    ///
    /// A transient failure; the keys that were loaded before stay loaded.
    pub(crate) async fn look(
        &self,
        leadership: &Leadership,
        changed: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        match leadership.while_leading(self.lead(changed)).await {
            Some(result) => result,
            None => self.follow().await,
        }
    }

    /// Brings everything up to date, as the leader. It depends only on the present state, so it is safe to
    /// repeat, and safe to end at any step.
    async fn lead(&self, changed: impl Future<Output = ()>) -> Result<(), Failure> {
        let mut changed = pin!(changed);
        let (mut made, mut made_bitnami, mut proven, mut outdated) = (None, None, None, None);
        for _ in 0..MAX_STEPS {
            let (mut loaded, published) = self.load().await?;
            let identities = std::mem::take(&mut loaded.identities);
            let mut decision = decide(&loaded, &published.kept, &self.settings);
            let offered = self.offer(&loaded, identities, &decision).await;
            proven = proven.filter(|proven: &Proven| proven.counts(&loaded.holders));
            let now = loaded.clock.now();
            deletion::word(&mut decision.statements, proven.as_ref(), &loaded.holders, now);
            self.count(&mut decision.statements);
            self.compare(&mut decision.statements);
            if let Step::Raise(raises) = &decision.step {
                self.raise(raises).await?;
                continue;
            }
            match self.act(&decision.step, &mut made, &loaded).await {
                Ok(true) => {}
                // A key or a backup that can't be made or published, for a quota perhaps, holds up nothing else.
                stuck => {
                    let stuck = stuck.map(drop);
                    if self.say(&loaded, &published, &decision).await? == Reported::Stale {
                        continue;
                    }
                    match offered? {
                        Some(key) if made_bitnami.as_ref() != Some(&key) => {
                            self.bitnami.make(&self.store, &key, &loaded.clock).await?;
                            made_bitnami = Some(key);
                            continue;
                        }
                        _ => {}
                    }
                    let deletions = Deletions::of(&loaded.holders);
                    if self.release(&deletions.copied).await? {
                        continue;
                    }
                    let asked = Asked::new(&loaded.holders, &decision.statements, self.objects(), now);
                    match &proven {
                        _ if deletions.only.is_empty() => return stuck,
                        None if self.rest.lasts(&asked, now) => return stuck,
                        None => {
                            proven = tokio::select! {
                                biased;
                                // A revocation doesn't wait for minutes.
                                () = changed.as_mut() => return stuck,
                                proven = self.prove(outdated.take()) => Some(proven?),
                            }
                        }
                        Some(Proven { needing: Needing::Nobody(opened), .. }) => {
                            let told: Vec<_> =
                                deletion::told(&deletions.only, &decision.statements).collect();
                            if told.is_empty() {
                                self.rest.begin(asked, now);
                                return stuck;
                            }
                            // Somebody may have applied an object since the proof began, and only that is opened then.
                            if !self.proof.is_all(opened).await? {
                                outdated = proven.take();
                            } else if !self.release(told).await? {
                                return stuck;
                            }
                        }
                        Some(_) => {
                            self.rest.begin(asked, now);
                            return stuck;
                        }
                    }
                }
            }
        }
        Err(changes_again_and_again())
    }

    /// Makes or publishes what this step says; `false` if it says nothing of the kind.
    async fn act(&self, step: &Step, made: &mut Option<String>, loaded: &Loaded) -> Result<bool, Failure> {
        match step {
            Step::Make(key) if made.as_ref() == Some(&key.name) => Err(unreadable(&key.name, loaded)),
            Step::Make(key) => {
                self.make(key).await?;
                *made = Some(key.name.clone());
                Ok(true)
            }
            Step::Publish(backups, keys) => self.publish(backups, keys).await.map(|()| true),
            Step::Raise(_) | Step::Say => Ok(false),
        }
    }

    /// Opens every object with the keys that stay, but those that an outdated proof has opened. The keys are loaded
    /// anew, because a private half is never copied.
    async fn prove(&self, outdated: Option<Proven>) -> Result<Proven, Failure> {
        let loaded = self.store.load().await?;
        let outdated = outdated.filter(|outdated| outdated.counts(&loaded.holders));
        let known = outdated.map(Proven::into_opened).unwrap_or_default();
        let Some((keyring, survivors)) = deletion::rest(loaded) else { return Ok(Proven::nothing_left()) };
        let asked = self.proof.needing(Arc::new(keyring), known);
        let needing = tokio::time::timeout(PROOF_LIMIT, asked).await.unwrap_or_else(|_| {
            let why = "opening all SealedSecrets with the other keys takes more than five minutes";
            Ok(Needing::Unknown(why.to_owned()))
        })?;
        Ok(Proven::new(needing, survivors))
    }

    /// Lets Secrets go; returns whether one went.
    async fn release<'r>(&self, releases: impl IntoIterator<Item = &'r Release>) -> Result<bool, Failure> {
        let mut is_released = false;
        for release in releases {
            if self.store.release(release).await? == Tried::Done {
                let Release { secret, fingerprint, .. } = release;
                tracing::warn!(secret, %fingerprint, "let the Secret of a deleted sealing key go");
                is_released = true;
            }
        }
        Ok(is_released)
    }

    /// How many objects need each key.
    fn objects(&self) -> BTreeMap<Fingerprint, i64> {
        self.counted.borrow().as_deref().map(|counted| counted.objects.clone()).unwrap_or_default()
    }

    /// Adds to the statements how many objects need each key.
    fn count(&self, statements: &mut [Statement<'_>]) {
        if let Some(counted) = self.counted.borrow().as_deref() {
            statements.iter_mut().for_each(|statement| statement.count(counted));
        }
    }

    /// Adds to the statement about the primary whom the items of objects are compared with. Objects that are examined
    /// after it was written are compared with these: the reconcilers have them already.
    fn compare(&self, statements: &mut [Statement<'_>]) {
        if let Some(recipients) = self.recipients.borrow().as_deref() {
            statements.iter_mut().for_each(|statement| statement.compare(recipients.exposing()));
        }
    }

    /// Offers the keys that there are, and writes nothing. The leader makes the first key, if there is none.
    async fn follow(&self) -> Result<(), Failure> {
        let (mut loaded, published) = self.load().await?;
        let identities = std::mem::take(&mut loaded.identities);
        let decision = decide(&loaded, &published.kept, &self.settings);
        let offered = self.offer(&loaded, identities, &decision).await;
        // Before the leader has made the first key, nothing is wrong.
        let keyless = decision.keyless.filter(|_| !matches!(decision.step, Step::Make(_)));
        self.complain(&loaded, &published, keyless.as_ref());
        // A client that reads "ready" goes on to seal, so the leader must have said whom to seal to.
        let said = published.kept.iter().filter(|key| key.is_primary()).map(SealingKey::fingerprint);
        if said.eq(decision.primary) && (decision.primary.is_some() || keyless.is_some()) {
            self.health.set_keyless(keyless);
        }
        offered.map(drop)
    }

    /// Lists the SealingKeys, and then loads the Secrets, so that no key seems lost that is only new, and the record of a
    /// key that was deleted in between isn't overwritten: it was written after the list, and a status lands only on the
    /// version that was listed.
    ///
    /// The Secrets decide which SealingKeys are kept, so they are loaded before, too; and if a key appeared meanwhile,
    /// all begins again.
    async fn load(&self) -> Result<(Loaded, Published), Failure> {
        let mut loaded = self.store.load().await?;
        for _ in 0..MAX_LISTS {
            let published = self.store.published(&loaded.holders).await?;
            loaded = self.store.load().await?;
            if !published.covers(&loaded.holders) {
                continue;
            }
            return match self.store.backups(&loaded.holders).await {
                Ok(backups) => Ok((Loaded { backups, ..loaded }, published)),
                // Who opens doesn't wait for a backup. The primary stays what it was.
                Err(failure) => {
                    let primary = self.keyring.borrow().fingerprints().next();
                    self.offer_keyring(loaded.identities, primary, &loaded.clock).await.and(Err(failure))
                }
            };
        }
        Err(changes_again_and_again())
    }

    /// Makes a key with its backup, in one request.
    async fn make(&self, key: &Make) -> Result<(), Failure> {
        let Make { name, sequence, created_at, recovery } = key;
        let (identity, created_at) = (Identity::generate(), Time(*created_at));
        let fingerprint = identity.fingerprint();
        let recovery = backed_up(&identity, *sequence, &created_at, recovery)?;
        let stored = StoredKey { identity, sequence: *sequence, created_at, recovery };
        // If somebody was quicker, their key is the one of this name.
        if self.store.create(name, &stored).await? == Tried::Done {
            tracing::info!(key = name, %fingerprint, "made a sealing key");
        }
        Ok(())
    }

    async fn raise(&self, raises: &[Raise]) -> Result<(), Failure> {
        for raise in raises {
            // The notes have an order, so a note that wasn't written stops the later ones.
            if self.store.note(raise).await? == Tried::Overtaken {
                return Ok(());
            }
            tracing::info!(secret = raise.secret, state = ?raise.floor, "noted the state of a sealing key");
        }
        Ok(())
    }

    /// Publishes the backups, and then the keys: once a key is published, its name isn't secret, and somebody could take
    /// that of its backup. One that can't be published holds up no other.
    ///
    /// # Errors
    ///
    /// The first failure.
    async fn publish(&self, backups: &[PublishBackup], keys: &[Publish]) -> Result<(), Failure> {
        let mut failed = None;
        for backup in backups {
            match self.store.publish_backup(backup).await {
                Ok(Tried::Done) => {
                    let fingerprint = backup.fingerprint;
                    tracing::info!(config_map = backup.config_map.metadata.name, %fingerprint, "published a backup");
                }
                // The next step looks at what is there.
                Ok(Tried::Overtaken) => {}
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        for Publish { key, fingerprint, notice } in keys {
            match self.store.publish(key).await {
                Ok(Some(created)) => {
                    tracing::info!(key = created.metadata.name, %fingerprint, "published the sealing key");
                    if let Some(notice) = notice {
                        tracing::warn!(reason = notice.reason, "{}", notice.message);
                        self.store.announce(&created, notice).await;
                    }
                }
                // Somebody has taken the name; the next step looks at their SealingKey.
                Ok(None) => {}
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Writes the statuses, the logs and the readiness. [`Reported::Stale`] means that one of the
    /// controller's own SealingKeys has changed meanwhile, so the step must be decided afresh. Of the
    /// SealingKeys that others planted, only the first [`MAX_PLANTED_WRITES`] get a status.
    ///
    /// # Errors
    ///
    /// The first failure, after all other statuses are written: somebody can plant an object so large that
    /// its status can't be written.
    async fn say(
        &self,
        loaded: &Loaded,
        published: &Published,
        decision: &Decision<'_>,
    ) -> Result<Reported, Failure> {
        self.complain(loaded, published, decision.keyless.as_ref());
        // Before the statuses: once they have the new recipients, nobody would be told any more.
        if let Some((key, notice)) = newcomers(&decision.statements) {
            tracing::warn!(reason = notice.reason, "{}", notice.message);
            self.store.announce(key, &notice).await;
        }
        let said = self.say_all(&decision.statements).await;
        // Only after the statuses: a client that reads "ready" goes on to seal.
        self.health.set_keyless(decision.keyless.clone());
        said
    }

    async fn say_all(&self, statements: &[Statement<'_>]) -> Result<Reported, Failure> {
        let (mut all, mut failed, mut planted) = (Reported::UpToDate, None, 0);
        let mut is_former_said = true;
        for statement in statements.iter().filter(|statement| statement.is_news()) {
            // With two keys that are called the primary, nobody could seal.
            if statement.verdict.is_primary && !is_former_said {
                continue;
            }
            let is_planted = statement.verdict.rank() == Rank::Planted;
            planted += usize::from(is_planted);
            if planted > MAX_PLANTED_WRITES {
                break;
            }
            if let Some((reason, message)) = statement.newly_stalled() {
                tracing::warn!(key = statement.key.metadata.name, reason, "{message}");
            }
            match self.store.say(statement.key, &statement.status).await {
                Ok(Reported::UpToDate) => {
                    for notice in statement.announcement().into_iter().chain(deletion::news(statement)) {
                        tracing::info!(key = statement.key.metadata.name, "{}", notice.message);
                        self.store.announce(statement.key, &notice).await;
                    }
                }
                // The change that made it stale causes another look anyway.
                Ok(Reported::Stale) if is_planted => {}
                // Its status may still call it the primary, or let it come back as one, so no other key may be called that
                // now.
                Ok(Reported::Stale) if statement.goes_before_primary() => {
                    return failed.map_or(Ok(Reported::Stale), Err);
                }
                Ok(Reported::Stale) => all = Reported::Stale,
                Err(failure) => {
                    is_former_said &= !statement.goes_before_primary();
                    failed.get_or_insert(failure);
                }
            }
        }
        failed.map_or(Ok(all), Err)
    }

    /// Logs every fault once.
    fn complain(&self, loaded: &Loaded, published: &Published, keyless: Option<&String>) {
        let all = keyless.cloned().into_iter().chain(published.complaint());
        let all = all.map(|message| Complaint { secret: String::new(), message });
        let problems = loaded.problems.iter().map(|(secret, problem)| Complaint {
            secret: secret.clone(),
            message: format!("a Secret labelled as a sealing key isn't used as one: {problem}"),
        });
        self.said.say(problems.chain(all));
    }

    /// Hands the recipients and the keyring, with the keys of sealed-secrets, to the reconcilers. Gives the key of
    /// that kind that is missing.
    async fn offer(
        &self,
        loaded: &Loaded,
        identities: Vec<Identity>,
        decision: &Decision<'_>,
    ) -> Result<Option<MakeBitnami>, Failure> {
        self.metrics.key_renewal(decision.renewal_at);
        // Before the keyring: whoever waits for keys finds the recipients too.
        self.know(recipients(loaded, decision, &self.settings));
        self.offer_keyring(identities, decision.primary, &loaded.clock).await
    }

    /// Hands the keyring to the reconcilers.
    async fn offer_keyring(
        &self,
        identities: Vec<Identity>,
        primary: Option<Fingerprint>,
        clock: &Clock,
    ) -> Result<Option<MakeBitnami>, Failure> {
        match self.bitnami.load(&self.store, clock).await {
            Ok((rsa_keys, missing)) => {
                self.replace(identities, primary, rsa_keys);
                Ok(missing)
            }
            // Identities don't wait for a namespace that the controller may not read.
            Err(failure) if self.keyring.borrow().rsa_keys().is_empty() => {
                self.replace(identities, primary, Vec::new());
                Err(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Hands the recipients to the reconcilers if they have changed.
    fn know(&self, recipients: Recipients) {
        self.recipients.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&recipients);
            if is_new {
                *known = Some(Arc::new(recipients));
            }
            is_new
        });
    }

    /// Replaces the keyring if it has changed. The primary of each kind is its first key.
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
                let (keys, rsa_keys) = (keyring.len(), keyring.rsa_keys().len());
                tracing::info!(keys, rsa_keys, "loaded the sealing keys");
                *current = Arc::new(keyring);
            }
            is_new
        });
    }
}

/// The recipients of this cluster, from the private halves and the flags.
///
/// While the states of older keys aren't noted, nobody is sealed to: a key that takes their place is the primary only
/// afterwards.
fn recipients(loaded: &Loaded, decision: &Decision<'_>, settings: &Settings) -> Recipients {
    let named = |recipient: &Recipient, name: Option<&str>| NamedRecipient {
        recipient: recipient.clone(),
        name: name.map(str::to_owned),
    };
    let is_noted = !matches!(decision.step, Step::Raise(_));
    let is_primary = |holder: &&Holder| Some(holder.recipient.fingerprint()) == decision.primary && is_noted;
    let primary = loaded.holders.iter().find(is_primary);
    let current = primary.into_iter().flat_map(|holder| {
        let recovery = holder.recovery.iter().flat_map(Recovery::recipients);
        let others = recovery.chain(settings.extra()).map(|recipient| named(recipient, None));
        std::iter::once(named(&holder.recipient, Some(&holder.secret))).chain(others)
    });
    let revoked: BTreeSet<Fingerprint> =
        settings.revoked.iter().copied().chain(decision.revoked.iter().copied()).collect();
    let others = settings.extra().map(Recipient::fingerprint).chain(settings.former.iter().copied());
    let known = others.chain(settings.revoked.iter().copied());
    Recipients::new(current.collect(), &decision.recorded, known, revoked)
}

/// The recovery set of a new key with the key's backup; `None` if the set is empty.
fn backed_up(
    identity: &Identity,
    sequence: i64,
    created_at: &Time,
    recipients: &[Recipient],
) -> Result<Option<Recovery>, Failure> {
    if recipients.is_empty() {
        return Ok(None);
    }
    let failed = |why: String| {
        Failure::new(Reason::BackupFailed, format!("a new sealing key can't be backed up: {why}"))
    };
    let backup = backup::encrypt(identity, sequence, created_at, recipients);
    let backup = backup.map_err(|error| failed(error.to_string()))?;
    let recovery = Recovery::new(recipients.iter().cloned(), backup);
    recovery.map(Some).ok_or_else(|| failed("there are too many recovery recipients".to_owned()))
}

fn changes_again_and_again() -> Failure {
    Failure::new(Reason::Conflict, "somebody else changes the sealing keys again and again")
}

/// The failure if something else has the name of the key to make.
fn unreadable(name: &str, loaded: &Loaded) -> Failure {
    let problem = match loaded.problems.iter().find(|(secret, _)| secret == name) {
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
