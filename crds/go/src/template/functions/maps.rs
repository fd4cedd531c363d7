//! Functions on maps.
//!
//! Functions that change a map are not supported. Where Go's order of keys is random, keys are sorted here.
//! Invariant: the result holds no more than all arguments together.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::{entries, map, strval, text};
use crate::template::bound::{Computed, Growth};
use crate::template::function::Type::{Any, Map, Text as T};
use crate::template::function::{Fault, Function, Given, Out, f, variadic};
use crate::value::{Of, Value};

const SAME: Growth = Growth::Times(1, 1, 16);

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Any, Out::Map(Of::Any), Growth::By(dict_growth), dict),
    f("get", &[Map, T], Out::Any, SAME, |a| {
        Ok(value_of(&a[0], &a[1]).cloned().unwrap_or_else(|| Value::text(b"")))
    }),
    f("hasKey", &[Map, T], Out::Bool, Growth::Constant(5), |a| {
        Ok(Value::Bool(value_of(&a[0], &a[1]).is_some()))
    }),
    variadic("keys", &[], Map, Out::List(Of::Text), SAME, |a| {
        Ok(Value::texts(a.iter().flat_map(map).map(|(key, _)| key.clone())))
    }),
    f("values", &[Map], Out::List(Of::Any), SAME, |a| {
        Ok(Value::list(map(&a[0]).map(|(_, value)| value.clone()).collect()))
    }),
    variadic("pick", &[Map], T, Out::Map(Of::Any), SAME, |a| Ok(filtered(a, true))),
    variadic("omit", &[Map], T, Out::Map(Of::Any), SAME, |a| Ok(filtered(a, false))),
    variadic("pluck", &[T], Map, Out::List(Of::Any), SAME, |a| {
        Ok(Value::list(a[1..].iter().filter_map(|map| value_of(map, &a[0])).cloned().collect()))
    }),
    variadic("dig", &[Any, Any, Any], Any, Out::Any, SAME, dig),
    f("deepCopy", &[Any], Out::Any, SAME, deep_copy),
    f("mustDeepCopy", &[Any], Out::Any, SAME, deep_copy),
];

fn dict_growth(a: &[Computed]) -> Option<u64> {
    Some(a.iter().fold(6, |size: u64, item| size.saturating_add(item.bound.size).saturating_add(8)))
}

fn dict(a: &[Value]) -> Given {
    let pairs = a.chunks(2).map(|pair| {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(b""));
        (strval(&pair[0]), value)
    });
    Ok(Value::map(pairs.collect()))
}

fn value_of<'v>(map: &'v Value, key: &Value) -> Option<&'v Value> {
    match key {
        Value::Text(key) => entries(map)?.get(key),
        _ => None,
    }
}

fn filtered(a: &[Value], keeps: bool) -> Value {
    let named: BTreeSet<&[u8]> = a[1..].iter().map(text).collect();
    let kept = map(&a[0]).filter(|(key, _)| named.contains(key.bytes()) == keeps);
    Value::map(kept.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>())
}

/// Values never change, so a value is as good as its copy.
fn deep_copy(a: &[Value]) -> Given {
    match &a[0] {
        Value::Nil | Value::Missing => Err(Fault::Type("nothing can't be copied")),
        other => Ok(other.clone()),
    }
}

fn dig(a: &[Value]) -> Given {
    let [keys @ .., default, start] = a else {
        return Err(Fault::Type("three arguments are needed"));
    };
    let mut value = start;
    for key in keys {
        let (Value::Map(Of::Any, items), Value::Text(key)) = (value, key) else {
            return Err(Fault::Value("only maps can be dug in, by strings"));
        };
        match items.get(key) {
            Some(next) => value = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(value.clone())
}
