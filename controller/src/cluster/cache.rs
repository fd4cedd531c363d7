//! Metadata of all objects of a kind, kept by a watch, and the names that a change may concern.
//!
//! Not what metadata means. Invariants: whoever is told of a name finds the change in the cache already; where nobody
//! listens, no name is kept.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt as _};
use kube::api::Api;
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::api::status;
use super::metadata::{Kept, Metadata};
use super::wakes::{Name, Wakes};

/// The metadata of all objects of a kind.
pub(crate) struct Cache<K: Kept + 'static> {
    pub(crate) objects: Store<Metadata<K>>,
    listeners: Listeners,
}

/// Those who are told of names.
#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<Vec<UnboundedSender<Name>>>>);

impl<K: Kept + 'static> Cache<K> {
    /// An empty cache, and the work that fills it and keeps it up to date.
    pub(crate) fn new(api: Api<Metadata<K>>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (objects, writer) = reflector::store();
        let listeners = Listeners::default();
        let cache = Self { objects: objects.clone(), listeners: listeners.clone() };
        let events = watcher(api, pages()).default_backoff().reflect(writer);
        let mut wakes = Wakes::default();
        let work = events.for_each(move |event| {
            match event {
                Ok(event) => listeners.tell(&wakes.on(&event, &objects)),
                Err(error) => log::<K>(&error),
            }
            std::future::ready(())
        });
        (cache, work)
    }

    /// Comes back when the cache holds all objects; `false` if nobody fills it.
    pub(crate) async fn is_complete(&self) -> bool {
        self.objects.wait_until_ready().await.is_ok()
    }

    /// The names of the objects that are made, changed or deleted from now on, so that a foreign Secret that goes, or
    /// permits adoption, is noticed too.
    pub(crate) fn changes(&self) -> impl Stream<Item = Name> + Send + 'static {
        let (sender, names) = unbounded_channel();
        self.listeners.add(sender);
        futures::stream::unfold(names, |mut names| async move { Some((names.recv().await?, names)) })
    }
}

impl Listeners {
    fn add(&self, listener: UnboundedSender<Name>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Tells all, and forgets those who no longer listen.
    fn tell(&self, names: &[Name]) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            listeners.retain(|listener| listener.send(name.clone()).is_ok());
        }
    }
}

fn log<K: Kept>(error: &watcher::Error) {
    let (kind, code) = (K::plural(&()), watch_code(error));
    if is_momentary(code) {
        tracing::debug!(%kind, code, "a watch is to be taken up later");
    } else {
        tracing::warn!(%kind, code, "a watch broke; it is taken up again");
    }
}

/// How everything is listed: an object may be over a megabyte, also in its metadata alone, and a page is in memory as
/// a whole.
pub(super) fn pages() -> watcher::Config {
    watcher::Config::default().page_size(50)
}

/// 429: an apiserver that has just started, or whose definitions are new, has its own caches to fill first.
fn is_momentary(code: Option<u16>) -> bool {
    code == Some(429)
}

/// The apiserver's code, of an error whose words aren't repeated; none where there was no answer.
fn watch_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => status(error).map(|status| status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        Name::new("prod", name)
    }

    #[test]
    fn names_are_kept_for_those_who_listen_and_for_nobody_else() {
        let listeners = Listeners::default();
        listeners.tell(&[name("early")]);
        let (sender, mut names) = unbounded_channel();
        listeners.add(sender);
        listeners.tell(&[name("a"), name("b")]);
        assert_eq!([names.try_recv().unwrap(), names.try_recv().unwrap()], [name("a"), name("b")]);
        assert!(names.try_recv().is_err());
        drop(names);
        listeners.tell(&[name("late")]);
        assert!(listeners.0.lock().unwrap().is_empty(), "who no longer listens is forgotten");
    }
}
