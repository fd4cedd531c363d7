//! What people are told of as new among the keys, each once and not at every look.
//!
//! A look that is decided afresh says the same again before it is on record. Invariants: a key that isn't on record is told
//! of unless this process made it. Nothing in the API excuses a key: whoever creates a Secret chooses the manager that the
//! API server names as its maker. So a key that another replica made, and didn't record before it ended, is told of too.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use seal_crds::keys::Fingerprint;

use crate::store::Notice;

/// The keys that this process made, and what it told of.
#[derive(Default)]
pub(crate) struct Arrivals {
    made: Mutex<BTreeSet<Fingerprint>>,
    told: Mutex<BTreeSet<Told>>,
}

/// A notice about a SealingKey.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    fingerprint: Fingerprint,
    reason: &'static str,
    message: String,
}

impl Arrivals {
    /// Remembers a key that this process is about to create.
    pub(super) fn make(&self, fingerprint: Fingerprint) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint);
    }

    pub(super) fn is_made_here(&self, fingerprint: &Fingerprint) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(fingerprint)
    }

    /// Whether to tell of each of these, which are all that there is to tell at this look. What the last one told isn't
    /// told again; what has ended meanwhile is forgotten, and told again if it comes again.
    pub(super) fn are_news<'n>(
        &self,
        notices: impl IntoIterator<Item = (Fingerprint, &'n Notice)>,
    ) -> Vec<bool> {
        let all = notices.into_iter().map(|(fingerprint, Notice { reason, message, .. })| Told {
            fingerprint,
            reason,
            message: message.clone(),
        });
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut now, mut news) = (BTreeSet::new(), Vec::new());
        for one in all {
            news.push(!told.contains(&one));
            now.insert(one);
        }
        *told = now;
        news
    }

    /// Forgets what was told: another replica leads.
    pub(super) fn forget(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
