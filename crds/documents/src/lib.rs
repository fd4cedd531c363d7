//! Kubernetes objects in YAML and JSON, for every program here: text to objects and back.
//!
//! ```text
//! source ──► yaml ──► manifest ──► find, fields, decode ──► what an object says
//! a text     trees    its objects  splice, edit         ──► the text with some of them changed
//!                └──► values: whole documents, bounded, for programs that keep them
//! ```
//!
//! There is one dialect, kubectl's: what a document means is what kubectl would send to the API server. Nothing here
//! knows the command line, a cluster or a directory.
//!
//! Invariants: this crate has no input or output and no clock. Nothing is built from a text that is out of bounds.
//! No error repeats a value of a document, and text that may hold one is wiped.

#[cfg(test)]
mod cost;
pub mod data;
pub mod key_file;
pub mod limits;
pub mod manifest;
pub mod room;
pub mod source;
pub mod values;
pub mod yaml;
