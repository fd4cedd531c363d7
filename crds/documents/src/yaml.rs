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

/// Line ends to YAML 1.1, and so to kubectl and kustomize, that are none to YAML 1.2, and so to the parser here. What stands
/// behind one is a comment to one reader and a field to the other. In JSON they are characters like any others.
pub const SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The language in which a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Yaml,
    Json,
}
