//! The peer's sealing keys: the TLS Secrets of sealed-secrets, loaded as they are.
//!
//! Not renewal, and not published as a SealingKey: its certificate is served where `--compat-http` asks for it.
//! Which Secrets count is the peer's rule: labelled `sealedsecrets.bitnami.com/sealed-secrets-key=active`, or its
//! oldest form, one Secret of a fixed name without a label; any other value of the label, such as `compromised`,
//! is a key that no longer counts. The primary is the one whose certificate is the newest, by its notBefore.
//!
//! Invariant: a Secret that came from a SealedSecret is never a key, since everybody can make those; a Secret that
//! can't be read as a key is passed over, where the peer ends.

use std::cmp::Reverse;

use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use seal_crds::keys::{Certificate, RsaPrivateKey};
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use seal_crds::resources::{DIGEST_ANNOTATION, Group};
use seal_crds::{Namespace, Reason};
use serde::Deserialize;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::key_secret::Text;
use super::said::{Complaint, Said};
use crate::cluster::api::failure;
use crate::failure::Failure;
use crate::metrics::{BitnamiKeyCounts, Metrics};

/// The name of the Secret in which the peer kept its key before it labelled them.
pub(crate) const UNLABELLED_KEY: &str = "sealed-secrets-key";

mod first;

/// Loads the peer's keys, and makes one where it should.
pub(crate) struct BitnamiKeys {
    pub(crate) client: Client,
    /// Where they are.
    pub(crate) namespace: Namespace,
    /// Whether the first is made where there is none.
    pub(crate) make_first: bool,
    /// The primary's certificate.
    pub(crate) certificate: watch::Sender<Option<Certificate>>,
    pub(crate) metrics: Metrics,
    pub(crate) said: Said,
}

/// A key whose private half is at hand.
struct BitnamiKey {
    key: RsaPrivateKey,
    /// Without one it opens what was sealed to it, and nothing is sealed to it any more.
    certificate: Option<Certificate>,
}

/// Why a Secret gives no key.
#[derive(Debug, PartialEq, Eq)]
enum NoKey {
    /// Somebody labelled it as one that no longer counts.
    Inactive,
    /// It isn't what its label says.
    Unusable,
}

impl BitnamiKeys {
    /// The keys at hand, the primary first; publishes the primary's certificate.
    ///
    /// # Errors
    ///
    /// A transient failure; what was loaded before stays loaded.
    pub(crate) async fn sync(&self) -> Result<Vec<RsaPrivateKey>, Failure> {
        let mut counts = BitnamiKeyCounts::default();
        let mut keys = Vec::new();
        let (mut secrets, mut complaints) = self.load().await?;
        if secrets.is_empty() && self.make_first {
            let is_made = first::create(&self.client, &self.namespace).await?;
            (secrets, complaints) = self.load().await?;
            if !is_made && secrets.is_empty() {
                let message = format!(
                    "a first sealing key of sealed-secrets' kind can't be made: a Secret of its name exists without the \
                     label {SEALING_KEY_LABEL}"
                );
                complaints.push(Complaint { secret: first::NAME.to_owned(), message });
            }
        }
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
        Ok(keys.into_iter().map(|key| key.key).collect())
    }

    async fn load(&self) -> Result<(Vec<Result<BitnamiKey, NoKey>>, Vec<Complaint>), Failure> {
        let labelled = self.list(&format!("labelSelector={SEALING_KEY_LABEL}")).await?;
        let unlabelled = self.list(&format!("fieldSelector=metadata.name%3D{UNLABELLED_KEY}")).await?;
        // Off the async threads: checking a key costs milliseconds.
        let read = move || -> Result<_, serde_json::Error> {
            let labelled: TlsSecretList = serde_json::from_str(&labelled)?;
            let unlabelled: TlsSecretList = serde_json::from_str(&unlabelled)?;
            let unlabelled = unlabelled.items.into_iter().filter(|secret| secret.label().is_none());
            let mut complaints = Vec::new();
            let secrets = labelled.items.into_iter().chain(unlabelled);
            let keys = secrets.map(|secret| BitnamiKey::from_secret(secret, &mut complaints)).collect();
            Ok((keys, complaints))
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(found)) => Ok(found),
            // The parser's message may quote the text.
            Ok(Err(_)) => Err(Failure::new(
                Reason::ApiError,
                "the API server's list of sealed-secrets' keys can't be read",
            )),
            Err(_) => Err(Failure::new(Reason::Interrupted, "reading sealed-secrets' keys was interrupted")),
        }
    }

    async fn list(&self, query: &str) -> Result<Zeroizing<String>, Failure> {
        let uri = format!("/api/v1/namespaces/{}/secrets?{query}", self.namespace);
        let request = Request::get(uri).body(Vec::new()).expect("a validated namespace is a URL segment");
        let answer = self.client.request_text(request).await;
        Ok(Zeroizing::new(answer.map_err(|error| failure("loading sealed-secrets' keys", &error))?))
    }
}

/// The primary first. The fingerprint decides between certificates of one second, so that every start decides alike.
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
        let key = RsaPrivateKey::from_pem(&data.key.0).map_err(|problem| {
            complain(format!(
                "a Secret that says it is a sealing key of sealed-secrets holds none; it is passed over: {problem}"
            ));
            NoKey::Unusable
        })?;
        let certificate = Certificate::from_pem(&data.certificate.0)
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

#[derive(Deserialize)]
struct TlsSecretList {
    items: Vec<TlsSecret>,
}

/// As [`super::key_secret::KeySecret`], of the peer's form.
#[derive(Deserialize)]
struct TlsSecret {
    metadata: ObjectMeta,
    #[serde(default)]
    data: TlsData,
}

impl TlsSecret {
    fn label(&self) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(SEALING_KEY_LABEL).map(String::as_str)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TlsData {
    #[serde(rename = "tls.key")]
    key: Text,
    #[serde(rename = "tls.crt")]
    certificate: Text,
}

#[cfg(test)]
mod tests;
