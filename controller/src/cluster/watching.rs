//! A watch that never ends: the one way in which the controller keeps up with the objects of a kind.
//!
//! It lists the objects in small pages ([`list`]), and watches from the version of the first page on ([`changes`]), beside
//! the pages that follow, so a change waits for no list. kube's own watcher begins to watch after the list, starts a
//! list anew for each failure in it, ends its longest wait long after the API server is back, and waits once more after
//! a 410; [`recovery`] decides instead. Nor does it notice a dead connection while it lists.
//!
//! Invariants: every object is among the events of a list or of the watch on it, and no event is lost in between; none
//! is followed by an older state of its object; no request waits without end; no object stops the others; the words of an
//! API server's error are not repeated.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use kube::Resource;
use kube::api::Api;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use self::changes::Changes;
use self::list::List;
use self::recovery::{Broken, Restart, Spell, jittered};
use super::api::status;
use super::room::Room;
use crate::contact::{Contact, Doubts};

mod changes;
mod list;
mod recovery;

/// The time for the answer to a list, or to the beginning of a watch.
const ANSWER: Duration = Duration::from_secs(20);

/// The objects of a kind to watch.
#[derive(Clone, Default)]
pub(crate) struct Which {
    /// The name of the kind in logs and metrics.
    kind: &'static str,
    labels: Option<String>,
    fields: Option<String>,
    may_be_missing: bool,
    is_of_cache: bool,
    room: Option<Arc<Room>>,
}

impl Which {
    /// All objects of a kind, which is called by this name in logs and metrics.
    pub(crate) fn all(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Only those that this selects.
    pub(crate) fn labels(self, selector: &str) -> Self {
        Self { labels: Some(selector.to_owned()), ..self }
    }

    /// Only those that this selects.
    pub(crate) fn fields(self, selector: &str) -> Self {
        Self { fields: Some(selector.to_owned()), ..self }
    }

    /// A cache lives of this watch, so a replica isn't ready while it is refused. Each such kind is watched once.
    pub(crate) fn of_cache(self) -> Self {
        Self { is_of_cache: true, ..self }
    }

    /// They are kept in this room. A list of them pauses between its pages while it fills up.
    pub(super) fn within(self, room: Arc<Room>) -> Self {
        Self { room: Some(room), ..self }
    }

    /// The cluster may not have the definition of the kind, or only later, and that is no trouble.
    pub(crate) fn may_be_missing(self) -> Self {
        Self { may_be_missing: true, ..self }
    }
}

/// Watches these objects for ever. The events are kube's: `Init`, an `InitApply` for each object of a list, `InitDone`.
/// Unlike kube's, changes come from `Init` on, and an object that has changed is no longer listed; after a 410 the list
/// begins anew, perhaps in the middle of one.
pub(crate) fn events<K>(
    api: Api<K>,
    which: Which,
    contact: &Contact,
) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let watch = Watch {
        api,
        which,
        doubts: contact.doubts(),
        contact: contact.clone(),
        progress: Progress::Unlisted,
        spell: Spell::default(),
        said: None,
    };
    futures::stream::unfold(watch, |mut watch| async move { Some((watch.next().await, watch)) })
}

struct Watch<K> {
    api: Api<K>,
    which: Which,
    contact: Contact,
    doubts: Doubts,
    progress: Progress<K>,
    spell: Spell,
    /// The failure that was logged since the watch last brought something.
    said: Option<Broken>,
}

/// How far a watch has come.
enum Progress<K> {
    /// Nothing has been listed.
    Unlisted,
    /// A list is under way.
    Listing(List<K>),
    /// Everything is known up to this version.
    Known { version: String },
    /// Changes come.
    Watching(Changes<K>),
}

