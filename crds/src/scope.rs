//! The place of a Secret ([`Place`]), how firmly the Secret is tied to it ([`Scope`]), and the part of the place that
//! is sealed in ([`Binding`]).
//!
//! `Scope::row` is the one table of scopes. A new scope is a variant, an entry of [`Scope::ALL`] and a row; all other
//! code asks a scope what it binds, and never compares it with another scope. The one exception is the label of the
//! Bitnami format ([`crate::bitnami::Label`]), which is written out for each scope: two scopes must not share a
//! label.
//!
//! A controller's flag, its policy, decides which scopes it opens. Invariant: a [`Binding`] holds exactly the names
//! that its scope binds. So two bindings are equal exactly if an object sealed for the one may be opened for the
//! other.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::names::{Name, Namespace};
use crate::resources::bitnami::{CLUSTER_WIDE, NAMESPACE_WIDE};

/// How firmly a SealedSecret is tied to its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Opens only under its namespace and its name.
    #[default]
    Strict,
    /// Opens under any name in its namespace.
    NamespaceWide,
    /// Opens anywhere in the cluster: any tenant who copies it can read it.
    ClusterWide,
}

/// The row of a scope in the table.
struct Row {
    word: &'static str,
    binds_namespace: bool,
    binds_name: bool,
    bitnami_annotation: Option<&'static str>,
}

impl Scope {
    /// All scopes, from the firmest to the loosest.
    pub const ALL: [Self; 3] = [Self::Strict, Self::NamespaceWide, Self::ClusterWide];

    /// The table of scopes.
    const fn row(self) -> Row {
        match self {
            Self::Strict => {
                Row { word: "strict", binds_namespace: true, binds_name: true, bitnami_annotation: None }
            }
            Self::NamespaceWide => Row {
                word: "namespace-wide",
                binds_namespace: true,
                binds_name: false,
                bitnami_annotation: Some(NAMESPACE_WIDE),
            },
            Self::ClusterWide => Row {
                word: "cluster-wide",
                binds_namespace: false,
                binds_name: false,
                bitnami_annotation: Some(CLUSTER_WIDE),
            },
        }
    }

    /// The word for the scope in manifests, flags and envelopes, for example `strict`.
    pub const fn as_str(self) -> &'static str {
        self.row().word
    }

    /// `true` if the namespace is sealed in.
    pub const fn binds_namespace(self) -> bool {
        self.row().binds_namespace
    }

    /// `true` if the name is sealed in.
    pub const fn binds_name(self) -> bool {
        self.row().binds_name
    }

    /// The annotation that claims this scope in the Bitnami format, with the value `"true"`. The default scope has
    /// none.
    pub const fn bitnami_annotation(self) -> Option<&'static str> {
        self.row().bitnami_annotation
    }

    /// The words of all scopes, for people: `strict, namespace-wide, cluster-wide`.
    pub fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scope \"{}\" is not one of {}", seal_foreign::word(.0), Scope::list())]
pub struct ParseScopeError(String);

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == s)
            .ok_or_else(|| ParseScopeError(s.chars().take(64).collect()))
    }
}

impl<'de> Deserialize<'de> for Scope {
    /// Takes text only. serde's own form for an enum would also take `{"strict": null}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The namespace and name of a SealedSecret, which are also those of its Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The namespace.
    pub namespace: Namespace,
    /// The name.
    pub name: Name,
}

impl fmt::Display for Place {
    /// `prod/db`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The part of a place that a scope seals in: namespace and name, one of them, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    scope: Scope,
    namespace: Option<Namespace>,
    name: Option<Name>,
}

impl Binding {
    /// The part of `place` that `scope` binds.
    pub fn new(scope: Scope, place: &Place) -> Self {
        Self {
            scope,
            namespace: scope.binds_namespace().then(|| place.namespace.clone()),
            name: scope.binds_name().then(|| place.name.clone()),
        }
    }

    /// A binding from the parts in an envelope. `None` if a part that the scope binds is missing, or a part that it
    /// doesn't bind is there.
    pub fn from_parts(scope: Scope, namespace: Option<Namespace>, name: Option<Name>) -> Option<Self> {
        let fits = namespace.is_some() == scope.binds_namespace() && name.is_some() == scope.binds_name();
        fits.then_some(Self { scope, namespace, name })
    }

    /// The scope.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The namespace, if the scope binds it.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// The name, if the scope binds it.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }
}

impl fmt::Display for Binding {
    /// `prod/db`, `namespace prod` or `any namespace`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, "{namespace}/{name}"),
            (Some(namespace), None) => write!(f, "namespace {namespace}"),
            (None, Some(name)) => write!(f, "{name} in any namespace"),
            (None, None) => f.write_str("any namespace"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(namespace: &str, name: &str) -> Place {
        Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
    }

    #[test]
    fn a_scope_reads_back_what_it_prints() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert!(Scope::ALL.is_sorted(), "from the firmest to the loosest");
        assert!("Strict".parse::<Scope>().is_err());
    }

    #[test]
    fn the_list_of_scopes_has_every_scope_of_the_type() {
        let schema = serde_json::to_string(&schemars::schema_for!(Scope)).unwrap();
        let words = Scope::ALL.map(|scope| format!("\"{scope}\""));
        assert!(words.iter().all(|word| schema.contains(word)), "{schema}");
        let values = schema.matches("\"const\"").count();
        assert_eq!(values, Scope::ALL.len(), "{schema}");
    }

    #[test]
    fn bindings_are_equal_exactly_where_the_scope_allows_a_move() {
        let (db, other_name, elsewhere) =
            (place("prod", "db"), place("prod", "cache"), place("staging", "db"));
        let binds = |scope, a: &Place, b: &Place| Binding::new(scope, a) == Binding::new(scope, b);
        assert!(!binds(Scope::Strict, &db, &other_name) && !binds(Scope::Strict, &db, &elsewhere));
        assert!(binds(Scope::NamespaceWide, &db, &other_name));
        assert!(!binds(Scope::NamespaceWide, &db, &elsewhere));
        assert!(binds(Scope::ClusterWide, &db, &elsewhere));
        assert_ne!(Binding::new(Scope::Strict, &db), Binding::new(Scope::NamespaceWide, &db));
    }

    #[test]
    fn parts_that_the_scope_does_not_bind_are_refused() {
        let db = place("prod", "db");
        let (namespace, name) = (Some(db.namespace), Some(db.name));
        assert!(Binding::from_parts(Scope::Strict, namespace.clone(), None).is_none());
        assert!(Binding::from_parts(Scope::NamespaceWide, namespace.clone(), name.clone()).is_none());
        assert!(Binding::from_parts(Scope::ClusterWide, namespace.clone(), None).is_none());
        assert!(Binding::from_parts(Scope::Strict, namespace, name).is_some());
    }
}
