//! The flags about keys.
//!
//! Invariants: they come from the command line, and never from the API, so nobody who writes to the API changes whom
//! the cluster seals to. A sealing key, the recovery recipients and the extra ones fit into one envelope together.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use seal_crds::keys::stored::MAX_RECOVERY;
use seal_crds::keys::{Fingerprint, Recipient};

/// The flags about keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The age of the primary at which a newer key takes its place; `None` if age is no reason.
    pub(super) renewal: Option<SignedDuration>,
    recovery: Vec<Recipient>,
    extra: Vec<Recipient>,
    /// Recipients that count as this cluster's, although nothing is sealed to them any more.
    pub(super) former: BTreeSet<Fingerprint>,
    /// Recipients whose identity somebody else may have.
    pub(super) revoked: BTreeSet<Fingerprint>,
}

/// The recipients of the flags.
#[derive(Clone, Default)]
pub(crate) struct RecipientFlags {
    pub(crate) recovery: Vec<Recipient>,
    pub(crate) extra: Vec<Recipient>,
    pub(crate) former: BTreeSet<Fingerprint>,
    pub(crate) revoked: BTreeSet<Fingerprint>,
}

/// Why nothing could be sealed with these flags.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// Sealing keys are post-quantum, and age mixes no kinds: a classic recipient would undo the protection of the
    /// others. It would also give a quantum computer the backup of a key that it can't break itself.
    #[error(
        "--{flag}: recipient {short} isn't post-quantum (age1pq1… or age1tagpq1…), and the sealing keys are; seal keys \
         new makes one that is"
    )]
    Classic {
        /// The flag, without dashes.
        flag: &'static str,
        /// The short fingerprint of the recipient.
        short: String,
    },
    /// Holds the number of different recipients.
    #[error(
        "--recovery-recipients and --extra-recipients name {0} recipients together; an envelope has room for \
         {MAX_RECOVERY} beside the sealing key"
    )]
    TooMany(usize),
}

impl Settings {
    /// The settings of these flags; a period of zero means that age is no reason to renew a key.
    ///
    /// # Errors
    ///
    /// Any [`SettingsError`].
    pub(crate) fn new(renewal: SignedDuration, flags: RecipientFlags) -> Result<Self, SettingsError> {
        let RecipientFlags { recovery, extra, former, revoked } = flags;
        for (flag, set) in [("recovery-recipients", &recovery), ("extra-recipients", &extra)] {
            if let Some(classic) = set.iter().find(|recipient| !recipient.is_post_quantum()) {
                return Err(SettingsError::Classic { flag, short: classic.fingerprint().short() });
            }
        }
        let distinct: BTreeSet<Fingerprint> =
            recovery.iter().chain(&extra).map(Recipient::fingerprint).collect();
        if distinct.len() > MAX_RECOVERY {
            return Err(SettingsError::TooMany(distinct.len()));
        }
        let renewal = Some(renewal).filter(|period| period.is_positive());
        Ok(Self { renewal, recovery, extra, former, revoked })
    }

    /// The recovery set that the next key is made with. A revoked recipient is in no new set, whatever the other flag
    /// says.
    pub(super) fn recovery(&self) -> impl Iterator<Item = &Recipient> {
        self.recovery.iter().filter(|recipient| !self.is_revoked(recipient))
    }

    /// The recipients that are sealed to beside the primary and its recovery set.
    pub(super) fn extra(&self) -> impl Iterator<Item = &Recipient> {
        self.extra.iter().filter(|recipient| !self.is_revoked(recipient))
    }

    pub(super) fn is_revoked(&self, recipient: &Recipient) -> bool {
        self.revoked.contains(&recipient.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;

    use super::*;

    fn recipients(count: usize) -> Vec<Recipient> {
        (0..count).map(|_| Identity::generate().recipient().clone()).collect()
    }

    fn settings(recovery: &[Recipient], extra: &[Recipient]) -> Result<Settings, SettingsError> {
        let flags =
            RecipientFlags { recovery: recovery.to_vec(), extra: extra.to_vec(), ..Default::default() };
        Settings::new(SignedDuration::ZERO, flags)
    }

    #[test]
    fn a_set_that_could_not_be_sealed_to_is_refused_with_the_flag() {
        let classic: Recipient =
            "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj".parse().unwrap();
        let both = [recipients(1), vec![classic]].concat();
        for (result, flag) in
            [(settings(&both, &[]), "--recovery-recipients"), (settings(&[], &both), "--extra-recipients")]
        {
            let message = result.unwrap_err().to_string();
            assert!(message.starts_with(flag) && message.contains("isn't post-quantum"), "{message}");
        }
        let (one, many) = (recipients(1), recipients(MAX_RECOVERY));
        assert!(settings(&many, &many).is_ok(), "each counts once");
        let message = settings(&many, &one).unwrap_err().to_string();
        assert!(message.contains("16 recipients together"), "{message}");
    }

    #[test]
    fn a_revoked_recipient_is_in_no_new_set() {
        let (kept, leaked) = (recipients(1).remove(0), recipients(1).remove(0));
        let set = vec![kept.clone(), leaked.clone()];
        let revoked = [leaked.fingerprint()].into();
        let flags = RecipientFlags { recovery: set.clone(), extra: set, revoked, ..Default::default() };
        let settings = Settings::new(SignedDuration::from_secs(1), flags).unwrap();
        assert!(settings.recovery().eq([&kept]) && settings.extra().eq([&kept]));
    }
}
