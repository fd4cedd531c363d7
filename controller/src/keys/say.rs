//! The words of a look: the statuses of SealingKeys, the Events about them, the log and the readiness.
//!
//! [`super::status`] has the words; this file writes them. Invariants: two SealingKeys are never called the primary, so
//! what takes that name from a key is written first, and if it can't be written, no other key gets the name. A status that
//! can't be written holds up no other.

use super::Keys;
use super::deletion;
use super::lifecycle::verdict::Rank;
use super::loaded::Loaded;
use super::published::Published;
use super::said::Complaint;
use super::status::{Statement, newcomers};
use super::store::KeyStore;
use crate::failure::Failure;
use crate::store::Reported;

/// The most statuses that one look writes to SealingKeys that others planted: there may be any number of
/// these.
pub(super) const MAX_PLANTED_WRITES: usize = 50;

impl<S: KeyStore> Keys<S> {
    /// Writes the statuses, the logs and the readiness. [`Reported::Stale`] means that one of the
    /// controller's own SealingKeys has changed meanwhile, so the step must be decided afresh. Of the
    /// SealingKeys that others planted, only the first [`MAX_PLANTED_WRITES`] get a status.
    ///
    /// # Errors
    ///
    /// The first failure, after all other statuses are written: somebody can plant an object so large that
    /// its status can't be written.
    pub(super) async fn say(
        &self,
        loaded: &Loaded,
        published: &Published,
        keyless: Option<String>,
        statements: &[Statement<'_>],
    ) -> Result<Reported, Failure> {
        self.complain(loaded, published, keyless.as_ref());
        // Before the statuses: once they have the new keys and recipients, nobody would be told any more.
        let is_made_here = |fingerprint: &_| self.arrivals.is_made_here(fingerprint);
        let arrivals =
            statements.iter().filter_map(|it| it.arrival(is_made_here).map(|notice| (it.key, notice)));
        let notices: Vec<_> = arrivals.chain(newcomers(statements)).collect();
        let news = self.arrivals.are_news(notices.iter().map(|(key, notice)| (key.fingerprint(), notice)));
        for ((key, notice), _) in notices.iter().zip(news).filter(|(_, is_news)| *is_news) {
            tracing::warn!(reason = notice.reason, "{}", notice.message);
            self.store.announce(key, notice).await;
        }
        let said = self.say_all(statements).await;
        // Only after the statuses: a client that reads "ready" goes on to seal.
        self.health.set_keyless(keyless);
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
    pub(super) fn complain(&self, loaded: &Loaded, published: &Published, keyless: Option<&String>) {
        let all = keyless.cloned().into_iter().chain(published.complaint());
        let all = all.map(|message| Complaint { secret: String::new(), message });
        let problems = loaded.problems.iter().map(|(secret, problem)| Complaint {
            secret: secret.clone(),
            message: format!("a Secret labelled as a sealing key isn't used as one: {problem}"),
        });
        self.said.say(problems.chain(all));
    }
}
