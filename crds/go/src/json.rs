//! JSON as Go's `encoding/json` reads and writes it.

mod read;
mod write;

pub(crate) use read::{is_object, read};
pub(crate) use write::escape_into;
pub use write::{Style, marshal};
