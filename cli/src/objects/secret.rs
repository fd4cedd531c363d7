//! A Secret as its author wrote it, before it is sealed.
//!
//! [`read`] takes it out of a manifest. [`check`] refuses what kube-apiserver would refuse later, when the
//! developer is no longer there to fix it. [`content`] doubts what kube-apiserver would take, and was hardly meant.
//!
//! Invariant: values live in [`Plaintext`] alone.

pub(crate) mod check;
pub(crate) mod content;
pub(crate) mod read;

use std::collections::BTreeMap;

use seal_crds::{ItemName, Name, Namespace, Plaintext};

/// A Secret before it is sealed. It has no `Debug`, since it holds the values.
pub(crate) struct Secret {
    pub(crate) namespace: Option<Namespace>,
    pub(crate) name: Option<Name>,
    pub(crate) type_: String,
    pub(crate) immutable: Option<bool>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// The annotations for the controller of sealed-secrets, which only the Bitnami format keeps.
    pub(crate) bitnami_annotations: BTreeMap<String, String>,
    pub(crate) items: BTreeMap<ItemName, Plaintext>,
}
