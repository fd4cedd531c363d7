//! Keeps the keys of a cluster up to date: the keyring, the private halves, and the SealingKeys that publish
//! them.
//!
//! This file is the whole work in one scroll, over any [`KeyStore`]. Every replica does load → decide → offer
//! ([`Keys::follow`]); the leader goes on with act → say, until nothing is left to do ([`Keys::lead`]).
//! [`lifecycle`] decides, [`status`] words the statuses, [`cluster`] sends the requests, and [`watch`] starts
//! each look. [`bitnami`] has the keys of sealed-secrets, which go into the same keyring.
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

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use seal_crds::Reason;
use seal_crds::keys::stored::StoredKey;
use seal_crds::keys::{Fingerprint, Identity, Keyring, Recipient, RsaPrivateKey};
use seal_crds::native::NamedRecipient;
use seal_crds::resources::{SEALING_KEY_LABEL, SealingKey};

use self::bitnami::{BitnamiKeys, MakeBitnami};
use self::lifecycle::verdict::Rank;
use self::lifecycle::{Decision, Make, Publish, Raise, Step, decide};
use self::loaded::{Holder, Loaded};
use self::published::Published;
use self::said::{Complaint, Said};
use self::settings::Settings;
use self::status::Statement;
use self::store::{KeyStore, Tried};
use crate::failure::Failure;
use crate::leadership::Leadership;
use crate::recipients::{Recipients, RecordedKey};
use crate::serve::Health;
use crate::store::Reported;

pub(crate) mod bitnami;
pub(crate) mod cluster;
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
const MAX_STEPS: usize = 8;

/// The most statuses that one look writes to SealingKeys that others planted: there may be any number of
/// these.
const MAX_PLANTED_WRITES: usize = 50;

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
    /// Gets the reason if there is no key to seal to.
    pub(crate) health: Health,
    pub(crate) said: Said,
}

impl<S: KeyStore> Keys<S> {
    /// Looks at the keys: leads while `leadership` lasts, and follows otherwise.
    ///
    /// # Errors
    ///
    /// A transient failure; the keys that were loaded before stay loaded.
    pub(crate) async fn look(&self, leadership: &Leadership) -> Result<(), Failure> {
        match leadership.while_leading(self.lead()).await {
            Some(result) => result,
            None => self.follow().await,
        }
    }

    /// Brings everything up to date, as the leader. It depends only on the present state, so it is safe to
    /// repeat, and safe to end at any step.
    async fn lead(&self) -> Result<(), Failure> {
        let (mut made, mut made_bitnami) = (None, None);
        for _ in 0..MAX_STEPS {
            let (mut loaded, published) = self.load().await?;
            let identities = std::mem::take(&mut loaded.identities);
            let decision = decide(&loaded, &published.kept, Timestamp::now(), &self.settings);
            let offered = self.offer(&loaded, identities, &decision).await;
            match &decision.step {
                Step::Make(key) if made.as_ref() == Some(&key.name) => {
                    self.complain(&loaded, &published, None);
                    return Err(unreadable(&key.name, &loaded));
                }
                Step::Make(key) => {
                    self.make(key).await?;
                    made = Some(key.name.clone());
                }
                Step::Raise(raises) => self.raise(raises).await?,
                Step::Publish(keys) => {
                    if let Err(failure) = self.publish(keys).await {
                        // A key that can't be published, for a quota perhaps, holds up no status of another.
                        return self.say(&loaded, &published, &decision).await.and(Err(failure));
                    }
                }
                Step::Say => {
                    if self.say(&loaded, &published, &decision).await? == Reported::UpToDate {
                        match offered? {
                            Some(key) if made_bitnami.as_ref() != Some(&key) => {
                                self.bitnami.make(&self.store, &key).await?;
                                made_bitnami = Some(key);
                            }
                            _ => return Ok(()),
                        }
                    }
                }
            }
        }
        Err(Failure::new(Reason::Conflict, "somebody else changes the sealing keys again and again"))
    }

