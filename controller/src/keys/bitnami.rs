//! The sealing keys of sealed-secrets: its TLS Secrets, loaded as they are.
//!
//! The controller doesn't publish them as SealingKeys; with `--compat-http` it serves the certificate of the primary,
//! and makes new keys as sealed-secrets does ([`renewal`]). The same Secrets count as in sealed-secrets: those with the
//! label `sealedsecrets.bitnami.com/sealed-secrets-key=active`, and the oldest form, one Secret of a fixed name without a
//! label. Any other value of the label, such as `compromised`, marks a key that no longer counts. The primary is the
//! key with the newest certificate, by its notBefore, unless that is still to come.
//!
//! Invariant: a Secret that a SealedSecret made is never a key, since everybody can make such Secrets. A
//! Secret that can't be read as a key is passed over; sealed-secrets itself would end.

use std::cmp::Reverse;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::{Certificate, RsaPrivateKey};
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use seal_crds::resources::{DIGEST_ANNOTATION, Group};
use seal_crds::{Namespace, Reason};
use tokio::sync::watch;

use super::said::{Complaint, Said};
use super::server_time::ServerTime;
use super::store::{KeyStore, Tried};
use crate::failure::Failure;
use crate::metrics::{BitnamiKeyCounts, Metrics};
use crate::store::Notice;
use renewal::Dated;
use tls_secret::TlsSecret;

/// The name of the Secret in which sealed-secrets kept its key before it labelled them.
pub(super) const UNLABELLED_KEY: &str = "sealed-secrets-key";

mod make;
mod renewal;
pub(super) mod tls_secret;

/// Loads the keys of sealed-secrets, and makes them where it serves kubeseal.
pub(crate) struct BitnamiKeys {
    /// The namespace of the keys.
    pub(crate) namespace: Namespace,
    /// The keys to make; `None` makes none.
    pub(crate) making: Option<Making>,
    /// Gets the primary's certificate, which the HTTP endpoints serve.
    pub(crate) certificate: watch::Sender<Option<Certificate>>,
    pub(crate) metrics: Metrics,
    pub(crate) said: Said,
    /// The complaints about keys that can't be made.
    pub(crate) unmade: Said,
}

/// The keys to make: a first one where there is none, and a newer one after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Making {
    /// The age of the newest key at which a newer one is made; `None` makes the first one only.
    pub(crate) renewal: Option<Duration>,
}

/// A key to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MakeBitnami {
    /// The name of its Secret.
    name: String,
}

/// A key whose private half is at hand.
struct BitnamiKey {
    key: RsaPrivateKey,
    /// The key's certificate. A key without one opens SealedSecrets, and is never sealed to again.
    certificate: Option<Certificate>,
}

/// Why a Secret gives no key.
#[derive(Debug, PartialEq, Eq)]
enum NoKey {
    /// The label says that the key no longer counts; its certificate still has a date.
    Inactive(Option<Dated>),
    /// The Secret isn't what its label says.
    Unusable,
}

impl BitnamiKeys {
    /// Loads the keys, the primary first, and hands out the primary's certificate. Also gives the key that is
    /// missing.
    ///
    /// # Errors
    ///
    /// A transient failure; the keys that were loaded before stay loaded.
    pub(super) async fn load(
        &self,
        store: &impl KeyStore,
        time: &ServerTime,
    ) -> Result<(Vec<RsaPrivateKey>, Option<MakeBitnami>), Failure> {
        let mut counts = BitnamiKeyCounts::default();
        let (mut keys, mut dates) = (Vec::new(), Vec::new());
        let (secrets, mut complaints) = load(store).await?;
        let is_first = secrets.is_empty();
        for found in secrets {
            match found {
                Ok(key) => {
                    dates.push(key.dated());
                    keys.push(key);
                }
                Err(NoKey::Inactive(dated)) => {
                    dates.extend(dated);
                    counts.inactive += 1;
                }
                Err(NoKey::Unusable) => counts.unusable += 1,
            }
        }
        counts.loaded = keys.len();
        self.metrics.bitnami_keys(counts);
        let missing = self.making.and_then(|making| match making.renewal {
            _ if is_first => Some(renewal::FIRST.to_owned()),
            Some(period) => renewal::due(&dates, period, time),
            None => None,
        });
        if self.making.is_some() && keys.is_empty() && missing.is_none() {
            let secrets = counts.inactive + counts.unusable;
            let message = format!(
                "there are Secrets for sealing keys of sealed-secrets ({secrets}), but none holds an active key; none \
                 is made, and kubeseal gets no certificate, until one of them does or all of them are gone"
            );
            complaints.push(Complaint { secret: String::new(), message });
        }
        self.said.say(complaints);
        let keys = newest_first(keys, time);
        self.certificate.send_if_modified(|current| {
            let primary = keys.first().filter(|key| key.dated().may_be_primary(time));
            let primary = primary.and_then(|key| key.certificate.clone());
            let is_new = *current != primary;
            if is_new {
                *current = primary;
            }
            is_new
        });
        let missing = missing.map(|name| MakeBitnami { name });
        Ok((keys.into_iter().map(|key| key.key).collect(), missing))
    }

