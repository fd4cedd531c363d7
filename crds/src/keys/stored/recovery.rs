//! The recovery set of a sealing key, fixed when the key is made, with the key's backup for it.
//!
//! [`crate::keys::backup`] has what is in the backup. Invariant: a set is never empty, and has a backup that is an armoured
//! age file; nothing else may be published as one.

use std::collections::BTreeMap;

use super::NotAKey;
use crate::keys::{Fingerprint, Recipient};

/// The most recovery recipients of a key: an envelope has room for as many beside the key itself.
pub const MAX_RECOVERY: usize = crate::age_file::MAX_RECIPIENTS - 1;

/// The first and the last line of an armoured age file.
const ARMOUR: [&str; 2] = ["-----BEGIN AGE ENCRYPTED FILE-----\n", "-----END AGE ENCRYPTED FILE-----\n"];

/// The recovery set of a key, fixed when the key is made, and the key's backup for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    recipients: Vec<Recipient>,
    backup: String,
}

impl Recovery {
    /// The set of these recipients, with the private half as an armoured age file for them.
    ///
    /// `None` if there are no recipients, more than [`MAX_RECOVERY`], or if the backup isn't an armoured age file:
    /// nothing else may be published as one.
    pub fn new(recipients: impl IntoIterator<Item = Recipient>, backup: String) -> Option<Self> {
        let sorted: BTreeMap<Fingerprint, Recipient> =
            recipients.into_iter().map(|recipient| (recipient.fingerprint(), recipient)).collect();
        let [begin, end] = ARMOUR;
        let is_armoured = backup.starts_with(begin) && backup.ends_with(end);
        let is_set = (1..=MAX_RECOVERY).contains(&sorted.len());
        (is_set && is_armoured).then(|| Self { recipients: sorted.into_values().collect(), backup })
    }

    /// The recipients, sorted by fingerprint; at least one.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The private half as an armoured age file for the recipients.
    pub fn backup(&self) -> &str {
        &self.backup
    }

    /// Reads the set; `None` in the set if both values are empty.
    pub(super) fn read(recipients: &str, backup: &str) -> Result<Option<Self>, NotAKey> {
        if recipients.is_empty() && backup.is_empty() {
            return Ok(None);
        }
        // The lines are counted before any is parsed.
        if recipients.lines().count() > MAX_RECOVERY {
            return Err(NotAKey::Recovery);
        }
        let recipients: Result<Vec<Recipient>, _> = recipients.lines().map(str::parse).collect();
        let recovery = Self::new(recipients.map_err(|_| NotAKey::Recovery)?, backup.to_owned());
        recovery.map(Some).ok_or(NotAKey::Recovery)
    }
}
