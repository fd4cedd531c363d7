//! Opens a bitnami.com object that is about to be sealed again.
//!
//! The template isn't parsed here, so that an object opens even if its template has no counterpart.
//! Invariant: the scope is that of the label under which every item opened; a namespace that the user didn't
//! give is never part of such a label.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::bitnami::{BitnamiSealed, Opened};
use seal_crds::keys::Keyring;
use seal_crds::resources::bitnami::{SealedSecretSpec, Template};
use seal_crds::{Sealed as _, UnsealError};
use seal_go::template::Branching;

use crate::objects::name::ObjectName;

/// Opens the object under the scope that it claims, else under another. An error comes with a hint if this
/// function knows one.
pub(super) fn open(
    object_name: &ObjectName,
    annotations: &BTreeMap<String, String>,
    spec: &SealedSecretSpec,
    keys: &Keyring,
) -> Result<Opened, (UnsealError, Option<String>)> {
    let ciphertext = SealedSecretSpec { template: Template::default(), ..spec.clone() };
    let sealed = BitnamiSealed::parse(
        object_name.to_place(),
        annotations,
        &ciphertext,
        &BTreeSet::new(),
        Branching::Refused,
    )
    .map_err(|error| (error, None))?;
    if object_name.namespace.is_some() {
        return sealed.open_under(sealed.scopes(), keys).map_err(|error| (error, None));
    }
    sealed.open_under([sealed.scope()], keys).map_err(|error| {
        let hint = "it has no namespace, and may be sealed for one: give it with -n".to_owned();
        let hint = error.may_pass_with_other_keys().then_some(hint);
        (error, hint)
    })
}
