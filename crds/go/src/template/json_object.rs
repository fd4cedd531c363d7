//! A template's text as a JSON object, whatever the items are.
//!
//! The threat: Kubernetes reads a docker configuration, and refuses the Secret where it is no JSON object. So an item, or
//! a question about one, that ends the string it stands in, prints a number for a string, or prints nothing, would be
//! answered by whether there is a Secret. Beside what Go renders, a second text is therefore made, in which that can't
//! happen: inside of a JSON string, what comes of items is escaped; outside of one it may only be a string of its own,
//! by what is known of it without looking ([`Prints`]). Where Go's text is an object, it is the result, as in the peer.
//! Where it isn't, the API server would refuse the peer's Secret, and the second text is the result.
//!
//! Not JSON's grammar, which is [`json`]'s. Invariant: whether the second text is an object follows from what is public
//! alone, since every item adds letters to a string, or one string, to it.

use zeroize::Zeroizing;

use super::bound::{Computed, Prints};
use crate::Buffer;
use crate::{json, strconv};

/// Bytes that an item's byte is escaped to, at most.
pub(super) const GROWTH: u64 = 6;

/// The second text, and where in it the next byte goes.
pub(super) struct JsonObject {
    text: Buffer,
    at: At,
    /// Whether everything could be put where it stands.
    fits: bool,
}

#[derive(Clone, Copy)]
enum At {
    Outside,
    /// In a string.
    Inside,
    /// In a string, behind a backslash.
    Escape,
    /// In a string, with so many digits of `\u0000` to come.
    Digits(u8),
}

impl JsonObject {
    pub(super) fn new() -> Self {
        Self { text: Buffer::default(), at: At::Outside, fits: true }
    }

    /// Adds what is in the template, or was computed from nothing else.
    pub(super) fn public(&mut self, text: &[u8]) {
        self.text.extend(text);
        for byte in text {
            self.at = match (self.at, byte) {
                (At::Outside, b'"') => At::Inside,
                (At::Inside, b'"') => At::Outside,
                (At::Inside, b'\\') => At::Escape,
                (At::Escape, b'u') => At::Digits(4),
                (At::Escape | At::Digits(1), _) => At::Inside,
                (At::Digits(more), _) => At::Digits(more - 1),
                (at @ (At::Outside | At::Inside), _) => at,
            };
        }
    }

    /// Adds what a value printed.
    pub(super) fn value(&mut self, computed: &Computed, printed: &[u8]) {
        match (computed.bound.secret, self.at, computed.bound.prints) {
            (false, _, _) => self.public(printed),
            (true, At::Inside, _) => json::escape_into(&mut self.text, printed),
            (true, At::Outside, Prints::JsonString) => self.text.extend(printed),
            (true, At::Outside, Prints::GoString) => {
                let go = std::str::from_utf8(printed).ok().and_then(strconv::unquote);
                debug_assert!(go.is_some(), "a Go string isn't one");
                self.text.push(b'"');
                json::escape_into(&mut self.text, &Zeroizing::new(go.unwrap_or_default()));
                self.text.push(b'"');
            }
            (true, At::Outside, Prints::Anything | Prints::Something)
            | (true, At::Escape | At::Digits(_), _) => self.fits = false,
        }
    }

    /// What Go rendered, if it is an object, else the second text, if that is one.
    pub(super) fn choose(self, rendered: Buffer) -> Option<Buffer> {
        let is_object = self.fits && json::is_object(self.text.bytes());
        is_object.then(|| if json::is_object(rendered.bytes()) { rendered } else { self.text })
    }
}
