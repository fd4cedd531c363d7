//! Tests of the engine alone: bounds, refusals, and that the outcome tells nothing about a value.
//!
//! `tests/gotemplate.rs` of the workspace compares the rendered bytes with those of the real engine.

use super::*;

mod budgets;
mod mutations;

fn parse(text: &str, branching: Branching) -> Result<GoTemplate, GoTemplateError> {
    GoTemplate::parse(text, branching, &mut Budget::of_object())
}

fn render_with(
    text: &str,
    values: &[(&str, &[u8])],
    branching: Branching,
) -> Result<Vec<u8>, GoTemplateError> {
    let values = Values::new(&values.iter().copied().collect());
    let mut budget = Budget::of_object();
    let rendered = GoTemplate::parse(text, branching, &mut budget)?.render(&values, &mut budget)?;
    assert!(u64::try_from(rendered.value.len()).unwrap() <= rendered.max_len, "{text}");
    assert!(!rendered.value.is_empty() || !rendered.never_empty, "{text}");
    Ok(rendered.value.bytes().to_vec())
}

fn render(text: &str, values: &[(&str, &[u8])]) -> Result<Vec<u8>, GoTemplateError> {
    render_with(text, values, Branching::Refused)
}

fn error(text: &str) -> String {
    render(text, &[("a", b"1"), ("b", b"x,y")]).unwrap_err().to_string()
}

#[test]
fn values_are_substituted_as_bytes() {
    assert_eq!(
        render("{{ .a }}|{{ index . \"b.c\" }}", &[("a", b"\xff\0"), ("b.c", b"x")]).unwrap(),
        b"\xff\0|x"
    );
}

#[test]
fn statements_that_branch_are_refused_by_name() {
    for (text, statement) in [
        ("{{ if .a }}{{ end }}", "if"),
        ("\n{{ with .a }}{{ end }}", "with"),
        ("{{ range .a }}{{ end }}", "range"),
        ("{{ break }}", "break"),
        ("{{ continue }}", "continue"),
    ] {
        let Err(GoTemplateError::Branching { statement: found, .. }) = parse(text, Branching::Refused) else {
            panic!("{text} isn't refused");
        };
        assert_eq!(found, statement);
    }
    assert_eq!(error("\n{{ if .a }}x{{ end }}"), "line 2: if branches on values");
    assert_eq!(render_with("{{ if .a }}x{{ end }}", &[("a", b"1")], Branching::Allowed).unwrap(), b"x");
}

#[test]
fn functions_that_are_not_supported_are_named() {
    assert_eq!(
        error("{{ htpasswd .a .b }}"),
        "line 1: function \"htpasswd\" is not supported: it gives something else each time"
    );
    assert_eq!(error("{{ nosuch .a }}"), "line 1: function \"nosuch\" is not defined");
    assert_eq!(
        error("{{ fail .a }}"),
        "line 1: function \"fail\" is not supported: all that it does is fail"
    );
}

