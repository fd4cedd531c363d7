//! The SealedSecrets of a cluster, as far as a rotation asks about them: what each is sealed as, whether it is Ready, and
//! the envelope that the controller offers.
//!
//! The callers say which objects they look for; all others are dropped page by page, so a large cluster costs no more
//! memory than a page. Invariants: an object that can't be read is none that anybody looks for, and holds up no other;
//! what a status says is a claim of whoever may write one, and the callers treat it as such.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::DynamicObject;
use seal_crds::keys::Fingerprint;
use seal_crds::native;
use seal_crds::resources::{Envelope, Group, Rewrap};
use seal_crds::{Format, Namespace};
use serde::Deserialize;
use serde_json::Value;

use crate::keys::cluster::{Cluster, ConnectError, Listed};

/// The sealed content of an object, by which a file finds its object in a cluster. A tool may have changed the names and
/// the template on the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SealedAs {
    /// The source of the envelopes, and the data key ids that they list: somebody may give objects the same age file,
    /// but each has ids of its own.
    Native { source: String, data_keys: Vec<String> },
    /// The sealed items, and the deprecated `data`.
    Bitnami(BTreeMap<String, String>, Option<String>),
}

/// A SealedSecret in a cluster, which an object of a file may have become.
#[derive(Debug)]
pub(crate) struct Counterpart {
    /// The namespace and name, for messages.
    pub(crate) place: String,
    namespace: Option<String>,
    pub(crate) sealed_as: Option<SealedAs>,
    pub(crate) rewrap: Option<Rewrap>,
    /// The source that the controller examined last.
    examined: Option<String>,
    conditions: Vec<ConditionRead>,
    /// Whether the status is about the present generation.
    is_observed: bool,
}

/// What a controller says of an object as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// It waits for a change of something. Holds the reason.
    Stalled(String),
    /// There is no word about this generation yet, or it isn't Ready yet. Holds the reason, if there is one.
    Pending(Option<String>),
}

/// The objects that were looked for, and what couldn't be looked at.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) objects: Vec<Counterpart>,
    /// The targets of all offers in the cluster, also of those for other objects.
    targets: BTreeSet<String>,
    /// The namespaces that were listed; `None` if all were.
    listed: Option<BTreeSet<Namespace>>,
}

/// Lists the SealedSecrets of these formats in all namespaces. A user who may not do that gets those of `namespaces` that
/// they may list.
///
/// # Errors
///
/// The cluster can't be asked, or has no SealedSecrets of the native format. sealed-secrets' definition may be missing.
pub(crate) fn list(
    cluster: &Cluster,
    formats: &BTreeSet<Format>,
    namespaces: &BTreeSet<Namespace>,
    is_wanted: impl Fn(&Counterpart) -> bool,
) -> Result<Listing, ConnectError> {
    let mut listing = Listing::default();
    for format in formats {
        let mut list_in = |namespace: Option<&Namespace>| {
            let listed = cluster.each_sealed_secret(Group::of(*format), namespace, |object| {
                let Some(live) = Counterpart::read(*format, &object) else { return };
                listing.targets.extend(live.rewrap.as_ref().map(|offer| offer.target.clone()));
                listing.objects.extend(Some(live).filter(&is_wanted));
            })?;
            match (listed, format) {
                (Listed::All, _) | (Listed::NotDefined, Format::Bitnami) => Ok(true),
                (Listed::NotAllowed, _) => Ok(false),
                (Listed::NotDefined, Format::Native) => {
                    Err(ConnectError::NotInstalled { server: cluster.server().to_owned() })
                }
            }
        };
        if list_in(None)? {
            continue;
        }
        let mut listed = BTreeSet::new();
        for namespace in namespaces {
            if list_in(Some(namespace))? {
                listed.insert(namespace.clone());
            }
        }
        // A namespace counts as listed if it was for every format.
        listing.listed = Some(match listing.listed.take() {
            None => listed,
            Some(before) => before.intersection(&listed).cloned().collect(),
        });
    }
    Ok(listing)
}

impl Listing {
    /// Whether the cluster offers some object an envelope for exactly these recipients.
    pub(crate) fn offers_to(&self, recipients: impl IntoIterator<Item = Fingerprint>) -> bool {
        self.targets.contains(&native::target(recipients))
    }

    #[cfg(test)]
    pub(super) fn offering(targets: &[String]) -> Self {
        Self { targets: targets.iter().cloned().collect(), ..Self::default() }
    }

