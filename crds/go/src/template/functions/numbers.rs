//! Functions on numbers.
//!
//! A value that is no number counts as 0 where sprig converts it so. The functions on decimal fractions (`addf` and its
//! kind) are not supported: they need a library of their own. Invariant: arithmetic wraps as Go's does.

use super::arguments::{int, list, text, to_int};
use super::lists;
use crate::strconv;
use crate::template::bound::{Computed, Growth};
use crate::template::function::Type::{Any, Float, Int, Text as T};
use crate::template::function::{Fault, Function, Given, Out, f, variadic};
use crate::template::print;
use crate::value::{Value, Width};

const INT: Out = Out::Int(Width::Int);
const INT64: Out = Out::Int(Width::Int64);
const SIZE: Growth = Growth::Constant(24);

pub(super) const FUNCTIONS: &[Function] = &[
    f("atoi", &[T], INT, SIZE, |a| Ok(Value::Int(Width::Int, strconv::atoi(text(&a[0]))))),
    f("int", &[Any], INT, SIZE, |a| Ok(Value::Int(Width::Int, to_int(&a[0])))),
    f("int64", &[Any], INT64, SIZE, |a| long(to_int(&a[0]))),
    f("float64", &[Any], Out::Float, SIZE, |a| Ok(Value::Float(to_float(&a[0])))),
    f("toDecimal", &[Any], INT64, SIZE, |a| {
        let printed = print::sprint(&a[..1]);
        long(strconv::parse_int(printed.bytes(), 8).and_then(Result::ok).unwrap_or(0))
    }),
    f("add1", &[Any], INT64, SIZE, |a| long(to_int(&a[0]).wrapping_add(1))),
    variadic("add", &[], Any, INT64, SIZE, |a| long(a.iter().map(to_int).fold(0, i64::wrapping_add))),
    f("sub", &[Any, Any], INT64, SIZE, |a| long(to_int(&a[0]).wrapping_sub(to_int(&a[1])))),
    variadic("mul", &[Any], Any, INT64, SIZE, |a| long(a.iter().map(to_int).fold(1, i64::wrapping_mul))),
    f("div", &[Any, Any], INT64, SIZE, |a| divided(a, i64::wrapping_div)),
    f("mod", &[Any, Any], INT64, SIZE, |a| divided(a, i64::wrapping_rem)),
    variadic("max", &[Any], Any, INT64, SIZE, |a| long(a.iter().map(to_int).max().unwrap_or(0))),
    variadic("biggest", &[Any], Any, INT64, SIZE, |a| long(a.iter().map(to_int).max().unwrap_or(0))),
    variadic("min", &[Any], Any, INT64, SIZE, |a| long(a.iter().map(to_int).min().unwrap_or(0))),
    variadic("maxf", &[Any], Any, Out::Float, SIZE, |a| Ok(furthest(a, true))),
    variadic("minf", &[Any], Any, Out::Float, SIZE, |a| Ok(furthest(a, false))),
    f("floor", &[Any], Out::Float, SIZE, |a| Ok(Value::Float(to_float(&a[0]).floor()))),
    f("ceil", &[Any], Out::Float, SIZE, |a| Ok(Value::Float(to_float(&a[0]).ceil()))),
    variadic("round", &[Any, Int], Float, Out::Float, SIZE, |a| Ok(round(a))),
    variadic("seq", &[], Int, Out::Text, Growth::By(seq_growth), seq),
];

fn long(value: i64) -> Given {
    Ok(Value::Int(Width::Int64, value))
}

/// `cast.ToFloat64`.
fn to_float(value: &Value) -> f64 {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "as Go does")]
        Value::Int(_, int) => *int as f64,
        Value::Float(float) => *float,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Text(text) => {
            std::str::from_utf8(text.bytes()).ok().and_then(strconv::parse_float).unwrap_or(0.0)
        }
        _ => 0.0,
    }
}

fn divided(a: &[Value], divide: fn(i64, i64) -> i64) -> Given {
    match to_int(&a[1]) {
        0 => Err(Fault::Value("division by zero")),
        by => long(divide(to_int(&a[0]), by)),
    }
}

fn furthest(a: &[Value], up: bool) -> Value {
    let mut numbers = a.iter().map(to_float);
    let first = numbers.next().unwrap_or(0.0);
    Value::Float(numbers.fold(first, |one, other| {
        if one.is_nan() || other.is_nan() {
            return f64::NAN;
        }
        if up { one.max(other) } else { one.min(other) }
    }))
}

fn round(a: &[Value]) -> Value {
    let on = match a.get(2) {
        Some(Value::Float(on)) => *on,
        _ => 0.5,
    };
    #[expect(clippy::cast_precision_loss, reason = "as Go does")]
    let power = 10_f64.powf(int(&a[1]) as f64);
    let digit = power * to_float(&a[0]);
    let rounded = if digit.fract() >= on { digit.ceil() } else { digit.floor() };
    Value::Float(rounded / power)
}

/// The start, step and stop of a sequence; `None` for an empty one.
fn seq_steps(a: &[i64]) -> Option<(i64, i64, i64)> {
    let towards = |start: i64, end: i64| if end < start { -1 } else { 1 };
    match *a {
        [end] => Some((1, towards(1, end), end.wrapping_add(towards(1, end)))),
        [start, end] => Some((start, towards(start, end), end.wrapping_add(towards(start, end)))),
        [start, step, end] if end >= start || step <= 0 => {
            Some((start, step, end.wrapping_add(towards(start, end))))
        }
        _ => None,
    }
}

fn seq_growth(a: &[Computed]) -> Option<u64> {
    let numbers: Option<Vec<i64>> = a.iter().map(Computed::public_int).collect();
    let Some((start, step, stop)) = seq_steps(&numbers?) else {
        return Some(0);
    };
    Some((start.abs_diff(stop) / step.unsigned_abs().max(1) + 1).saturating_mul(24))
}

fn seq(a: &[Value]) -> Given {
    let numbers: Vec<i64> = a.iter().map(int).collect();
    let Some((start, step, stop)) = seq_steps(&numbers) else {
        return Ok(Value::text(b""));
    };
    let steps = lists::steps(start, stop, Some(step))?;
    let texts: Vec<String> = list(&steps).iter().map(|value| int(value).to_string()).collect();
    Ok(Value::text(texts.join(" ").as_bytes()))
}
