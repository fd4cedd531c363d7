//! The sealing keys of sealed-secrets: its TLS Secrets, loaded as they are.
//!
//! The controller neither renews them nor publishes them as SealingKeys; `--compat-http` serves the
//! certificate of the primary. The same Secrets count as in sealed-secrets: those with the label
//! `sealedsecrets.bitnami.com/sealed-secrets-key=active`, and the oldest form, one Secret of a fixed name
//! without a label. Any other value of the label, such as `compromised`, marks a key that no longer counts.
//! The primary is the key with the newest certificate, by its notBefore.
//!
//! Invariant: a Secret that a SealedSecret made is never a key, since everybody can make such Secrets. A
//! Secret that can't be read as a key is passed over; sealed-secrets itself would end.

use std::cmp::Reverse;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::Reason;
use seal_crds::keys::{Certificate, RsaPrivateKey};
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use seal_crds::resources::{DIGEST_ANNOTATION, Group};
use tokio::sync::watch;

use super::said::{Complaint, Said};
use super::store::{KeyStore, Tried};
use crate::failure::Failure;
use crate::metrics::{BitnamiKeyCounts, Metrics};
use tls_secret::TlsSecret;

/// The name of the Secret in which sealed-secrets kept its key before it labelled them.
pub(super) const UNLABELLED_KEY: &str = "sealed-secrets-key";

mod first;
pub(super) mod tls_secret;

/// Loads the keys of sealed-secrets, and makes a first one if it should.
pub(crate) struct BitnamiKeys {
    /// Create a first key if there is none.
    pub(crate) make_first: bool,
    /// Gets the primary's certificate, which the HTTP endpoints serve.
    pub(crate) certificate: watch::Sender<Option<Certificate>>,
    pub(crate) metrics: Metrics,
    pub(crate) said: Said,
    /// The complaints about keys that can't be made.
    pub(crate) unmade: Said,
}

/// A key to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MakeBitnami {
    /// The name of its Secret. It is fixed, so that controllers that try at the same time make one key together.
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
    /// The label says that the key no longer counts.
    Inactive,
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
    ) -> Result<(Vec<RsaPrivateKey>, Option<MakeBitnami>), Failure> {
        let mut counts = BitnamiKeyCounts::default();
        let mut keys = Vec::new();
        let (secrets, mut complaints) = load(store).await?;
        let is_missing = secrets.is_empty() && self.make_first;
        for found in secrets {
            match found {
                Ok(key) => keys.push(key),
                Err(NoKey::Inactive) => counts.inactive += 1,
                Err(NoKey::Unusable) => counts.unusable += 1,
            }
        }
        counts.loaded = keys.len();
        self.metrics.bitnami_keys(counts);
        let secrets = counts.inactive + counts.unusable;
        if self.make_first && keys.is_empty() && secrets > 0 {
            let message = format!(
                "there are Secrets for sealing keys of sealed-secrets ({secrets}), but none holds an active key; none \
                 is made, and kubeseal gets no certificate, until one of them does or all of them are gone"
            );
            complaints.push(Complaint { secret: String::new(), message });
        }
        self.said.say(complaints);
        let keys = newest_first(keys);
        self.certificate.send_if_modified(|current| {
            let primary = keys.first().and_then(|key| key.certificate.clone());
            let is_new = *current != primary;
            if is_new {
                *current = primary;
            }
            is_new
        });
        let missing = is_missing.then(|| MakeBitnami { name: first::NAME.to_owned() });
        Ok((keys.into_iter().map(|key| key.key).collect(), missing))
    }

    /// Makes a key.
    ///
    /// # Errors
    ///
    /// A transient failure.
    pub(super) async fn make(&self, store: &impl KeyStore, key: &MakeBitnami) -> Result<(), Failure> {
        let tried = first::create(store).await?;
        // It may be the key of another controller, which the next look loads. Or it holds no key, and stays.
        let taken = (tried == Tried::Overtaken && load(store).await?.0.is_empty()).then(|| {
            let message = format!(
                "a sealing key of sealed-secrets' kind can't be made: a Secret of its name exists without the label \
                 {SEALING_KEY_LABEL}"
            );
            Complaint { secret: key.name.clone(), message }
        });
        self.unmade.say(taken);
        Ok(())
    }
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
fn newest_first(mut keys: Vec<BitnamiKey>) -> Vec<BitnamiKey> {
    keys.sort_by_key(|key| {
        Reverse((key.certificate.as_ref().map(Certificate::not_before), key.key.fingerprint()))
    });
    keys
}

impl BitnamiKey {
    fn from_secret(secret: TlsSecret, complaints: &mut Vec<Complaint>) -> Result<Self, NoKey> {
        if secret.label().is_some_and(|value| value != "active") {
            return Err(NoKey::Inactive);
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
