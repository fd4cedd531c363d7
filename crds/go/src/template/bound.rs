//! What is known of a value from public facts alone: the template's text and how long the items are.
//!
//! (How long an item is, its ciphertext shows: the Bitnami format pads nothing.) Every refusal for size or type is
//! decided here and never from a value, so that whether a template renders tells nothing of one. With branching
//! allowed there is nothing to keep, and what is known of a value is what it is.
//!
//! Invariant: [`Bound::size`] is at least what [`measure`] gives, which is at least what the value prints as.

use crate::value::{Kind, Value};

/// What is known of a value without looking at it.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// Bytes that it prints as, at most, with something for every element that it holds.
    pub(super) size: u64,
    /// How deeply lists and maps are nested in it, at most.
    pub(super) depth: u32,
    /// Whether anything of an item is in it.
    pub(super) secret: bool,
    /// Its type, unless that depends on an item.
    pub(super) kind: Option<Kind>,
    /// Whether the keys of a map are public although its values aren't: that of all items.
    pub(super) public_keys: bool,
    /// What it prints as.
    pub(super) prints: Prints,
}

/// What a value prints as, whatever the items are: a set of texts. The first holds the second, and that the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prints {
    /// Anything, or nothing at all.
    Anything,
    /// Something: a byte at least.
    Something,
    /// One string of JSON, with its quotes.
    JsonString,
    /// One string of Go, with its quotes; some of the escapes in it JSON doesn't have.
    GoString,
}

impl Prints {
    /// What one of two values prints as.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
            (one, other) if one == other => one,
            _ => Self::Something,
        }
    }
}

impl Bound {
    /// Of a value that is public, or as good as public.
    pub(super) fn of(value: &Value) -> Self {
        let (size, depth) = measure(value);
        // How long an item is, is public; all but a text print something.
        let is_empty = matches!(value, Value::Text(text) if text.bytes().is_empty());
        let prints = if is_empty { Prints::Anything } else { Prints::Something };
        Self { size, depth, secret: false, kind: Some(value.kind()), public_keys: true, prints }
    }

    /// Of one of these values, whichever it is: type and text, as far as all agree.
    pub(super) fn shared(of: &[Computed]) -> (Option<Kind>, Prints) {
        let bounds = || of.iter().map(|one| one.bound);
        let kind = bounds().next().and_then(|first| first.kind);
        let prints = bounds().map(|bound| bound.prints).reduce(Prints::or).unwrap_or(Prints::Anything);
        (kind.filter(|kind| bounds().all(|bound| bound.kind == Some(*kind))), prints)
    }

    /// Of an item, or of the map of all items.
    pub(super) fn of_items(value: &Value) -> Self {
        Self { secret: true, ..Self::of(value) }
    }
}

/// A value and what is known of it.
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

    /// An integer that may be looked at.
    pub(super) fn public_int(&self) -> Option<i64> {
        match self.value {
            Value::Int(_, int) if !self.bound.secret => Some(int),
            _ => None,
        }
    }
}

/// Size and depth of a value as it is.
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

/// How much larger a result can be than its arguments.
#[derive(Clone, Copy)]
pub(super) enum Growth {
    /// So many bytes.
    Constant(u64),
    /// The largest argument.
    Largest,
    /// All arguments together, times the first, divided by the second, plus the third.
    Times(u64, u64, u64),
    /// By a rule of its own; `None` where it depends on a value.
    By(fn(&[Computed]) -> Option<u64>),
}

impl Growth {
    /// How large the result for these arguments can be.
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
