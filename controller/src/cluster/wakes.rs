//! The SealedSecrets that an event concerns, of the watch on Secrets or on native SealedSecrets: those of the
//! same name.
//!
//! The cache is kube's reflector, which has taken the event in before it comes here. Invariant: after a new
//! list, the controller looks again at every object of the new list and of the old one, and not before the
//! cache holds the new list. A deletion between the lists has no event of its own, and a look that comes too
//! early would find the old state and take it for current.

use std::collections::HashSet;

use kube::runtime::reflector::Store;
use kube::runtime::watcher::Event;

use super::metadata::{Kept, Metadata};

/// The namespace and name of an object of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Name {
    #[cfg(test)]
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// The names to look at after the list that is arriving.
#[derive(Default)]
pub(super) struct Wakes(HashSet<Name>);

impl Wakes {
    /// The names to look at now.
    pub(super) fn on<K>(&mut self, event: &Event<Metadata<K>>, cache: &Store<Metadata<K>>) -> Vec<Name>
    where
        K: Kept + 'static,
    {
        match event {
            Event::Apply(found) | Event::Delete(found) => vec![key(found)],
            Event::Init => {
                self.0 = cache.state().iter().map(|found| key(found)).collect();
                Vec::new()
            }
            Event::InitApply(found) => {
                self.0.insert(key(found));
                Vec::new()
            }
            Event::InitDone => self.0.drain().collect(),
        }
    }
}

fn key<K>(found: &Metadata<K>) -> Name {
    let metadata = &found.metadata;
    Name {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use kube::runtime::reflector::{ObjectRef, store};

    use super::*;

    type Cached = Metadata<Secret>;

    fn secret(name: &str, version: &str) -> Cached {
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some("prod".into()),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        };
        metadata.into()
    }

    fn names(woken: Vec<Name>) -> Vec<String> {
        let mut names: Vec<String> = woken.into_iter().map(|key| key.name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_list_taken_anew_wakes_what_changed_and_what_is_gone_once_the_cache_has_it() {
        let (cache, mut writer) = store();
        let mut wakes = Wakes::default();
        let mut on = |event: Event<Cached>| {
            writer.apply_watcher_event(&event);
            names(wakes.on(&event, &cache))
        };
        for event in
            [Event::Init, Event::InitApply(secret("changed", "1")), Event::InitApply(secret("gone", "1"))]
        {
            assert!(on(event).is_empty());
        }
        assert_eq!(on(Event::InitDone), ["changed", "gone"]);

        for event in
            [Event::Init, Event::InitApply(secret("changed", "2")), Event::InitApply(secret("new", "2"))]
        {
            assert!(on(event).is_empty(), "the cache still holds the old list");
        }
        assert_eq!(on(Event::InitDone), ["changed", "gone", "new"]);
        let found = cache.get(&ObjectRef::new("changed").within("prod")).unwrap();
        assert_eq!(found.metadata.resource_version.as_deref(), Some("2"));
    }

    #[test]
    fn a_change_wakes_its_object_at_once() {
        let (cache, _writer) = store();
        let mut wakes = Wakes::default();
        for event in [Event::Apply(secret("db", "1")), Event::Delete(secret("db", "2"))] {
            assert_eq!(names(wakes.on(&event, &cache)), ["db"]);
        }
    }
}