    /// Offers the keys that there are, and writes nothing. The leader makes the first key, if there is none.
    async fn follow(&self) -> Result<(), Failure> {
        let (mut loaded, published) = self.load().await?;
        let identities = std::mem::take(&mut loaded.identities);
        let decision = decide(&loaded, &published.kept, Timestamp::now(), &self.settings);
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

    /// Loads the Secrets and then the SealingKeys, because the Secrets decide which SealingKeys are kept. A
    /// key that is made in between seems lost, because its Secret is missing; so if a key seems lost, this
    /// loads the Secrets again.
    async fn load(&self) -> Result<(Loaded, Published), Failure> {
        let loaded = self.store.load().await?;
        let published = self.store.published(&loaded.holders).await?;
        let misses_one = lifecycle::misses_one(&loaded, &published.kept);
        let loaded = if misses_one { self.store.load().await? } else { loaded };
        Ok((loaded, published))
    }

    async fn make(&self, key: &Make) -> Result<(), Failure> {
        let Make { name, sequence, created_at } = key;
        let identity = Identity::generate();
        let fingerprint = identity.fingerprint();
        let stored =
            StoredKey { identity, sequence: *sequence, created_at: Time(*created_at), recovery: None };
        // If somebody was quicker, their key is the first one.
        if self.store.create(name, &stored).await? == Tried::Done {
            tracing::info!(key = name, %fingerprint, "made the first sealing key");
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

    /// Publishes the keys. A key that can't be published holds up no other.
    ///
    /// # Errors
    ///
    /// The first failure.
    async fn publish(&self, keys: &[Publish]) -> Result<(), Failure> {
        let mut failed = None;
        for Publish { key, fingerprint, notice } in keys {
            match self.store.publish(key).await {
                Ok(Some(created)) => {
                    tracing::info!(key = key.metadata.name, %fingerprint, "published the sealing key");
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
        let said = self.say_all(&decision.statements).await;
        // Only after the statuses: a client that reads "ready" goes on to seal.
        self.health.set_keyless(decision.keyless.clone());
        said
    }

    async fn say_all(&self, statements: &[Statement<'_>]) -> Result<Reported, Failure> {
        let (mut all, mut failed, mut planted) = (Reported::UpToDate, None, 0);
        for statement in statements.iter().filter(|statement| statement.is_news()) {
            let is_planted = statement.verdict.rank() == Rank::Planted;
            planted += usize::from(is_planted);
            if planted > MAX_PLANTED_WRITES {
                break;
            }
            if let Some((reason, message)) = statement.newly_stalled() {
                tracing::warn!(key = statement.key.metadata.name, reason, "{message}");
            }
            match self.store.say(statement.key, &statement.status).await {
                Ok(Reported::UpToDate) => {}
                // The change that made it stale causes another look anyway.
                Ok(Reported::Stale) if is_planted => {}
                // Its status may still call it the primary, so no other key may be called that now.
                Ok(Reported::Stale) if statement.key.is_primary() => {
                    return failed.map_or(Ok(Reported::Stale), Err);
                }
                Ok(Reported::Stale) => all = Reported::Stale,
                Err(failure) => drop(failed.get_or_insert(failure)),
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
        let primary = decision.primary;
        // Before the keyring: whoever waits for keys finds the recipients too.
        self.know(recipients(loaded, decision, &self.settings));
        match self.bitnami.load(&self.store).await {
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
fn recipients(loaded: &Loaded, decision: &Decision<'_>, settings: &Settings) -> Recipients {
    let named = |recipient: &Recipient, name: Option<&str>| NamedRecipient {
        recipient: recipient.clone(),
        name: name.map(str::to_owned),
    };
    let is_primary = |holder: &&Holder| Some(holder.recipient.fingerprint()) == decision.primary;
    let primary = loaded.holders.iter().find(is_primary);
    let current = primary.into_iter().flat_map(|holder| {
        let recovery = settings.recovery.iter().map(|recipient| named(recipient, None));
        std::iter::once(named(&holder.recipient, Some(&holder.secret))).chain(recovery)
    });
    let keys = loaded.holders.iter().map(|holder| RecordedKey {
        fingerprint: holder.recipient.fingerprint(),
        recovery: settings.recovery.iter().map(Recipient::fingerprint).collect(),
    });
    Recipients::new(current.collect(), &keys.collect::<Vec<_>>(), [], BTreeSet::new())
}

/// The failure if something else has the name of the first key.
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
