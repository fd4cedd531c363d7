//! Keeps the keys of a cluster up to date: the keyring, the private halves, and the SealingKeys that publish
//! them.
//!
//! This file is the whole work in one scroll, over any [`KeyStore`]. Every replica does load → decide → offer
//! ([`Keys::follow`]); the leader goes on with act → say, until nothing is left to do ([`Keys::lead`]).
//! [`lifecycle`] decides, and [`status`] words the statuses; [`offer`], [`act`] and [`say`] carry out what this file
//! says; [`cluster`] sends the requests, and [`watch`] starts each look. [`deletion`] says which Secrets of deleted keys may go, and [`bitnami`] has the keys of
//! sealed-secrets, which go into the same keyring.
//!
//! SealingKeys are output. The controller reads back only that they exist, their `spec.state`, and what it
//! wrote itself into their status. Sequence and date come from the Secret, and the recipient to seal to never
//! comes from the API: otherwise a person who may write a SealingKey could read every Secret that is sealed
//! afterwards.
//!
//! Invariants: every effect is a line of [`Keys::lead`] or of a method that it calls. The
//! loaded keys are offered to the reconcilers before anything is written, so a failed write keeps no Secret
//! from being opened. A status that can't be written to one SealingKey holds up no other SealingKey. A replica
//! that doesn't lead writes nothing. Nothing depends on that: each write has its own precondition, so two
//! leaders do what one would.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use seal_crds::Reason;
use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::resources::SealingKey;

use self::arrivals::Arrivals;
use self::bitnami::BitnamiKeys;
use self::deletion::{Asked, Deletions, Proven, Release, Rest};
use self::lifecycle::verdict::Judged;
use self::lifecycle::{Step, decide};
use self::loaded::Loaded;
use self::published::Published;
use self::said::Said;
use self::settings::Settings;
use self::status::Statement;
use self::store::{KeyStore, Tried};
use crate::failure::Failure;
use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::proof::{Needing, Proof};
use crate::recipients::Recipients;
use crate::serve::Health;
use crate::store::Reported;
use crate::usage::Counted;

mod act;
pub(crate) mod arrivals;
mod backups;
pub(crate) mod bitnami;
pub(crate) mod cluster;
pub(crate) mod deletion;
mod holder;
mod lifecycle;
mod loaded;
mod offer;
mod published;
pub(crate) mod said;
mod say;
mod server_time;
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
    /// Turns true once the reconcilers may begin: there is a key, or there will be none before somebody acts.
    pub(crate) is_settled: tokio::sync::watch::Sender<bool>,
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
    pub(crate) arrivals: Arrivals,
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
            let now = loaded.time.now();
            let statements = self.state(std::mem::take(&mut decision.verdicts), &loaded, proven.as_ref());
            if let Step::Raise(raises) = &decision.step {
                self.raise(raises).await?;
                continue;
            }
            match self.act(&decision.step, &mut made, &loaded).await {
                Ok(true) => {}
                // A key or a backup that can't be made or published, for a quota perhaps, holds up nothing else.
                stuck => {
                    let stuck = stuck.map(drop);
                    if self.say(&loaded, &published, decision.keyless, &statements).await? == Reported::Stale
                    {
                        continue;
                    }
                    match offered? {
                        Some(key) if made_bitnami.as_ref() != Some(&key) => {
                            self.bitnami.make(&self.store, &key, &loaded.time).await?;
                            made_bitnami = Some(key);
                            continue;
                        }
                        _ => {}
                    }
                    let deletions = Deletions::of(&loaded.holders);
                    if self.release(&deletions.copied).await? {
                        continue;
                    }
                    let asked = Asked::new(&loaded.holders, &statements, self.objects(), now);
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
                            let told: Vec<_> = deletion::told(&deletions.only, &statements).collect();
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

    /// The statuses that the SealingKeys should have by these verdicts, with what a proof has shown, how many objects need
    /// each key, and whom the items of objects are compared with.
    fn state<'a>(
        &self,
        verdicts: Vec<Judged<'a>>,
        loaded: &Loaded,
        proven: Option<&Proven>,
    ) -> Vec<Statement<'a>> {
        let now = loaded.time.now();
        let say = |Judged { key, verdict }| Statement::new(key, verdict, &self.settings, now);
        let mut statements: Vec<_> = verdicts.into_iter().map(say).collect();
        deletion::word(&mut statements, proven, &loaded.holders, now);
        if let Some(counted) = self.counted.borrow().as_deref() {
            statements.iter_mut().for_each(|statement| statement.count(counted));
        }
        // Objects that are examined after this was written are compared with these: the reconcilers have them already.
        if let Some(recipients) = self.recipients.borrow().as_deref() {
            statements.iter_mut().for_each(|statement| statement.compare(recipients.exposing()));
        }
        statements
    }

    /// Offers the keys that there are, and writes nothing. The leader makes the first key, if there is none.
    async fn follow(&self) -> Result<(), Failure> {
        self.arrivals.forget();
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
                    self.offer_keyring(loaded.identities, primary, &loaded.time).await.and(Err(failure))
                }
            };
        }
        Err(changes_again_and_again())
    }
}

fn changes_again_and_again() -> Failure {
    Failure::new(Reason::Conflict, "somebody else changes the sealing keys again and again")
}
