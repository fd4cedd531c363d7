//! The scope that an object claims by its annotations.
//!
//! The annotation of each scope stands in the table of scopes ([`Scope`]). A claim is public text that anybody can
//! edit: it decides which label is tried first, and the label that opens is the scope. Invariant: every annotation
//! that [`claimed_scope`] reads is one of [`scope_annotations`], so a program that removes those removes every claim.

use crate::scope::Scope;

/// The scope that annotations claim, as sealed-secrets reads them: the loosest scope whose annotation has the value
/// `true`.
pub fn claimed_scope(annotations: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> Scope {
    let claims = annotations.into_iter().filter(|(_, value)| value.as_ref() == "true");
    claims.filter_map(|(key, _)| scope_of_annotation(key.as_ref())).max().unwrap_or_default()
}

/// The annotations that claim a scope.
pub fn scope_annotations() -> impl Iterator<Item = &'static str> {
    Scope::ALL.into_iter().filter_map(Scope::bitnami_annotation)
}

/// The scope that this annotation claims; `None` if it isn't an annotation of a scope.
pub fn scope_of_annotation(key: &str) -> Option<Scope> {
    Scope::ALL.into_iter().find(|scope| scope.bitnami_annotation() == Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::bitnami::{CLUSTER_WIDE, MANAGED, NAMESPACE_WIDE, PREFIX};

    #[test]
    fn the_loosest_scope_that_is_claimed_by_true_counts() {
        let claim = |annotations: &[(&str, &str)]| claimed_scope(annotations.iter().copied());
        assert_eq!(claim(&[]), Scope::Strict);
        assert_eq!(claim(&[(MANAGED, "true")]), Scope::Strict);
        assert_eq!(claim(&[(NAMESPACE_WIDE, "true")]), Scope::NamespaceWide);
        assert_eq!(claim(&[(NAMESPACE_WIDE, "true"), (CLUSTER_WIDE, "true")]), Scope::ClusterWide);
        assert_eq!(claim(&[(CLUSTER_WIDE, "true"), (NAMESPACE_WIDE, "true")]), Scope::ClusterWide);
        assert_eq!(claim(&[(NAMESPACE_WIDE, "true"), (CLUSTER_WIDE, "True")]), Scope::NamespaceWide);
        assert_eq!(claim(&[(NAMESPACE_WIDE, "")]), Scope::Strict);
    }

    #[test]
    fn an_object_without_annotations_claims_the_one_scope_that_has_none() {
        let unclaimed: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| scope.bitnami_annotation().is_none()).collect();
        assert_eq!(unclaimed, [Scope::default()]);
        for scope in Scope::ALL {
            if let Some(key) = scope.bitnami_annotation() {
                assert!(key.starts_with(PREFIX), "{key}");
                assert_eq!(scope_of_annotation(key), Some(scope));
            }
        }
        assert_eq!(scope_of_annotation(MANAGED), None);
    }
}
