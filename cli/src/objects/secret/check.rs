//! Checks for everything that kube-apiserver would refuse in a Secret.
//!
//! The rules are `ValidateSecret` in Kubernetes (pkg/apis/core/validation) and the contract crate's own
//! policy on types. The rules of Kubernetes look at values, so they are here and not in the contract crate.
//! Invariant: a message names the wrong item, and never its value.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::secret::{MAX_SECRET_SIZE, SecretError, check_keys, check_type};
use seal_crds::{ItemName, Plaintext, Reason};

use super::Secret;
use crate::talk::failure::{Explain, Rule};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("item {item} of a {type_} Secret isn't a JSON object")]
    NotJson { item: ItemName, type_: String },
    #[error("item {item} of a {type_} Secret is empty")]
    Empty { item: ItemName, type_: String },
    #[error("the values are {0} bytes together; Kubernetes takes {MAX_SECRET_SIZE}")]
    TooLarge(usize),
}

impl Explain for CheckError {
    fn rule(&self) -> Rule {
        match self {
            Self::TooLarge(_) => Rule::Refused(Reason::SecretTooLarge),
            Self::Secret(_) | Self::NotJson { .. } | Self::Empty { .. } => Rule::InvalidSecret,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Secret(SecretError::MissingKey { .. }) => {
                "add the item, or remove the type to make the Secret Opaque".to_owned()
            }
            Self::Secret(SecretError::RefusedType(_)) => {
                "let Kubernetes or Helm make such a Secret; a controller can be told to allow the type"
                    .to_owned()
            }
            Self::NotJson { item, .. } if item.as_str() == ".dockerconfigjson" => {
                "its value is the content of ~/.docker/config.json; was it encoded twice?".to_owned()
            }
            Self::NotJson { .. } => "was the value encoded twice?".to_owned(),
            Self::TooLarge(_) => "split it into several Secrets".to_owned(),
            Self::Secret(_) | Self::Empty { .. } => return None,
        })
    }
}

impl CheckError {
    /// The item that the error is about, if it is about one.
    pub(crate) fn item(&self) -> Option<&ItemName> {
        match self {
            Self::NotJson { item, .. } | Self::Empty { item, .. } => Some(item),
            _ => None,
        }
    }

    /// Whether the error is about the Secret's type.
    pub(crate) fn is_about_type(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

/// Checks the type of a Secret and the names of its items, before anybody types a value.
pub(crate) fn check_names(type_: &str, items: &BTreeSet<ItemName>) -> Result<(), CheckError> {
    // A controller's flags may allow more types. Here every such type is refused, so that the user learns of
    // it now.
    check_type(type_, &BTreeSet::new())?;
    Ok(check_keys(type_, items)?)
}

/// Checks a whole Secret.
pub(crate) fn check(secret: &Secret) -> Result<(), CheckError> {
    let type_ = secret.type_.as_str();
    check_names(type_, &secret.items.keys().cloned().collect())?;
    match type_ {
        "kubernetes.io/dockerconfigjson" => check_json(&secret.items, ".dockerconfigjson", type_)?,
        "kubernetes.io/dockercfg" => check_json(&secret.items, ".dockercfg", type_)?,
        "kubernetes.io/ssh-auth" => check_not_empty(&secret.items, "ssh-privatekey", type_)?,
        _ => {}
    }
    let size = secret.items.values().map(Plaintext::len).sum();
    if size > MAX_SECRET_SIZE { Err(CheckError::TooLarge(size)) } else { Ok(()) }
}

fn find<'s>(items: &'s BTreeMap<ItemName, Plaintext>, name: &str) -> Option<(&'s ItemName, &'s Plaintext)> {
    items.iter().find(|(item, _)| item.as_str() == name)
}

fn check_json(items: &BTreeMap<ItemName, Plaintext>, name: &str, type_: &str) -> Result<(), CheckError> {
    match find(items, name) {
        Some((item, value)) if !is_json_object(value.expose()) => {
            Err(CheckError::NotJson { item: item.clone(), type_: type_.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Whether a value is a JSON object. kube-apiserver reads the value into a map, which also takes `null`; a
/// `null` holds no credentials, so it is refused here.
fn is_json_object(bytes: &[u8]) -> bool {
    // `IgnoredAny` keeps nothing of the value in memory.
    bytes.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn check_not_empty(items: &BTreeMap<ItemName, Plaintext>, name: &str, type_: &str) -> Result<(), CheckError> {
    match find(items, name) {
        Some((item, value)) if value.is_empty() => {
            Err(CheckError::Empty { item: item.clone(), type_: type_.to_owned() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(type_: &str, items: &[(&str, &str)]) -> Result<(), String> {
        let items = items.iter().map(|(k, v)| (k.parse().unwrap(), Plaintext::from(v.as_bytes().to_vec())));
        let secret = Secret {
            namespace: None,
            name: None,
            type_: type_.to_owned(),
            immutable: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            bitnami_annotations: BTreeMap::new(),
            items: items.collect(),
        };
        check(&secret).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_apiserver_takes_is_taken() {
        for (type_, items) in [
            ("Opaque", &[("a", "")][..]),
            ("kubernetes.io/tls", &[("tls.crt", ""), ("tls.key", "")]),
            ("kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", "{\"auths\":{}}")]),
            ("kubernetes.io/dockercfg", &[(".dockercfg", " \n{}\n")]),
            ("kubernetes.io/basic-auth", &[("password", "")]),
            ("kubernetes.io/ssh-auth", &[("ssh-privatekey", "x")]),
            ("example.com/own", &[("a", "b")]),
        ] {
            assert_eq!(outcome(type_, items), Ok(()));
        }
    }

    #[test]
    fn what_the_apiserver_refuses_is_refused_by_item_and_without_the_value() {
        for (type_, items, expected) in [
            ("kubernetes.io/tls", &[("tls.crt", "")][..], "type kubernetes.io/tls needs the key tls.key"),
            (
                "kubernetes.io/dockerconfigjson",
                &[(".dockerconfigjson", "hunter2")],
                "item .dockerconfigjson of a kubernetes.io/dockerconfigjson Secret isn't a JSON object",
            ),
            (
                "kubernetes.io/ssh-auth",
                &[("ssh-privatekey", "")],
                "item ssh-privatekey of a kubernetes.io/ssh-auth Secret is empty",
            ),
            (
                "helm.sh/release.v1",
                &[("a", "b")],
                "type helm.sh/release.v1 may not be sealed: the control plane acts on Secrets of this type",
            ),
        ] {
            assert_eq!(outcome(type_, items), Err(expected.to_owned()));
        }
        for value in ["\"x\"", "[]", "1", "null", "", "{"] {
            for (type_, item) in [
                ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
                ("kubernetes.io/dockercfg", ".dockercfg"),
            ] {
                let expected = format!("item {item} of a {type_} Secret isn't a JSON object");
                assert_eq!(outcome(type_, &[(item, value)]), Err(expected), "{value}");
            }
        }
        let big = "x".repeat(MAX_SECRET_SIZE + 1);
        assert!(outcome("Opaque", &[("a", &big)]).is_err());
    }
}
