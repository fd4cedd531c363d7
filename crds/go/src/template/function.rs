//! A function that a template may call: what it takes, what it gives, and how large that can be.
//!
//! Not the functions themselves, which are in [`functions`](super::functions). Invariant: everything that is asked of a
//! function here is answered from its row and from what is public of its arguments.

use std::collections::BTreeMap;

use super::bound::{Bound, Computed, Growth, Prints};
use super::error::GoTemplateError;
use crate::value::{Kind, Of, Value, Width};

/// A type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// `interface{}`
    Any,
    /// `reflect.Value`: also no value at all.
    Reflect,
    Text,
    Int,
    Float,
    Bool,
    /// `interface{}` that the function wants to be a slice.
    List,
    /// `map[string]interface{}`
    Map,
}

impl Type {
    /// No value as the nil of the parameter's type, where it has one.
    pub(super) fn accept(self, mut argument: Computed) -> Computed {
        let nil = match (self, &argument.value) {
            (Self::Any, Value::Missing) => Value::Nil,
            (Self::Map, Value::Missing) => Value::map(BTreeMap::new()),
            _ => return argument,
        };
        argument.bound.kind = argument.bound.kind.map(|_| nil.kind());
        argument.value = nil;
        argument
    }

    pub(super) fn takes(self, value: &Value) -> bool {
        match self {
            Self::Any | Self::Reflect => true,
            Self::Text => matches!(value, Value::Text(_)),
            Self::Int => matches!(value, Value::Int(Width::Int, _)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::List => matches!(value, Value::List(..)),
            Self::Map => matches!(value, Value::Map(Of::Any, _)),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any | Self::Reflect => "any value",
            Self::Text => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::List => "a list",
            Self::Map => "map[string]interface {}",
        }
    }
}

/// The type of a result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Out {
    /// Of its arguments' types, or of whatever a document holds.
    Any,
    Text,
    Bool,
    Int(Width),
    Float,
    List(Of),
    Map(Of),
}

impl Out {
    /// What a call gives that can't be done because of what an item is.
    pub(super) fn zero(self) -> Value {
        match self {
            Self::Any => Value::Nil,
            Self::Text => Value::text(b""),
            Self::Bool => Value::Bool(false),
            Self::Int(width) => Value::Int(width, 0),
            Self::Float => Value::Float(0.0),
            Self::List(of) => Value::List(of, Vec::new().into()),
            Self::Map(of) => Value::Map(of, BTreeMap::new().into()),
        }
    }

    /// The type of the result, where the table says it.
    fn kind(self) -> Option<Kind> {
        match self {
            Self::Any => None,
            Self::Text => Some(Kind::Text),
            Self::Bool => Some(Kind::Bool),
            Self::Int(width) => Some(Kind::Int(width)),
            Self::Float => Some(Kind::Float),
            Self::List(of) => Some(Kind::List(of)),
            Self::Map(of) => Some(Kind::Map(of)),
        }
    }
}

/// Why a call can't be done.
pub(super) enum Fault {
    /// Because of the arguments' types.
    Type(&'static str),
    /// Because of what the arguments are.
    Value(&'static str),
}

pub(super) type Given = Result<Value, Fault>;

pub(super) struct Function {
    pub(super) name: &'static str,
    params: &'static [Type],
    rest: Option<Type>,
    pub(super) out: Out,
    pub(super) growth: Growth,
    pub(super) run: fn(&[Value]) -> Given,
}

pub(super) const fn f(
    name: &'static str,
    params: &'static [Type],
    out: Out,
    growth: Growth,
    run: fn(&[Value]) -> Given,
) -> Function {
    Function { name, params, rest: None, out, growth, run }
}

pub(super) const fn variadic(
    name: &'static str,
    params: &'static [Type],
    rest: Type,
    out: Out,
    growth: Growth,
    run: fn(&[Value]) -> Given,
) -> Function {
    Function { name, params, rest: Some(rest), out, growth, run }
}

impl Function {
    pub(super) fn type_of(&self, at: usize) -> Type {
        self.params.get(at).copied().or(self.rest).unwrap_or(Type::Any)
    }

    /// The types of its parameters, and of those that may follow.
    #[cfg(any(test, feature = "random"))]
    pub(super) fn parameters(&self) -> (&'static [Type], Option<Type>) {
        (self.params, self.rest)
    }

    pub(super) fn check_arguments(&self, line: usize, found: usize) -> Result<(), GoTemplateError> {
        let takes = self.params.len();
        let fits = if self.rest.is_some() { found >= takes } else { found == takes };
        if fits {
            return Ok(());
        }
        let noun = if takes == 1 { "argument" } else { "arguments" };
        let least = if self.rest.is_some() { "at least " } else { "" };
        let takes = format!("{least}{takes} {noun}");
        Err(GoTemplateError::Arguments { line, function: self.name.to_owned(), takes, found })
    }

    /// The result's type, and what it prints as, by those of the arguments.
    pub(super) fn gives(&self, arguments: &[Computed]) -> (Option<Kind>, Prints) {
        let kind = self.out.kind();
        // Where a type isn't known, the arguments may not be what the function takes, and it gives a zero.
        if arguments.iter().any(|argument| argument.bound.kind.is_none()) {
            return (kind, Prints::Anything);
        }
        match (self.name, arguments) {
            ("ternary" | "default", [one, other, ..]) => Bound::shared(&[one.clone(), other.clone()]),
            ("and" | "or", choices) => Bound::shared(choices),
            ("toJson" | "mustToJson" | "toRawJson" | "mustToRawJson", [one])
                if one.bound.kind == Some(Kind::Text) =>
            {
                (kind, Prints::JsonString)
            }
            // Of nothing it makes nothing, not a string.
            ("quote", [one]) if !matches!(one.bound.kind, Some(Kind::Nil | Kind::Missing)) => {
                (kind, Prints::GoString)
            }
            ("print" | "println" | "toString" | "b64enc", parts)
                if parts.iter().any(|part| part.bound.prints != Prints::Anything) =>
            {
                (kind, Prints::Something)
            }
            (_, _) if kind.is_some_and(|kind| kind != Kind::Text) => (kind, Prints::Something),
            _ => (kind, Prints::Anything),
        }
    }

    /// Whether the result is a list or map that wasn't there before, whose elements take memory of their own.
    pub(super) fn makes_elements(&self) -> bool {
        matches!(self.out, Out::List(_) | Out::Map(_))
            || matches!(self.name, "concat" | "slice" | "mustSlice")
    }

    /// How deeply the result nests for arguments that nest so deeply.
    pub(super) fn depth(&self, arguments: u32) -> u32 {
        match self.out {
            Out::Any if matches!(self.name, "fromJson" | "mustFromJson") => 65,
            Out::Any | Out::List(Of::Any | Of::Lists) | Out::Map(Of::Any) => arguments.saturating_add(1),
            Out::List(_) | Out::Map(_) => 1,
            Out::Text | Out::Bool | Out::Int(_) | Out::Float => 0,
        }
    }
}
