//! The changes of the objects of a kind after a version: one watch of the API server, until it ends.
//!
//! Invariant: the version is that of the last change that was given, so another watch goes on after it.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::api::{Api, WatchEvent, WatchParams};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::recovery::Broken;
use super::{Step, Which, answer, answered, broken, status};

/// The longest silence of a watch. The API server sends a bookmark about every minute, so a watch that is silent for
/// longer has a dead connection; or there are no bookmarks, and then it is taken up again for one request.
const SILENCE: Duration = Duration::from_secs(90);

/// The seconds after which the API server ends a watch, which is then taken up again.
const LENGTH: u32 = 290;

/// A watch that ends before this time without an event has failed.
const SHORT: Duration = Duration::from_secs(5);

/// A watch that has begun.
pub(super) struct Changes<K> {
    kind: &'static str,
    version: String,
    stream: BoxStream<'static, kube::Result<WatchEvent<K>>>,
    since: Instant,
}

impl<K> Changes<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Begins to watch the objects from this version on.
    pub(super) async fn begin(api: &Api<K>, which: &Which, version: &str) -> Result<Self, Broken> {
        let params = WatchParams {
            label_selector: which.labels.clone(),
            field_selector: which.fields.clone(),
            timeout: Some(LENGTH),
            bookmarks: true,
            send_initial_events: false,
        };
        let stream = answer(api.watch(&params, version)).await?.boxed();
        Ok(Self { kind: which.kind, version: version.to_owned(), stream, since: Instant::now() })
    }

    /// Waits for the next change. Nothing is lost if this is dropped. After an error the watch is over too.
    pub(super) async fn next(&mut self) -> Result<Step<K>, Broken> {
        let Ok(Some(change)) = timeout(SILENCE, self.stream.next()).await else {
            return if self.since.elapsed() < SHORT { Err(Broken::Ended) } else { Ok(Step::Over) };
        };
        if change.as_ref().is_err_and(is_unreadable) {
            // The same would come again. No object is like that, so that none stops the others.
            tracing::warn!(kind = self.kind, "an event of a watch can't be read; it is passed over");
            return Ok(Step::Further);
        }
        match change.map_err(|error| broken(&error))? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.move_on(object.resource_version());
                Ok(Step::Event(Event::Apply(object)))
            }
            WatchEvent::Deleted(object) => {
                self.move_on(object.resource_version());
                Ok(Step::Event(Event::Delete(object)))
            }
            WatchEvent::Bookmark(bookmark) => {
                self.move_on(Some(bookmark.metadata.resource_version));
                Ok(Step::Bookmark)
            }
            WatchEvent::Error(status) => Err(answered(&status)),
        }
    }

    fn move_on(&mut self, to: Option<String>) {
        // Every event has a version. Without one, the next watch repeats some changes, which does no harm.
        if let Some(to) = to.filter(|to| !to.is_empty()) {
            self.version = to;
        }
    }
}

impl<K> Changes<K> {
    /// The version of the last change, from which another watch goes on.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

/// Whether a watch's event isn't one. kube takes any JSON object for a status, which then has no code.
fn is_unreadable(error: &kube::Error) -> bool {
    matches!(error, kube::Error::SerdeError(_)) || status(error).is_some_and(|status| status.code == 0)
}
