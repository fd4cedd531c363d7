//! Calls of every function with arguments of every type, and formats of every shape.
//!
//! Generated the same way each time. Invariant: a function that is added is called here without a change.

use seal_crds::gotemplate::GoTemplate;

use super::{check, check_over, data};

/// Of each type one or a few, constants and values.
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

/// Their order of keys is random in Go.
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
        templates.extend(ARGUMENTS.iter().filter(|one| **one != "nil").map(|one| format!("[{{{{ {one} | {name} }}}}]")));
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
        ".user", ".unicode", ".bytes", ".empty", "42", "-7", "0", "1.5", "1e30", "-0.001", "true", "nil", "'x'",
        "(list 1 \"a\" nil)", "(dict \"a\" 1)", "(add 3)", "(index .user 0)",
    ];
    let mut templates = Vec::new();
    for flags in ["", "+", "-", "0", " ", "-0", "+0", "#"] {
        for width in ["", "8", ".2", "8.3", "."] {
            for verb in "vsdxXqtTcUeEfFgGboOw".chars() {
                for value in values {
                    let is_float = value.contains(['.']) && value.contains(|c: char| c.is_ascii_digit());
                    // These aren't supported: the binary and hexadecimal forms of floats, and # for floats.
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
    let texts = [
        "", "a", "a b", " a", "a ", "a: b", "a:b", "a #b", "a#b", "#a", "- a", "-a", "-", "?", "? a", "?a", ":", ":a",
        ": a", "[a]", "{a}", "a, b", "&a", "*a", "!a", "|", ">", "'a'", "a'b", "%a", "@a", "`a`", "---", "--- a", "...",
        "true", "True", "tRue", "yes", "no", "on", "off", "y", "n", "null", "~", ".", "..", ".inf", "-.inf", ".5", "5.",
        "1", "-1", "+1", "01", "08", "0x1f", "0o17", "0b11", "1_000", "_1", "1e3", "1e", "1.5", "1.5.5", "12:30",
        "12:30:45", "1:60", "190:20:30.15", "2020-01-01", "2020-1-1", "2020-13-01", "2021-02-29", "2020-01-01T10:00:00Z",
        "2020-01-01 10:00:00", "2020-01-01t1:2:3.5+01:00", "2020-01-01 10:00:00Z", "18446744073709551615",
        "18446744073709551616", "0.1e-5", "1__0", "=", "<<", "a\nb", "a\n", "a\n\n", "\n", "\n\n", "\na", " a\nb",
        "a\n b", "a \nb", "a\nb ", "a\n\nb", "a\tb", "\ta", "a\t\nb", "a\r\nb", "a\u00e9", "a\U0001F600b", "\x01",
        "a\\b", "a\"b", "\xff", "\x7f", "\u00a0", "k\u00e9y: v", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n",
    ];
    let mut templates = Vec::new();
    for text in texts {
        templates.push(format!("{{{{ toYaml \"{text}\" }}}}"));
        templates.push(format!("{{{{ toYaml (list \"{text}\" (list \"{text}\") (dict \"k\" \"{text}\")) }}}}"));
        templates.push(format!("{{{{ toYaml (dict \"k\" \"{text}\" \"l\" (list \"{text}\" 1) \"m\" (dict \"n\" \"{text}\")) }}}}"));
        if !text.contains("\\n") && text != "<<" {
            templates.push(format!("{{{{ toYaml (dict \"{text}\" (dict \"{text}\" (list (list 1 (dict))))) }}}}"));
        }
    }
    for number in ["1.0", "1e30", "1e20", "1e18", "123456789.0", "0.00001", "-0.0", "1.5", "(add 1 2)", "(float64 \"Inf\")"] {
        templates.push(format!("{{{{ toYaml {number} }}}} {{{{ toYaml (list {number}) }}}}"));
    }
    templates.push("{{ toYaml (dict \"a10\" 1 \"a2\" 2 \"a\" 3 \"B\" 4 \"-\" 5 \"1\" 6 \"01\" 7 \"a02\" 8 \"a_\" 9) }}".to_owned());
    check_over(&templates, &data()[..1]);
}
