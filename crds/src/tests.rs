//! Random changes to a manifest, for the tests of both formats.
//!
//! Seeds are fixed, so every run of the same length is the same run; this is no fuzzer with coverage. Invariant: this
//! code knows no SealedSecret, only JSON.

use seal_random::Random;
use serde_json::Value;

/// Changes one place of a document. A random descent finds the place.
pub(crate) fn change(value: &mut Value, other: &Value, random: &mut Random) {
    let descend = random.below(8) > 0;
    match value {
        Value::Object(fields) if descend && !fields.is_empty() => {
            let key = fields.keys().nth(random.below(fields.len())).unwrap().clone();
            match random.below(12) {
                0 => drop(fields.remove(&key)),
                1 => {
                    let moved = fields.remove(&key).unwrap();
                    fields.insert(format!("{key}x"), moved);
                }
                2 => {
                    let copy = fields[&key].clone();
                    let onto = fields.keys().nth(random.below(fields.len())).unwrap().clone();
                    fields.insert(onto, copy);
                }
                3 => drop(fields.insert("more".into(), Value::from(1))),
                // The same place of another object, if it has one.
                4 => fields[&key] = other.get(&key).cloned().unwrap_or(Value::Null),
                _ => change(&mut fields[&key], other.get(&key).unwrap_or(&Value::Null), random),
            }
        }
        Value::Array(list) if descend && !list.is_empty() => {
            let index = random.below(list.len());
            match random.below(8) {
                0 => drop(list.remove(index)),
                1 => list.push(list[index].clone()),
                2 => list.reverse(),
                3 => list.extend(other.get(0).cloned()),
                _ => change(&mut list[index], other.get(index).unwrap_or(&Value::Null), random),
            }
        }
        Value::String(text) if descend && !text.is_empty() => change_text(text, random),
        _ => {
            *value = match random.below(6) {
                0 => Value::Null,
                1 => Value::from(0),
                2 => Value::from(""),
                3 => Value::Array(vec![value.clone()]),
                4 => serde_json::json!({ "a": value }),
                _ => other.clone(),
            }
        }
    }
}

pub(crate) fn change_text(text: &mut String, random: &mut Random) {
    const CHARACTERS: [char; 12] = ['A', 'z', '0', '=', '.', '/', '+', '-', '$', '\n', '\0', 'é'];
    let at = random.below(text.len());
    let Some((start, rest)) = text.split_at_checked(at) else {
        return;
    };
    let with = CHARACTERS[random.below(CHARACTERS.len())];
    let after: String = rest.chars().skip(1).collect();
    *text = match random.below(4) {
        0 => format!("{start}{with}{rest}"),
        1 => format!("{start}{after}"),
        2 => start.to_owned(),
        _ => format!("{start}{with}{after}"),
    };
}
