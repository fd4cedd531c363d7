//! Functions on lists.
//!
//! Each function copies its list and never changes it, as sprig does. Invariant: the result holds no more than all
//! arguments together.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::arguments::{count, int, list, to_int};
use crate::template::bound::{Computed, Growth};
use crate::template::function::Type::{Any, Int, List, Reflect};
use crate::template::function::{Fault, Function, Given, Out, f, variadic};
use crate::value::{Of, Value, Width};

const SAME: Growth = Growth::Times(1, 1, 16);

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("list", &[], Any, Out::List(Of::Any), Growth::By(list_growth), |a| Ok(Value::list(a.to_vec()))),
    variadic("tuple", &[], Any, Out::List(Of::Any), Growth::By(list_growth), |a| Ok(Value::list(a.to_vec()))),
    variadic("index", &[Reflect], Reflect, Out::Any, Growth::Largest, index),
    variadic("slice", &[List], Any, Out::Any, SAME, slice),
    variadic("mustSlice", &[List], Any, Out::Any, SAME, slice),
    f("len", &[Reflect], Out::Int(Width::Int), Growth::Constant(20), len),
    f("first", &[List], Out::Any, SAME, |a| Ok(list(&a[0]).first().cloned().unwrap_or(Value::Nil))),
    f("mustFirst", &[List], Out::Any, SAME, |a| Ok(list(&a[0]).first().cloned().unwrap_or(Value::Nil))),
    f("last", &[List], Out::Any, SAME, |a| Ok(list(&a[0]).last().cloned().unwrap_or(Value::Nil))),
    f("mustLast", &[List], Out::Any, SAME, |a| Ok(list(&a[0]).last().cloned().unwrap_or(Value::Nil))),
    f("rest", &[List], Out::List(Of::Any), SAME, rest),
    f("mustRest", &[List], Out::List(Of::Any), SAME, rest),
    f("initial", &[List], Out::List(Of::Any), SAME, initial),
    f("mustInitial", &[List], Out::List(Of::Any), SAME, initial),
    f("append", &[List, Any], Out::List(Of::Any), SAME, append),
    f("push", &[List, Any], Out::List(Of::Any), SAME, append),
    f("mustAppend", &[List, Any], Out::List(Of::Any), SAME, append),
    f("mustPush", &[List, Any], Out::List(Of::Any), SAME, append),
    f("prepend", &[List, Any], Out::List(Of::Any), SAME, prepend),
    f("mustPrepend", &[List, Any], Out::List(Of::Any), SAME, prepend),
    variadic("concat", &[], List, Out::Any, SAME, |a| Ok(items(a.iter().flat_map(list)))),
    f("reverse", &[List], Out::List(Of::Any), SAME, |a| Ok(items(list(&a[0]).iter().rev()))),
    f("mustReverse", &[List], Out::List(Of::Any), SAME, |a| Ok(items(list(&a[0]).iter().rev()))),
    f("compact", &[List], Out::List(Of::Any), SAME, compact),
    f("mustCompact", &[List], Out::List(Of::Any), SAME, compact),
    f("uniq", &[List], Out::List(Of::Any), SAME, uniq),
    f("mustUniq", &[List], Out::List(Of::Any), SAME, uniq),
    variadic("without", &[List], Any, Out::List(Of::Any), SAME, without),
    variadic("mustWithout", &[List], Any, Out::List(Of::Any), SAME, without),
    f("has", &[Any, Any], Out::Bool, Growth::Constant(5), has),
    f("mustHas", &[Any, Any], Out::Bool, Growth::Constant(5), has),
    f("chunk", &[Int, List], Out::List(Of::Lists), Growth::Times(3, 1, 16), chunk),
    f("mustChunk", &[Int, List], Out::List(Of::Lists), Growth::Times(3, 1, 16), chunk),
    f("until", &[Int], Out::List(Of::Int), Growth::By(steps_growth), |a| steps(0, int(&a[0]), None)),
    f("untilStep", &[Int, Int, Int], Out::List(Of::Int), Growth::By(steps_growth), |a| {
        steps(int(&a[0]), int(&a[1]), Some(int(&a[2])))
    }),
];

fn list_growth(a: &[Computed]) -> Option<u64> {
    Some(a.iter().fold(2, |size: u64, item| size.saturating_add(item.bound.size).saturating_add(4)))
}

fn items<'v>(items: impl Iterator<Item = &'v Value>) -> Value {
    Value::list(items.cloned().collect())
}

