//! The rules for a legal Secret: types and sizes here, labels and annotations in [`metadata`].
//!
//! The apiserver validates Secrets too, but its messages may quote a value, so the programs never pass them on. The
//! checks here come first: they refuse what the apiserver would refuse for a public reason, and they say why.
//! Invariant: no check looks at plaintext.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{ItemName, Name};
use seal_foreign::word;

pub use metadata::{LeftOut, Mark, Metadata, check_annotations, check_label};
pub use stored::MAX_STORED_SIZE;
pub(crate) use stored::check_stored_size;

mod metadata;
mod stored;

/// The most bytes of all values of a Secret together: 1 MiB (Kubernetes' `core.MaxSecretSize`).
pub const MAX_SECRET_SIZE: usize = 1024 * 1024;

/// The type that a Secret gets if its author names none.
pub const OPAQUE: &str = "Opaque";

/// Types that a SealedSecret may not have unless a controller flag allows it, because something acts on them. A Secret
/// of the first type gets API credentials for a service account, the second lets machines join the cluster, and Helm
/// believes what the third says about a release. The right to seal must not bring those powers.
pub const REFUSED_TYPES: [&str; 3] =
    ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", HELM_RELEASE];

/// The type in which Helm stores a release.
const HELM_RELEASE: &str = "helm.sh/release.v1";

/// The keys that the apiserver demands for a built-in type. Each inner list is a choice: one of its keys must be there.
pub fn required_keys(type_: &str) -> &'static [&'static [&'static str]] {
    match type_ {
        "kubernetes.io/tls" => &[&["tls.crt"], &["tls.key"]],
        "kubernetes.io/dockerconfigjson" => &[&[".dockerconfigjson"]],
        "kubernetes.io/dockercfg" => &[&[".dockercfg"]],
        "kubernetes.io/basic-auth" => &[&["username", "password"]],
        "kubernetes.io/ssh-auth" => &[&["ssh-privatekey"]],
        _ => &[],
    }
}

/// A Secret that the apiserver would refuse, or that may not be made from a SealedSecret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The type gives its holder powers beyond the Secret.
    #[error("type {} may not be sealed: the control plane acts on Secrets of this type", word(.0))]
    RefusedType(String),
    /// Helm would take the Secret for a release because of its name or labels, whatever its type is.
    #[error(
        "a Secret named sh.helm.release.v1.… or labelled owner=helm may not be sealed: Helm takes it for a release; \
         rename it, or allow the type {HELM_RELEASE}"
    )]
    HelmRelease,
    /// The type doesn't have the form of a type.
    #[error("type \"{}\" is not 1 to 253 printable characters", word(.0))]
    MalformedType(String),
    /// A key that the type needs is missing.
    #[error("type {} needs the key {}", word(type_), one_of.join(" or "))]
    MissingKey {
        /// The Secret's type.
        type_: String,
        /// The keys of which the Secret needs one.
        one_of: &'static [&'static str],
    },
    /// A label or annotation key that isn't a qualified name.
    #[error("{what} \"{}\" is not a qualified name ([prefix/]name, name of at most 63)", word(key))]
    MalformedKey {
        /// `label` or `annotation`.
        what: &'static str,
        /// The key.
        key: String,
    },
    /// A label value that breaks Kubernetes' rules.
    #[error("the value of label {} is not at most 63 of a-z, A-Z, 0-9, '-', '_' and '.'", word(key))]
    MalformedLabelValue {
        /// The label's key.
        key: String,
    },
    /// The labels together are too large. Holds their size in bytes.
    #[error("labels are {0} bytes; at most {max} are allowed", max = metadata::MAX_LABELS_SIZE)]
    LabelsTooLarge(usize),
    /// The annotations together are too large. Holds their size in bytes.
    #[error("annotations are {0} bytes; Kubernetes takes {max}", max = metadata::MAX_ANNOTATIONS_SIZE)]
    AnnotationsTooLarge(usize),
}

/// Checks the form of a type, and refuses the [`REFUSED_TYPES`] that aren't in `allowed`.
///
/// # Errors
///
/// [`SecretError::MalformedType`], [`SecretError::RefusedType`].
pub fn check_type(type_: &str, allowed: &BTreeSet<String>) -> Result<(), SecretError> {
    if !(1..=253).contains(&type_.len()) || !type_.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SecretError::MalformedType(type_.chars().take(253).collect()));
    }
    if REFUSED_TYPES.contains(&type_) && !allowed.contains(type_) {
        return Err(SecretError::RefusedType(type_.to_owned()));
    }
    Ok(())
}

/// Refuses a Secret that Helm would take for a release, unless `allowed` has the type of releases. Helm's driver finds
/// releases by their names and by a label; it doesn't look at the type.
///
/// # Errors
///
/// [`SecretError::HelmRelease`].
pub fn check_release(
    name: &Name,
    labels: &BTreeMap<String, String>,
    allowed: &BTreeSet<String>,
) -> Result<(), SecretError> {
    let is_release = name.as_str().starts_with("sh.helm.release.v1.")
        || labels.get("owner").is_some_and(|owner| owner == "helm");
    if is_release && !allowed.contains(HELM_RELEASE) { Err(SecretError::HelmRelease) } else { Ok(()) }
}

/// Checks that the Secret has the keys that its built-in type needs.
///
/// # Errors
///
/// [`SecretError::MissingKey`].
pub fn check_keys(type_: &str, keys: &BTreeSet<ItemName>) -> Result<(), SecretError> {
    for one_of in required_keys(type_) {
        if !one_of.iter().any(|required| keys.iter().any(|key| key.as_str() == *required)) {
            return Err(SecretError::MissingKey { type_: type_.to_owned(), one_of });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_the_control_plane_acts_on_are_refused_unless_allowed() {
        for type_ in REFUSED_TYPES {
            assert_eq!(check_type(type_, &BTreeSet::new()), Err(SecretError::RefusedType(type_.to_owned())));
            assert_eq!(check_type(type_, &[type_.to_owned()].into()), Ok(()));
        }
        assert_eq!(check_type("example.com/anything", &BTreeSet::new()), Ok(()));
        assert!(check_type("", &BTreeSet::new()).is_err());
        assert!(check_type("a\nb", &BTreeSet::new()).is_err());
    }

    #[test]
    fn what_helm_takes_for_a_release_is_refused_unless_its_type_is_allowed() {
        let outcome = |name: &str, labels: &[(&str, &str)], allowed: &[&str]| {
            let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            let allowed = allowed.iter().map(|&type_| type_.into()).collect();
            check_release(&name.parse().unwrap(), &labels, &allowed)
        };
        for (name, labels) in [("sh.helm.release.v1.db.v7", &[][..]), ("db", &[("owner", "helm")][..])] {
            assert_eq!(outcome(name, labels, &[]), Err(SecretError::HelmRelease));
            assert_eq!(outcome(name, labels, &["helm.sh/release.v1"]), Ok(()));
        }
        assert_eq!(outcome("helm", &[("owner", "team"), ("app", "helm")], &[]), Ok(()));
    }

    #[test]
    fn built_in_types_need_their_keys() {
        let keys = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        assert!(check_keys("kubernetes.io/tls", &keys(&["tls.crt", "tls.key"])).is_ok());
        assert!(check_keys("kubernetes.io/basic-auth", &keys(&["username"])).is_ok());
        assert_eq!(
            check_keys("kubernetes.io/basic-auth", &keys(&["user"])).unwrap_err().to_string(),
            "type kubernetes.io/basic-auth needs the key username or password"
        );
        assert!(check_keys("kubernetes.io/tls", &keys(&["tls.crt"])).is_err());
    }
}
