//! A watch that never ends: the one way in which the controller keeps up with the objects of a kind.
//!
//! It lists the objects in small pages and watches from there, and gives kube's events. kube's own watcher starts a list
//! anew for each failure in it, ends its longest wait long after the API server is back, and waits once more after a
//! 410; [`recovery`] decides instead. Nor does it notice a dead connection while it lists.
//!
//! Invariants: every object is among the events of a list or of the watch that follows it, and no event is lost in
//! between; no request waits without end; no object stops the others; the words of an API server's error are not repeated.

use std::fmt::Debug;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use self::recovery::{Broken, Restart, Spell, jittered};
use super::api::status;
use crate::contact::{Contact, Doubts};

mod recovery;

/// How many objects are listed at once. An object, even its metadata alone, may be over a megabyte, and all of a page is
/// in memory at once.
const PAGE: u32 = 50;

/// The time for the answer to a list, or to the beginning of a watch.
const ANSWER: Duration = Duration::from_secs(20);

/// The longest silence of a watch. The API server sends a bookmark about every minute, so a watch that is silent for
/// longer has a dead connection; or there are no bookmarks, and then it is taken up again for one request.
const SILENCE: Duration = Duration::from_secs(90);

/// The seconds after which the API server ends a watch, which is then taken up again.
const LENGTH: u32 = 290;

/// A watch that ends before this time without an event has failed.
const SHORT: Duration = Duration::from_secs(5);

/// The objects of a kind to watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    /// The name of the kind in logs and metrics.
    kind: &'static str,
    labels: Option<String>,
    fields: Option<String>,
    may_be_missing: bool,
    is_of_cache: bool,
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

    /// The cluster may not have the definition of the kind, or only later, and that is no trouble.
    pub(crate) fn may_be_missing(self) -> Self {
        Self { may_be_missing: true, ..self }
    }
}

/// Watches these objects for ever. The order of events is kube's: `Init`, an `InitApply` for each object, `InitDone`,
/// and then each change; after a 410 the list begins anew, perhaps in the middle of one.
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
    Listing {
        /// The objects that came and aren't given yet.
        page: std::vec::IntoIter<K>,
        next: Next,
    },
    /// Everything is known up to this version.
    Known { version: String },
    /// Changes come after this version, which each of them moves on.
    Watching { version: String, changes: Changes<K>, since: Instant },
}

/// What follows a page.
enum Next {
    /// The page with this token; `None` is the first.
    Page(Option<String>),
    /// The watch from this version.
    Watch(String),
}

type Changes<K> = BoxStream<'static, kube::Result<WatchEvent<K>>>;

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
                    if let Event::Apply(_) | Event::Delete(_) = event {
                        self.lives();
                    }
                    if let Event::Init = event {
                        self.contact.metrics().list_begun(self.which.kind);
                    }
                    return event;
                }
                Ok(Step::Begun) if self.which.is_of_cache => self.contact.watch_kept(self.which.kind),
                Ok(Step::Begun | Step::Further) => {}
                Ok(Step::Bookmark) => self.lives(),
                Err(broken) => self.recover(broken).await,
            }
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
            Restart::Resume => self.progress.drop_connection(),
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
        self.progress.drop_connection();
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
                *self = Self::Listing { page: Vec::new().into_iter(), next: Next::Page(None) };
                Ok(Step::Event(Event::Init))
            }
            Self::Listing { page, next } => {
                if let Some(object) = page.next() {
                    return Ok(Step::Event(Event::InitApply(object)));
                }
                match next {
                    Next::Page(token) => {
                        (*page, *next) = list(api, which, token.clone()).await?;
                        Ok(Step::Further)
                    }
                    Next::Watch(version) => {
                        *self = Self::Known { version: std::mem::take(version) };
                        Ok(Step::Event(Event::InitDone))
                    }
                }
            }
            Self::Known { version } => {
                let changes = watch(api, which, version).await?;
                let version = std::mem::take(version);
                *self = Self::Watching { version, changes, since: Instant::now() };
                Ok(Step::Begun)
            }
            Self::Watching { version, changes, since } => {
                let Ok(Some(change)) = timeout(SILENCE, changes.next()).await else {
                    let is_short = since.elapsed() < SHORT;
                    self.drop_connection();
                    return if is_short { Err(Broken::Ended) } else { Ok(Step::Further) };
                };
                if change.as_ref().is_err_and(is_unreadable) {
                    // The same would come again. No object is like that, so that none stops the others.
                    tracing::warn!(kind = which.kind, "an event of a watch can't be read; it is passed over");
                    return Ok(Step::Further);
                }
                match change.map_err(|error| broken(&error))? {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        move_on(version, object.resource_version());
                        Ok(Step::Event(Event::Apply(object)))
                    }
                    WatchEvent::Deleted(object) => {
                        move_on(version, object.resource_version());
                        Ok(Step::Event(Event::Delete(object)))
                    }
                    WatchEvent::Bookmark(bookmark) => {
                        move_on(version, Some(bookmark.metadata.resource_version));
                        Ok(Step::Bookmark)
                    }
                    WatchEvent::Error(status) => Err(answered(&status)),
                }
            }
        }
    }

    /// Whatever goes on uses a new request.
    fn drop_connection(&mut self) {
        if let Self::Watching { version, .. } = self {
            *self = Self::Known { version: std::mem::take(version) };
        }
    }
}

fn move_on(version: &mut String, to: Option<String>) {
    // Every event has a version. Without one, the next watch repeats some changes, which does no harm.
    if let Some(to) = to.filter(|to| !to.is_empty()) {
        *version = to;
    }
}

async fn list<K>(
    api: &Api<K>,
    which: &Which,
    token: Option<String>,
) -> Result<(std::vec::IntoIter<K>, Next), Broken>
where
    K: Clone + Debug + DeserializeOwned,
{
    let params = ListParams {
        label_selector: which.labels.clone(),
        field_selector: which.fields.clone(),
        limit: Some(PAGE),
        continue_token: token,
        ..ListParams::default()
    };
    let list = answer(api.list(&params)).await?;
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    let next = match (present(list.metadata.continue_), present(list.metadata.resource_version)) {
        (Some(token), _) => Next::Page(Some(token)),
        (None, Some(version)) => Next::Watch(version),
        // No API server answers so; a watch can't follow.
        (None, None) => return Err(Broken::Ended),
    };
    Ok((list.items.into_iter(), next))
}

async fn watch<K>(api: &Api<K>, which: &Which, version: &str) -> Result<Changes<K>, Broken>
where
    K: Clone + Debug + DeserializeOwned + Send + 'static,
{
    let params = WatchParams {
        label_selector: which.labels.clone(),
        field_selector: which.fields.clone(),
        timeout: Some(LENGTH),
        bookmarks: true,
        send_initial_events: false,
    };
    Ok(answer(api.watch(&params, version)).await?.boxed())
}

async fn answer<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Broken> {
    match timeout(ANSWER, request).await {
        Ok(answered) => answered.map_err(|error| broken(&error)),
        Err(_) => Err(Broken::Away),
    }
}

/// Whether a watch's event isn't one. kube takes any JSON object for a status, which then has no code.
fn is_unreadable(error: &kube::Error) -> bool {
    matches!(error, kube::Error::SerdeError(_)) || status(error).is_some_and(|status| status.code == 0)
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
