//! One pass over the whole checkout: every object is reconciled, and the Secrets of removed manifests are
//! pruned.
//!
//! Not its timing; [`run`](super::run) decides that. Invariant: a Secret is pruned only when its manifest was
//! gone from two complete readings of the checkout, some time apart, and the checkout wasn't empty. A
//! checkout doesn't change in one step: Git removes files and writes them again, and a pass that falls in
//! between must do no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use seal_crds::keys::Keyring;
use seal_crds::resources::find_condition;
use seal_crds::{Place, Reason};
use tokio::sync::watch;

use super::manifests::{self, Checkout};
use super::store::{HostStore, Object, StatusFile};
use super::volume::write::Removed;
use crate::plan::is_ready;
use crate::reconcile::{Context, Next, reconcile};
use crate::store::{Last, Store as _};

/// How many objects are at work at a time: enough to hide the tick that each write waits for.
const WORKERS: usize = 16;

/// The result of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many SealedSecrets the checkout holds.
    pub(crate) objects: usize,
    /// How many of them have their Secret in place.
    pub(crate) ready: usize,
    /// How many other things went wrong: parts of the checkout that couldn't be read, Secrets that couldn't
    /// be pruned.
    pub(crate) problems: usize,
    /// When the next pass is due even if nothing changes; `None` if only a change can help.
    pub(crate) again: Option<Instant>,
}

impl Outcome {
    /// Whether every Secret is in place and nothing else went wrong.
    pub(crate) fn is_complete(&self) -> bool {
        self.ready == self.objects && self.problems == 0
    }
}

/// An object that failed. Passes leave it out until its manifest or the keys change, or until the time
/// `until`.
struct Waiting {
    revision: String,
    keys: Arc<Keyring>,
    until: Option<Instant>,
}

/// Everything that passes share, and what one remembers for the next.
pub(crate) struct Agent {
    /// The store, the policy and the keys.
    pub(crate) context: Context<HostStore>,
    /// The directory of the checkout.
    pub(crate) manifests: PathBuf,
    /// Prune even when the checkout holds no SealedSecret any more (`--allow-empty`).
    pub(crate) allow_empty: bool,
    /// How long a manifest has to be gone before its Secret is pruned.
    pub(crate) prune_after: Duration,
    missing: BTreeMap<Place, Instant>,
    waiting: BTreeMap<Place, Waiting>,
    said: BTreeSet<String>,
    noted: BTreeSet<String>,
}

impl Agent {
    /// An agent that has seen nothing yet.
    pub(crate) fn new(
        context: Context<HostStore>,
        manifests: PathBuf,
        allow_empty: bool,
        prune_after: Duration,
    ) -> Self {
        Self {
            context,
            manifests,
            allow_empty,
            prune_after,
            missing: BTreeMap::new(),
            waiting: BTreeMap::new(),
            said: BTreeSet::new(),
            noted: BTreeSet::new(),
        }
    }

    /// Reads the checkout and brings the output in step with it. When `stop` turns true, no further object is
    /// begun; the next start does the rest.
    pub(crate) async fn pass(&mut self, stop: &watch::Receiver<bool>) -> Outcome {
        let mut checkout = manifests::read(&self.manifests);
        let found = std::mem::take(&mut checkout.objects);
        let objects: Vec<_> = found.into_iter().map(|(place, found)| Object::new(place, found)).collect();
        let present: BTreeSet<_> = objects.iter().map(|object| object.place().clone()).collect();
        self.waiting.retain(|place, _| present.contains(place));

        let due: Vec<_> = objects.iter().filter(|object| self.is_due(object)).collect();
        let context = &self.context;
        let keys = context.keys.borrow().clone();
        let results: Vec<_> = futures::stream::iter(due)
            .take_while(|_| std::future::ready(!*stop.borrow()))
            .map(|object| async move { (object, reconcile(context, object).await) })
            .buffer_unordered(WORKERS)
            .collect()
            .await;
        for (object, next) in results {
            self.remember(object, next, &keys);
        }
        // The status alone isn't enough: on a full disk it may still be the former one.
        let is_in_place = |object: &&Object| {
            !self.waiting.contains_key(object.place()) && is_ready(&self.context.store.last(object))
        };
        let ready = objects.iter().filter(is_in_place).count();
        let mut outcome = Outcome {
            objects: objects.len(),
            ready,
            problems: checkout.problems.len(),
            again: self.waiting.values().filter_map(|waiting| waiting.until).min(),
        };
        if !*stop.borrow() {
            let mut said = BTreeSet::new();
            self.prune(&checkout, &present, &mut outcome, &mut said);
            self.say(&checkout, said);
        }
        outcome.again = outcome.again.into_iter().chain(self.prune_due()).min();
        if outcome.is_complete() && outcome.objects > 0 {
            // The state file is complete again, if it was ever lost.
            if let Err(error) = self.context.store.directory.settled() {
                tracing::warn!(%error, "can't write the state file");
            }
        }
        outcome
    }

