//! Calls of every function with arguments of every type, and formats of every shape.
//!
//! Generated the same way each time. Invariant: a function that is added is called here without a change.

use seal_go::template::GoTemplate;
use seal_tests::scalars;

use super::{Data, check, check_over, data};

/// Arguments: one or a few of each type, as constants and as values.
const ARGUMENTS: &[&str] = &[
    ".user",
    ".password",
    ".empty",
    ".bytes",
    ".unicode",
    ".number",
    ".csv",
    ".missing",
    "(fromJson .json)",
    "(fromJson .json).list",
    "(splitList \",\" .csv)",
    "(list 1 \"a\" nil .user 1)",
    "(dict \"a\" 1 \"b\" .user)",
    ".",
    "\"a\"",
    "\"\"",
    "3",
    "-1",
    "0",
    "1.5",
    "true",
    "nil",
    "(len .user)",
    "(add 1 2)",
];

/// Functions whose result has a random order in Go.
const UNORDERED: &[&str] = &["keys", "values"];

struct Picks(u64);

impl Picks {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

fn functions() -> Vec<&'static str> {
    GoTemplate::functions().filter(|name| !UNORDERED.contains(name)).collect()
}

#[test]
fn functions_of_one_argument_give_what_they_give_in_the_peer() {
    let mut templates = Vec::new();
    for name in functions() {
        templates.push(format!("{{{{ {name} }}}}"));
        templates.extend(ARGUMENTS.iter().map(|one| format!("[{{{{ {name} {one} }}}}]")));
        templates.extend(
            ARGUMENTS.iter().filter(|one| **one != "nil").map(|one| format!("[{{{{ {one} | {name} }}}}]")),
        );
    }
    check(&templates);
}

#[test]
fn functions_of_several_arguments_give_what_they_give_in_the_peer() {
    let mut picks = Picks(4);
    let mut templates = Vec::new();
    let mut any = || ARGUMENTS[picks.next(ARGUMENTS.len())];
    for name in functions() {
        for _ in 0..15 {
            templates.push(format!("[{{{{ {name} {} {} }}}}]", any(), any()));
            templates.push(format!("[{{{{ {name} {} {} {} }}}}]", any(), any(), any()));
        }
    }
    check(&templates);
}

#[test]
fn functions_of_functions_give_what_they_give_in_the_peer() {
    let mut picks = Picks(7);
    let functions = functions();
    let mut templates = Vec::new();
    for _ in 0..1500 {
        let mut function = || functions[picks.next(functions.len())];
        let (inner, outer) = (function(), function());
        let mut any = || ARGUMENTS[picks.next(ARGUMENTS.len())];
        let (one, other) = (any(), any());
        templates.push(format!("[{{{{ {inner} {one} | {outer} }}}}]"));
        templates.push(format!("[{{{{ {inner} {one} {other} | {outer} {other} }}}}]"));
    }
    check(&templates);
}

#[test]
fn formats_give_what_they_give_in_the_peer() {
    let values = [
        ".user",
        ".unicode",
        ".bytes",
        ".empty",
        "42",
        "-7",
        "0",
        "1.5",
        "1e30",
        "-0.001",
        "true",
        "nil",
        "'x'",
        "(list 1 \"a\" nil)",
        "(dict \"a\" 1)",
        "(add 3)",
        "(index .user 0)",
    ];
    let mut templates = Vec::new();
    for flags in ["", "+", "-", "0", " ", "-0", "+0", "#"] {
        for width in ["", "8", ".2", "8.3", "."] {
            for verb in "vsdxXqtTcUeEfFgGboOw".chars() {
                for value in values {
                    let is_float = value.contains(['.']) && value.contains(|c: char| c.is_ascii_digit());
                    // Not supported: the binary and hexadecimal forms of floats, and # for floats.
                    if (is_float || value.contains('e')) && (flags == "#" || "bxX".contains(verb)) {
                        continue;
                    }
                    templates.push(format!("{{{{ printf \"[%{flags}{width}{verb}]\" {value} }}}}"));
                }
            }
        }
    }
    check_over(&templates, &data()[..1]);
}

