//! The text of a template as a JSON object, for any items.
//!
//! The threat: the caller's reader refuses a text that is no JSON object, and an attacker who may write the template
//! sees the refusal. The template can then ask a question about an item: the answer "yes" ends the string around it,
//! prints a number for a string, or prints nothing, and so breaks the object. Hence a second text is made beside
//! Go's, which no item can break. Inside of a JSON string, the text of items is escaped. Outside of one, it may only
//! be a string of its own, which its bound must promise ([`Prints`]). If Go's text is an object, it is the result. If
//! it isn't, the caller's reader would refuse it, and the second text is the result.
//!
//! The grammar of JSON is in [`json`]. Invariant: public facts alone decide whether the second text is an object, since
//! every item adds to it either letters inside of a string, or one string.

use zeroize::Zeroizing;

use super::bound::{Computed, Prints};
use crate::Buffer;
use crate::{json, strconv};

/// The most bytes to which one byte of an item is escaped.
pub(super) const GROWTH: u64 = 6;

/// The second text, and the position of its end in the grammar of JSON.
pub(super) struct JsonObject {
    text: Buffer,
    at: At,
    /// `false` once some text of an item stood where it could break the object.
    fits: bool,
}

#[derive(Clone, Copy)]
enum At {
    Outside,
    /// Inside of a string.
    Inside,
    /// Inside of a string, behind a backslash.
    Escape,
    /// Inside of a string, with this many digits of `\u0000` to come.
    Digits(u8),
}

impl JsonObject {
    pub(super) fn new() -> Self {
        Self { text: Buffer::default(), at: At::Outside, fits: true }
    }

    /// Adds text of the template, or text computed from that alone.
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

    /// Adds the printed text of a value.
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

    /// Go's text if it is an object, else the second text; `None` if the second text isn't an object.
    pub(super) fn choose(self, rendered: Buffer) -> Option<Buffer> {
        let is_object = self.fits && json::is_object(self.text.bytes());
        is_object.then(|| if json::is_object(rendered.bytes()) { rendered } else { self.text })
    }
}