fn index(a: &[Value]) -> Given {
    let mut item = a[0].clone();
    if matches!(item, Value::Missing | Value::Nil) {
        return Err(Fault::Type("nothing can't be indexed"));
    }
    for at in &a[1..] {
        item = match (&item, at) {
            (Value::List(_, items), Value::Int(_, at)) => usize::try_from(*at)
                .ok()
                .and_then(|at| items.get(at).cloned())
                .ok_or(Fault::Value("index out of range"))?,
            (Value::Text(text), Value::Int(_, at)) => usize::try_from(*at)
                .ok()
                .and_then(|at| text.bytes().get(at).copied())
                .map(|byte| Value::Int(Width::Byte, byte.into()))
                .ok_or(Fault::Value("index out of range"))?,
            (Value::Map(of, items), Value::Text(key)) => {
                let zero = if *of == Of::Text { Value::text(b"") } else { Value::Nil };
                items.get(key).cloned().unwrap_or(zero)
            }
            // The elements of such a map have no public type.
            _ if a.len() > 2 => return Err(Fault::Value("this has no such index")),
            _ => return Err(Fault::Type("this has no such index")),
        };
    }
    Ok(item)
}

fn slice(a: &[Value]) -> Given {
    let (Value::List(of, items), Ok(len)) = (&a[0], i64::try_from(list(&a[0]).len())) else {
        return Err(Fault::Type("only lists have slices"));
    };
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = a.get(1).map_or(0, to_int);
    let end = a.get(2).map_or(len, to_int);
    let part = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => items.get(start..end),
        _ => None,
    };
    let part = part.ok_or(Fault::Value("the list has no such part"))?;
    Ok(Value::List(*of, Rc::new(part.to_vec())))
}

fn len(a: &[Value]) -> Given {
    Ok(Value::int(match &a[0] {
        Value::Text(text) => text.bytes().len(),
        Value::List(_, items) => items.len(),
        Value::Map(_, items) => items.len(),
        _ => return Err(Fault::Type("this has no length")),
    }))
}

fn rest(a: &[Value]) -> Given {
    Ok(items(list(&a[0]).iter().skip(1)))
}

fn initial(a: &[Value]) -> Given {
    Ok(items(list(&a[0]).iter().rev().skip(1).rev()))
}

fn append(a: &[Value]) -> Given {
    Ok(items(list(&a[0]).iter().chain(&a[1..])))
}

fn prepend(a: &[Value]) -> Given {
    Ok(items(a[1..].iter().chain(list(&a[0]))))
}

fn compact(a: &[Value]) -> Given {
    Ok(items(list(&a[0]).iter().filter(|item| item.is_true())))
}

/// A value in the total order of values, for sets: they find a value with few comparisons.
struct Ordered<'v>(&'v Value);

impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered<'_> {}

impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(other.0)
    }
}

fn uniq(a: &[Value]) -> Given {
    let mut seen = BTreeSet::new();
    Ok(items(list(&a[0]).iter().filter(|item| seen.insert(Ordered(item)))))
}

fn without(a: &[Value]) -> Given {
    let omitted: BTreeSet<Ordered<'_>> = a[1..].iter().map(Ordered).collect();
    Ok(items(list(&a[0]).iter().filter(|item| !omitted.contains(&Ordered(item)))))
}

fn has(a: &[Value]) -> Given {
    match &a[1] {
        Value::Nil | Value::Missing => Ok(Value::Bool(false)),
        Value::List(_, items) => Ok(Value::Bool(items.iter().any(|item| item.order(&a[0]).is_eq()))),
        _ => Err(Fault::Type("only a list can be searched")),
    }
}

fn chunk(a: &[Value]) -> Given {
    let size = count(&a[0]).filter(|size| *size > 0).ok_or(Fault::Value("chunks of nothing"))?;
    let chunks = list(&a[1]).chunks(size).map(|chunk| Value::list(chunk.to_vec()));
    Ok(Value::List(Of::Lists, Rc::new(chunks.collect())))
}

fn steps_growth(a: &[Computed]) -> Option<u64> {
    let mut numbers = [0; 3];
    for (number, argument) in numbers.iter_mut().zip(a) {
        *number = argument.public_int()?;
    }
    let (start, stop, step) = if a.len() == 1 { (0, numbers[0], 1) } else { numbers.into() };
    let count = start.abs_diff(stop) / step.unsigned_abs().max(1) + 1;
    Some(count.saturating_mul(24).saturating_add(2))
}

/// sprig's `untilStep`. Without a step it is `until`, which goes by one towards its end.
pub(super) fn steps(start: i64, stop: i64, step: Option<i64>) -> Given {
    let step = step.unwrap_or(if stop < 0 { -1 } else { 1 });
    let mut values = Vec::new();
    let mut at = start;
    let goes_on = |at: i64| match step.cmp(&0) {
        Ordering::Less => stop < start && at > stop,
        Ordering::Greater => stop >= start && at < stop,
        Ordering::Equal => false,
    };
    while goes_on(at) {
        values.push(Value::Int(Width::Int, at));
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(Value::List(Of::Int, Rc::new(values)))
}
