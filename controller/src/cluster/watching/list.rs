//! A list of the objects of a kind, in small pages, and the watch beside it from the version of its first page on.
//!
//! All pages show the objects at that one version (Kubernetes API concepts, "Retrieving large results sets in chunks"), so
//! whatever the watch brings is newer than what is still to be listed. Invariants: each object is given as it was at that
//! version or later, and never an older state after a newer one; a change goes before all that is still to be
//! listed; no pause for a [`Room`](super::super::room::Room) begins later than [`PATIENCE`] after the list.

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::Duration;
use std::vec::IntoIter;

use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use kube::Resource;
use kube::api::{Api, ListParams};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::super::name::Name;
use super::changes::Changes;
use super::recovery::Broken;
use super::{Progress, Step, Which, answer};

/// How many objects are listed at once. An object, even its metadata alone, may be over a megabyte, and all of a page is
/// in memory at once.
const PAGE: u32 = 50;

/// For how long a list may pause between its pages. Five minutes after its version, the API server may forget it, and then
/// the list begins anew.
const PATIENCE: Duration = Duration::from_secs(120);

/// A list that is under way.
pub(super) struct List<K> {
    since: Instant,
    /// The objects that came and aren't given yet.
    page: IntoIter<K>,
    next: Next,
    /// The request for the next page, while it is under way.
    asked: Option<BoxFuture<'static, Result<Page<K>, Broken>>>,
    /// The watch, once there was a page that isn't the last.
    beside: Option<Beside<K>>,
}

/// What follows a page.
enum Next {
    /// The page with this token; `None` is the first.
    Page(Option<String>),
    /// The end. The list shows the objects at this version.
    End(String),
}

struct Page<K> {
    objects: IntoIter<K>,
    next: Next,
    version: Option<String>,
}

/// The watch beside a list.
struct Beside<K> {
    /// Where it begins, if it hasn't.
    since: String,
    changes: Option<Changes<K>>,
    /// The objects that have changed. What is listed of them now is older.
    changed: HashSet<Name>,
}

/// What comes of a list next.
enum Listed<K> {
    Object(K),
    Page(Page<K>),
    End,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            page: Vec::new().into_iter(),
            next: Next::Page(None),
            asked: None,
            beside: None,
        }
    }
}

impl<K> List<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Goes on by one step. After `InitDone` comes [`Self::end`].
    pub(super) async fn step(&mut self, api: &Api<K>, which: &Which) -> Result<Step<K>, Broken> {
        if let Some(Beside { since, changes: changes @ None, .. }) = &mut self.beside {
            *changes = Some(Changes::begin(api, which, since).await?);
            return Ok(Step::Begun);
        }
        let may_pause = self.since.elapsed() < PATIENCE;
        let Self { page, next, asked, beside, .. } = self;
        let listed = tokio::select! {
            // Somebody may wait for a change. Changes come far more slowly than they are taken in, so the list goes on.
            biased;
            change = change(beside.as_mut()) => {
                if let Ok(Step::Over) = change {
                    self.drop_connections();
                }
                return change;
            }
            listed = listed(page, next, asked, api, which, may_pause) => listed?,
        };
        Ok(match listed {
            Listed::Object(object) if self.has_changed(&object) => Step::Further,
            Listed::Object(object) => Step::Event(Event::InitApply(object)),
            Listed::Page(page) => {
                self.turn_to(page);
                Step::Further
            }
            Listed::End => Step::Event(Event::InitDone),
        })
    }

    fn turn_to(&mut self, page: Page<K>) {
        let is_last = matches!(page.next, Next::End(_));
        (self.page, self.next) = (page.objects, page.next);
        if let Some(since) = page.version.filter(|_| !is_last && self.beside.is_none()) {
            self.beside = Some(Beside { since, changes: None, changed: HashSet::new() });
        }
    }

    fn has_changed(&self, object: &K) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.changed.contains(&Name::of(object.meta())))
    }
}

impl<K> List<K> {
    /// What follows the list.
    pub(super) fn end(&mut self) -> Progress<K> {
        match (self.beside.take(), &mut self.next) {
            (Some(Beside { changes: Some(changes), .. }), _) => Progress::Watching(changes),
            (Some(Beside { since: version, .. }), _) => Progress::Known { version },
            (None, Next::End(version)) => Progress::Known { version: std::mem::take(version) },
            (None, Next::Page(_)) => Progress::Unlisted,
        }
    }

    /// Whatever goes on uses new requests.
    pub(super) fn drop_connections(&mut self) {
        self.asked = None;
        if let Some(beside) = &mut self.beside
            && let Some(changes) = beside.changes.take()
        {
            changes.version().clone_into(&mut beside.since);
        }
    }
}

/// Waits for a change beside the list, for ever if there is no watch.
async fn change<K>(beside: Option<&mut Beside<K>>) -> Result<Step<K>, Broken>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let Some(Beside { changes: Some(changes), changed, .. }) = beside else { return pending().await };
    let step = changes.next().await?;
    if let Step::Event(Event::Apply(object) | Event::Delete(object)) = &step {
        changed.insert(Name::of(object.meta()));
    }
    Ok(step)
}

/// Waits for what the list has next. If this is dropped, the request goes on when it is called again.
async fn listed<K>(
    page: &mut IntoIter<K>,
    next: &Next,
    asked: &mut Option<BoxFuture<'static, Result<Page<K>, Broken>>>,
    api: &Api<K>,
    which: &Which,
    may_pause: bool,
) -> Result<Listed<K>, Broken>
where
    K: Clone + Debug + DeserializeOwned + Send + 'static,
{
    if let Some(object) = page.next() {
        return Ok(Listed::Object(object));
    }
    let Next::Page(token) = next else { return Ok(Listed::End) };
    let ask = || ask(api.clone(), which.clone(), token.clone(), may_pause).boxed();
    let request = asked.get_or_insert_with(ask);
    let page = request.await;
    *asked = None;
    page.map(Listed::Page)
}

async fn ask<K>(api: Api<K>, which: Which, token: Option<String>, may_pause: bool) -> Result<Page<K>, Broken>
where
    K: Clone + Debug + DeserializeOwned,
{
    // The first page is needed to begin with.
    if let Some(room) = which.room.filter(|_| may_pause && token.is_some()) {
        room.pause().await;
    }
    let params = ListParams {
        label_selector: which.labels,
        field_selector: which.fields,
        limit: Some(PAGE),
        continue_token: token,
        ..ListParams::default()
    };
    let list = answer(api.list(&params)).await?;
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    let version = present(list.metadata.resource_version);
    let next = match (present(list.metadata.continue_), &version) {
        (Some(token), _) => Next::Page(Some(token)),
        (None, Some(version)) => Next::End(version.clone()),
        // No API server answers so; a watch can't follow.
        (None, None) => return Err(Broken::Ended),
    };
    Ok(Page { objects: list.items.into_iter(), next, version })
}