#[test]
fn yaml_is_what_helm_writes() {
    // Each line is the inside of a Go string.
    let texts = include_str!("yaml.txt").lines();
    let mut templates = Vec::new();
    for text in texts {
        templates.push(format!("{{{{ toYaml \"{text}\" }}}}"));
        templates
            .push(format!("{{{{ toYaml (list \"{text}\" (list \"{text}\") (dict \"k\" \"{text}\")) }}}}"));
        templates.push(format!(
            "{{{{ toYaml (dict \"k\" \"{text}\" \"l\" (list \"{text}\" 1) \"m\" (dict \"n\" \"{text}\")) }}}}"
        ));
        templates
            .push(format!("{{{{ toYaml (dict \"{text}\" (dict \"{text}\" (list (list 1 (dict))))) }}}}"));
    }
    for number in [
        "1.0",
        "1e30",
        "1e20",
        "1e18",
        "123456789.0",
        "0.00001",
        "-0.0",
        "1.5",
        "(add 1 2)",
        "(float64 \"Inf\")",
    ] {
        templates.push(format!("{{{{ toYaml {number} }}}} {{{{ toYaml (list {number}) }}}}"));
    }
    templates.push(
        "{{ toYaml (dict \"a10\" 1 \"a2\" 2 \"a\" 3 \"B\" 4 \"-\" 5 \"1\" 6 \"01\" 7 \"a02\" 8 \"a_\" 9) }}"
            .to_owned(),
    );
    check_over(&templates, &data()[..1]);
}

#[test]
fn yaml_of_random_texts_is_what_helm_writes() {
    let template = "{{ toYaml .t }}|{{ toYaml (list .t (dict .t (dict .t (list .t)))) }}".to_owned();
    let texts = scalars::random(4_000);
    let data: Vec<Data> = texts.into_iter().map(|text| [("t", text.into_bytes())].into()).collect();
    check_over(&[template], &data);
}

/// Of keys that a reader of YAML finds too long, Helm writes nothing.
#[test]
fn yaml_of_long_keys_is_what_helm_writes() {
    let keys = ["k", "é", "\u{1}", "\n", "\"", "<", "\u{2028}", " "];
    let lengths = [127, 128, 129, 169, 170, 171, 509, 510, 511, 512, 1021, 1022, 1023, 1024];
    let texts = keys.iter().flat_map(|key| lengths.map(|length| key.repeat(length)));
    let data: Vec<Data> = texts.map(|text| [("t", text.into_bytes())].into()).collect();
    check_over(&["{{ toYaml (dict .t 1) }}|{{ toYaml (dict .t (list .t)) }}".to_owned()], &data);
}

#[test]
fn characters_have_the_case_and_the_quotes_that_they_have_in_the_peer() {
    let template =
        "{{ upper .all }}{{ lower .all }}{{ title .spaced }}{{ quote .all }}{{ swapcase .all }}{{ js .all }}";
    // All characters but Han, Hangul and those that are private or unassigned.
    let all: Vec<char> = ('\0'..='\u{33ff}')
        .chain('\u{a000}'..='\u{abff}')
        .chain('\u{d7a0}'..='\u{e000}')
        .chain('\u{f900}'..='\u{14700}')
        .chain('\u{16000}'..='\u{20010}')
        .collect();
    let data: Vec<Data> = all
        .chunks(256)
        .map(|chars| {
            let text: String = chars.iter().collect();
            let spaced: String = chars.iter().flat_map(|char| [' ', *char]).collect();
            [("all", text.into_bytes()), ("spaced", spaced.into_bytes())].into()
        })
        .collect();
    check_over(&[template.to_owned()], &data);
}
