//! The native SealedSecrets that are there, by name: Bitnami ones of the same names step back for them.
//!
//! [`super::objects`] keeps it up to date, and [`super::successor`] asks. Invariant: an object that is being deleted counts
//! as gone, because its Secret goes with it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Their uids, by namespace and name; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Natives(Arc<RwLock<HashMap<Arc<str>, ByName>>>);

type ByName = HashMap<Arc<str>, Arc<str>>;

impl Natives {
    /// The uid of the native object of this name; `None` if there is none.
    pub(super) fn uid(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(namespace)?.get(name).cloned()
    }

    /// There is a native object of this name, or no longer.
    pub(super) fn set(&self, namespace: &Arc<str>, name: &Arc<str>, uid: Option<&str>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(uid) = uid else {
            if let Some(names) = all.get_mut(namespace) {
                names.remove(name);
                if names.is_empty() {
                    all.remove(namespace);
                }
            }
            return;
        };
        let names = all.entry(namespace.clone()).or_default();
        if names.get(name).is_none_or(|known| **known != *uid) {
            names.insert(name.clone(), uid.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_until_it_is_gone_and_then_nothing_is_left_of_it() {
        let natives = Natives::default();
        let (namespace, name) = ("prod".into(), "db".into());
        natives.set(&namespace, &name, Some("u-1"));
        natives.set(&namespace, &name, Some("u-2"));
        assert_eq!(natives.uid("prod", "db").as_deref(), Some("u-2"));
        assert_eq!((natives.uid("prod", "other"), natives.uid("other", "db")), (None, None));
        natives.set(&namespace, &name, None);
        assert!(natives.0.read().unwrap().is_empty());
    }
}
