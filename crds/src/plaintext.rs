//! Bytes and strings that only their owner may see.
//!
//! The types don't lock pages and don't hide from a debugger. Invariant: a value wipes its bytes on drop, and the
//! types have no `Debug`, `Display`, `Serialize` or `Clone`, so the bytes can't slip into a log line, an error or a
//! second copy by accident. Every use of the bytes calls [`Plaintext::expose`], or decodes a [`WipedString`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use zeroize::Zeroizing;

/// The plaintext of one item, or bytes made from it.
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

    /// `true` if there are no bytes. An empty value is a legal item.
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

/// A JSON string of a Secret: a value of `data`, in base64, or of `stringData`, as it is.
#[derive(Default, Deserialize)]
#[serde(from = "String")]
pub struct WipedString(Zeroizing<String>);

impl From<String> for WipedString {
    /// Takes the buffer over; no copy is made.
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<WipedString> for Plaintext {
    /// The bytes of the string itself, as in `stringData`. Takes the buffer over; no copy is made.
    fn from(mut text: WipedString) -> Self {
        Self::from(std::mem::take(&mut *text.0).into_bytes())
    }
}

impl WipedString {
    /// The bytes that the string has in base64; `None` if it isn't base64.
    pub fn decode(&self) -> Option<Plaintext> {
        BASE64.decode(&*self.0).ok().map(Plaintext::from)
    }

    /// The text that the string has in base64; empty if it isn't base64, or what it encodes isn't text.
    pub fn decoded(&self) -> Zeroizing<String> {
        let bytes = self.decode();
        let text = bytes.as_ref().and_then(|bytes| std::str::from_utf8(bytes.expose()).ok());
        Zeroizing::new(text.unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_of_a_secret_is_read_as_data_and_as_string_data() {
        let read = |text: &str| serde_json::from_value::<WipedString>(text.into()).unwrap();
        assert_eq!(read("aHVudGVyMg==").decode().unwrap().expose(), b"hunter2");
        assert_eq!(*read("aHVudGVyMg==").decoded(), "hunter2");
        assert_eq!(Plaintext::from(read("hunter2")).expose(), b"hunter2");
        for text in ["hunter2", "!!", "aHVudGVyMg"] {
            assert!(read(text).decode().is_none(), "{text}");
            assert_eq!(*read(text).decoded(), "");
        }
        assert_eq!(*read("/w==").decoded(), "", "no text");
    }
}
