//! The recipients of a cluster: SealingKeys, read through the Kubernetes API
//! with the user's kubeconfig; and a controller behind a Service ([`service`]).
//!
//! Short timeouts and no retries: somebody is waiting. Errors are in fixed
//! words, since a server's or a parser's text may quote a credential.

mod access;
mod connect;
mod service;

use kube::{Api, api::ListParams};
use seal_crds::{
    keys::Recipient,
    native::NamedRecipient,
    resources::{ConditionStatus, KeyState, SealingKey, find_condition},
};

use crate::{
    args::ClusterArgs,
    failure::{Explain, Failure},
};

pub(crate) use access::{Access, Login, Server};
pub(crate) use connect::ConnectError;
pub(crate) use service::{Controller, Service, ServiceError};

#[derive(Debug, thiserror::Error)]
enum KeyError {
    #[error("{server} has no sealing key in namespace {namespace}")]
    NoKeys { server: String, namespace: String },
    #[error("none of the sealing keys in namespace {0} is active")]
    NoneActive(String),
    #[error("sealing key {0} has a recipient that can't be used")]
    BadRecipient(String),
}

impl Explain for KeyError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKeys { .. } => {
                "is the controller running, and in this namespace? Otherwise give --controller-namespace"
                    .to_owned()
            }
            Self::NoneActive(_) => "the controller makes a new one: look at its log".to_owned(),
            Self::BadRecipient(_) => "is this seal older than the controller?".to_owned(),
        })
    }
}

/// The recipients of a cluster, and where they are from.
pub(crate) struct Fetched {
    context: String,
    server: String,
    key: NamedRecipient,
    key_name: String,
    created_at: String,
    recovery: Vec<Recipient>,
}

/// Asks the cluster.
pub(crate) fn fetch(args: &ClusterArgs) -> Result<Fetched, Failure> {
    let connection = connect::connect(Access::from(args))?;
    let namespace = args.own_namespace();
    let api: Api<SealingKey> = Api::namespaced(connection.client.clone(), namespace);
    let keys = connection.run(namespace, async { api.list(&ListParams::default()).await })?.items;
    if keys.is_empty() {
        let (server, namespace) = (connection.server, namespace.to_owned());
        return Err(KeyError::NoKeys { server, namespace }.into());
    }
    let key = primary(&keys).ok_or_else(|| KeyError::NoneActive(namespace.to_owned()))?;
    let name = key.metadata.name.clone().unwrap_or_default();
    let recipient = |text: &str| text.parse().map_err(|_| KeyError::BadRecipient(name.clone()));
    let status = key.status.as_ref();
    let recovery = status.map(|status| status.recovery_recipients.as_slice()).unwrap_or_default();
    Ok(Fetched {
        context: connection.context,
        server: connection.server,
        key: NamedRecipient { recipient: recipient(&key.spec.recipient)?, name: Some(name.clone()) },
        created_at: key.spec.created_at.clone(),
        recovery: recovery.iter().map(|text| recipient(text)).collect::<Result<_, _>>()?,
        key_name: name,
    })
}

/// The key to seal to: the one the controller calls primary, else (a controller
/// that hasn't said so yet) the newest that is active. The controller seals to
/// its own choice whatever this is; here it only decides whom this user trusts.
fn primary(keys: &[SealingKey]) -> Option<&SealingKey> {
    let is_primary = |key: &SealingKey| {
        let conditions = key.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        find_condition(conditions, "Primary").is_some_and(|c| c.status == ConditionStatus::True)
    };
    let active = keys.iter().filter(|key| key.spec.state == KeyState::Active);
    active.max_by_key(|key| (is_primary(key), key.spec.sequence))
}

impl Fetched {
    pub(crate) fn recipients(&self) -> Vec<NamedRecipient> {
        let recovery = self.recovery.iter().map(|recipient| NamedRecipient {
            recipient: recipient.clone(),
            name: Some("recovery".to_owned()),
        });
        std::iter::once(self.key.clone()).chain(recovery).collect()
    }

    /// One line: whose keys, and which.
    pub(crate) fn summary(&self) -> String {
        let recovery = match self.recovery.len() {
            0 => String::new(),
            _ => {
                let short: Vec<_> =
                    self.recovery.iter().map(|r| r.fingerprint().short().to_string()).collect();
                format!(", for recovery {}", short.join(", "))
            }
        };
        format!(
            "context {} ({}): {} {}{recovery}",
            self.context,
            self.server,
            self.key_name,
            self.key.recipient.fingerprint().short()
        )
    }

    /// A file for `-r`, to be committed.
    pub(crate) fn to_file(&self) -> String {
        let one_line = |text: &str| crate::terminal::escape(text).replace('\n', " ");
        let mut text =
            format!("# context: {}\n# server: {}\n", one_line(&self.context), one_line(&self.server));
        text += &format!(
            "\n# name: {}\n# created: {}\n# fingerprint: {}\n{}\n",
            one_line(&self.key_name),
            one_line(&self.created_at),
            self.key.recipient.fingerprint(),
            self.key.recipient
        );
        for recipient in &self.recovery {
            text += &format!("\n# name: recovery\n# fingerprint: {}\n{recipient}\n", recipient.fingerprint());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::{
        keys::{Identity, parse_recipients},
        resources::{Condition, SealingKeySpec, SealingKeyStatus},
    };

    fn key(name: &str, sequence: i64, state: KeyState, primary: bool) -> SealingKey {
        let spec = SealingKeySpec {
            recipient: Identity::generate().recipient().to_string(),
            sequence,
            created_at: "2026-11-21T10:00:00Z".to_owned(),
            state,
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
        let status = SealingKeyStatus { conditions: vec![condition], ..SealingKeyStatus::default() };
        SealingKey { status: Some(status), ..SealingKey::new(name, spec) }
    }

    fn chosen(keys: &[SealingKey]) -> Option<&str> {
        primary(keys).and_then(|key| key.metadata.name.as_deref())
    }

    #[test]
    fn the_primary_is_what_the_controller_says_else_the_newest_active() {
        use KeyState::{Active, Retiring, Revoked};
        let first = key("first", 1, Active, true);
        assert_eq!(chosen(&[first.clone(), key("second", 2, Active, false)]), Some("first"));
        assert_eq!(chosen(&[key("a", 1, Active, false), key("b", 2, Active, false)]), Some("b"));
        assert_eq!(chosen(&[key("a", 1, Active, false), key("b", 2, Retiring, true)]), Some("a"));
        assert_eq!(chosen(&[key("a", 1, Revoked, true), key("b", 2, Retiring, true)]), None);
    }

    #[test]
    fn a_fetched_file_reads_back_as_the_same_recipients() {
        let recipient = |_| Identity::generate().recipient().clone();
        let fetched = Fetched {
            context: "prod\nage1evil".to_owned(),
            server: "https://example".to_owned(),
            key: NamedRecipient { recipient: recipient(0), name: Some("k".to_owned()) },
            key_name: "k".to_owned(),
            created_at: "x".to_owned(),
            recovery: vec![recipient(1), recipient(2)],
        };
        let expected: Vec<_> = fetched.recipients().into_iter().map(|named| named.recipient).collect();
        assert_eq!(parse_recipients(&fetched.to_file()).unwrap(), expected);
    }
}