    /// Whether an object of a file could have been found: its namespace was listed.
    pub(crate) fn covers(&self, namespace: Option<&Namespace>) -> bool {
        match (&self.listed, namespace) {
            (None, _) => true,
            (Some(listed), Some(namespace)) => listed.contains(namespace),
            (Some(_), None) => false,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecRead {
    #[serde(default)]
    envelopes: Vec<Envelope>,
    #[serde(default)]
    encrypted_data: Option<BTreeMap<String, String>>,
    #[serde(default)]
    data: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusRead {
    #[serde(default)]
    observed_generation: Option<i64>,
    #[serde(default)]
    conditions: Vec<ConditionRead>,
    #[serde(default)]
    rewrap: Option<Value>,
    #[serde(default)]
    usage: Option<UsageRead>,
}

#[derive(Deserialize)]
struct UsageRead {
    source: String,
}

/// A condition; sealed-secrets' own have neither reason nor message.
#[derive(Debug, Deserialize)]
struct ConditionRead {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(default)]
    reason: String,
}

impl Counterpart {
    pub(super) fn read(format: Format, object: &DynamicObject) -> Option<Self> {
        // A part that isn't there is null in JSON.
        let part = |name: &str| Some(object.data.get(name)?).filter(|part| !part.is_null());
        let spec = part("spec").map(SpecRead::deserialize).transpose().ok()?.unwrap_or_default();
        let status = part("status").map(StatusRead::deserialize).transpose().ok()?.unwrap_or_default();
        let sealed_as = match format {
            Format::Native => native::source(&spec.envelopes).map(|source| {
                let data_keys = spec.envelopes.into_iter().flat_map(|envelope| envelope.keys).collect();
                SealedAs::Native { source, data_keys }
            }),
            Format::Bitnami => Some(SealedAs::Bitnami(spec.encrypted_data.unwrap_or_default(), spec.data)),
        };
        let name = |part: &Option<String>| part.clone().unwrap_or_default();
        let rewrap = status.rewrap.filter(|_| format == Format::Native);
        Some(Self {
            namespace: object.metadata.namespace.clone(),
            place: format!("{}/{}", name(&object.metadata.namespace), name(&object.metadata.name)),
            sealed_as,
            // Only our format has offers, whatever a status says.
            rewrap: rewrap.and_then(|offer| serde_json::from_value(offer).ok()),
            is_observed: status.observed_generation.is_some()
                && status.observed_generation == object.metadata.generation,
            examined: status.usage.map(|usage| usage.source),
            conditions: status.conditions,
        })
    }

    /// What the controller says of the object as it is now. An object of sealed-secrets' own controller has `Synced`
    /// alone.
    pub(crate) fn state(&self) -> State {
        let is_true = |type_: &str| self.condition(type_).is_some_and(|condition| condition.status == "True");
        let main = self.condition("Ready").or_else(|| self.condition("Synced"));
        let Some(main) = main.filter(|_| self.is_observed) else {
            return State::Pending(None);
        };
        if main.status == "True" {
            State::Ready
        } else if is_true("Stalled") {
            State::Stalled(word(&main.reason))
        } else {
            State::Pending(Some(word(&main.reason)))
        }
    }

    /// The reason of the condition `RewrapOffered`, if the controller has one for the object as it is now.
    pub(crate) fn offer_reason(&self) -> Option<&str> {
        let condition = self.condition("RewrapOffered").filter(|_| self.is_observed)?;
        Some(&condition.reason)
    }

    /// The source of the object's own envelopes.
    pub(crate) fn source(&self) -> Option<&str> {
        match &self.sealed_as {
            Some(SealedAs::Native { source, .. }) => Some(source),
            _ => None,
        }
    }

    /// Whether the controller has examined the object with this source, so that it would say if something stood against
    /// its recipients.
    pub(crate) fn is_examined(&self, source: &str) -> bool {
        self.is_observed && self.examined.as_deref() == Some(source)
    }

    fn condition(&self, type_: &str) -> Option<&ConditionRead> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }
}

/// Whether an object is in the namespace that the file has.
pub(crate) fn is_at_home(live: &Counterpart, namespace: Option<&Namespace>) -> bool {
    namespace.is_some_and(|it| live.namespace.as_deref() == Some(it.as_str()))
}

/// Those of the objects that a file may have become: the ones in the namespace that the file has, or if there are none
/// there, or no namespace is known, all.
///
/// The threat: whoever reads the repository applies a copy of an object in a namespace of their own. It never opens there,
/// and would hold up a rotation for ever. A tool on the way may set another namespace than the file's.
pub(crate) fn at_home<'c>(found: &[&'c Counterpart], namespace: Option<&Namespace>) -> Vec<&'c Counterpart> {
    let home: Vec<_> = found.iter().filter(|live| is_at_home(live, namespace)).copied().collect();
    if home.is_empty() { found.to_vec() } else { home }
}

