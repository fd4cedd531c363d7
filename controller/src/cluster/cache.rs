//! The metadata of all objects of a kind, kept up to date by a watch, which also tells listeners of each
//! change.
//!
//! [`super::secret`] knows the meaning of metadata. Invariants: a listener that is told of a name finds the
//! change in the cache; without a listener, no name is kept.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt as _};
use kube::api::Api;
use kube::runtime::reflector::{self, Store};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::metadata::{Kept, Metadata};
use super::wakes::{Name, Wakes};
use super::watching::{self, Which};
use crate::contact::Contact;

/// The metadata of all objects of a kind.
pub(crate) struct Cache<K: Kept + 'static> {
    pub(crate) objects: Store<Metadata<K>>,
    listeners: Listeners,
}

/// The listeners, each of which gets the name of every changed object.
#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<Vec<UnboundedSender<Name>>>>);

impl<K: Kept + 'static> Cache<K> {
    /// An empty cache, and the work that fills it and keeps it up to date.
    pub(crate) fn new(
        api: Api<Metadata<K>>,
        which: Which,
        contact: &Contact,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (objects, mut writer) = reflector::store();
        let listeners = Listeners::default();
        let cache = Self { objects: objects.clone(), listeners: listeners.clone() };
        let events = watching::events(api, which, contact);
        let mut wakes = Wakes::default();
        let work = events.for_each(move |event| {
            writer.apply_watcher_event(&event);
            listeners.tell(&wakes.on(&event, &objects));
            std::future::ready(())
        });
        (cache, work)
    }

    /// Waits until the cache holds all objects; `false` if the work that fills it has ended.
    pub(crate) async fn is_complete(&self) -> bool {
        self.objects.wait_until_ready().await.is_ok()
    }

    /// The names of the objects that are created, changed or deleted from now on. So the controller also
    /// notices a foreign Secret that goes or permits adoption.
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
