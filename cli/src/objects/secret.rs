//! A Secret, as its author wrote it and as Kubernetes would take it.
//!
//! [`read`] takes it out of a manifest; [`check`] refuses what kube-apiserver
//! would refuse later, when the developer is no longer there to fix it. [`look`] tells a value that
//! isn't there yet.
//!
//! Invariant: values live in [`Plaintext`] alone.

pub(crate) mod check;
pub(crate) mod read;

use std::collections::BTreeMap;

use seal_crds::{ItemName, Name, Namespace, Plaintext};

/// A Secret before it is sealed. Without `Debug`: it holds the values.
pub(crate) struct Secret {
    pub(crate) namespace: Option<Namespace>,
    pub(crate) name: Option<Name>,
    pub(crate) type_: String,
    pub(crate) immutable: Option<bool>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Those that speak to the peer's controller, which only its format has.
    pub(crate) bitnami_annotations: BTreeMap<String, String>,
    pub(crate) items: BTreeMap<ItemName, Plaintext>,
}
