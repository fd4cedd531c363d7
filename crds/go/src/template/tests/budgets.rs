//! The cost of the templates of one object, counted in steps and not in seconds.

use super::*;

/// Templates that each call the one before twice: 2 to the power of `depth` steps.
fn doubling(depth: usize, leaf: &str) -> String {
    let mut text = format!("{{{{define \"t0\"}}}}{leaf}{{{{end}}}}");
    for n in 1..=depth {
        let call = format!("{{{{template \"t{}\"}}}}", n - 1);
        text += &format!("{{{{define \"t{n}\"}}}}{call}{call}{{{{end}}}}");
    }
    text + &format!("{{{{template \"t{depth}\"}}}}")
}

#[test]
fn definitions_that_double_end_with_the_budget() {
    let text = doubling(60, "");
    assert!((3_000..3_600).contains(&text.len()), "{}", text.len());
    for branching in [Branching::Refused, Branching::Allowed] {
        for leaf in ["", "{{ $x := 1 }}", "{{ . }}", "{{/* nothing */}}"] {
            let mut budget = Budget::of_object();
            let template = GoTemplate::parse(&doubling(60, leaf), branching, &mut budget).ok().unwrap();
            let parsed = budget.steps();
            assert!(parsed < 2_000, "{parsed}");
            let outcome = template.render(&Values::new(&BTreeMap::new()), &mut budget).map(|_| ());
            assert!(matches!(outcome, Err(GoTemplateError::TooMuchWork { .. })), "{outcome:?}");
            assert!(budget.steps() <= 1 << 18, "{}", budget.steps());
        }
    }
    // A template within the budget renders.
    assert_eq!(render(&doubling(10, "x"), &[]).unwrap(), b"x".repeat(1 << 10));
}

#[test]
fn one_budget_is_enough_for_all_templates_of_an_object_or_for_none_of_the_rest() {
    let mut budget = Budget::of_object();
    let values = Values::new(&[("a", b"1".as_slice())].into());
    let costly = GoTemplate::parse(&doubling(15, ""), Branching::Refused, &mut budget).ok().unwrap();
    let before = budget.steps();
    assert!(costly.render(&values, &mut budget).is_ok());
    let one = budget.steps() - before;
    let more = (0..1024).take_while(|_| costly.render(&values, &mut budget).is_ok()).count();
    let all = usize::try_from((1 << 18) / one).unwrap();
    assert!((all - 2..=all).contains(&(more + 1)), "{more} of {all}");
    // The exhausted budget refuses even a small template, and the parsing of one.
    let small = GoTemplate::parse("x", Branching::Refused, &mut Budget::of_object()).ok().unwrap();
    assert!(small.render(&values, &mut budget).is_err());
    assert!(GoTemplate::parse("x", Branching::Refused, &mut budget).is_err());
}

/// Each of these templates could be cheap to charge and slow to run.
#[test]
fn what_is_looked_at_again_and_again_is_charged_by_its_size() {
    let long = "n".repeat(100_000);
    let declared: String = (0..9_000).map(|n| format!("{{{{$v{n}:=1}}}}")).collect();
    let used = "{{$v0}}".repeat(9_000);
    let constants = format!("{{{{define \"t0\"}}}}{{{{ $x := \"{long}\" }}}}{{{{end}}}}");
    let fields = format!("{{{{define \"t0\"}}}}{{{{ $x := .{long} }}}}{{{{end}}}}");
    let names = format!(
        "{{{{define \"{long}\"}}}}{{{{end}}}}{{{{define \"t0\"}}}}{{{{template \"{long}\"}}}}{{{{end}}}}"
    );
    let twice = |first: &str| {
        let rest = doubling(14, "");
        format!("{first}{}", &rest[rest.find("{{define \"t1\"}}").unwrap()..])
    };
    for text in [format!("{declared}{used}"), twice(&constants), twice(&fields), twice(&names)] {
        let outcome = render(&text, &[]);
        assert!(matches!(outcome, Err(GoTemplateError::TooMuchWork { .. })), "{}", &text[..60]);
    }
}

#[test]
fn what_is_nothing_costs_nothing_however_often() {
    assert_eq!(render("[{{ repeat 9223372036854775807 \"\" }}]", &[]).unwrap(), b"[]");
    assert_eq!(render("[{{ repeat 9223372036854775807 .a }}]", &[("a", b"")]).unwrap(), b"[]");
    // A template that is defined again and again, each time with space only.
    let space = " ".repeat(400_000);
    let again = "{{define \"a\"}}{{end}}".repeat(5_000);
    assert_eq!(render(&format!("{{{{define \"a\"}}}}{space}x{{{{end}}}}{again}"), &[]).unwrap(), b"");
}

#[test]
fn widths_and_precisions_may_be_large() {
    let width = 70_000;
    for verb in ["U", "#U", "d", "x", "s", "q", "c"] {
        for format in [format!("%{width}{verb}"), format!("%.{width}{verb}")] {
            assert!(render(&format!("{{{{ printf \"{format}\" 65 }}}}"), &[]).is_ok(), "{format}");
        }
    }
    assert_eq!(
        render("{{ printf \"%.6U %.12U %U\" 65 65 65 }}", &[]).unwrap(),
        b"U+000041 U+000000000041 U+0041"
    );
}
