//! YAML and JSON as kubectl reads them, and as it has to find them again.
//!
//! [`tree`] reads text into nodes that know where in the text they stand;
//! [`resolve`] knows what unquoted words mean to kubectl; [`written`] is what gets
//! written, in a fixed order, as YAML or JSON.
//!
//! This module knows no Kubernetes object.

pub mod json;
pub mod resolve;
pub mod tree;
pub mod written;

/// The language in which a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Yaml,
    Json,
}
