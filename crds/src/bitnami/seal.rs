//! The verb seal, in the peer's format.
//!
//! Not the manifest around it. Invariant: every value gets a session key of its own.

use super::Label;
use crate::keys::RsaPublicKey;
use crate::resources::bitnami::{CLUSTER_WIDE, NAMESPACE_WIDE};
use crate::scope::{Binding, Scope};

/// One value of `encryptedData`, base64: what opens under the same binding only.
pub fn seal_item(key: &RsaPublicKey, binding: &Binding, value: &[u8]) -> String {
    Label::from(binding).seal_item(key, value)
}

/// The annotation that says the scope, with the value `"true"`; none for strict.
pub fn scope_annotation(scope: Scope) -> Option<&'static str> {
    match scope {
        Scope::Strict => None,
        Scope::NamespaceWide => Some(NAMESPACE_WIDE),
        Scope::ClusterWide => Some(CLUSTER_WIDE),
    }
}
