//! YAML as Go's `yaml.v2` writes it, by way of JSON, as `sigs.k8s.io/yaml` does for Kubernetes and Helm.
//!
//! There is no reader of YAML here. [`resolve`] says what an unquoted word means, for whoever reads one; [`marshal`]
//! makes a [`document`] of what yaml.v2 would have read from the value's JSON, and writes it with the rules of
//! yaml.v2's emitter.
//!
//! Invariant: a text that another reader could take for something else is in quotes; the real kubeseal and Helm's real
//! `toYaml` write the same bytes.

use crate::{Buffer, Node};

mod document;
mod emit;
mod order;
mod resolve;
mod scalar;

pub use document::NotWritten;
pub use resolve::{Resolved, resolve};

/// The YAML of a value: one document, with an end of its last line, without a line `---`.
///
/// # Errors
///
/// [`NotWritten`], where `sigs.k8s.io/yaml` fails, and where this has no way to write what it writes.
pub fn marshal(value: &impl Node) -> Result<Buffer, NotWritten> {
    document::read(value).map(|document| emit::document(&document))
}

#[cfg(test)]
mod tests;
