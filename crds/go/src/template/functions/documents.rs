//! Functions that read and write JSON and YAML.
//!
//! In sprig, a function that begins with `must` fails where its sibling gives nil or an empty text. Invariant: a
//! malformed document reads as nil.

use super::arguments::text;
use crate::json::{self, Style};
use crate::template::bound::{Computed, Growth};
use crate::template::function::Type::{Any, Text as T};
use crate::template::function::{Fault, Function, Given, Out, f};
use crate::value::Value;
use crate::yaml;

/// A number of one byte becomes a float, which counts 24, and an element counts 8 more.
const READ: Growth = Growth::Times(32, 1, 64);
const FLAT: Growth = Growth::Times(6, 1, 64);

pub(super) const FUNCTIONS: &[Function] = &[
    f("fromJson", &[T], Out::Any, READ, |a| Ok(json::read(text(&a[0])).unwrap_or(Value::Nil))),
    f("mustFromJson", &[T], Out::Any, READ, |a| {
        json::read(text(&a[0])).ok_or(Fault::Value("malformed JSON"))
    }),
    f("toJson", &[Any], Out::Text, FLAT, |a| Ok(written(&a[0], Style::Compact))),
    f("toRawJson", &[Any], Out::Text, FLAT, |a| must_write(&a[0], Style::Raw)),
    f("toPrettyJson", &[Any], Out::Text, Growth::By(deep), |a| Ok(written(&a[0], Style::Pretty))),
    f("mustToJson", &[Any], Out::Text, FLAT, |a| must_write(&a[0], Style::Compact)),
    f("mustToRawJson", &[Any], Out::Text, FLAT, |a| must_write(&a[0], Style::Raw)),
    f("mustToPrettyJson", &[Any], Out::Text, Growth::By(deep), |a| must_write(&a[0], Style::Pretty)),
    f("toYaml", &[Any], Out::Text, Growth::By(deep), |a| Ok(to_yaml(&a[0]))),
];

/// Each element is on a line of its own, indented by two spaces a level. In the size of the value it counts at least
/// four bytes.
fn deep(a: &[Computed]) -> Option<u64> {
    let one = a[0].bound;
    let lines = one.size / 2 + 2;
    let indents = lines.saturating_mul(2 * (u64::from(one.depth) + 1));
    Some(one.size.saturating_mul(6).saturating_add(indents).saturating_add(64))
}

fn written(value: &Value, style: Style) -> Value {
    json::marshal(value, style).map_or_else(|| Value::text(b""), Value::from)
}

fn must_write(value: &Value, style: Style) -> Given {
    json::marshal(value, style).map(Value::from).ok_or(Fault::Value("JSON has no infinities"))
}

/// Helm's `toYaml`: YAML without the last line end, and an empty text if the value has no YAML.
fn to_yaml(value: &Value) -> Value {
    let Ok(yaml) = yaml::marshal(value) else {
        return Value::text(b"");
    };
    Value::text(yaml.bytes().strip_suffix(b"\n").unwrap_or(yaml.bytes()))
}
