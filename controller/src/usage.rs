//! How many objects need each sealing key, as their statuses say.
//!
//! [`crate::cluster`] counts, and [`crate::keys`] publishes the numbers; neither knows the other. The numbers are for
//! people, who see how far a rotation has come. Invariant: nothing is decided by them. Whoever may write the status of
//! a SealedSecret can make them wrong, so a key is deleted only after a [`Proof`](crate::proof::Proof).

use std::collections::BTreeMap;

use jiff::Timestamp;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::KeyUsage;

use crate::conditions::rfc3339;

/// One count over all objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The number of objects that need each key; a key that nobody needs isn't in it.
    pub(crate) objects: BTreeMap<Fingerprint, i64>,
    pub(crate) at: Timestamp,
}

impl Counted {
    /// The usage of a key, after what was last said of it. A number that stays keeps its time: otherwise every count
    /// would write every SealingKey.
    pub(crate) fn usage(&self, key: &Fingerprint, said: Option<&KeyUsage>) -> KeyUsage {
        let objects = self.objects.get(key).copied().unwrap_or_default();
        match said {
            Some(said) if said.objects == objects => said.clone(),
            _ => KeyUsage { objects, at: rfc3339(self.at) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_time_since_which_it_is_so() {
        let [key, other] = ["a", "b"].map(Fingerprint::of);
        let count = |objects: i64, second| Counted {
            objects: [(key, objects)].into(),
            at: Timestamp::from_second(second).unwrap(),
        };
        let first = count(7, 0).usage(&key, None);
        assert_eq!((first.objects, first.at.as_str()), (7, "1970-01-01T00:00:00Z"));
        assert_eq!(count(7, 60).usage(&key, Some(&first)), first);
        assert_eq!(count(6, 120).usage(&key, Some(&first)).at, "1970-01-01T00:02:00Z");
        assert_eq!(count(7, 0).usage(&other, None).objects, 0);
    }
}
