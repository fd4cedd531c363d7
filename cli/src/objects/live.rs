//! The SealedSecrets of a cluster: whom they claim they are sealed to, and what the controller said of them in status.
//!
//! Everybody who may edit an object can write its claims; only the controller writes its status. Invariant: an object that
//! can't be read is counted, and never passed over.

use std::collections::BTreeSet;

use kube::core::DynamicObject;
use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::native::{assignment, source};
use seal_crds::resources::{Group, MAX_EXPOSED_TO, SealedSecretSpec};
use serde_json::Value;

use crate::keys::cluster::{Cluster, ConnectError, Listed};
use crate::objects::claimed::Claimed;

/// A SealedSecret in a cluster.
pub(crate) struct Live {
    pub(crate) claimed: Claimed,
    /// The keys without which it doesn't open, as the controller tried; `None` if it hasn't tried the object as it is
    /// now.
    pub(crate) only: Option<BTreeSet<Fingerprint>>,
    /// The keys that opened it.
    pub(crate) opened_by: BTreeSet<Fingerprint>,
    /// The items that a revoked recipient has seen, as the controller says. All items, if it names fewer than it counts.
    pub(crate) exposed: BTreeSet<String>,
    /// The recipients that have seen them, as far as the controller names them.
    pub(crate) exposed_to: BTreeSet<Fingerprint>,
    /// There may be recipients that it doesn't name. The threat: whoever seals an object chooses whom it remembers, and can
    /// make them so many that one isn't named.
    pub(crate) is_exposed_to_more: bool,
    /// The revoked recipients that the object as it is now was compared with, by the name of their set.
    pub(crate) compared: Option<String>,
    /// The controller waits for a change of the object as it is now, or for a key, so it says nothing new of it.
    pub(crate) is_stalled: bool,
}

/// Whether an object needs a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Needs,
    DoesNot,
    /// The controller hasn't said so yet.
    Unsaid,
}

/// The SealedSecrets of both groups.
#[derive(Default)]
pub(crate) struct LiveObjects {
    pub(crate) objects: Vec<Live>,
    /// What could not be looked at, as sentences.
    pub(crate) gaps: Vec<String>,
}

/// Lists the SealedSecrets of both groups in all namespaces.
pub(crate) fn list(cluster: &Cluster) -> Result<LiveObjects, ConnectError> {
    let mut found = LiveObjects::default();
    for group in Group::ALL {
        let mut unread = 0;
        let listed =
            cluster.each_sealed_secret(group, None, |object| match Live::read(group.format, &object) {
                Some(live) => found.objects.push(live),
                None => unread += 1,
            })?;
        match listed {
            // A cluster without a definition has no objects of it.
            Listed::All | Listed::NotDefined => {}
            Listed::NotAllowed => found.gaps.push(format!(
                "SealedSecrets of {} in the cluster: you may not list them in all namespaces",
                group.name
            )),
        }
        if unread > 0 {
            found
                .gaps
                .push(format!("{unread} SealedSecrets of {} in the cluster that can't be read", group.name));
        }
    }
    found.objects.sort_by(|one, other| one.claimed.object.cmp(&other.claimed.object));
    Ok(found)
}

impl Live {
    fn read(format: Format, object: &DynamicObject) -> Option<Self> {
        let metadata = &object.metadata;
        let name = format!("{}/{}", metadata.namespace.as_deref()?, metadata.name.as_deref()?);
        let (spec, status) = (&object.data["spec"], &object.data["status"]);
        // What was said of other envelopes or another generation may be wrong by now: the controller tries an object
        // that has changed within a minute, and keeps its older words until then.
        let is_observed = status["observedGeneration"].as_i64() == metadata.generation;
        let mut is_current = is_observed;
        let claimed = match format {
            Format::Native => {
                let spec: SealedSecretSpec = serde_json::from_value(spec.clone()).ok()?;
                let source = source(&spec.envelopes);
                is_current &= source.is_some() && source.as_deref() == status["usage"]["source"].as_str();
                // An older controller doesn't say it.
                let said = status["usage"]["items"].as_str();
                is_current &= said.is_none() || assignment(&spec.encrypted_data).as_deref() == said;
                Claimed::native(name, &spec)
            }
            Format::Bitnami => {
                let items = spec["encryptedData"].as_object().into_iter().flatten();
                Claimed::bitnami(name, items.map(|(item, _)| item.clone()).collect())
            }
        };
        let only = status["usage"].is_object().then(|| fingerprints(&status["usage"]["only"]));
        let compared = status["usage"]["revoked"].as_str().map(str::to_owned);
        let is_true = |type_: &str| {
            let conditions = status["conditions"].as_array().into_iter().flatten();
            conditions.into_iter().any(|one| one["type"] == type_ && one["status"] == "True")
        };
        let mut exposed: BTreeSet<String> = texts(&status["exposed"]).map(str::to_owned).collect();
        // In an object without room for the names, the controller leaves them out. An older one doesn't count them.
        let count = status["exposedCount"].as_u64().unwrap_or_else(|| u64::from(is_true("Exposed")));
        if usize::try_from(count).is_ok_and(|count| exposed.len() < count) {
            exposed.extend(claimed.items.iter().cloned());
        }
        let exposed_to = fingerprints(&status["exposedTo"]);
        Some(Self {
            claimed,
            only: only.filter(|_| is_current),
            opened_by: fingerprints(&status["openedBy"]),
            exposed,
            is_exposed_to_more: exposed_to.len() >= MAX_EXPOSED_TO,
            exposed_to,
            compared: compared.filter(|_| is_current),
            is_stalled: is_observed && (is_true("Stalled") || is_true("KeyMissing")),
        })
    }

