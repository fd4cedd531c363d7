//! The seam between the keys and the objects that may need one: whether every object opens without the keys that are
//! being deleted.
//!
//! [`crate::keys`] asks before it lets a private half go, and [`crate::cluster`] answers; neither knows the other.
//! Invariants: the answer comes from the objects that the API server has at the time of the question, and never from a
//! status, which others may write. An object that doesn't open, for whatever reason, needs every key.

use std::sync::Arc;

use futures::future::BoxFuture;
use seal_crds::keys::Keyring;

use crate::failure::Failure;

/// The most objects that are named: a message is for people.
const NAMED: usize = 10;

/// Asks which objects don't open with these keys alone.
pub(crate) trait Proof: Send + Sync + 'static {
    /// Opens every object.
    ///
    /// # Errors
    ///
    /// A transient failure; then nothing is proven.
    fn needing(&self, keys: Arc<Keyring>) -> BoxFuture<'_, Result<Needing, Failure>>;
}

/// The answer to a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Needing {
    /// Every object opens with these keys alone.
    Nobody,
    /// These objects don't, at least; a proof ends when it has found enough of them.
    Objects(Vec<String>),
    /// Not every object was looked at; why, as a sentence for people.
    Unknown(String),
}

impl Needing {
    /// The objects that were found, at most [`NAMED`] and one more.
    pub(crate) fn of(mut objects: Vec<String>) -> Self {
        objects.truncate(NAMED + 1);
        if objects.is_empty() { Self::Nobody } else { Self::Objects(objects) }
    }

    /// Whether so many were found that more make no difference to the answer.
    pub(crate) fn is_enough(objects: &[String]) -> bool {
        objects.len() > NAMED
    }

    /// The answer as a sentence for people, of validated names and fixed words. `keys` are those that weren't tried.
    pub(crate) fn sentence(&self, keys: &str) -> String {
        match self {
            Self::Nobody => format!("every SealedSecret opens without {keys}"),
            Self::Objects(objects) if Self::is_enough(objects) => {
                let named = objects[..NAMED].join(", ");
                format!("more than {NAMED} SealedSecrets don't open without {keys}: {named} and more")
            }
            Self::Objects(objects) => {
                format!("{} SealedSecrets don't open without {keys}: {}", objects.len(), objects.join(", "))
            }
            Self::Unknown(why) => why.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_objects_are_named() {
        let of = |count: usize| Needing::of((0..count).map(|n| format!("prod/db-{n}")).collect());
        assert_eq!(of(0), Needing::Nobody);
        let said = |count| of(count).sentence("it");
        assert_eq!(said(2), "2 SealedSecrets don't open without it: prod/db-0, prod/db-1");
        assert!(said(10).ends_with("prod/db-9"));
        assert_eq!(of(11), of(5000));
        assert!(said(11).ends_with("prod/db-9 and more"), "{}", said(11));
    }
}