/// A reason, if it is a word as reasons are.
pub(crate) fn word(reason: &str) -> String {
    let is_word = (1..=64).contains(&reason.len()) && reason.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word { reason.to_owned() } else { "no reason given".to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Value {
        json!({"type": type_, "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-21T10:00:00Z"})
    }

    fn read(value: Value) -> Option<Counterpart> {
        Counterpart::read(Format::Native, &serde_json::from_value(value).unwrap())
    }

    fn object(observed: i64, conditions: &[Value]) -> Counterpart {
        let value = json!({"metadata": {"name": "db", "namespace": "prod", "generation": 2}, "spec": {"envelopes": []},
            "status": {"observedGeneration": observed, "conditions": conditions}});
        read(value).unwrap()
    }

    #[test]
    fn an_object_is_ready_only_as_it_is_now() {
        let ready = [condition("Ready", "True", "Unsealed")];
        assert_eq!(object(2, &ready).state(), State::Ready);
        assert_eq!(object(1, &ready).state(), State::Pending(None), "that was the generation before");
        assert_eq!(object(2, &[]).state(), State::Pending(None));
        let failed = condition("Ready", "False", "NoMatchingKey");
        assert_eq!(
            object(2, std::slice::from_ref(&failed)).state(),
            State::Pending(Some("NoMatchingKey".to_owned()))
        );
        let stalled = [failed, condition("Stalled", "True", "NoMatchingKey")];
        assert_eq!(object(2, &stalled).state(), State::Stalled("NoMatchingKey".to_owned()));
        assert_eq!(object(2, &[condition("Synced", "True", "")]).state(), State::Ready, "the peer's own");
    }

    #[test]
    fn a_word_about_an_older_generation_is_none() {
        let offered = [condition("RewrapOffered", "False", "ForeignRecipients")];
        assert_eq!(object(2, &offered).offer_reason(), Some("ForeignRecipients"));
        assert_eq!(object(1, &offered).offer_reason(), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_object_and_text_of_others_is_not_repeated() {
        let metadata = json!({"name": "x", "namespace": "prod"});
        for wrong in
            [json!({"spec": 1}), json!({"spec": {"envelopes": 1}}), json!({"status": {"conditions": {}}})]
        {
            let mut value = wrong.clone();
            value["metadata"] = metadata.clone();
            assert!(read(value).is_none(), "{wrong}");
        }
        let bare =
            read(json!({"metadata": metadata, "spec": null, "status": {"rewrap": {"source": 1}}})).unwrap();
        assert!(bare.rewrap.is_none() && bare.place == "prod/x");
        assert_eq!(bare.state(), State::Pending(None));
        let shown = object(2, &[condition("Ready", "False", "\u{1b}[2J")]).state();
        assert_eq!(shown, State::Pending(Some("no reason given".to_owned())));
    }

    #[test]
    fn a_copy_in_another_namespace_counts_only_if_the_object_is_nowhere_else() {
        let in_namespace = |namespace: &str| {
            read(json!({"metadata": {"name": "db", "namespace": namespace}, "spec": {"envelopes": []}}))
                .unwrap()
        };
        let (own, copy) = (in_namespace("prod"), in_namespace("tenant"));
        let prod: Namespace = "prod".parse().unwrap();
        let places = |found: &[&Counterpart], namespace: Option<&Namespace>| -> Vec<String> {
            at_home(found, namespace).iter().map(|live| live.place.clone()).collect()
        };
        assert_eq!(places(&[&copy, &own], Some(&prod)), ["prod/db"]);
        assert_eq!(places(&[&copy], Some(&prod)), ["tenant/db"], "a tool may have set it");
        assert_eq!(places(&[&copy, &own], None), ["tenant/db", "prod/db"]);
    }

    #[test]
    fn a_namespace_that_was_not_listed_is_not_covered() {
        let (prod, dev): (Namespace, Namespace) = ("prod".parse().unwrap(), "dev".parse().unwrap());
        let whole = Listing::default();
        assert!(whole.covers(None) && whole.covers(Some(&prod)));
        let part = Listing { listed: Some([prod.clone()].into()), ..Listing::default() };
        assert!(part.covers(Some(&prod)) && !part.covers(Some(&dev)) && !part.covers(None));
    }
}
