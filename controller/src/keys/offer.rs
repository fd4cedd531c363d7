//! What a look hands to the reconcilers: the keyring, and the recipients that everything should be sealed to.
//!
//! Invariants: both are made of loaded private halves and flags alone, never of what somebody wrote into the API. The
//! keyring is handed over before anything is written, so a failed write keeps no Secret from being opened; and the
//! recipients come before the keyring, so whoever waits for keys finds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use seal_crds::keys::stored::Recovery;
use seal_crds::keys::{Fingerprint, Identity, Keyring, Recipient, RsaPrivateKey};
use seal_crds::native::NamedRecipient;

use super::Keys;
use super::bitnami::MakeBitnami;
use super::holder::Holder;
use super::lifecycle::{Decision, Step};
use super::loaded::Loaded;
use super::server_time::ServerTime;
use super::settings::Settings;
use super::store::KeyStore;
use crate::failure::Failure;
use crate::recipients::Recipients;

impl<S: KeyStore> Keys<S> {
    /// Hands the recipients and the keyring, with the keys of sealed-secrets, to the reconcilers. Gives the key of
    /// that kind that is missing.
    pub(super) async fn offer(
        &self,
        loaded: &Loaded,
        identities: Vec<Identity>,
        decision: &Decision<'_>,
    ) -> Result<Option<MakeBitnami>, Failure> {
        self.metrics.key_renewal(decision.renewal_at);
        // Before the keyring: whoever waits for keys finds the recipients too.
        self.know(recipients(loaded, decision, &self.settings));
        let offered = self.offer_keyring(identities, decision.primary, &loaded.time).await;
        // Without any private half, the objects have to say so. But before the first key is made, nothing is wrong.
        if !matches!(decision.step, Step::Make(_)) {
            self.settle();
        }
        offered
    }

    /// Hands the keyring to the reconcilers.
    pub(super) async fn offer_keyring(
        &self,
        identities: Vec<Identity>,
        primary: Option<Fingerprint>,
        time: &ServerTime,
    ) -> Result<Option<MakeBitnami>, Failure> {
        match self.bitnami.load(&self.store, time).await {
            Ok((rsa_keys, missing)) => {
                self.replace(identities, primary, rsa_keys);
                Ok(missing)
            }
            // Identities don't wait for a namespace that the controller may not read.
            Err(failure) if self.keyring.borrow().rsa_keys().is_empty() => {
                self.replace(identities, primary, Vec::new());
                Err(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Lets the reconcilers begin.
    fn settle(&self) {
        self.is_settled.send_if_modified(|is_settled| !std::mem::replace(is_settled, true));
    }

    /// Hands the recipients to the reconcilers if they have changed.
    fn know(&self, recipients: Recipients) {
        self.recipients.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&recipients);
            if is_new {
                *known = Some(Arc::new(recipients));
            }
            is_new
        });
    }

    /// Replaces the keyring if it has changed. The primary of each kind is its first key.
    fn replace(&self, identities: Vec<Identity>, primary: Option<Fingerprint>, rsa_keys: Vec<RsaPrivateKey>) {
        let (first, rest): (Vec<_>, Vec<_>) =
            identities.into_iter().partition(|identity| Some(identity.fingerprint()) == primary);
        let mut keyring: Keyring = first.into_iter().chain(rest).collect();
        for key in rsa_keys {
            keyring.insert_rsa_key(key);
        }
        let is_empty = keyring.is_empty();
        self.keyring.send_if_modified(|current| {
            let is_new = !has_same_keys(current, &keyring);
            if is_new {
                let (keys, rsa_keys) = (keyring.len(), keyring.rsa_keys().len());
                tracing::info!(keys, rsa_keys, "loaded the sealing keys");
                *current = Arc::new(keyring);
            }
            is_new
        });
        if !is_empty {
            self.settle();
        }
    }
}

/// The recipients of this cluster, from the private halves and the flags.
///
/// While the states of older keys aren't noted, nobody is sealed to: a key that takes their place is the primary only
/// afterwards.
fn recipients(loaded: &Loaded, decision: &Decision<'_>, settings: &Settings) -> Recipients {
    let named = |recipient: &Recipient, name: Option<&str>| NamedRecipient {
        recipient: recipient.clone(),
        name: name.map(str::to_owned),
    };
    let is_noted = !matches!(decision.step, Step::Raise(_));
    let is_primary = |holder: &&Holder| Some(holder.recipient.fingerprint()) == decision.primary && is_noted;
    let primary = loaded.holders.iter().find(is_primary);
    let current = primary.into_iter().flat_map(|holder| {
        let recovery = holder.recovery.iter().flat_map(Recovery::recipients);
        let others = recovery.chain(settings.extra()).map(|recipient| named(recipient, None));
        std::iter::once(named(&holder.recipient, Some(&holder.secret))).chain(others)
    });
    let revoked: BTreeSet<Fingerprint> =
        settings.revoked.iter().copied().chain(decision.revoked.iter().copied()).collect();
    let others = settings.extra().map(Recipient::fingerprint).chain(settings.former.iter().copied());
    let known = others.chain(settings.revoked.iter().copied());
    Recipients::new(current.collect(), &decision.recorded, known, revoked)
}

/// Whether both hold the same keys of either kind in the same order.
fn has_same_keys(one: &Keyring, other: &Keyring) -> bool {
    let rsa =
        |keyring: &Keyring| keyring.rsa_keys().iter().map(RsaPrivateKey::fingerprint).collect::<Vec<_>>();
    one.fingerprints().eq(other.fingerprints()) && rsa(one) == rsa(other)
}
