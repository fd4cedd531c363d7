//! Bytes that only their owner may see.
//!
//! Not a vault: it doesn't lock pages or hide from a debugger. Invariant: the bytes are wiped when the value is
//! dropped, and the type has no `Debug`, `Display`, `Serialize` or `Clone`, so it can't slip into a log line,
//! an error or a second copy by accident. Every use of the bytes calls [`Plaintext::expose`].

use zeroize::Zeroizing;

/// The plaintext of one item, or of anything made from one.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// The bytes, for the moment they are needed.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes; an empty value is a legal item.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Plaintext {
    /// Takes the buffer over; no copy is made.
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<seal_go::Buffer> for Plaintext {
    /// Takes the buffer over; no copy is made.
    fn from(buffer: seal_go::Buffer) -> Self {
        Self(buffer.into_inner())
    }
}

impl From<Zeroizing<Vec<u8>>> for Plaintext {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}
