//! The errors of a Go template.
//!
//! Without branching, no error depends on a value. A caller that has a switch for [`Branching::Allowed`] adds its
//! name to [`GoTemplateError::Branching`] and [`GoTemplateError::SizeFromValue`] where it shows them. Invariant: a
//! message consists of fixed words, numbers, and names and text of the template, escaped as words of others; a value,
//! or text printed from one, is never in it.
//!
//! [`Branching::Allowed`]: super::Branching::Allowed

use seal_foreign::{message, word};

/// The reason why a Go template can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoTemplateError {
    /// The text is not a Go template.
    #[error("line {line}: {}", message(problem))]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The problem, as a fragment of a sentence.
        problem: String,
    },
    /// A statement branches on a value, and branching is refused.
    #[error("line {line}: {statement} branches on values")]
    Branching {
        /// The line, from 1.
        line: usize,
        /// The statement's keyword.
        statement: &'static str,
    },
    /// A function that neither Go's templates nor sprig have.
    #[error("line {line}: function \"{}\" is not defined", word(name))]
    UnknownFunction {
        /// The line, from 1.
        line: usize,
        /// The function.
        name: String,
    },
    /// A function that Go's templates or sprig have, and this crate doesn't.
    #[error("line {line}: function \"{}\" is not supported: {why}", word(name))]
    UnsupportedFunction {
        /// The line, from 1.
        line: usize,
        /// The function.
        name: String,
        /// The reason, as the end of a sentence.
        why: &'static str,
    },
    /// A call with more or fewer arguments than the function has.
    #[error("line {line}: {} takes {takes}, not {found}", word(function))]
    Arguments {
        /// The line, from 1.
        line: usize,
        /// The function.
        function: String,
        /// The number of arguments that it takes, in words.
        takes: String,
        /// The number of arguments that it was given.
        found: usize,
    },
    /// A value of one type where another type is needed.
    #[error("line {line}: {} needs {expected}, not {found}", word(whom))]
    WrongType {
        /// The line, from 1.
        line: usize,
        /// The function or field.
        whom: String,
        /// The type it needs.
        expected: &'static str,
        /// The type it was given.
        found: &'static str,
    },
    /// A call that the function can't do.
    #[error("line {line}: {}: {why}", word(function))]
    Failed {
        /// The line, from 1.
        line: usize,
        /// The function.
        function: String,
        /// The reason: fixed words.
        why: &'static str,
    },
    /// The size of a call's result depends on a value and not only on lengths, and branching is refused.
    #[error("line {line}: how much {} gives depends on a value", word(function))]
    SizeFromValue {
        /// The line, from 1.
        line: usize,
        /// The function.
        function: String,
    },
    /// The output, or a value in between, could be larger than allowed.
    #[error("line {line}: the result can have {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// The line, from 1.
        line: usize,
        /// The most bytes that it can have.
        size: u64,
        /// The most bytes that are allowed.
        limit: u64,
    },
    /// The templates of the object have used up their budget.
    #[error("line {line}: the template is too much work")]
    TooMuchWork {
        /// The line, from 1.
        line: usize,
    },
    /// The template nests too deeply.
    #[error("line {line}: the template is nested too deeply")]
    TooDeep {
        /// The line, from 1.
        line: usize,
    },
}