#[test]
fn mistakes_that_are_there_whatever_the_values_are_are_errors() {
    for (text, expected) in [
        ("{{ upper .a .b }}", "line 1: upper takes 1 argument, not 2"),
        ("{{ upper }}", "line 1: upper takes 1 argument, not 0"),
        ("{{ upper 5 }}", "line 1: upper needs string, not int"),
        ("{{ .missing | upper }}", "line 1: upper needs string, not nothing"),
        ("{{ .a.b }}", "line 1: .b needs a map, not string"),
        ("{{ eq .a 1 }}", "line 1: eq: values of different types aren't compared"),
        ("{{ get . \"a\" }}", "line 1: get needs map[string]interface {}, not map[string]string"),
        ("{{ div 1 0 }}", "line 1: div: division by zero"),
        ("\n\n{{ .a", "line 3: unclosed action"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn what_fails_by_what_a_value_is_gives_the_zero_of_its_type() {
    let values: &[(&str, &[u8])] = &[("text", b"abc"), ("json", b"{\"a\":1}"), ("list", b"[1]")];
    for (text, expected) in [
        ("[{{ index (splitList \",\" .text) 5 }}]", "[<no value>]"),
        ("[{{ substr 2 1 .text }}]", "[]"),
        ("[{{ div 1 (atoi .text) }}]", "[0]"),
        ("[{{ mustFromJson .text }}]", "[<no value>]"),
        ("[{{ (fromJson .json).a | upper }}]", "[]"),
        ("[{{ keys (fromJson .list) }}]", "[[]]"),
        ("[{{ (fromJson .json).a.b.c }}]", "[<no value>]"),
    ] {
        assert_eq!(String::from_utf8(render(text, values).unwrap()).unwrap(), expected, "{text}");
        assert!(render_with(text, values, Branching::Allowed).is_err(), "{text}");
    }
}

#[test]
fn what_could_be_asked_of_a_value_has_the_same_answer_for_all() {
    for (text, one, other) in [
        ("{{ eq .a \"x\" 5 }}", "x", "y"),
        ("{{ printf (fromJson .a) 1 }}", "1", "\"\""),
        ("{{ printf \"%x %x\" (list (fromJson .a)) 1.5 }}", "1.5", "[1]"),
        ("{{ printf \"%x\" (list (fromJson .a)) }}", "1.5", "[1]"),
        ("{{ printf \"%x %x\" (fromJson .a) 1.5 }}", "1.5", "[1]"),
        ("{{ upper (fromJson .a) }}", "\"s\"", "123"),
        ("{{ (fromJson .a).b.c | upper | repeat 2 }}", "{\"b\":{}}", "[1,2,3,4]"),
        ("{{ or .a nosuch }}", "x", ""),
        ("{{ or .a (upper 5) }}", "x", ""),
        ("{{ index (list 1 2) (atoi .a) }}", "1", "9"),
        ("{{ index .a 1 }}{{ len (index (splitList \",\" .a) 1) }}", "a,b", "abc"),
        ("{{ len (fromJson .a) }}", "[1]", "123"),
        ("{{ div 1 (atoi .a) }}{{ mod 1 (atoi .a) }}", "1", "0"),
        ("{{ ternary .a (repeat 20 .a) (eq .a \"x\") | repeat 50000 }}", "x", "y"),
        ("{{ dig \"a\" \"b\" 1 (fromJson .a) }}", "{\"a\":1}", "{\"c\":1}"),
        ("{{ toYaml (dict .a 1) }}{{ toYaml (fromJson .a) }}", "\n\n", "{}"),
    ] {
        let outcome = |value: &str| render(text, &[("a", value.as_bytes())]).map(|_| ());
        assert_eq!(outcome(one), outcome(other), "{text}");
    }
}

#[test]
fn no_value_decides_how_much_there_is() {
    for text in [
        "{{ repeat (atoi .a) \"x\" }}",
        "{{ indent (atoi .a) .b }}",
        "{{ until (int .a) }}",
        "{{ seq (int .a) }}",
        "{{ printf .b .a }}",
    ] {
        let outcome = render(text, &[("a", b"1"), ("b", b"%d")]);
        assert!(matches!(outcome, Err(GoTemplateError::SizeFromValue { .. })), "{text}");
        assert!(render_with(text, &[("a", b"1"), ("b", b"%s")], Branching::Allowed).is_ok(), "{text}");
    }
    assert!(matches!(
        render("{{ printf \"%*d\" (atoi .a) 1 }}", &[("a", b"1")]),
        Err(GoTemplateError::TooLarge { .. })
    ));
}

#[test]
fn hostile_templates_are_refused_before_they_cost_anything() {
    let long = vec![b'a'; 100_000];
    let nested = format!("{{{{ {}.a{} }}}}", "(".repeat(60), ")".repeat(60));
    let doubling = format!("{{{{ $x := .a }}}}{}{{{{ $x }}}}", "{{ $x = print $x $x }}".repeat(64));
    let lists = format!("{{{{ $x := list }}}}{}{{{{ $x }}}}", "{{ $x = list $x }}".repeat(200));
    let calls = "{{ define \"a\" }}{{ template \"b\" }}{{ template \"b\" }}{{ end }}\
                 {{ define \"b\" }}{{ template \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}";
    for (text, branching) in [
        ("{{ repeat 1000000000 .a }}", Branching::Refused),
        ("{{ repeat 9223372036854775807 .a }}", Branching::Allowed),
        ("{{ printf \"%1000000d\" 1 }}{{ printf \"%1000000d\" 1 }}", Branching::Refused),
        ("{{ until 9223372036854775807 }}", Branching::Allowed),
        ("{{ range 9223372036854775807 }}{{ end }}", Branching::Allowed),
        ("{{ range until 9000 }}{{ range until 9000 }}{{ end }}{{ end }}", Branching::Allowed),
        ("{{ replace \"\" .a .a }}", Branching::Refused),
        (&"{{ .a }}".repeat(11), Branching::Refused),
        (&"{{ $x := sha256sum .a }}".repeat(10_000), Branching::Refused),
        (&nested, Branching::Refused),
        (&doubling, Branching::Refused),
        (&lists, Branching::Refused),
        (&lists, Branching::Allowed),
        (calls, Branching::Refused),
    ] {
        let outcome = render_with(text, &[("a", &long)], branching);
        let head: String = text.chars().take(60).collect();
        assert!(
            matches!(
                outcome,
                Err(GoTemplateError::TooLarge { .. }
                    | GoTemplateError::TooMuchWork { .. }
                    | GoTemplateError::TooDeep { .. })
            ),
            "{head}"
        );
    }
}

#[test]
fn how_long_the_result_can_be_depends_on_lengths_alone() {
    let max_len = |text: &str, value: &[u8]| {
        let template = parse(text, Branching::Refused).ok().unwrap();
        let values = Values::new(&[("a", value)].into());
        template.render(&values, &mut Budget::of_object()).ok().unwrap().max_len
    };
    for text in [
        "{{ .a | quote }}",
        "{{ .a | replace \"\\n\" \"\\\\n\" }}",
        "{{ fromJson .a | toJson }}",
        "{{ ternary .a \"\" (eq .a \"{}\") }}",
    ] {
        assert_eq!(max_len(text, b"{}"), max_len(text, b"\n\n"), "{text}");
    }
    assert_eq!(max_len("{{ .a }}", &[b'x'; 100]), 100);
}

#[test]
fn parsed_templates_go_from_thread_to_thread() {
    fn check<T: Send + Sync>() {}
    check::<GoTemplate>();
    check::<Rendered>();
}

#[test]
fn no_function_has_two_rows() {
    let mut names: Vec<_> = GoTemplate::functions().collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
