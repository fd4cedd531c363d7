//! The values of templates: the part of Go's values that a map of strings and the functions can give.
//!
//! Types are modelled as far as printing and checking show them; this is not Go's reflection. A value never changes
//! once it is made, so values are shared freely and none can hold itself. Invariant: the last holder of a [`Text`]
//! wipes its bytes on drop, and no type here has `Debug` or `Display`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::{Buffer, Node, View};

/// A Go string: bytes, most often UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text(Rc<Zeroizing<Vec<u8>>>);

impl Text {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Rc::new(Zeroizing::new(bytes)))
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl From<Buffer> for Text {
    fn from(buffer: Buffer) -> Self {
        Self(Rc::new(buffer.into_inner()))
    }
}

impl From<Buffer> for Value {
    fn from(buffer: Buffer) -> Self {
        Self::Text(buffer.into())
    }
}

/// Go's integer types, as far as they occur.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    Int,
    Int64,
    Byte,
}

/// The type of the elements of a list or a map: part of Go's type, and printed by `%T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Any,
    Text,
    Int,
    Lists,
}

/// A value.
#[derive(Clone)]
pub(crate) enum Value {
    /// No value: a field that a map doesn't have. Go prints `<no value>`.
    Missing,
    /// An interface that holds nothing. Go prints `<nil>`.
    Nil,
    Bool(bool),
    Int(Width, i64),
    Float(f64),
    Text(Text),
    List(Of, Rc<Vec<Value>>),
    Map(Of, Rc<BTreeMap<Text, Value>>),
}

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Missing,
    Nil,
    Bool,
    Int(Width),
    Float,
    Text,
    List(Of),
    Map(Of),
}

impl Kind {
    /// Go's name of the type.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "<nil>",
            Self::Bool => "bool",
            Self::Int(Width::Int) => "int",
            Self::Int(Width::Int64) => "int64",
            Self::Int(Width::Byte) => "uint8",
            Self::Float => "float64",
            Self::Text => "string",
            Self::List(Of::Any) => "[]interface {}",
            Self::List(Of::Text) => "[]string",
            Self::List(Of::Int) => "[]int",
            Self::List(Of::Lists) => "[][]interface {}",
            Self::Map(Of::Text) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
        }
    }

    /// Go's name of the kind of the type (`reflect.Kind`).
    pub(crate) fn kind_name(self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "invalid",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            other => other.type_name(),
        }
    }
}

impl Value {
    pub(crate) fn text(bytes: &[u8]) -> Self {
        Self::Text(bytes.into())
    }

    pub(crate) fn int(value: usize) -> Self {
        Self::Int(Width::Int, i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Of::Any, Rc::new(items))
    }

    pub(crate) fn texts(items: impl IntoIterator<Item = Text>) -> Self {
        Self::List(Of::Text, Rc::new(items.into_iter().map(Self::Text).collect()))
    }

    pub(crate) fn map(items: BTreeMap<Text, Self>) -> Self {
        Self::Map(Of::Any, Rc::new(items))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::Nil => Kind::Nil,
            Self::Bool(_) => Kind::Bool,
            Self::Int(width, _) => Kind::Int(*width),
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::List(of, _) => Kind::List(*of),
            Self::Map(of, _) => Kind::Map(*of),
        }
    }

    /// `true` unless the value is the zero of its type: Go's rule for `if`, and sprig's for `default`.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(_, value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.bytes().is_empty(),
            Self::List(_, items) => !items.is_empty(),
            Self::Map(_, items) => !items.is_empty(),
        }
    }

    /// A total order of values. Two values are equal in it exactly if Go's `reflect.DeepEqual` calls them equal.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Int(one_width, one), Self::Int(other_width, other)) => {
                one_width.cmp(other_width).then(one.cmp(other))
            }
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(other).unwrap_or_else(|| {
                // NaN equals no value, not even itself, so the answer must not be Equal.
                one.total_cmp(other).then(Ordering::Less)
            }),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::List(one_of, one), Self::List(other_of, other)) => {
                let items = || one.iter().zip(&**other).map(|(one, other)| one.order(other));
                one_of
                    .cmp(other_of)
                    .then_with(|| one.len().cmp(&other.len()))
                    .then_with(|| items().find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
            }
            (Self::Map(one_of, one), Self::Map(other_of, other)) => {
                let items = || {
                    one.iter().zip(&**other).map(|((one_key, one), (other_key, other))| {
                        one_key.cmp(other_key).then_with(|| one.order(other))
                    })
                };
                one_of
                    .cmp(other_of)
                    .then_with(|| one.len().cmp(&other.len()))
                    .then_with(|| items().find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
            }
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl Node for Value {
    fn view(&self) -> View<'_, Self> {
        match self {
            Self::Missing | Self::Nil => View::Null,
            Self::Bool(value) => View::Bool(*value),
            Self::Int(_, int) => View::Int(*int),
            Self::Float(float) => View::Float(*float),
            Self::Text(text) => View::Text(text.bytes()),
            Self::List(_, items) => View::List(items),
            Self::Map(_, items) => View::Map(items.iter().map(|(key, item)| (key.bytes(), item)).collect()),
        }
    }
}
