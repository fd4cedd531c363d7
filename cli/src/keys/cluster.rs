//! A cluster, reached through the Kubernetes API with the user's kubeconfig: the SealingKeys of our controller
//! ([`own`]), the recipients to seal to ([`fetched`]), and beside them a controller behind a Service ([`service`]).
//!
//! Timeouts are short and there are no retries, because a person is waiting. Invariant: errors use fixed
//! words, since the text of a server or a parser may quote a credential.

mod access;
mod connect;
mod error;
mod fetched;
mod key_secrets;
mod own;
mod recovery;
mod rsa_keys;
mod service;

use seal_crds::resources::{KeyState, PublishedState, SealingKey, find_condition};

use crate::args::ClusterArgs;
use crate::talk::failure::{Explain, Failure, Rule};

pub(crate) use access::{Access, Login, Server};
pub(crate) use error::ConnectError;
pub(crate) use fetched::{Fetched, RECOVERY, sealing_keys};
pub(crate) use own::{Changed, Cluster, Listed};
pub(crate) use recovery::{ClusterKeys, Created, name_of_restored, recovery_of};
#[cfg(test)]
pub(crate) use recovery::{HeldKey, RecordedKey};
pub(crate) use rsa_keys::RsaSecret;
pub(crate) use service::{Controller, Service, ServiceError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("{server} has no sealing key in namespace {namespace}")]
    NoKeys { server: String, namespace: String },
    #[error("the controller of namespace {0} hasn't said yet which sealing key is its own")]
    Unsaid(String),
    #[error("the controller of namespace {namespace} seals to no key now: {why}")]
    NonePrimary { namespace: String, why: String },
    #[error("the controller of namespace {namespace} names two keys to seal to: {one} and {other}")]
    TwoPrimaries { namespace: String, one: String, other: String },
    #[error("sealing key {0} has a recipient that can't be used")]
    BadRecipient(String),
}

impl Explain for KeyError {
    fn rule(&self) -> Rule {
        Rule::NoSealingKey
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKeys { .. } => {
                "is the controller running, and in this namespace? Otherwise give --controller-namespace"
                    .to_owned()
            }
            Self::Unsaid(namespace) => {
                format!(
                    "is it running? Try again in a moment, or look at kubectl get sealingkeys -n {namespace}"
                )
            }
            Self::NonePrimary { namespace, .. } => {
                format!(
                    "kubectl describe sealingkeys -n {namespace} says more, and so does the controller's log"
                )
            }
            Self::TwoPrimaries { .. } => "try again in a moment".to_owned(),
            Self::BadRecipient(_) => "is this seal older than the controller?".to_owned(),
        })
    }
}

/// An error of getting recipients from a cluster.
pub(crate) enum FetchError {
    /// The cluster can't be asked.
    Connect(ConnectError),
    /// The cluster was asked, and has no key to seal to.
    Key(KeyError),
}

impl FetchError {
    /// The failure, for a command that has `-r` as well: if the cluster is out of reach, the hint names `-r`.
    /// The hint doesn't name it if the controller says that there is no key to seal to, because users
    /// shouldn't work around that.
    pub(crate) fn or_give_recipients(self) -> Failure {
        let is_out_of_reach = matches!(&self, Self::Connect(error) if error.is_out_of_reach());
        let failure = Failure::from(self);
        if is_out_of_reach { failure.or_try("give recipients with -r") } else { failure }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Connect(error) => error.into(),
            FetchError::Key(error) => error.into(),
        }
    }
}

impl From<ConnectError> for FetchError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<KeyError> for FetchError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

/// Asks the cluster for its recipients.
pub(crate) fn fetch(args: &ClusterArgs) -> Result<Fetched, FetchError> {
    let cluster = Cluster::connect(args)?;
    let keys = cluster.sealing_keys()?;
    if keys.is_empty() {
        let (server, namespace) = (cluster.server().to_owned(), cluster.namespace().to_owned());
        return Err(KeyError::NoKeys { server, namespace }.into());
    }
    let key = primary(&keys, cluster.namespace())?;
    Ok(Fetched::new(&cluster, key, &keys)?)
}

/// The key to seal to: the one that the controller calls primary in the status, which only the controller can
/// write.
///
/// The threat: an attacker who may write SealingKeys could otherwise have others seal to a key of the
/// attacker's. No key is better than a wrong one.
pub(crate) fn primary<'k>(keys: &'k [SealingKey], namespace: &str) -> Result<&'k SealingKey, KeyError> {
    let namespace = namespace.to_owned();
    let mut primaries = keys.iter().filter(|key| key.is_primary());
    match (primaries.next(), primaries.next()) {
        (Some(key), None) => Ok(key),
        (Some(one), Some(other)) => {
            Err(KeyError::TwoPrimaries { namespace, one: name_of(one), other: name_of(other) })
        }
        (None, _) if keys.iter().all(|key| !key.is_recorded()) => Err(KeyError::Unsaid(namespace)),
        (None, _) => Err(KeyError::NonePrimary { namespace, why: why_not(keys) }),
    }
}

