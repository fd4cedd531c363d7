//! Random templates: parts of real ones, cut, doubled and mixed; and calls of every function with arguments of its
//! types. `SEAL_FUZZ_COUNT` is the number of templates.

use super::*;
use crate::template::random::{ITEMS, expression};
use seal_random::rounds;

const PARTS: &[&str] = &[
    "{{ .a }}",
    "{{- .b -}}",
    "{{",
    "}}",
    "{{-",
    "-}}",
    "/*",
    "*/",
    "(",
    ")",
    "|",
    " ",
    "\n",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "\"",
    "`",
    "'",
    "\\",
    "%",
    "{{ if .a }}",
    "{{ else }}",
    "{{ end }}",
    "{{ range $i, $x := .b }}",
    "{{ with .a }}",
    "{{ define \"t\" }}",
    "{{ template \"t\" . }}",
    "{{ block \"t\" . }}",
    "{{ break }}",
    "{{ $x := .a }}",
    "{{ $x }}",
    "list",
    "dict",
    "nil",
    "true",
    "-1",
    "0",
    "3",
    "1.5",
    "1e9",
    "0x",
    "'a'",
    "9223372036854775807",
    ".a",
    ".b",
    "\"%[2]*d\"",
    "fromJson",
    "toPrettyJson",
    "printf",
    "\"% +#08.3v\"",
    "index",
    "slice",
    "splitList",
    "repeat",
    "replace",
    "chunk",
    "wrap",
    "substr",
    "trunc",
    "é",
    "\u{1f600}",
    "\0",
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

fn template(random: &mut Random, functions: &[&str]) -> String {
    let mut text = String::new();
    if random.below(2) == 0 {
        // Mostly well-formed templates: a call of a call.
        let argument = |random: &mut Random| PARTS[35 + random.below(PARTS.len() - 35)];
        let function = |random: &mut Random| functions[random.below(functions.len())];
        let (inner, outer) = (function(random), function(random));
        let (one, two, three) = (argument(random), argument(random), argument(random));
        text = format!("{{{{ {inner} {one} {two} .a | {outer} {three} }}}}");
    } else {
        (0..1 + random.below(24)).for_each(|_| text.push_str(PARTS[random.below(PARTS.len())]));
    }
    for _ in 0..random.below(3) {
        let at = text.char_indices().map(|(at, _)| at).nth(random.below(text.chars().count().max(1)));
        let at = at.unwrap_or(0);
        match random.below(3) {
            0 => text.truncate(at),
            1 => text.insert_str(at, PARTS[random.below(PARTS.len())]),
            _ => text = text[at..].repeat(2),
        }
    }
    text
}

#[test]
fn no_mutated_template_panics_and_its_outcome_tells_nothing() {
    let count = rounds();
    let functions: Vec<_> = GoTemplate::functions().collect();
    let mut random = Random(0x5ea1);
    let mut rendered = 0;
    for _ in 0..count {
        let text = template(&mut random, &functions);
        let one = render(&text, &[("a", b"{\"k\":[1,\"x\"]}"), ("b", b"a,b\xff%s"), ("number", b"17")]);
        let other = render(&text, &[("a", b"\xff\xfe,,,,,,,, 99"), ("b", b"{} [2]*"), ("number", b"-0")]);
        assert_eq!(one.as_ref().map(|_| ()), other.as_ref().map(|_| ()), "{text}");
        rendered += usize::from(one.is_ok());
        _ = render_with(&text, &[("a", b"1"), ("b", b"a,b")], Branching::Allowed);
    }
    assert!(rendered > count / 50, "only {rendered} of {count} rendered");
}

/// Everything that an attacker may see of a render: its bounds or its error, and its cost.
fn shown(text: &str, values: &[&[u8]; ITEMS.len()]) -> (Result<(u64, bool), GoTemplateError>, u64) {
    let values = Values::new(&ITEMS.into_iter().zip(values.iter().copied()).collect());
    let mut budget = Budget::of_object();
    let outcome = GoTemplate::parse(text, Branching::Refused, &mut budget)
        .and_then(|template| template.render(&values, &mut budget))
        .map(|rendered| {
            assert!(!rendered.value.is_empty() || !rendered.never_empty, "{text}");
            (rendered.max_len, rendered.never_empty)
        });
    (outcome, budget.left())
}

#[test]
fn no_call_of_any_function_shows_anything_of_a_value() {
    let values: [[&[u8]; ITEMS.len()]; 4] = [
        [b"S3cret", b"a,b,,c", b"1", b"{\"a\":{\"b\":1}}"],
        [b"123456", b"\xff\xfe\"\\\n\x01", b"0", b"[[1],\"a\",2.5]"],
        [b"-1e999", b"{{.x}}", b"x", b"             "],
        [b" \xc3\x28\t z", b"NaNInf", b"9", b"\"{\\u00e9} \\\"\""],
    ];
    let lengths = |values: &[&[u8]; ITEMS.len()]| values.map(<[u8]>::len);
    assert!(values.iter().all(|other| lengths(other) == lengths(&values[0])));
    let mut random = seal_random::Random(7);
    let mut rendered = 0;
    for _ in 0..rounds() {
        let (one, other) = (expression(&mut random), expression(&mut random));
        let text = format!("{{{{ $v := {one} }}}}{{{{ $v }}}}{{{{ {other} }}}}");
        let expected = shown(&text, &values[0]);
        for values in &values[1..] {
            assert_eq!(shown(&text, values), expected, "{text}");
        }
        rendered += usize::from(expected.0.is_ok());
    }
    assert!(rendered > rounds() / 8, "only {rendered} of {} rendered", rounds());
}
