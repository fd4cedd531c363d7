//! What this controller opens at all: its flags, as values.
//!
//! Not what a manifest may ask for; nothing here comes from a manifest. Invariant: an object that the
//! policy refuses is refused before any key is tried on it.

use std::collections::BTreeSet;

use seal_crds::gotemplate::Branching;
use seal_crds::{Format, Namespace, Place, Scope, Sealed};

use crate::failure::Failure;

mod args;

pub(crate) use args::PolicyArgs;

/// Which objects are opened.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Scopes of the native format that are opened.
    pub(crate) scopes: BTreeSet<Scope>,
    /// Scopes of the peer's format that are opened.
    pub(crate) bitnami_scopes: BTreeSet<Scope>,
    /// Whether templates of the peer's format may branch on values.
    pub(crate) branching: Branching,
    /// Types that are allowed although the format refuses them by default.
    pub(crate) types: BTreeSet<String>,
    /// Where SealedSecrets are refused: the namespaces with sealing keys.
    pub(crate) refused_namespaces: BTreeSet<Namespace>,
    /// The only namespaces that are served; everything when absent.
    pub(crate) namespaces: Option<BTreeSet<Namespace>>,
}

impl Default for Policy {
    /// `strict` and `namespace-wide`: a cluster-wide object can be opened by any tenant who copies it, so
    /// opening those is a decision of whoever runs the cluster. For the peer's format all: its objects are there
    /// already, and the peer opens them.
    fn default() -> Self {
        Self {
            scopes: [Scope::Strict, Scope::NamespaceWide].into(),
            bitnami_scopes: Scope::ALL.into(),
            branching: Branching::Refused,
            types: BTreeSet::new(),
            refused_namespaces: BTreeSet::new(),
            namespaces: None,
        }
    }
}

impl Policy {
    /// Whether objects at this place are opened.
    ///
    /// # Errors
    ///
    /// A permanent failure that names the flag.
    pub(crate) fn admit_place(&self, place: &Place) -> Result<(), Failure> {
        // A SealedSecret beside the keys could become a Secret that is read as one, and everybody with the
        // public key can make SealedSecrets.
        if self.refused_namespaces.contains(&place.namespace) {
            return Err(Failure::permanent(
                "NamespaceRefused",
                format!(
                    "namespace {} holds the controller's keys; SealedSecrets there are refused \
                     (--allow-own-namespace opens them)",
                    place.namespace
                ),
            ));
        }
        match &self.namespaces {
            Some(namespaces) if !namespaces.contains(&place.namespace) => Err(Failure::permanent(
                "NamespaceRefused",
                format!(
                    "namespace {} is not one this controller serves (--allow-namespace, --watch-namespace)",
                    place.namespace
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Whether this object is opened.
    ///
    /// # Errors
    ///
    /// A permanent failure that names the flag.
    pub(crate) fn admit(&self, sealed: &dyn Sealed) -> Result<(), Failure> {
        let (flag, scopes) = match sealed.format() {
            Format::Native => ("--allowed-scopes", &self.scopes),
            Format::Bitnami => ("--bitnami-allowed-scopes", &self.bitnami_scopes),
        };
        if scopes.contains(&sealed.scope()) {
            return Ok(());
        }
        let allowed = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",");
        Err(Failure::permanent(
            "ScopeRefused",
            format!("scope {} is not opened here ({flag} is {allowed})", sealed.scope()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(namespace: &str) -> Place {
        Place { namespace: namespace.parse().unwrap(), name: "db".parse().unwrap() }
    }

    #[test]
    fn the_namespace_with_the_keys_is_refused() {
        let policy =
            Policy { refused_namespaces: ["seal-system".parse().unwrap()].into(), ..Policy::default() };
        assert_eq!(policy.admit_place(&place("seal-system")).unwrap_err().reason, "NamespaceRefused");
        assert_eq!(policy.admit_place(&place("prod")), Ok(()));
    }

    #[test]
    fn with_a_list_of_namespaces_others_are_refused() {
        let policy = Policy { namespaces: Some(["prod".parse().unwrap()].into()), ..Policy::default() };
        assert_eq!(policy.admit_place(&place("prod")), Ok(()));
        assert!(policy.admit_place(&place("staging")).is_err());
    }
}
