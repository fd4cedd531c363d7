//! The tree of a template: [`parse`](super::parse) makes it and [`exec`](super::exec) walks it.
//!
//! It holds public text only, and may go from thread to thread. Invariant: every function is one of the tables, every
//! variable was declared, and nesting is bounded.

use super::function::Function;
use super::literal::Number;

/// A statement of a template, or a text or an action between two of them.
pub(super) enum Statement {
    Text(Vec<u8>),
    Action(Pipe),
    If { pipe: Pipe, then: Vec<Statement>, otherwise: Vec<Statement> },
    With { pipe: Pipe, then: Vec<Statement>, otherwise: Vec<Statement> },
    Range { pipe: Pipe, body: Vec<Statement>, otherwise: Vec<Statement> },
    Template { name: String, pipe: Option<Pipe>, line: usize },
    Break,
    Continue,
}

/// A pipeline: commands, of which each gives its result to the next as the last argument.
pub(super) struct Pipe {
    pub(super) line: usize,
    /// The variables that the pipeline declares or assigns.
    pub(super) variables: Vec<String>,
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// A value, or a function with its arguments.
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) first: Operand,
    pub(super) arguments: Vec<Operand>,
}

pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(Vec<u8>),
    /// A chain of fields of the dot.
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(&'static Function),
    Pipe(Pipe),
    /// The fields of an operand: a pipeline in parentheses, or a function without arguments.
    Chain(Box<Operand>, Vec<String>),
}
