//! What can be wrong with a Go template.
//!
//! Not what can be wrong with a value: without branching nothing here depends on one. Invariant: a message is
//! made of the template's text and names, which are words of others, and of numbers; a value, or anything printed from
//! one, is never in it.

use seal_foreign::{message, word};

/// A Go template that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoTemplateError {
    /// Not a Go template.
    #[error("line {line}: {}", message(problem))]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A statement that makes what is done depend on a value.
    #[error(
        "line {line}: {statement} branches on values, which the controller allows with --allow-template-branching only"
    )]
    Branching {
        /// The line, from 1.
        line: usize,
        /// The statement's keyword.
        statement: &'static str,
    },
    /// A function that neither Go templates nor the sprig library have.
    #[error("line {line}: function \"{}\" is not defined", word(name))]
    UnknownFunction {
        /// The line, from 1.
        line: usize,
        /// The function.
        name: String,
    },
    /// A function that the peer has and this doesn't.
    #[error("line {line}: function \"{}\" is not supported: {why}", word(name))]
    UnsupportedFunction {
        /// The line, from 1.
        line: usize,
        /// The function.
        name: String,
        /// Why not, as the end of a sentence.
        why: &'static str,
    },
    /// A call with more or fewer arguments than the function has.
    #[error("line {line}: {} takes {takes}, not {found}", word(function))]
    Arguments {
        /// The line, from 1.
        line: usize,
        /// The function.
        function: String,
        /// How many it takes, in words.
        takes: String,
        /// How many it was given.
        found: usize,
    },
    /// Something of one type where another is needed.
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
        /// Why, in words of ours.
        why: &'static str,
    },
    /// How much a call gives depends on what a value is, not on how long it is.
    #[error(
        "line {line}: how much {} gives depends on a value, which the controller allows with --allow-template-branching only",
        word(function)
    )]
    SizeFromValue {
        /// The line, from 1.
        line: usize,
        /// The function.
        function: String,
    },
    /// More output, or more to hold in between, than is allowed.
    #[error("line {line}: the result can have {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// The line, from 1.
        line: usize,
        /// How many bytes it can have.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// More work than one template may make.
    #[error("line {line}: the template is too much work")]
    TooMuchWork {
        /// The line, from 1.
        line: usize,
    },
    /// Nested too deeply.
    #[error("line {line}: the template is nested too deeply")]
    TooDeep {
        /// The line, from 1.
        line: usize,
    },
}
