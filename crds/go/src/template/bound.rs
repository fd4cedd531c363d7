//! Bounds: the public facts about a value, derived from the template's text and the lengths of the items.
//!
//! The length of an item is public, because its ciphertext shows it. Every refusal for size or type is decided from a
//! bound and never from a value, so a refusal tells nothing about a value. With branching allowed there is no secret to
//! keep, and the bound of a value is measured from the value itself.
//!
//! Invariant: [`Bound::size`] is at least the result of [`measure`], which is at least the printed length of the value.

use crate::value::{Kind, Value};

/// The public facts about a value.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// The most bytes of the printed value, with some bytes more for every element that it holds.
    pub(super) size: u64,
    /// The most levels of lists and maps in it.
    pub(super) depth: u32,
    /// `true` if any part of an item is in it.
    pub(super) secret: bool,
    /// Its type; `None` if that depends on an item.
    pub(super) kind: Option<Kind>,
    /// `true` if the keys of the map are public although its values aren't, as in the map of all items.
    pub(super) public_keys: bool,
    /// The set of texts that it can print as.
    pub(super) prints: Prints,
}

/// A set of texts that holds the printed value for any items. `Anything` includes `Something`, and `Something` includes
/// the two others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prints {
    /// Any text, also the empty one.
    Anything,
    /// Any text of at least one byte.
    Something,
    /// One string of JSON, with its quotes.
    JsonString,
    /// One string of Go, with its quotes. JSON lacks some of Go's escapes.
    GoString,
}

impl Prints {
    /// The set of texts of a value that is one of two.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
            (one, other) if one == other => one,
            _ => Self::Something,
        }
    }
}

impl Bound {
    /// The bound of a value that is public, or as good as public.
    pub(super) fn of(value: &Value) -> Self {
        let (size, depth) = measure(value);
        // The length of an item is public. Every value but an empty text prints at least one byte.
        let is_empty = matches!(value, Value::Text(text) if text.bytes().is_empty());
        let prints = if is_empty { Prints::Anything } else { Prints::Something };
        Self { size, depth, secret: false, kind: Some(value.kind()), public_keys: true, prints }
    }

    /// Type and set of texts of a value that is one of these, as far as all of them agree.
    pub(super) fn shared(of: &[Computed]) -> (Option<Kind>, Prints) {
        let bounds = || of.iter().map(|one| one.bound);
        let kind = bounds().next().and_then(|first| first.kind);
        let prints = bounds().map(|bound| bound.prints).reduce(Prints::or).unwrap_or(Prints::Anything);
        (kind.filter(|kind| bounds().all(|bound| bound.kind == Some(*kind))), prints)
    }

    /// The bound of an item, or of the map of all items.
    pub(super) fn of_items(value: &Value) -> Self {
        Self { secret: true, ..Self::of(value) }
    }
}

/// A value and its bound.
#[derive(Clone)]
pub(super) struct Computed {
    pub(super) value: Value,
    pub(super) bound: Bound,
}

impl Computed {
    pub(super) fn public(value: Value) -> Self {
        Self { bound: Bound::of(&value), value }
    }

    pub(super) fn item(value: Value) -> Self {
        Self { bound: Bound::of_items(&value), value }
    }

    /// The integer, if it is public.
    pub(super) fn public_int(&self) -> Option<i64> {
        match self.value {
            Value::Int(_, int) if !self.bound.secret => Some(int),
            _ => None,
        }
    }
}

/// The size and the depth of a value itself.
pub(super) fn measure(value: &Value) -> (u64, u32) {
    let len = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    match value {
        Value::Missing | Value::Nil => (10, 0),
        Value::Bool(_) => (5, 0),
        Value::Int(..) => (20, 0),
        Value::Float(_) => (24, 0),
        Value::Text(text) => (len(text.bytes().len()), 0),
        Value::List(_, items) => items.iter().map(measure).fold((2, 1), |(size, depth), (item, below)| {
            (size.saturating_add(item).saturating_add(4), depth.max(below + 1))
        }),
        Value::Map(_, items) => items.iter().fold((6, 1), |(size, depth), (key, item)| {
            let (item, below) = measure(item);
            let item = len(key.bytes().len()).saturating_add(item).saturating_add(8);
            (size.saturating_add(item), depth.max(below + 1))
        }),
    }
}

/// A rule for the size of a result, given the sizes of the arguments.
#[derive(Clone, Copy)]
pub(super) enum Growth {
    /// This many bytes.
    Constant(u64),
    /// The size of the largest argument.
    Largest,
    /// The sum of all arguments, times the first number, divided by the second, plus the third.
    Times(u64, u64, u64),
    /// A rule of the function's own; `None` if the size depends on a value.
    By(fn(&[Computed]) -> Option<u64>),
}

impl Growth {
    /// The most bytes of the result for these arguments.
    pub(super) fn size(self, arguments: &[Computed]) -> Option<u64> {
        let sizes = || arguments.iter().map(|argument| argument.bound.size);
        let sum = || sizes().fold(0, u64::saturating_add);
        match self {
            Self::Constant(size) => Some(size),
            Self::Largest => Some(sizes().max().unwrap_or(0).max(10)),
            Self::Times(times, by, plus) => {
                Some((sum().saturating_mul(times).div_ceil(by)).saturating_add(plus))
            }
            Self::By(rule) => rule(arguments),
        }
    }
}
