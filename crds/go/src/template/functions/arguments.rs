//! Readers of arguments, which convert them as sprig's functions do.
//!
//! The types were checked before. Invariant: an argument of another type reads as empty.

use std::collections::BTreeMap;

use crate::strconv;
use crate::template::print;
use crate::value::{Text, Value};

pub(super) fn text(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text.bytes(),
        _ => b"",
    }
}

pub(super) fn int(value: &Value) -> i64 {
    match value {
        Value::Int(_, int) => *int,
        _ => 0,
    }
}

pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(_, items) => items,
        _ => &[],
    }
}

pub(super) fn map(value: &Value) -> impl Iterator<Item = (&Text, &Value)> + '_ {
    entries(value).into_iter().flatten()
}

pub(super) fn entries(value: &Value) -> Option<&BTreeMap<Text, Value>> {
    match value {
        Value::Map(_, items) => Some(items),
        _ => None,
    }
}

/// sprig's `strval`.
pub(super) fn strval(value: &Value) -> Text {
    match value {
        Value::Text(text) => text.clone(),
        other => {
            let mut out = crate::Buffer::default();
            print::print_argument_into(&mut out, other);
            out.into()
        }
    }
}

/// sprig's `strslice`: the elements of a list as strings, or one string.
pub(super) fn strslice(value: &Value) -> Vec<Text> {
    match value {
        Value::List(_, items) => {
            items.iter().filter(|item| !matches!(item, Value::Nil | Value::Missing)).map(strval).collect()
        }
        Value::Nil | Value::Missing => Vec::new(),
        other => vec![strval(other)],
    }
}

/// An argument that is a count; `None` if it is negative.
pub(super) fn count(value: &Value) -> Option<usize> {
    usize::try_from(int(value)).ok()
}

/// `cast.ToInt64`.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(_, int) => *int,
        Value::Float(float) => float_to_int(*float),
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => {
            strconv::parse_int(without_zero_fraction(text.bytes()), 0).and_then(Result::ok).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Converts as most processors do: a float that doesn't fit becomes the least integer.
fn float_to_int(float: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    #[expect(clippy::cast_possible_truncation, reason = "it fits")]
    let int = float as i64;
    if fits { int } else { i64::MIN }
}

/// `12.00` as `12`.
fn without_zero_fraction(text: &[u8]) -> &[u8] {
    let digits = text.len() - text.iter().rev().take_while(|byte| **byte == b'0').count();
    match text[..digits].strip_suffix(b".") {
        Some(whole) if digits < text.len() => whole,
        _ => text,
    }
}
