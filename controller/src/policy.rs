//! Which objects this controller opens at all: its flags, as values.
//!
//! Nothing here comes from a manifest. Invariant: an object that the policy refuses is refused before any key
//! is tried on it.

use std::collections::BTreeSet;

use seal_crds::{Format, Namespace, Place, Reason, Scope, Sealed};
use seal_go::template::Branching;

use crate::failure::Failure;

mod args;

pub(crate) use args::PolicyArgs;

/// The rules for which objects the controller opens.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// The scopes of the native format that are opened.
    pub(crate) scopes: BTreeSet<Scope>,
    /// The scopes of the Bitnami format that are opened.
    pub(crate) bitnami_scopes: BTreeSet<Scope>,
    /// Whether templates of the Bitnami format may branch on values.
    pub(crate) branching: Branching,
    /// Types of Secret that are allowed although the format refuses them by default.
    pub(crate) types: BTreeSet<String>,
    /// The namespaces with sealing keys: SealedSecrets in them are refused.
    pub(crate) refused_namespaces: BTreeSet<Namespace>,
    /// The only namespaces that are served; `None` means all.
    pub(crate) namespaces: Option<BTreeSet<Namespace>>,
}

impl Default for Policy {
    /// Native format: `strict` and `namespace-wide`. Any tenant who copies a cluster-wide object can open it,
    /// so opening those is a decision of the people who run the cluster. Bitnami format: all scopes, because
    /// its objects are there already, and sealed-secrets opens them.
    fn default() -> Self {
        Self {
            scopes: Scope::ALL.into_iter().filter(|scope| scope.binds_namespace()).collect(),
            bitnami_scopes: Scope::ALL.into(),
            branching: Branching::Refused,
            types: BTreeSet::new(),
            refused_namespaces: BTreeSet::new(),
            namespaces: None,
        }
    }
}

impl Policy {
    /// Refuses an object at a place where none is opened.
    ///
    /// # Errors
    ///
    /// A permanent failure that names the flag.
    pub(crate) fn admit_place(&self, place: &Place) -> Result<(), Failure> {
        // Everybody with the public key can make SealedSecrets, and one beside the sealing keys could become
        // a Secret that the controller reads as a key.
        if self.refused_namespaces.contains(&place.namespace) {
            return Err(Failure::new(
                Reason::NamespaceRefused,
                format!(
                    "namespace {} holds the controller's keys; SealedSecrets there are refused \
                     (--allow-own-namespace opens them)",
                    place.namespace
                ),
            ));
        }
        match &self.namespaces {
            Some(namespaces) if !namespaces.contains(&place.namespace) => Err(Failure::new(
                Reason::NamespaceRefused,
                format!(
                    "namespace {} is not one this controller serves (--allow-namespace, --watch-namespace)",
                    place.namespace
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses an object that isn't opened.
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
        Err(Failure::new(
            Reason::ScopeRefused,
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
        assert_eq!(policy.admit_place(&place("seal-system")).unwrap_err().reason, Reason::NamespaceRefused);
        assert_eq!(policy.admit_place(&place("prod")), Ok(()));
    }

    #[test]
    fn with_a_list_of_namespaces_others_are_refused() {
        let policy = Policy { namespaces: Some(["prod".parse().unwrap()].into()), ..Policy::default() };
        assert_eq!(policy.admit_place(&place("prod")), Ok(()));
        assert!(policy.admit_place(&place("staging")).is_err());
    }
}
