//! Complaints about keys, each logged when it begins and not at every look.
//!
//! A complaint that ends is forgotten, so it is logged again if it comes again. Invariant: complaints hold
//! names and fixed words only.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// A fault of one Secret, or of all keys together if the name is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    pub(crate) secret: String,
    pub(crate) message: String,
}

/// The complaints of the last look.
#[derive(Default)]
pub(crate) struct Said(Mutex<BTreeSet<Complaint>>);

impl Said {
    /// Logs the complaints that the last look didn't have.
    pub(crate) fn say(&self, complaints: impl IntoIterator<Item = Complaint>) {
        for Complaint { secret, message } in self.news(complaints) {
            if secret.is_empty() {
                tracing::warn!("{message}");
            } else {
                tracing::warn!(secret, "{message}");
            }
        }
    }

    fn news(&self, complaints: impl IntoIterator<Item = Complaint>) -> Vec<Complaint> {
        // A panic elsewhere leaves a set that is still one.
        let mut said = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now: BTreeSet<Complaint> = complaints.into_iter().collect();
        let news = now.difference(&said).cloned().collect();
        *said = now;
        news
    }
}

#[cfg(test)]
impl Said {
    /// Whether the last look complained of this Secret.
    pub(super) fn is_said(&self, secret: &str) -> bool {
        self.0.lock().unwrap().iter().any(|complaint| complaint.secret == secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_said_when_it_begins_and_again_when_it_comes_again() {
        let said = Said::default();
        let look = |secrets: &[&str]| {
            let complaint =
                |secret: &&str| Complaint { secret: (*secret).into(), message: "it is no key".into() };
            let news = said.news(secrets.iter().map(complaint));
            news.into_iter().map(|complaint| complaint.secret).collect::<Vec<_>>()
        };
        assert_eq!(look(&["a"]), ["a"]);
        assert_eq!(look(&["a", "b"]), ["b"]);
        assert_eq!(look(&["a", "b"]), [""; 0]);
        assert_eq!(look(&["b"]), [""; 0]);
        assert_eq!(look(&["a"]), ["a"]);
    }
}