    /// Makes a key, and tells people to back it up: this kind has no published backup.
    ///
    /// # Errors
    ///
    /// A transient failure.
    pub(super) async fn make(
        &self,
        store: &impl KeyStore,
        key: &MakeBitnami,
        time: &ServerTime,
    ) -> Result<(), Failure> {
        let MakeBitnami { name } = key;
        let tried = make::create(store, name, time.now()).await?;
        // The Secret of this name may be the key of another controller, which the next look loads. Or it has no label of
        // a key, and stays.
        let is_taken =
            tried == Tried::Overtaken && !store.load_bitnami().await?.iter().any(|it| it.is_named(name));
        let complaint = is_taken.then(|| {
            let message = format!(
                "a sealing key of sealed-secrets' kind can't be made: a Secret of its name exists without the label \
                 {SEALING_KEY_LABEL}"
            );
            Complaint { secret: name.clone(), message }
        });
        self.unmade.say(complaint);
        if tried == Tried::Done {
            store.announce_bitnami(name, &back_up(name, &self.namespace)).await;
        }
        Ok(())
    }
}

/// Tells people to back a new key up.
fn back_up(name: &str, namespace: &Namespace) -> Notice {
    let message = format!(
        "Secret {name} holds a new sealing key of sealed-secrets' kind, and no backup has it yet: kubectl get secrets -n \
         {namespace} -l {SEALING_KEY_LABEL} -o yaml | age -R recovery.pub -a -o bitnami-keys.age"
    );
    Notice { warning: true, reason: Reason::BitnamiKeyMade.as_str(), message }
}

/// Loads the Secrets; returns the key of each, or why it gives none, and all complaints.
async fn load(store: &impl KeyStore) -> Result<(Vec<Result<BitnamiKey, NoKey>>, Vec<Complaint>), Failure> {
    let secrets = store.load_bitnami().await?;
    // Off the async threads: checking a key costs milliseconds.
    let read = move || {
        let mut complaints = Vec::new();
        let keys = secrets.into_iter().map(|secret| BitnamiKey::from_secret(secret, &mut complaints));
        (keys.collect(), complaints)
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|_| Failure::new(Reason::Interrupted, "reading sealed-secrets' keys was interrupted"))
}

/// Sorts the keys, the primary first. The fingerprint decides between certificates of the same second, so
/// that every start decides alike.
fn newest_first(mut keys: Vec<BitnamiKey>, time: &ServerTime) -> Vec<BitnamiKey> {
    keys.sort_by_key(|key| {
        let dated = key.dated();
        Reverse((dated.may_be_primary(time), dated.not_before, dated.fingerprint))
    });
    keys
}

impl BitnamiKey {
    fn from_secret(secret: TlsSecret, complaints: &mut Vec<Complaint>) -> Result<Self, NoKey> {
        if secret.label().is_some_and(|value| value != "active") {
            return Err(NoKey::Inactive(secret.dated()));
        }
        let TlsSecret { metadata, data } = secret;
        let is_planted = is_from_sealed_secret(&metadata);
        let secret = metadata.name.unwrap_or_default();
        let mut complain = |message: String| complaints.push(Complaint { secret: secret.clone(), message });
        if is_planted {
            complain(
                "a Secret that says it is a sealing key of sealed-secrets was made from a SealedSecret; it is refused"
                    .to_owned(),
            );
            return Err(NoKey::Unusable);
        }
        let key = RsaPrivateKey::from_pem(data.key.decoded().as_str()).map_err(|problem| {
            complain(format!(
                "a Secret that says it is a sealing key of sealed-secrets holds none; it is passed over: {problem}"
            ));
            NoKey::Unusable
        })?;
        let certificate = Certificate::from_pem(data.certificate.decoded().as_str())
            .ok()
            .filter(|certificate| certificate.public_key().fingerprint() == key.fingerprint());
        if certificate.is_none() {
            complain(format!(
                "tls.crt of this sealing key of sealed-secrets ({}) isn't the certificate of its tls.key; the key opens \
                 what was sealed to it, and nothing is sealed to it any more",
                key.fingerprint()
            ));
        }
        Ok(Self { key, certificate })
    }

    fn dated(&self) -> Dated {
        Dated {
            fingerprint: self.key.fingerprint(),
            not_before: self.certificate.as_ref().map(Certificate::not_before),
            is_active: true,
        }
    }
}

impl TlsSecret {
    /// The date of a key that no longer counts, by its certificate.
    fn dated(&self) -> Option<Dated> {
        if is_from_sealed_secret(&self.metadata) {
            return None;
        }
        let certificate = Certificate::from_pem(self.data.certificate.decoded().as_str()).ok()?;
        Some(Dated {
            fingerprint: certificate.public_key().fingerprint(),
            not_before: Some(certificate.not_before()),
            is_active: false,
        })
    }

    fn is_named(&self, name: &str) -> bool {
        self.metadata.name.as_deref() == Some(name)
    }
}

/// Whether a SealedSecret of either group made the Secret. Not every Secret that one makes has an owner
/// (`skip-set-owner-references`), but all that this controller writes have its annotation.
fn is_from_sealed_secret(metadata: &ObjectMeta) -> bool {
    let mut owners = metadata.owner_references.iter().flatten();
    let mut annotations = metadata.annotations.iter().flatten();
    owners.any(|owner| Group::find(&owner.api_version, &owner.kind).is_some())
        || annotations.any(|(key, _)| key == DIGEST_ANNOTATION)
}

#[cfg(test)]
mod tests;
