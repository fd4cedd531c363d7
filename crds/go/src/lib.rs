//! What Go would print: `text/template` with sprig's functions, and the libraries under them.
//!
//! Programs of Kubernetes are written in Go, and what they print is compared and parsed. Nothing here knows a Secret
//! or Kubernetes; the crate reads no file, keeps no clock, and reads no YAML. Everything is a function of its arguments.
//!
//! Invariant: texts may be plaintext, so whatever holds one wipes it on drop and has no `Debug`, `Display` or
//! `Serialize`; no error is derived from one, unless [`template::Branching`] allows it.

#![warn(missing_docs)]

mod buffer;
pub mod json;
mod node;
mod strconv;
pub mod template;
mod time;
mod unicode;
mod value;
pub mod yaml;

pub use buffer::Buffer;
pub use node::{Node, View};
