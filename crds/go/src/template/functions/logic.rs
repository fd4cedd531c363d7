//! Functions that compare, choose, or name the type of a value.
//!
//! They make the text depend on values. That is no oracle: people who see the text see the values anyway. But they
//! must not fail because of a value. Invariant: a comparison of values that Go can't compare is a fault; any other
//! comparison is none.

use std::cmp::Ordering;

use memchr::memmem;

use super::arguments::text;
use crate::template::bound::Growth;
use crate::template::function::Type::{Any, Bool, Reflect, Text as T};
use crate::template::function::{Fault, Function, Given, Out, f, variadic};
use crate::value::Value;

const BOOL: Growth = Growth::Constant(5);

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("and", &[Reflect], Reflect, Out::Any, Growth::Largest, |a| {
        Ok(chosen(a, |value| !value.is_true()))
    }),
    variadic("or", &[Reflect], Reflect, Out::Any, Growth::Largest, |a| Ok(chosen(a, Value::is_true))),
    f("not", &[Reflect], Out::Bool, BOOL, |a| Ok(Value::Bool(!a[0].is_true()))),
    variadic("eq", &[Reflect], Reflect, Out::Bool, BOOL, eq),
    f("ne", &[Reflect, Reflect], Out::Bool, BOOL, |a| compared(a, |order| order.is_ne(), true)),
    f("lt", &[Reflect, Reflect], Out::Bool, BOOL, |a| compared(a, |order| order.is_lt(), false)),
    f("le", &[Reflect, Reflect], Out::Bool, BOOL, |a| compared(a, |order| order.is_le(), false)),
    // Go defines these two as the opposite of the two above. NaN shows the difference.
    f("gt", &[Reflect, Reflect], Out::Bool, BOOL, |a| compared(a, |order| order.is_gt(), false)),
    f("ge", &[Reflect, Reflect], Out::Bool, BOOL, |a| compared(a, |order| order.is_ge(), false)),
    variadic("default", &[Any], Any, Out::Any, Growth::Largest, |a| {
        Ok(a.get(1).filter(|given| given.is_true()).unwrap_or(&a[0]).clone())
    }),
    f("empty", &[Any], Out::Bool, BOOL, |a| Ok(Value::Bool(!a[0].is_true()))),
    variadic("coalesce", &[], Any, Out::Any, Growth::Largest, |a| {
        Ok(a.iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil))
    }),
    variadic("all", &[], Any, Out::Bool, BOOL, |a| Ok(Value::Bool(a.iter().all(Value::is_true)))),
    variadic("any", &[], Any, Out::Bool, BOOL, |a| Ok(Value::Bool(a.iter().any(Value::is_true)))),
    f("ternary", &[Any, Any, Bool], Out::Any, Growth::Largest, |a| {
        Ok(if a[2].is_true() { &a[0] } else { &a[1] }.clone())
    }),
    f("contains", &[T, T], Out::Bool, BOOL, |a| {
        Ok(Value::Bool(memmem::find(text(&a[1]), text(&a[0])).is_some()))
    }),
    f("hasPrefix", &[T, T], Out::Bool, BOOL, |a| Ok(Value::Bool(text(&a[1]).starts_with(text(&a[0]))))),
    f("hasSuffix", &[T, T], Out::Bool, BOOL, |a| Ok(Value::Bool(text(&a[1]).ends_with(text(&a[0]))))),
    f("typeOf", &[Any], Out::Text, Growth::Constant(32), |a| {
        Ok(Value::text(a[0].kind().type_name().as_bytes()))
    }),
    f("kindOf", &[Any], Out::Text, Growth::Constant(32), |a| {
        Ok(Value::text(a[0].kind().kind_name().as_bytes()))
    }),
    f("typeIs", &[T, Any], Out::Bool, BOOL, |a| Ok(named(&a[0], a[1].kind().type_name()))),
    f("typeIsLike", &[T, Any], Out::Bool, BOOL, |a| Ok(named(&a[0], a[1].kind().type_name()))),
    f("kindIs", &[T, Any], Out::Bool, BOOL, |a| Ok(named(&a[0], a[1].kind().kind_name()))),
    f("deepEqual", &[Any, Any], Out::Bool, BOOL, |a| Ok(Value::Bool(a[0].order(&a[1]).is_eq()))),
    f("hello", &[], Out::Text, Growth::Constant(6), |_| Ok(Value::text(b"Hello!"))),
];

/// The first value that fits, or the last value.
fn chosen(values: &[Value], is_it: impl Fn(&Value) -> bool) -> Value {
    values.iter().find(|value| is_it(value)).or(values.last()).cloned().unwrap_or(Value::Missing)
}

fn named(name: &Value, found: &str) -> Value {
    Value::Bool(text(name) == found.as_bytes())
}

fn eq(a: &[Value]) -> Given {
    if a.len() < 2 {
        return Err(Fault::Type("there is nothing to compare with"));
    }
    if same(&a[0], &a[1])? {
        return Ok(Value::Bool(true));
    }
    for other in &a[2..] {
        // The number of comparisons depends on the values, so their types must not decide about an error.
        if same(&a[0], other).map_err(|_| Fault::Value("values of different types aren't compared"))? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn same(one: &Value, other: &Value) -> Result<bool, Fault> {
    use Value::{List, Map, Missing, Nil};
    Ok(match (one, other) {
        (Missing | Nil, Missing | Nil) => true,
        (Missing | Nil, _) | (_, Missing | Nil) => false,
        (List(..), _) | (Map(..), _) => return Err(Fault::Type("lists and maps aren't compared")),
        _ => order(one, other)? == Some(Ordering::Equal),
    })
}

fn compared(a: &[Value], is_so: fn(Ordering) -> bool, any: bool) -> Given {
    if any {
        return Ok(Value::Bool(!same(&a[0], &a[1])?));
    }
    if matches!((&a[0], &a[1]), (Value::Bool(_), Value::Bool(_))) {
        return Err(Fault::Type("these have no order"));
    }
    // For NaN, `lt` and `le` are false, and `gt` and `ge` (their opposites) are true.
    let of_no_number = is_so(Ordering::Greater);
    Ok(Value::Bool(order(&a[0], &a[1])?.map_or(of_no_number, is_so)))
}

/// Go's order of two values of one kind. All integer types are one kind here.
fn order(one: &Value, other: &Value) -> Result<Option<Ordering>, Fault> {
    Ok(match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::Int(_, one), Value::Int(_, other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        _ => return Err(Fault::Type("values of different types aren't compared")),
    })
}
