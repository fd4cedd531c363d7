//! The recipients of this cluster: whom everything should be sealed to, whose recipients count as ours, and who is
//! revoked.
//!
//! [`crate::keys`] makes this value from the loaded private halves and the flags alone, and hands it to the reconcilers
//! beside the keyring. [`crate::examination`] decides with it what to offer. Nothing in it comes from a SealingKey that
//! somebody else may have written, so nobody who writes SealingKeys adds a recipient to an offer.
//!
//! Invariants: a current recipient is never revoked, and always known; without a primary, nobody is current, so
//! nothing is offered.

use std::collections::BTreeSet;

use seal_crds::keys::Fingerprint;
use seal_crds::native::{NamedRecipient, target};

/// The recipients of this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipients {
    current: Vec<NamedRecipient>,
    known: BTreeSet<Fingerprint>,
    exposing: BTreeSet<Fingerprint>,
}

/// A sealing key with the recovery recipients that were fixed when it was made. Its private half is loaded, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedKey {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) recovery: BTreeSet<Fingerprint>,
}

impl Recipients {
    /// `current` are the primary, its recovery recipients and the extra ones; empty if there is no primary. `keys` are
    /// all recorded keys. `others` are the extra and the former recipients. `revoked` are the revoked keys and the
    /// fingerprints that the flag names.
    pub(crate) fn new(
        current: Vec<NamedRecipient>,
        keys: &[RecordedKey],
        others: impl IntoIterator<Item = Fingerprint>,
        revoked: BTreeSet<Fingerprint>,
    ) -> Self {
        let current: Vec<NamedRecipient> =
            current.into_iter().filter(|named| !revoked.contains(&named.recipient.fingerprint())).collect();
        let recorded = keys.iter().flat_map(|key| key.recovery.iter().copied().chain([key.fingerprint]));
        let known = current.iter().map(|named| named.recipient.fingerprint()).chain(recorded).chain(others);
        let known = known.collect();
        // Whoever has a revoked recovery identity opens the backups that were encrypted to it, and with the private
        // half in one everything that was ever sealed to that key, whatever its envelopes name.
        let opened = keys.iter().filter(|key| !key.recovery.is_disjoint(&revoked)).map(|key| key.fingerprint);
        let opened: Vec<Fingerprint> = opened.collect();
        let exposing = revoked.into_iter().chain(opened).collect();
        Self { current, known, exposing }
    }

    /// The recipients that everything should be sealed to; empty if there is no primary.
    pub(crate) fn current(&self) -> &[NamedRecipient] {
        &self.current
    }

    /// The fingerprints of [`Self::current`].
    pub(crate) fn current_fingerprints(&self) -> BTreeSet<Fingerprint> {
        self.current.iter().map(|named| named.recipient.fingerprint()).collect()
    }

    /// The name of the set of current recipients; `None` if there is no primary.
    pub(crate) fn target(&self) -> Option<String> {
        (!self.current.is_empty()).then(|| target(self.current_fingerprints()))
    }

    /// Whether the recipient is this cluster's: a key of its own, a recovery recipient of one, an extra or a former
    /// recipient.
    pub(crate) fn is_known(&self, recipient: &Fingerprint) -> bool {
        self.known.contains(recipient)
    }

    /// The recipients whose holders shouldn't have what was sealed to them: those that are revoked, and the keys whose
    /// backup a revoked recipient opens.
    pub(crate) fn exposing(&self) -> &BTreeSet<Fingerprint> {
        &self.exposing
    }
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;

    use super::*;

    fn named(identity: &Identity) -> NamedRecipient {
        NamedRecipient { recipient: identity.recipient().clone(), name: None }
    }

    fn recorded(key: &Identity, recovery: &[&Identity]) -> RecordedKey {
        let recovery = recovery.iter().map(|identity| identity.fingerprint()).collect();
        RecordedKey { fingerprint: key.fingerprint(), recovery }
    }

    #[test]
    fn a_revoked_recipient_is_not_sealed_to_and_stays_known() {
        let [key, recovery] = [Identity::generate(), Identity::generate()];
        let revoked = [recovery.fingerprint()].into();
        let keys = [recorded(&key, &[&recovery])];
        let recipients = Recipients::new(vec![named(&key), named(&recovery)], &keys, [], revoked);
        assert_eq!(recipients.current(), [named(&key)]);
        assert!(recipients.is_known(&recovery.fingerprint()));
        assert_eq!(recipients.target(), Some(target([key.fingerprint()])));
    }

    #[test]
    fn a_revoked_recovery_recipient_exposes_what_was_sealed_to_each_key_whose_backup_it_opens() {
        let [old, new, leaked, kept] = std::array::from_fn(|_| Identity::generate());
        let keys = [recorded(&old, &[&leaked, &kept]), recorded(&new, &[&kept])];
        let recipients = Recipients::new(vec![named(&new)], &keys, [], [leaked.fingerprint()].into());
        assert_eq!(*recipients.exposing(), [leaked.fingerprint(), old.fingerprint()].into());
        assert!(Recipients::new(vec![named(&new)], &keys, [], BTreeSet::new()).exposing().is_empty());
    }

    #[test]
    fn known_are_the_recovery_recipients_of_every_key_and_the_extra_and_former_ones() {
        let [key, recovery, former, stranger] = std::array::from_fn(|_| Identity::generate());
        let keys = [recorded(&key, &[&recovery])];
        let recipients = Recipients::new(Vec::new(), &keys, [former.fingerprint()], BTreeSet::new());
        for known in [&key, &recovery, &former] {
            assert!(recipients.is_known(&known.fingerprint()));
        }
        assert!(!recipients.is_known(&stranger.fingerprint()));
        assert_eq!(recipients.target(), None, "without a primary, nothing is offered");
    }
}