/// The reason, for each of the three newest keys that the controller has recorded, why it isn't sealed to.
fn why_not(keys: &[SealingKey]) -> String {
    let mut recorded: Vec<_> = keys.iter().filter(|key| key.is_recorded()).collect();
    recorded.sort_by_key(|key| std::cmp::Reverse(key.spec.sequence));
    let state = |key: &SealingKey| {
        let status = key.status.as_ref();
        let stalled = status.and_then(|status| find_condition(&status.conditions, "Stalled"));
        match status.and_then(|status| status.state) {
            Some(PublishedState::Lost) => "has lost its private half".to_owned(),
            _ if key.spec.state == KeyState::Revoked => "is revoked".to_owned(),
            Some(PublishedState::Revoked) if stalled.is_none() => "is revoked".to_owned(),
            Some(PublishedState::Retiring) => "is retiring".to_owned(),
            Some(PublishedState::Deleting) => "is being deleted".to_owned(),
            Some(PublishedState::Destroyed) => "was deleted".to_owned(),
            _ => match stalled {
                Some(stalled) => format!("is stalled ({})", stalled.reason),
                None => "isn't the primary".to_owned(),
            },
        }
    };
    let shown = recorded.iter().take(3).map(|key| format!("{} {}", name_of(key), state(key)));
    shown.collect::<Vec<_>>().join(", ")
}

/// The name of a key; empty if the API server gave none.
pub(crate) fn name_of(key: &SealingKey) -> String {
    key.metadata.name.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::keys::Identity;
    use seal_crds::resources::{Condition, SealingKeySpec, SealingKeyStatus};

    /// A key with a status that the controller wrote.
    fn key(name: &str, sequence: i64, state: PublishedState, primary: bool) -> SealingKey {
        let spec = SealingKeySpec {
            recipient: Identity::generate().recipient().to_string(),
            sequence,
            created_at: "2026-11-21T10:00:00Z".to_owned(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let condition = Condition {
            type_: "Primary".to_owned(),
            status: primary.into(),
            observed_generation: None,
            last_transition_time: "2026-11-21T10:00:00Z".to_owned(),
            last_update_time: None,
            reason: "Newest".to_owned(),
            message: String::new(),
        };
        let mut key = SealingKey::new(name, spec);
        let fingerprint = Some(key.fingerprint().to_string());
        let conditions = vec![condition];
        key.status =
            Some(SealingKeyStatus { fingerprint, state: Some(state), conditions, ..Default::default() });
        key
    }

    /// A key that an attacker wrote, without a status.
    fn planted(sequence: i64) -> SealingKey {
        SealingKey { status: None, ..key("planted", sequence, PublishedState::Active, true) }
    }

    /// The name of the key to seal to, or why there is none.
    fn chosen(keys: &[SealingKey]) -> Result<String, String> {
        primary(keys, "seal-system").map(name_of).map_err(|error| error.to_string())
    }

    #[test]
    fn the_key_to_seal_to_is_the_one_that_the_controller_calls_primary() {
        use PublishedState::{Active, Deleting, Destroyed, Lost, Retiring, Revoked};
        let first = key("first", 1, Active, true);
        for other in [planted(2), key("second", 2, Active, false), key("second", 2, Revoked, false)] {
            assert_eq!(chosen(&[first.clone(), other]), Ok("first".to_owned()));
        }
        for (keys, why) in [
            (vec![planted(1)], "the controller of namespace seal-system hasn't said yet"),
            (vec![key("a", 1, Revoked, false), planted(2)], "seals to no key now: a is revoked"),
            (
                vec![key("a", 1, Retiring, false), key("b", 2, Lost, false)],
                "seals to no key now: b has lost its private half, a is retiring",
            ),
            (
                vec![key("a", 1, Destroyed, false), key("b", 2, Deleting, false)],
                "seals to no key now: b is being deleted, a was deleted",
            ),
            (
                vec![key("a", 1, Active, true), key("b", 2, Active, true)],
                "names two keys to seal to: a and b",
            ),
        ] {
            let error = chosen(&keys).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        // This key was revoked a moment ago, and the controller hasn't seen it yet.
        let mut revoked = first;
        revoked.spec.state = KeyState::Revoked;
        assert!(chosen(&[revoked]).unwrap_err().ends_with("first is revoked"));
    }
}
