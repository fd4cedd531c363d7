//! The name of an object, from a manifest and the flags: a [`Place`] whose namespace may be open.

use std::fmt;

use seal_crds::{Name, Namespace, Place};

/// The namespace and name of a Secret and its SealedSecret. The namespace is `None` (open) only if the scope
/// doesn't bind it.
#[derive(Clone)]
pub(crate) struct ObjectName {
    pub(crate) namespace: Option<Namespace>,
    pub(crate) name: Name,
}

impl ObjectName {
    /// The place to seal for, or to open at. For an open namespace this takes any, because the scope doesn't
    /// bind it.
    pub(crate) fn to_place(&self) -> Place {
        let any = || "default".parse().expect("default is a namespace");
        Place { namespace: self.namespace.clone().unwrap_or_else(any), name: self.name.clone() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}
