//! The metadata of all objects of a kind, kept up to date by a watch, which also tells listeners of each
//! change.
//!
//! [`super::rows`] holds what is kept, and [`super::secret`] knows the meaning of metadata. Invariants: a listener
//! that is told of a name finds the change in the cache; without a listener, no name is kept.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::Api;
use kube::runtime::watcher::Event;
use seal_crds::Place;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::api::failure;
use super::metadata::{Kept, Metadata};
use super::name::Name;
use super::rows::Rows;
use super::watching::{self, Which};
use crate::contact::Contact;
use crate::failure::Failure;

/// The metadata of all objects of a kind.
pub(crate) struct Cache<K> {
    rows: Arc<RwLock<Rows>>,
    listeners: Listeners,
    complete: watch::Receiver<bool>,
    kind: PhantomData<fn() -> K>,
}

/// The listeners, each of which gets the name of every changed object.
#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<Vec<UnboundedSender<Name>>>>);

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        let (rows, listeners, complete) = (self.rows.clone(), self.listeners.clone(), self.complete.clone());
        Self { rows, listeners, complete, kind: PhantomData }
    }
}

impl<K: Kept + 'static> Cache<K> {
    /// An empty cache, and the work that fills it and keeps it up to date.
    pub(crate) fn new(
        api: Api<Metadata<K>>,
        which: Which,
        contact: &Contact,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (completed, complete) = watch::channel(false);
        let (rows, listeners) = (Arc::<RwLock<Rows>>::default(), Listeners::default());
        let cache = Self { rows: rows.clone(), listeners: listeners.clone(), complete, kind: PhantomData };
        let work = watching::events(api, which, contact).for_each(move |event| {
            let is_last = matches!(event, Event::InitDone);
            let changed = rows.write().unwrap_or_else(PoisonError::into_inner).on(event);
            listeners.tell(&changed);
            if is_last {
                completed.send_replace(true);
            }
            std::future::ready(())
        });
        (cache, work)
    }

    /// Waits until the cache holds all objects; `false` if the work that fills it has ended.
    pub(crate) async fn is_complete(&self) -> bool {
        self.complete.clone().wait_for(|complete| *complete).await.is_ok()
    }

    /// The names of the objects that are created, changed or deleted from now on. So the controller also
    /// notices a foreign Secret that goes or permits adoption.
    pub(crate) fn changes(&self) -> impl Stream<Item = Name> + Send + 'static {
        let (sender, names) = unbounded_channel();
        self.listeners.add(sender);
        futures::stream::unfold(names, |mut names| async move { Some((names.recv().await?, names)) })
    }

    /// What the controller looks at of the object's metadata. This costs a request only for an object whose
    /// metadata is so large that it isn't kept.
    pub(super) async fn find(&self, place: &Place, client: &Client) -> Result<Option<ObjectMeta>, Failure> {
        let name = Name::new(place.namespace.as_str(), place.name.as_str());
        // A copy: no tree is made while the watch waits for the rows.
        let row = self.rows().find(&name).cloned();
        let Some(row) = row else { return Ok(None) };
        if let Some(metadata) = row.read() {
            return Ok(Some(metadata));
        }
        let api: Api<Metadata<K>> = Api::namespaced(client.clone(), place.namespace.as_str());
        let found = api.get_opt(place.name.as_str()).await;
        let found =
            found.map_err(|error| failure("reading metadata that is too large to be kept", &error))?;
        Ok(found.and_then(|found| found.row.read()))
    }

    /// The uid and resourceVersion of an object.
    pub(super) fn version(&self, name: &Name) -> Option<(String, String)> {
        self.rows().find(name)?.version()
    }

    fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listeners {
    fn add(&self, listener: UnboundedSender<Name>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Tells all listeners, and forgets those that are gone.
    fn tell(&self, names: &[Name]) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            listeners.retain(|listener| listener.send(name.clone()).is_ok());
        }
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
