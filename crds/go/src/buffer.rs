//! A buffer for bytes that only their owner may see.
//!
//! Invariant: the buffer wipes its bytes on drop, and the old memory when it grows; the type has no `Debug`,
//! `Display`, `Serialize` or `Clone`.

use zeroize::Zeroizing;

/// A growing sequence of bytes. When it grows, it wipes the memory that it leaves.
#[derive(Default)]
pub struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    /// An empty buffer that holds `capacity` bytes before it has to grow.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity() * 2).max(64)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// Adds a byte.
    pub fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    /// Adds a character, in UTF-8.
    pub fn push_char(&mut self, char: char) {
        self.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Adds a byte `count` times.
    pub fn repeat(&mut self, byte: u8, count: usize) {
        for _ in 0..count {
            self.push(byte);
        }
    }

    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// `true` if there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, in another type that wipes them. Makes no copy.
    pub fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}
