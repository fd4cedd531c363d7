//! The seam between the keys and the objects that may need one: whether every object opens without the keys that are
//! being deleted.
//!
//! [`crate::keys`] asks before it lets a private half go, and [`crate::cluster`] answers; neither knows the other.
//! Invariants: the answer comes from the objects that the API server has at the time of the question, and never from a
//! status, which others may write. An object that doesn't open, for whatever reason, needs every key. Where there is no
//! object at all, nothing is proven.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use seal_crds::keys::Keyring;

use crate::failure::Failure;

/// The most objects that are named: a message is for people.
const NAMED: usize = 10;

/// The most bytes of their names: an Event has room for 1024 in all.
const NAMES_SIZE: usize = 600;

/// Asks which objects don't open with these keys alone.
pub(crate) trait Proof: Send + Sync + 'static {
    /// Opens every object but those that are `known` to open with these keys.
    ///
    /// # Errors
    ///
    /// A transient failure; then nothing is proven.
    fn needing(&self, keys: Arc<Keyring>, known: Opened) -> BoxFuture<'_, Result<Needing, Failure>>;

    /// Whether there are objects now, and none but these as they were. Opens nothing.
    ///
    /// # Errors
    ///
    /// A transient failure.
    fn is_all<'a>(&'a self, opened: &'a Opened) -> BoxFuture<'a, Result<bool, Failure>>;
}

/// The objects that a proof has opened, each by its UID and generation: with another spec it is another object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened(BTreeSet<(String, i64)>);

impl Opened {
    pub(crate) fn insert(&mut self, (uid, generation): (String, i64)) {
        self.0.insert((uid, generation));
    }

    pub(crate) fn has(&self, object: &(String, i64)) -> bool {
        self.0.contains(object)
    }

    /// Whether there are objects, and each of them is one of these.
    pub(crate) fn is_all_of(&self, objects: &[Option<(String, i64)>]) -> bool {
        !objects.is_empty() && objects.iter().all(|object| object.as_ref().is_some_and(|it| self.has(it)))
    }
}

/// The answer to a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Needing {
    /// Every object opens with these keys alone; there is at least one.
    Nobody(Opened),
    /// These objects don't, at least; a proof ends when it has found enough of them.
    Objects(Vec<String>),
    /// Not every object was looked at; why, as a sentence for people.
    Unknown(String),
}

impl Needing {
    /// The objects that were found shut, at most [`NAMED`] and one more, or else those that were opened.
    pub(crate) fn of(mut shut: Vec<String>, opened: Opened) -> Self {
        shut.truncate(NAMED + 1);
        match (shut.is_empty(), opened.0.is_empty()) {
            (false, _) => Self::Objects(shut),
            (true, false) => Self::Nobody(opened),
            // Somebody may have deleted the definition, or all objects, and makes them anew in a moment.
            (true, true) => {
                Self::Unknown("there is no SealedSecret at all to try the other keys on".to_owned())
            }
        }
    }

    /// Whether so many were found that more make no difference to the answer.
    pub(crate) fn is_enough(objects: &[String]) -> bool {
        objects.len() > NAMED
    }

    /// The answer as a sentence for people, of fixed words. `keys` are those that weren't tried. Everybody may read it,
    /// so it names nobody's objects.
    pub(crate) fn sentence(&self, keys: &str) -> String {
        match self {
            Self::Nobody(_) => format!("every SealedSecret opens without {keys}"),
            Self::Objects(objects) if Self::is_enough(objects) => {
                format!("more than {NAMED} SealedSecrets don't open without {keys}")
            }
            Self::Objects(objects) => format!("{} SealedSecrets don't open without {keys}", objects.len()),
            Self::Unknown(why) => why.clone(),
        }
    }

    /// The objects that don't open, by their validated names, as far as there is room; nothing if there are none.
    pub(crate) fn names(&self) -> String {
        let Self::Objects(objects) = self else { return String::new() };
        let mut names = String::new();
        for (at, object) in objects.iter().enumerate() {
            if at == NAMED || names.len() + object.len() > NAMES_SIZE {
                return names + " and more";
            }
            if at > 0 {
                names += ", ";
            }
            names += object;
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_objects_are_named() {
        let of = |count: usize, name: &str| {
            Needing::of((0..count).map(|n| format!("{name}-{n}")).collect(), Opened::default())
        };
        let said = |count| of(count, "prod/db").names();
        assert_eq!(said(2), "prod/db-0, prod/db-1");
        assert!(said(10).ends_with("prod/db-9"));
        assert_eq!(of(11, "prod/db"), of(5000, "prod/db"));
        assert!(said(11).ends_with("prod/db-9 and more"), "{}", said(11));
        let long = of(3, &"n".repeat(317)).names();
        assert!(long.len() < 700 && long.ends_with(" and more"), "{long}");
        for shut in [1, 11] {
            assert!(!of(shut, "prod/db").sentence("it").contains("prod"), "everybody reads it");
        }
    }

    #[test]
    fn nothing_is_proven_where_there_is_no_object_and_what_has_changed_was_not_opened() {
        assert!(matches!(Needing::of(Vec::new(), Opened::default()), Needing::Unknown(_)));
        let object = |uid: &str, generation| (uid.to_owned(), generation);
        let mut opened = Opened::default();
        opened.insert(object("a", 1));
        opened.insert(object("b", 1));
        assert!(matches!(Needing::of(Vec::new(), opened.clone()), Needing::Nobody(_)));
        assert!(opened.is_all_of(&[Some(object("a", 1)), Some(object("b", 1))]));
        assert!(opened.is_all_of(&[Some(object("b", 1))]), "what is gone needs nothing");
        for objects in
            [vec![], vec![Some(object("a", 2))], vec![Some(object("b", 1)), Some(object("c", 1))], vec![None]]
        {
            assert!(!opened.is_all_of(&objects), "{objects:?}");
        }
    }
}
