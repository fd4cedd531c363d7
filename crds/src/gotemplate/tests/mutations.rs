//! Templates that nobody wrote: parts of real ones, cut, doubled and mixed. `SEAL_FUZZ_COUNT` says how many.

use super::*;

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
        // Mostly well-formed: a call of a call.
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
    let count = std::env::var("SEAL_FUZZ_COUNT").map_or(2_000, |count| count.parse().unwrap());
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
