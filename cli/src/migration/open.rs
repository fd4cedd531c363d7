//! Opening what is about to be sealed again.
//!
//! Not the template, of which nothing is looked at here, so that one that has no counterpart is no reason not to
//! open. Invariant: the scope is that of the label under which everything opened; a namespace that nobody gave is
//! never part of such a label.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::{
    ItemName, Plaintext, Scope, Sealed as _, Shape, UnsealError,
    bitnami::BitnamiSealed,
    gotemplate::Branching,
    keys::{Fingerprint, Keyring},
    resources::bitnami::{SealedSecretSpec, Template},
};

use crate::sealing::Target;

/// An object, opened. No `Debug`: it holds plaintext.
pub(super) struct Opened {
    pub(super) scope: Scope,
    pub(super) items: BTreeMap<ItemName, Plaintext>,
    pub(super) opened_by: Vec<Fingerprint>,
    /// Where it was sealed in, in the deprecated `spec.data`.
    pub(super) shape: Option<Shape>,
}

/// Opens the object under the scope it claims, else under another. The error has what to try beside it, where
/// that is known here.
pub(super) fn open(
    target: &Target,
    annotations: &BTreeMap<String, String>,
    spec: &SealedSecretSpec,
    keys: &Keyring,
) -> Result<Opened, (UnsealError, Option<String>)> {
    let ciphertext = SealedSecretSpec { template: Template::default(), ..spec.clone() };
    let sealed =
        BitnamiSealed::parse(target.place(), annotations, &ciphertext, &BTreeSet::new(), Branching::Refused)
            .map_err(|error| (error, None))?;
    let claimed = sealed.scope();
    let error = match open_as(&sealed, claimed, spec, keys) {
        Ok(opened) => return Ok(opened),
        Err(error) if error.may_pass_with_other_keys() => error,
        Err(error) => return Err((error, None)),
    };
    if target.namespace.is_none() {
        let hint = "it has no namespace, and may be sealed for one: give it with -n".to_owned();
        return Err((error, Some(hint)));
    }
    let others = Scope::ALL.into_iter().filter(|scope| *scope != claimed);
    others.into_iter().find_map(|scope| open_as(&sealed, scope, spec, keys).ok()).ok_or((error, None))
}

fn open_as(
    sealed: &BitnamiSealed,
    scope: Scope,
    spec: &SealedSecretSpec,
    keys: &Keyring,
) -> Result<Opened, UnsealError> {
    let sealed = sealed.clone().with_scope(scope);
    let shape = match spec.data {
        Some(_) => sealed.reveal(keys)?.map(|revealed| revealed.shape().clone()),
        None => None,
    };
    let unsealed = sealed.unseal(keys)?;
    Ok(Opened { scope, items: unsealed.data, opened_by: unsealed.opened_by, shape })
}
