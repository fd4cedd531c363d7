//! The texts that Go would print: `text/template` with sprig's functions, and the libraries under them.
//!
//! Programs in Go print texts that others compare and parse, so a program in Rust has to print the same bytes. This
//! crate knows only Go and its libraries: why a caller wants a text, and from where its values come, stays with the
//! caller. The crate reads no file, no clock and no YAML. Every result is a function of the arguments.
//!
//! Invariant: a text may be plaintext, so every type that holds one wipes it on drop and has no `Debug`, `Display` or
//! `Serialize`. No error is derived from such a text, unless [`template::Branching`] allows it.

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
