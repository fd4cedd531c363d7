//! The memory that values may take up, for programs that keep objects from outside.
//!
//! Invariant: a weight is about what `serde_json` needs for the value, and never less.

use serde_json::{Map, Value};

/// The bytes that a value takes up beside its text.
pub(crate) const NODE: usize = 64;
/// The same for a map that isn't empty: it has room for eleven entries from the start.
const MAP: usize = 11 * (size_of::<String>() + size_of::<Value>());

/// With this key, serde_json takes a text inside of a value for JSON, and makes a tree that isn't weighed.
const RESERVED: &str = "$serde_json::private::RawValue";

/// Bytes of memory that values may still take up.
#[derive(Clone, Copy, Debug)]
pub struct Room(usize);

/// There is too little room left for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("takes up more memory than there is room for")]
pub struct NoRoom;

impl Room {
    /// Room for this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Room for any value.
    pub fn unlimited() -> Self {
        Self(usize::MAX)
    }

    /// Takes up some of it.
    ///
    /// # Errors
    ///
    /// [`NoRoom`], and then nothing is taken up.
    pub fn take(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.0 = self.0.checked_sub(bytes).ok_or(NoRoom)?;
        Ok(())
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.0
    }

    /// For a value or key with this much text, before it is made.
    pub(crate) fn node(&mut self, text: usize) -> Result<(), NoRoom> {
        self.take(NODE + text)
    }

    /// For the place of one more entry in a map, whose key and value are weighed apart.
    pub(crate) fn entry(&mut self, map: &Map<String, Value>) -> Result<(), NoRoom> {
        if map.is_empty() { self.take(MAP) } else { Ok(()) }
    }

    /// How many values there is room for, at most.
    pub(crate) fn nodes(&self) -> usize {
        self.0 / NODE
    }
}

/// Whether serde_json takes the key for a mark of its own.
pub(crate) fn is_reserved(key: &str) -> bool {
    key == RESERVED
}
