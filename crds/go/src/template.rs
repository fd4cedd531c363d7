//! Go's `text/template` with the functions of sprig v3, over a map of texts.
//!
//! A template sees two kinds of values: private ones, called *items* here, and public texts beside them. The language
//! is Go's own, with those functions that are functions of their arguments: no function knows a clock, the
//! environment or chance. It is not `html/template`.
//!
//! The threat: an attacker may write the template, but neither read the items nor see the rendered text. Such an
//! attacker learns about an item from whether the template renders. So, unless [`Branching::Allowed`] is set, the
//! outcome depends on public facts alone: the text of the template, the names of the items, and their lengths, which
//! the caller's ciphertexts show. From this follow three rules:
//!
//! - Statements that branch are refused. Functions that compare or choose are allowed, since they change the text and
//!   not the outcome.
//! - Every function is total. Go fails for some values (an index out of range, JSON of another shape); here such a
//!   call gives the zero of its type: "", 0, false, an empty list or map, or nil. Go fails for any value if the
//!   number or type of the arguments is wrong; such a call fails here too.
//! - Sizes are bounded from the same public facts ([`bound`]), and with them memory and time ([`budget`]).
//!
//! The libraries that exist (`gtmpl`, `gotmpl`) can't stand in: their strings are UTF-8 only, they wipe nothing, they
//! fail at run time by design, and they have none of sprig's functions.
//!
//! Invariant: for every template that Go renders, this renders the same bytes or refuses; it never renders other bytes.
//! `tests/gotemplate.rs` holds this against the real engine.

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

/// The most bytes of one template's text: 1 MiB.
pub const MAX_TEXT: usize = 1 << 20;
/// The most bytes that one template may give, and that any value in between may have: 1 MiB.
pub const MAX_OUTPUT: u64 = 1 << 20;
/// The most levels of statements and parentheses inside of each other.
const MAX_DEPTH: usize = 48;

/// The permission for statements to branch on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branching {
    /// Refuses `if`, `with`, `range`, `break` and `continue`. The outcome depends on public facts alone.
    Refused,
    /// Everything is as in Go. An attacker may learn about the values from whether the template renders.
    Allowed,
}

/// A parsed template. It holds public text only.
pub struct GoTemplate {
    templates: Templates,
    branching: Branching,
}

/// The values that templates see: the items, and the public texts beside them. One set serves all templates of an
/// object.
///
/// No `Debug`: it holds plaintext, which it wipes on drop.
pub struct Values(Computed);

impl Values {
    /// The values of these names; each value is any bytes.
    pub fn new(values: &BTreeMap<&str, &[u8]>) -> Self {
        let values = values.iter().map(|(key, value)| (Text::from(*key), Value::text(value))).collect();
        Self(Computed::item(Value::Map(Of::Text, Rc::new(values))))
    }
}

/// The result of a template.
pub struct Rendered {
    /// The text.
    pub value: Buffer,
    /// The most bytes that the text can have for any values of these lengths; at most [`MAX_OUTPUT`]. Compare a limit
    /// on several texts with the sum of these: compared with the real lengths, the limit would be an oracle too.
    /// Under [`Branching::Allowed`] it depends on the values.
    pub max_len: u64,
    /// `true` if the text has at least one byte for any values of these lengths. Under [`Branching::Allowed`] it
    /// depends on the values.
    pub never_empty: bool,
}

impl GoTemplate {
    /// Parses a template and looks up all its functions. All templates of one object share one budget.
    ///
    /// # Errors
    ///
    /// Any [`GoTemplateError`] but those of calls, which appear when the template is rendered.
    pub fn parse(text: &str, branching: Branching, budget: &mut Budget) -> Result<Self, GoTemplateError> {
        if text.len() > MAX_TEXT {
            let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
            return Err(GoTemplateError::TooLarge { line: 1, size, limit: MAX_OUTPUT });
        }
        Ok(Self { templates: parse::parse(text, branching, budget)?, branching })
    }

    /// Renders the template over these values.
    ///
    /// # Guarantees
    ///
    /// Under [`Branching::Refused`] the success, the error and the cost to the budget depend only on the names and
    /// lengths of the values. No error holds any part of a value.
    ///
    /// # Errors
    ///
    /// Any [`GoTemplateError`]; all are permanent.
    pub fn render(&self, values: &Values, budget: &mut Budget) -> Result<Rendered, GoTemplateError> {
        exec::render(&self.templates, self.branching, &values.0, budget)
    }

    /// Renders the template as a JSON object, for a caller whose reader refuses any other text; `None` if the text
    /// can't be an object. Under [`Branching::Refused`] that depends on public facts alone: if Go's text is no
    /// object, the text of items is escaped inside of JSON strings.
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
