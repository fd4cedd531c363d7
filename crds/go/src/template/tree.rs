//! A template as a tree: what [`parse`](super::parse) makes and [`exec`](super::exec) walks.
//!
//! It holds public text only, and may go from thread to thread. Invariant: functions are those of the table, variables were declared, and nesting is
//! bounded.

use super::function::Function;
use super::literal::Number;

pub(super) enum Node {
    Text(Vec<u8>),
    Action(Pipe),
    If { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    With { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    Range { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    Template { name: String, pipe: Option<Pipe>, line: usize },
    Break,
    Continue,
}

/// Commands, each of which gives the next its last argument.
pub(super) struct Pipe {
    pub(super) line: usize,
    /// Variables that are declared, or assigned to.
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
    /// Fields of what something in parentheses, or a function without arguments, gives.
    Chain(Box<Operand>, Vec<String>),
}
