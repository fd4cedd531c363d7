//! YAML as Go's `sigs.k8s.io/yaml` writes it: JSON first, and from that YAML by `yaml.v2`. Helm's `toYaml` is this.
//!
//! This module has no reader of YAML. [`resolve`] tells a reader what an unquoted word means. [`marshal`] makes the
//! [`document`] that yaml.v2 would read from the value's JSON, and writes it by the rules of yaml.v2's emitter.
//!
//! Invariant: the bytes are those of the real library. A text that yaml.v2 or a reader of YAML 1.1 could take for
//! something else is in quotes.

use crate::{Buffer, Node};

mod document;
mod emit;
mod order;
mod resolve;
mod scalar;

pub use document::NotWritten;
pub use resolve::{Resolved, resolve};

/// The YAML of a value: one document, with a line end behind its last line, without a line `---`.
///
/// # Errors
///
/// [`NotWritten`], where `sigs.k8s.io/yaml` fails, and for the few values that only the real library can write.
pub fn marshal(value: &impl Node) -> Result<Buffer, NotWritten> {
    document::read(value).map(|document| emit::document(&document))
}

#[cfg(test)]
mod tests;
