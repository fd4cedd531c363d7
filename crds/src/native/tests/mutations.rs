//! Thousands of random changes to a manifest: nothing panics, and no value comes out that wasn't sealed
//! under that name.
//!
//! Not a fuzzer: the seed is fixed, so every run is the same run. Invariant: what may come out of a changed
//! manifest is a subset of the items, unchanged, and text of the template, which is public and may refer
//! only to items that were sealed for it.

use serde_json::Value;

use super::*;

const CANARY: &[u8] = b"canary-d8c1b7f2";
const ROUNDS: u64 = 2_000;

/// SplitMix64 (Steele et al. 2014): small, seeded, good enough to pick places.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit as u64)).unwrap()
    }
}

/// Changes one place of a document, found by descending at random.
fn change(value: &mut Value, other: &Value, random: &mut Random) {
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
                // The same place of another object, where it has one.
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

fn change_text(text: &mut String, random: &mut Random) {
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

/// Whether it opened. Panics where something came out that shouldn't.
fn check(spec: &SealedSecretSpec, sealed: &Values, keys: &Keyring) -> bool {
    let Ok(opened) = unseal("prod/db", spec, keys) else {
        return false;
    };
    for (name, value) in &opened {
        if spec.encrypted_data.contains_key(name) {
            assert_eq!(Some(value), sealed.get(name), "item {name} is another value");
        } else {
            let leaks = value.windows(CANARY.len()).any(|window| window == CANARY);
            assert!(!leaks, "{name} shows an item that wasn't sealed for templates");
        }
    }
    true
}

/// A manifest with every kind of field, what is sealed in it, and the keyring that opens it.
fn object() -> (SealedSecretSpec, Values, Keyring) {
    let identity = x25519();
    let spec = merge(
        Sealing::to(&[&identity, &x25519()])
            .item("password", CANARY)
            .template_item("user", "me")
            .template_data("url", "pg://$(user|url)@db")
            .typed("example.com/x")
            .spec(),
        Sealing::to(&[&identity]).item("token", CANARY).spec(),
    );
    let keys = ring(&[&identity]);
    let sealed = unseal("prod/db", &spec, &keys).unwrap();
    (spec, sealed, keys)
}

#[test]
fn no_change_of_fields_releases_another_value() {
    let (spec, sealed, keys) = object();
    let (other, _, _) = object();
    let [spec, other] = [spec, other].map(|spec| serde_json::to_value(spec).unwrap());
    let mut random = Random(1);
    let (mut read, mut opened) = (0, 0);
    for _ in 0..ROUNDS {
        let mut changed = spec.clone();
        for _ in 0..=random.below(2) {
            change(&mut changed, &other, &mut random);
        }
        if let Ok(spec) = serde_json::from_value(changed) {
            read += 1;
            opened += usize::from(check(&spec, &sealed, &keys));
        }
    }
    // The rounds are worth their time only where many get past the schema, and some open.
    assert!(read > 500 && opened > 20 && opened < read / 2, "read {read}, opened {opened}");
}

#[test]
fn no_change_of_text_releases_another_value() {
    let (spec, sealed, keys) = object();
    let text = serde_yaml::to_string(&spec).unwrap();
    let mut random = Random(2);
    let (mut read, mut opened) = (0, 0);
    for _ in 0..ROUNDS {
        let mut changed = text.clone();
        change_text(&mut changed, &mut random);
        if let Ok(spec) = serde_yaml::from_str(&changed) {
            read += 1;
            opened += usize::from(check(&spec, &sealed, &keys));
        }
    }
    assert!(read > 500 && opened > 20 && opened < read / 2, "read {read}, opened {opened}");
}