    /// When the next Secret can be pruned, if its manifest stays gone; `None` if no manifest is gone.
    pub(crate) fn prune_due(&self) -> Option<Instant> {
        self.missing.values().min().map(|since| *since + self.prune_after)
    }

    fn is_due(&self, object: &Object) -> bool {
        let Some(waiting) = self.waiting.get(object.place()) else {
            return true;
        };
        let unchanged =
            waiting.revision == object.revision() && Arc::ptr_eq(&waiting.keys, &self.context.keys.borrow());
        !unchanged || waiting.until.is_some_and(|until| until <= Instant::now())
    }

    fn remember(&mut self, object: &Object, next: Next, keys: &Arc<Keyring>) {
        let last = self.context.store.last(object);
        let until = match next {
            Next::After(delay) => Some(Instant::now() + delay),
            // Only a look shows that a foreign directory went away, and a look costs nothing.
            Next::OnChange if is_ready(&last) || reason(&last) == Some(Reason::ForeignSecret.as_str()) => {
                self.waiting.remove(object.place());
                return;
            }
            Next::OnChange => None,
        };
        let waiting = Waiting { revision: object.revision().to_owned(), keys: keys.clone(), until };
        self.waiting.insert(object.place().clone(), waiting);
    }

    /// Prunes Secrets whose manifests have been gone for long enough, if the checkout can be trusted to show
    /// that.
    fn prune(
        &mut self,
        checkout: &Checkout,
        present: &BTreeSet<Place>,
        outcome: &mut Outcome,
        said: &mut BTreeSet<String>,
    ) {
        let store = &self.context.store;
        let gone: BTreeSet<_> = store.directory.ours().into_iter().filter(|p| !present.contains(p)).collect();
        let doubt = if !checkout.problems.is_empty() {
            Some("part of the checkout can't be read".to_owned())
        } else if let Some(link) = &checkout.doubtful_link {
            Some(format!(
                "they may stand behind a link, and no link is followed ({})",
                seal_foreign::path(link)
            ))
        } else if present.is_empty() && !self.allow_empty {
            Some("the checkout holds no SealedSecret at all any more (--allow-empty)".to_owned())
        } else {
            None
        };
        if let Some(doubt) = doubt {
            self.missing.clear();
            if !gone.is_empty() {
                outcome.problems += 1;
                said.insert(format!("{} Secrets are gone from the checkout and stay: {doubt}", gone.len()));
            }
            return;
        }
        let now = Instant::now();
        self.missing.retain(|place, _| gone.contains(place));
        for place in &gone {
            let since = *self.missing.entry(place.clone()).or_insert(now);
            if now.duration_since(since) < self.prune_after {
                continue;
            }
            // Also after an error: the passes to come try again, instead of trying at once and for ever.
            self.missing.remove(place);
            match store.directory.prune(place) {
                Ok(Removed::Wholly) => tracing::info!(%place, "pruned the Secret"),
                Ok(Removed::Except(others)) => {
                    tracing::warn!(%place, others, "pruned the Secret; what others had put there stays");
                }
                Err(error) => {
                    outcome.problems += 1;
                    said.insert(format!("Secret {place} is not pruned: {}", chain(&error)));
                }
            }
        }
        let mut live = present.clone();
        live.extend(store.directory.ours());
        if let Err(error) = store.status.retain::<StatusFile>(&live) {
            said.insert(format!("old status files can't be removed: {}", error.kind()));
        }
    }

    /// Logs each obstacle once, logs when it is gone, and logs it again when it comes back.
    fn say(&mut self, checkout: &Checkout, mut said: BTreeSet<String>) {
        said.extend(checkout.problems.iter().map(|problem| chain(problem)));
        for new in said.difference(&self.said) {
            tracing::warn!("{new}");
        }
        for old in self.said.difference(&said) {
            tracing::info!("no longer so: {old}");
        }
        let noted = notes(checkout);
        for new in noted.difference(&self.noted) {
            tracing::info!("{new}");
        }
        self.noted = noted;
        self.said = said;
    }
}

/// Intended behaviour that may surprise users.
fn notes(checkout: &Checkout) -> BTreeSet<String> {
    let links = (checkout.links > 0)
        .then(|| format!("{} links in the checkout are passed by; none is followed", checkout.links));
    let superseded = checkout.superseded.as_ref().map(|first| {
        format!("a native SealedSecret goes before one of bitnami.com for the same Secret (first: {first})")
    });
    links.into_iter().chain(superseded).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

fn reason(last: &Last) -> Option<&str> {
    let ready = find_condition(&last.status.as_ref()?.conditions, "Ready")?;
    Some(ready.reason.as_str())
}

#[cfg(test)]
mod tests;
