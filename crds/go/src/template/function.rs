//! The row of a function in the tables: its parameters, its result, and the size of the result.
//!
//! The functions themselves are in [`functions`](super::functions). Invariant: every answer here comes from the row and
//! from public facts about the arguments.

use std::collections::BTreeMap;

use super::bound::{Bound, Computed, Growth, Prints};
use super::error::GoTemplateError;
use crate::value::{Kind, Of, Value, Width};

/// The type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// `interface{}`
    Any,
    /// `reflect.Value`, which also takes "no value".
    Reflect,
    Text,
    Int,
    Float,
    Bool,
    /// `interface{}` of which the function needs a slice.
    List,
    /// `map[string]interface{}`
    Map,
}

impl Type {
    /// The argument as the function sees it: "no value" becomes the nil of the parameter's type, if that type has one.
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
    /// A type that depends on the arguments, or on the document that is read.
    Any,
    Text,
    Bool,
    Int(Width),
    Float,
    List(Of),
    Map(Of),
}

impl Out {
    /// The zero of the type: the result of a call that can't be done because of an item.
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

    /// The type of the result, if the row alone says it.
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

/// The reason why a call can't be done.
pub(super) enum Fault {
    /// The types of the arguments.
    Type(&'static str),
    /// The values of the arguments.
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

    /// The types of its parameters, and the type of any further arguments.
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

    /// The type and the set of texts of the result, from those of the arguments.
    pub(super) fn gives(&self, arguments: &[Computed]) -> (Option<Kind>, Prints) {
        let kind = self.out.kind();
        // An argument of unknown type may not fit the parameter; then the function gives a zero.
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
            // `quote` skips nil and "no value", so its result may be empty.
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

    /// `true` if the result is a new list or map, whose elements take memory of their own.
    pub(super) fn makes_elements(&self) -> bool {
        matches!(self.out, Out::List(_) | Out::Map(_))
            || matches!(self.name, "concat" | "slice" | "mustSlice")
    }

    /// The most levels of the result, for arguments of this many levels.
    pub(super) fn depth(&self, arguments: u32) -> u32 {
        match self.out {
            Out::Any if matches!(self.name, "fromJson" | "mustFromJson") => 65,
            Out::Any | Out::List(Of::Any | Of::Lists) | Out::Map(Of::Any) => arguments.saturating_add(1),
            Out::List(_) | Out::Map(_) => 1,
            Out::Text | Out::Bool | Out::Int(_) | Out::Float => 0,
        }
    }
}
