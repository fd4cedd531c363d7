//! The functions that a template may call: Go's own and sprig's, each by its Go name and types.
//!
//! A file for each family. A function is a row of a table: what it takes, what it gives, how large that can be, and
//! how it is made. Invariant: a function is called only with arguments of its types; it never panics, and what it
//! can't do it says with a [`Fault`], for which the caller has an answer that tells nothing.

use std::collections::BTreeMap;

use super::bound::{Bound, Computed, Growth, Prints, kind_of};
use super::error::GoTemplateError;
use crate::value::{Kind, Of, Text, Value, Width};

mod digests;
mod documents;
mod encodings;
mod lists;
mod logic;
mod maps;
mod numbers;
mod texts;
mod unsupported;
mod words;

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

const fn f(
    name: &'static str,
    params: &'static [Type],
    out: Out,
    growth: Growth,
    run: fn(&[Value]) -> Given,
) -> Function {
    Function { name, params, rest: None, out, growth, run }
}

const fn variadic(
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
        let kind = kind_of(self.out);
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

/// What is known of a name.
pub(super) enum Lookup {
    Found(&'static Function),
    /// The peer has it; why this doesn't.
    Unsupported(&'static str),
    Unknown,
}

pub(super) fn find(name: &str) -> Lookup {
    match all().find(|function| function.name == name) {
        Some(function) => Lookup::Found(function),
        None => unsupported::why(name).map_or(Lookup::Unknown, Lookup::Unsupported),
    }
}

pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    let families = [
        texts::FUNCTIONS,
        encodings::FUNCTIONS,
        digests::FUNCTIONS,
        documents::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        logic::FUNCTIONS,
        numbers::FUNCTIONS,
        words::FUNCTIONS,
    ];
    families.into_iter().flatten()
}

// What follows reads arguments whose types were checked; of another type they are as good as empty.

fn text(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text.bytes(),
        _ => b"",
    }
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(_, int) => *int,
        _ => 0,
    }
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(_, items) => items,
        _ => &[],
    }
}

fn map(value: &Value) -> impl Iterator<Item = (&Text, &Value)> + '_ {
    entries(value).into_iter().flatten()
}

fn entries(value: &Value) -> Option<&BTreeMap<Text, Value>> {
    match value {
        Value::Map(_, items) => Some(items),
        _ => None,
    }
}

/// sprig's `strval`.
fn strval(value: &Value) -> Text {
    match value {
        Value::Text(text) => text.clone(),
        other => {
            let mut out = crate::Buffer::default();
            super::print::print_argument_into(&mut out, other);
            out.into()
        }
    }
}

/// sprig's `strslice`: the elements of a list as strings, or one string.
fn strslice(value: &Value) -> Vec<Text> {
    match value {
        Value::List(_, items) => {
            items.iter().filter(|item| !matches!(item, Value::Nil | Value::Missing)).map(strval).collect()
        }
        Value::Nil | Value::Missing => Vec::new(),
        other => vec![strval(other)],
    }
}

/// An argument that says how often or how much; nothing if it is negative.
fn count(value: &Value) -> Option<usize> {
    usize::try_from(int(value)).ok()
}