impl<K> Watch<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    async fn next(&mut self) -> Event<K> {
        loop {
            let Self { api, which, progress, doubts, .. } = self;
            let step = tokio::select! {
                step = progress.step(api, which) => step,
                () = doubts.next() => {
                    self.take_up_again();
                    continue;
                }
            };
            match step {
                Ok(Step::Event(event)) => {
                    match (&event, &self.progress) {
                        (Event::Init, _) => self.contact.metrics().list_begun(self.which.kind),
                        (Event::InitDone, Progress::Watching(_)) => self.is_kept(),
                        (Event::Apply(_) | Event::Delete(_), Progress::Watching(_)) => self.lives(),
                        _ => {}
                    }
                    return event;
                }
                // What comes beside a list doesn't say that the list can be ended.
                Ok(Step::Begun | Step::Bookmark) if !matches!(self.progress, Progress::Watching(_)) => {}
                Ok(Step::Begun) => self.is_kept(),
                Ok(Step::Bookmark) => self.lives(),
                Ok(Step::Over | Step::Further) => {}
                Err(broken) => self.recover(broken).await,
            }
        }
    }

    /// The list is complete, and the watch has begun.
    fn is_kept(&self) {
        if self.which.is_of_cache {
            self.contact.watch_kept(self.which.kind);
        }
    }

    /// The watch brought something.
    fn lives(&mut self) {
        self.spell.ends();
        if self.said.take().is_some() {
            tracing::info!(kind = self.which.kind, "the watch is kept again");
        }
    }

    async fn recover(&mut self, broken: Broken) {
        let (restart, wait) = self.spell.after(broken);
        self.contact.metrics().watch_broke(self.which.kind);
        self.say(broken);
        match restart {
            Restart::Relist => self.progress = Progress::Unlisted,
            Restart::Resume => self.progress.drop_connections(),
        }
        tokio::select! {
            () = sleep(jittered(wait)) => {}
            () = self.doubts.next() => {}
        }
    }

    /// Drops a connection that is doubtful, and begins again without a wait.
    fn take_up_again(&mut self) {
        tracing::debug!(kind = self.which.kind, "a connection is doubtful after an outage");
        self.contact.metrics().watch_broke(self.which.kind);
        self.spell.ends();
        self.progress.drop_connections();
    }

    /// Logs a refusal once. Of an outage, which every watch meets, the Lease speaks.
    fn say(&mut self, broken: Broken) {
        let kind = self.which.kind;
        match broken {
            Broken::Answered { code: 404, .. } if self.which.may_be_missing => {}
            Broken::Answered { code, .. } if !matches!(code, 410 | 429) => {
                if self.which.is_of_cache {
                    self.contact.watch_refused(kind, code);
                }
                if self.said.replace(broken) != Some(broken) {
                    tracing::warn!(kind, code, "a watch broke; it is taken up again");
                }
            }
            _ => tracing::debug!(kind, ?broken, "a watch broke; it is taken up again"),
        }
    }
}

/// The result of a step.
enum Step<K> {
    Event(Event<K>),
    /// The watch has begun.
    Begun,
    /// The watch lives, and there is nothing new.
    Bookmark,
    /// The watch is over, as each is in time.
    Over,
    /// The next step has the result.
    Further,
}

impl<K> Progress<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Goes on by one step. If it fails, or is dropped in the middle, the next step tries the same again.
    async fn step(&mut self, api: &Api<K>, which: &Which) -> Result<Step<K>, Broken> {
        match self {
            Self::Unlisted => {
                *self = Self::Listing(List::default());
                Ok(Step::Event(Event::Init))
            }
            Self::Listing(list) => {
                let step = list.step(api, which).await?;
                if let Step::Event(Event::InitDone) = step {
                    *self = list.end();
                }
                Ok(step)
            }
            Self::Known { version } => {
                *self = Self::Watching(Changes::begin(api, which, version).await?);
                Ok(Step::Begun)
            }
            Self::Watching(changes) => {
                let step = changes.next().await;
                if let Ok(Step::Over) = step {
                    self.drop_connections();
                }
                step
            }
        }
    }

    /// Whatever goes on uses a new request.
    fn drop_connections(&mut self) {
        match self {
            Self::Watching(changes) => *self = Self::Known { version: changes.version().to_owned() },
            Self::Listing(list) => list.drop_connections(),
            Self::Unlisted | Self::Known { .. } => {}
        }
    }
}

async fn answer<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Broken> {
    match timeout(ANSWER, request).await {
        Ok(answered) => answered.map_err(|error| broken(&error)),
        Err(_) => Err(Broken::Away),
    }
}

fn broken(error: &kube::Error) -> Broken {
    status(error).map_or(Broken::Away, answered)
}

fn answered(status: &kube::core::response::Status) -> Broken {
    let retry_after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    Broken::Answered { code: status.code, retry_after }
}

#[cfg(test)]
mod tests;