    /// An object of which the controller has said nothing.
    #[cfg(test)]
    pub(crate) fn unsaid(claimed: Claimed) -> Self {
        Self {
            claimed,
            only: None,
            opened_by: BTreeSet::new(),
            exposed: BTreeSet::new(),
            exposed_to: BTreeSet::new(),
            is_exposed_to_more: false,
            compared: None,
            is_stalled: false,
        }
    }

    /// Whether the object needs a key.
    pub(crate) fn need(&self, key: &Fingerprint) -> Need {
        match &self.only {
            Some(only) if only.contains(key) => Need::Needs,
            Some(_) => Need::DoesNot,
            None => Need::Unsaid,
        }
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn fingerprints(list: &Value) -> BTreeSet<Fingerprint> {
    texts(list).filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::resources::Envelope;
    use serde_json::json;

    fn live(observed: i64, status: Value) -> Live {
        let (key, id) = ("aa".repeat(32), "A".repeat(43));
        let mut object = json!({
            "metadata": {"name": "db", "namespace": "prod", "generation": 2},
            "spec": {
                "scope": "strict",
                "envelopes": [{"keys": [id], "recipients": [{"fingerprint": key}], "age": "AAAA"}],
                "encryptedData": {"password": format!("{id}.AAAA")},
            },
            "status": status,
        });
        object["status"]["observedGeneration"] = json!(observed);
        Live::read(Format::Native, &serde_json::from_value(object).unwrap()).unwrap()
    }

    #[test]
    fn an_object_needs_the_keys_that_the_controller_found_it_needs() {
        let key = |digits: &str| digits.repeat(32).parse::<Fingerprint>().unwrap();
        let tried = |age: &str| {
            let envelope = Envelope { keys: Vec::new(), recipients: Vec::new(), age: age.to_owned() };
            source(&[envelope]).unwrap()
        };
        let usage =
            |only: &[String]| json!({"usage": {"source": tried("AAAA"), "keyring": "k", "only": only}});
        let (none, usage) = (usage(&[]), usage(&["aa".repeat(32)]));
        let object = live(2, usage.clone());
        assert_eq!((object.need(&key("aa")), object.need(&key("bb"))), (Need::Needs, Need::DoesNot));
        assert_eq!(
            live(1, usage.clone()).need(&key("bb")),
            Need::Unsaid,
            "it was said of another generation"
        );
        assert_eq!(live(2, json!({"openedBy": ["aa".repeat(32)]})).need(&key("aa")), Need::Unsaid);
        assert_eq!(live(2, none).need(&key("aa")), Need::DoesNot, "two keys open it");
        let mut other = usage;
        other["usage"]["revoked"] = json!("r");
        assert_eq!(live(2, other.clone()).compared.as_deref(), Some("r"));
        assert_eq!(live(1, other.clone()).compared, None, "it was said of another generation");
        for items in [json!("0".repeat(64)), json!(null)] {
            other["usage"]["items"] = items;
            assert_eq!(live(2, other.clone()).compared.is_some(), other["usage"]["items"].is_null());
        }
        other["usage"]["source"] = json!(tried("BBBB"));
        let object = live(2, other);
        assert_eq!(object.need(&key("aa")), Need::Unsaid, "it was said of other envelopes");
        assert_eq!(object.compared, None);
    }

    #[test]
    fn names_that_the_controller_left_out_are_not_taken_for_absent() {
        let exposed = |status: Value| live(2, status).exposed.into_iter().collect::<Vec<_>>();
        let condition = json!([{"type": "Exposed", "status": "True"}]);
        assert!(exposed(json!({})).is_empty());
        assert_eq!(
            exposed(json!({"exposed": ["gone"], "exposedCount": 1, "conditions": condition})),
            ["gone"]
        );
        assert_eq!(exposed(json!({"exposed": ["a"], "exposedCount": 2})), ["a", "password"]);
        assert_eq!(exposed(json!({"exposedCount": 1})), ["password"]);
        assert_eq!(exposed(json!({"conditions": condition})), ["password"], "an older controller");
        let to = |many: usize| {
            let to: Vec<String> = (0..many).map(|n| format!("{n:064x}")).collect();
            live(2, json!({"exposed": ["a"], "exposedTo": to})).is_exposed_to_more
        };
        assert!(!to(MAX_EXPOSED_TO - 1) && to(MAX_EXPOSED_TO));
    }

    #[test]
    fn an_object_of_another_form_is_not_read() {
        let object = json!({"metadata": {"name": "db", "namespace": "prod"}, "spec": {"scope": "wide"}});
        assert!(Live::read(Format::Native, &serde_json::from_value(object).unwrap()).is_none());
    }
}
