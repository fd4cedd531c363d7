//! Go's `text/template` with the functions of sprig v3, over a map of texts.
//!
//! The peer renders templates so, over the opened items of an object and the plain texts beside them. This is the same
//! language, with those functions that are functions of their arguments. It is not `html/template`, and no function
//! knows a clock, the environment or chance.
//!
//! The threat: whoever may write the template, but not read the Secret, learns about an item from whether the
//! template renders. (What it renders to, they don't see.) So without [`Branching::Allowed`] the outcome depends on
//! public facts alone: the template's text, the names of the items, and their lengths, which the ciphertexts show.
//! Hence no statement that branches; functions that compare or choose may, since they change the text and not the
//! outcome; and every function is total. Where the peer fails because of what a value is (an index out of range,
//! JSON of another shape), the call gives the zero of its type: "", 0, false, an empty list or map, or nil. Where
//! the peer fails whatever the values are (a wrong number or type of arguments), so does this. Sizes are bounded
//! from the same facts ([`bound`]), and with them memory and time ([`budget`]).
//!
//! Why not a library: those there are (`gtmpl`, `gotmpl`) have only strings of UTF-8, wipe nothing, fail at run time by
//! design, and have none of sprig.
//!
//! Invariant: for the supported language, wherever the peer renders, this renders the same bytes or is refused; it
//! never renders others. Held by `tests/gotemplate.rs` against the real engine.

use std::collections::BTreeMap;
use std::rc::Rc;

use self::bound::Computed;
pub use self::budget::Budget;
pub use self::error::GoTemplateError;
use self::parse::Templates;
use crate::Buffer;
use crate::value::{Of, Text, Value};

mod bound;
mod budget;
mod error;
mod exec;
mod function;
mod functions;
mod json_object;
mod lex;
mod literal;
mod parse;
mod print;
#[cfg(any(test, feature = "random"))]
pub mod random;
mod tree;

#[cfg(test)]
mod tests;

/// Bytes of one template's text.
pub const MAX_TEXT: usize = 1 << 20;
/// Bytes that one template may give, and that any value in between may have: what a Secret can hold.
pub const MAX_OUTPUT: u64 = 1 << 20;
/// How deeply statements and parentheses are nested in each other.
const MAX_DEPTH: usize = 48;

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

/// What the templates of an object see: its items, and the plain texts beside them. Made once for all of them.
///
/// No `Debug`: it holds plaintext, which is wiped when it is dropped.
pub struct Values(Computed);

impl Values {
    /// These bytes under these names.
    pub fn new(values: &BTreeMap<&str, &[u8]>) -> Self {
        let values = values.iter().map(|(key, value)| (Text::from(*key), Value::text(value))).collect();
        Self(Computed::item(Value::Map(Of::Text, Rc::new(values))))
    }
}

/// What a template gave.
pub struct Rendered {
    /// The text.
    pub value: Buffer,
    /// How many bytes it can have for any values of these lengths; never more than [`MAX_OUTPUT`]. A limit on
    /// several texts together is to be held against this: held against their lengths, it would be an oracle too.
    /// Under [`Branching::Allowed`] it follows the values.
    pub max_len: u64,
    /// Whether it has a byte at least for any values of these lengths. Under [`Branching::Allowed`] it follows the
    /// values.
    pub never_empty: bool,
}

impl GoTemplate {
    /// Parses a template and looks all its functions up. The budget is that of the object that it belongs to.
    ///
    /// # Errors
    ///
    /// Any [`GoTemplateError`] but those of calls, which are seen when they are made.
    pub fn parse(text: &str, branching: Branching, budget: &mut Budget) -> Result<Self, GoTemplateError> {
        if text.len() > MAX_TEXT {
            let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
            return Err(GoTemplateError::TooLarge { line: 1, size, limit: MAX_OUTPUT });
        }
        Ok(Self { templates: parse::parse(text, branching, budget)?, branching })
    }

    /// Renders it over the values, which are any bytes.
    ///
    /// # Guarantees
    ///
    /// Under [`Branching::Refused`] it depends only on the names and lengths of the values whether this succeeds,
    /// and if not, with which error; so does what it takes from the budget. No error holds anything of a value.
    ///
    /// # Errors
    ///
    /// Any [`GoTemplateError`]; all are permanent.
    pub fn render(&self, values: &Values, budget: &mut Budget) -> Result<Rendered, GoTemplateError> {
        exec::render(&self.templates, self.branching, &values.0, budget)
    }

    /// Renders it as a JSON object, which Kubernetes wants of some values; nothing where it can't be one. Under
    /// [`Branching::Refused`] that depends on public facts alone: what comes of items is escaped where it stands in
    /// strings and Go's text would be no object.
    ///
    /// # Errors
    ///
    /// As [`render`](Self::render).
    pub fn render_json_object(
        &self,
        values: &Values,
        budget: &mut Budget,
    ) -> Result<Option<Rendered>, GoTemplateError> {
        exec::render_json_object(&self.templates, self.branching, &values.0, budget)
    }

    /// The names of all functions that a template may call.
    pub fn functions() -> impl Iterator<Item = &'static str> {
        functions::all().map(|function| function.name)
    }
}
