//! SealedSecrets of the peer's, out of an input.
//!
//! Not their opening. Invariant: what is given out says that it is one.

use seal_crds::resources::{SEALED_SECRET as KIND, bitnami::API_VERSION};
use seal_documents::source::Source;

use super::{
    failure::KubesealError,
    node::Node,
    read::{self, Object},
    schema::{SEALED_SECRET, set},
};
use crate::talk::failure::Failure;

/// The one that a controller answers with. The peer's leaves out what it is.
pub(super) fn answered(source: &Source) -> Result<Node, Failure> {
    let found = read::objects(source, KIND, &SEALED_SECRET)?.into_iter().next();
    let Some(Object { mut node, spot }) = found else { return Err(KubesealError::NoSealedSecrets.into()) };
    for (field, value) in [("kind", KIND), ("apiVersion", API_VERSION)] {
        if node.text_at(field).is_empty() {
            set(&mut node, &SEALED_SECRET, field, Node::text(value));
        }
    }
    check(Object { node, spot })
}

/// All of them.
pub(super) fn all(source: &Source) -> Result<Vec<Node>, Failure> {
    let found: Vec<Node> = read::objects(source, KIND, &SEALED_SECRET)?
        .into_iter()
        .map(check)
        .collect::<Result<_, Failure>>()?;
    if found.is_empty() { Err(KubesealError::NoSealedSecrets.into()) } else { Ok(found) }
}

/// The first one: of several documents, the peer takes that.
pub(super) fn one(source: &Source) -> Result<Node, Failure> {
    Ok(all(source)?.swap_remove(0))
}

fn check(Object { node, spot }: Object) -> Result<Node, Failure> {
    let (kind, version) = (node.text_at("kind").to_owned(), node.text_at("apiVersion").to_owned());
    if kind == KIND && version == API_VERSION {
        return Ok(node);
    }
    Err(Failure::from(KubesealError::NotSealed { kind, version }).at(spot))
}
