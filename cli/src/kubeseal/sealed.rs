//! SealedSecrets of bitnami.com, read from an input.
//!
//! [`unseal`](super::unseal) opens them. Invariant: each value returned has the kind and apiVersion of a
//! SealedSecret.

use seal_crds::resources::SEALED_SECRET as KIND;
use seal_crds::resources::bitnami::API_VERSION;
use seal_documents::source::Source;

use super::failure::KubesealError;
use super::go_value::GoValue;
use super::read::{self, Document};
use super::schema::{SEALED_SECRET, set};
use crate::talk::failure::Failure;

/// The SealedSecret of a controller's answer. sealed-secrets' controller leaves out kind and apiVersion; they
/// are added.
pub(super) fn answered(source: &Source) -> Result<GoValue, Failure> {
    let found = read::documents(source, KIND, &SEALED_SECRET)?.into_iter().next();
    let Some(Document { mut value, spot }) = found else { return Err(KubesealError::NoSealedSecrets.into()) };
    for (field, known) in [("kind", KIND), ("apiVersion", API_VERSION)] {
        if value.text_at(field).is_empty() {
            set(&mut value, &SEALED_SECRET, field, GoValue::text(known));
        }
    }
    check(Document { value, spot })
}

/// All SealedSecrets of an input; there is at least one.
pub(super) fn all(source: &Source) -> Result<Vec<GoValue>, Failure> {
    let found: Vec<GoValue> = read::documents(source, KIND, &SEALED_SECRET)?
        .into_iter()
        .map(check)
        .collect::<Result<_, Failure>>()?;
    if found.is_empty() { Err(KubesealError::NoSealedSecrets.into()) } else { Ok(found) }
}

/// The first SealedSecret of an input: kubeseal takes the first of several documents.
pub(super) fn one(source: &Source) -> Result<GoValue, Failure> {
    Ok(all(source)?.swap_remove(0))
}

fn check(Document { value, spot }: Document) -> Result<GoValue, Failure> {
    let (kind, version) = (value.text_at("kind").to_owned(), value.text_at("apiVersion").to_owned());
    if kind == KIND && version == API_VERSION {
        return Ok(value);
    }
    Err(Failure::from(KubesealError::NotSealed { kind, version }).at(spot))
}
