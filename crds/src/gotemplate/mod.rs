//! Go templates: `spec.template.data` of the Bitnami format.
//!
//! The peer renders each text with Go's `text/template` and the functions of sprig v3 over a map of the opened
//! items and the plain texts beside them. This is the same language with the functions that are functions of
//! their arguments. Not `html/template`, no functions that know a clock, the environment or chance.
//!
//! The threat: whoever may write the template, but not read the Secret, learns about an item from whether the
//! template renders. (What it renders to, they don't see.) So without [`Branching::Allowed`] the outcome depends on
//! public facts alone: the template's text, the names of the items, and their lengths, which the ciphertexts show.
//! Hence no statement that branches; functions that compare or choose may, since they change the text and not the
//! outcome; and every function is total. Where the peer fails because of what a value is (an index out of range,
//! JSON of another shape), the call gives the zero of its type: "", 0, false, an empty list or map, or nil. Where
//! the peer fails whatever the values are (a wrong number or type of arguments), so does this. Sizes are bounded
//! from the same facts ([`bound`]), and with them memory and time.
//!
//! Why not a library: those there are (`gtmpl`, `gotmpl`) have only strings of UTF-8, wipe nothing, fail at run time by
//! design, and have none of sprig.
//!
//! Invariant: for the supported language, wherever the peer renders, this renders the same bytes or is refused; it
//! never renders others. Held by `tests/gotemplate.rs` against the real engine.

use std::collections::{BTreeMap, BTreeSet};

pub use self::error::GoTemplateError;
use self::parse::Templates;
use self::value::{Text, Value};
use crate::plaintext::Plaintext;

mod bound;
mod error;
mod exec;
mod float;
mod functions;
mod inside_json;
mod json;
mod lex;
mod literal;
mod parse;
mod print;
mod quote;
mod references;
mod tree;
mod unicode;
mod value;

#[cfg(test)]
mod tests;

/// Bytes of one template's text.
pub const MAX_TEXT: usize = 1 << 20;
/// Bytes that one template may give, and that any value in between may have: what a Secret can hold.
pub const MAX_OUTPUT: u64 = 1 << 20;
/// Nodes of one template.
pub(crate) const MAX_NODES: usize = 20_000;
/// How deeply statements and parentheses are nested in each other.
pub(crate) const MAX_DEPTH: usize = 48;
/// Bytes that are looked at or written in all, roughly.
pub(crate) const MAX_WORK: u64 = 64 << 20;

/// Whether statements may make what is done depend on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branching {
    /// `if`, `with`, `range`, `break` and `continue` are refused, and the outcome is public.
    Refused,
    /// Everything is as in Go; whether the template renders may tell something of the values.
    Allowed,
}

/// A template that was parsed. It holds public text only.
pub struct GoTemplate {
    templates: Templates,
    branching: Branching,
}

/// What a template gave.
pub struct Rendered {
    /// The text.
    pub value: Plaintext,
    /// How many bytes it can have for any values of these lengths; never more than [`MAX_OUTPUT`]. A limit on
    /// several texts together is to be held against this: held against their lengths, it would be an oracle too.
    /// Under [`Branching::Allowed`] it follows the values.
    pub max_len: u64,
}

impl GoTemplate {
    /// Parses a template and looks all its functions up.
    ///
    /// # Errors
    ///
    /// Any [`GoTemplateError`] but those of calls, which are seen when they are made.
    pub fn parse(text: &str, branching: Branching) -> Result<Self, GoTemplateError> {
        if text.len() > MAX_TEXT {
            let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
            return Err(GoTemplateError::TooLarge { line: 1, size, limit: MAX_OUTPUT });
        }
        Ok(Self { templates: parse::parse(text, branching)?, branching })
    }

    /// Renders it over the values, which are any bytes.
    ///
    /// # Guarantees
    ///
    /// Under [`Branching::Refused`] it depends only on the names and lengths of the values whether this succeeds,
    /// and if not, with which error. No error holds anything of a value.
    ///
    /// # Errors
    ///
    /// Any [`GoTemplateError`]; all are permanent.
    pub fn render(&self, values: &BTreeMap<&str, &[u8]>) -> Result<Rendered, GoTemplateError> {
        let values = values.iter().map(|(key, value)| (Text::from(*key), Value::text(value))).collect();
        exec::render(&self.templates, self.branching, values)
    }

    /// The names of all functions that a template may call.
    pub fn functions() -> impl Iterator<Item = &'static str> {
        functions::all().map(|function| function.name)
    }

    /// The keys that it names, as `.key`, `$.key` or `index . "key"`.
    pub fn references(&self) -> BTreeSet<String> {
        references::find(&self.templates).keys
    }

    /// The names of the functions that it calls, by whatever name Go or sprig gave them.
    pub fn calls(&self) -> BTreeSet<&'static str> {
        references::find(&self.templates).functions
    }

    /// Whether it gives a JSON object whatever the values are, as long as those have no quote, no backslash and nothing
    /// unprintable. `texts` are the values that are known.
    pub fn is_json_object(&self, texts: &BTreeMap<&str, &str>) -> bool {
        inside_json::is_object(&self.templates, texts)
    }

    /// Whether it also uses the map as a whole, so that [`references`](Self::references) may lack some.
    pub fn uses_everything(&self) -> bool {
        references::find(&self.templates).everything
    }
}
