//! Thousands of random templates, for Secrets of every type: with two values of the same length either both give a
//! Secret or neither does, and Kubernetes accepts every Secret.
//!
//! `make fuzz` runs more templates. Keys play no part in templates, so none is used. Invariant: the tests compare
//! everything that a person sees who can't read the Secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;

use super::*;
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use seal_go::template::random::{ITEMS, call, expression};
use seal_random::{Random, rounds};

/// All values of a line have the same length, so any two of them must give the same answer to every question.
const VALUES: [&[&[u8]]; 3] = [
    &[
        b"S3cret",
        b"123456",
        b"0x1f00",
        b"\"\\\n\x01\xffz",
        b"a,b\"c,",
        b" x\ty\r ",
        b"NaNNaN",
        b"1e9999",
        b"-00007",
        b"%s%d%q",
        b"true\0\0",
    ],
    &[b"1", b"0", b"9", b"\"", b"\\", b"a", b" ", b"\n", b"\xff"],
    &[
        b"{\"a\":{\"b\":1}}",
        b"{\"b\":\"\\\"\"}   ",
        b"[1, \"a\",null]",
        b"1234567890123",
        b"\"abcdefghijk\"",
        b"nullnullnulln",
        b"[[[{}],\"\"],1]",
    ],
];
/// The line of `VALUES` for each item.
const LINES: [usize; ITEMS.len()] = [0, 0, 1, 2];

const DOCKER: &str = "kubernetes.io/dockerconfigjson";
const SSH: &str = "kubernetes.io/ssh-auth";

/// Functions that print a string, if their argument is a text.
const QUOTING: [&str; 6] = ["toJson", "toJson", "quote", "quote", "toRawJson", "squote"];

/// Templates in which `E` is the place of a value. Half of the time, one of the first two is used.
const SHAPES: [&str; 14] = [
    "{ E: 1 }",
    "{\"a\": E }",
    "{\"a\": [E, 1]}",
    "{\"a\": \"E\"}",
    "{\"E\": 1}",
    "{\"a\": \"x\\E\"}",
    "{\"a\": \"\\u00E\"}",
    "{\"a\": 1E }",
    "{\"a\": E\"\" }",
    "{\"a\": \"E\", \"b\": E }",
    "{\"a\" E }",
    "E",
    "E{\"a\": 1}",
    "{{ define \"d\" }}E{{ end }}{\"a\": \"{{ template \"d\" . }}\", \"b\": {{ template \"d\" . }} }",
];

fn docker(random: &mut Random) -> String {
    let among = if random.below(2) == 0 { 2 } else { SHAPES.len() };
    let shape = SHAPES[random.below(among)];
    let parts: Vec<&str> = shape.split('E').collect();
    let mut text = parts[0].to_owned();
    for part in &parts[1..] {
        let (inner, quoting) = (expression(random), QUOTING[random.below(QUOTING.len())]);
        let action = match random.below(8) {
            0 => inner,
            1 => call(random, quoting),
            _ => format!("{quoting} {inner}"),
        };
        // Some shapes with a variable don't parse; that is fine.
        text += &match random.below(6) {
            0 => format!("{{{{ $v := {action} }}}}{{{{ $v }}}}"),
            _ => format!("{{{{ {action} }}}}"),
        };
        text += part;
    }
    text
}

/// A template of a Secret, its type, and the key that Kubernetes looks at there.
fn template(random: &mut Random) -> (&'static str, &'static str, String) {
    match random.below(8) {
        0 => (SSH, "ssh-privatekey", format!("{{{{ {} }}}}", expression(random))),
        1 | 2 => {
            let (one, other) = (expression(random), expression(random));
            ("Opaque", "t", format!("{{{{ $v := {one} }}}}{{{{ $v }}}}{{{{ {other} }}}}"))
        }
        _ => (DOCKER, ".dockerconfigjson", docker(random)),
    }
}

fn items(random: &mut Random) -> BTreeMap<ItemName, Plaintext> {
    let pairs = ITEMS.iter().zip(LINES).map(|(name, line)| {
        let value = VALUES[line][random.below(VALUES[line].len())];
        (name.parse().unwrap(), Plaintext::from(value.to_vec()))
    });
    pairs.collect()
}

fn is_object(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&text).is_ok()
}

#[test]
fn whether_there_is_a_secret_never_depends_on_what_its_items_are() {
    assert!(VALUES.iter().all(|line| line.iter().all(|value| value.len() == line[0].len())));
    let mut random = Random(6);
    let mut telling = BTreeSet::new();
    let mut rendered = BTreeMap::from([("Opaque", 0), (DOCKER, 0), (SSH, 0)]);
    let rounds = rounds().max(8_000);
    for _ in 0..rounds {
        let (type_, key, text) = template(&mut random);
        let templates = [(key.to_owned(), Some(text.clone()))].into();
        let Ok(data) = TemplateData::parse(&templates, Branching::Refused) else { continue };
        let one = items(&mut random);
        let lengths = one.iter().map(|(name, value)| (name.clone(), value.len())).collect();
        // An object that is refused here is never opened.
        if data.check(type_, &lengths).is_err() {
            continue;
        }
        for items in [one, items(&mut random), items(&mut random)] {
            let passes = |value: &[u8]| match type_ {
                DOCKER => is_object(value),
                SSH => !value.is_empty(),
                _ => true,
            };
            let made = data.render(type_, &items);
            if !made.is_ok_and(|values| values.values().all(|value| passes(value.expose()))) {
                telling.insert(text.clone());
            }
        }
        *rendered.get_mut(type_).unwrap() += 1;
    }
    assert!(telling.is_empty(), "these tell something of an item: {telling:#?}");
    // The rounds are worth their time only if each of these gives a Secret often.
    let few = rounds / 100;
    assert!(rendered[DOCKER] > few * 8 && rendered["Opaque"] > few * 4 && rendered[SSH] > 0, "{rendered:?}");
}
