//! Texts at the bounds and beyond, and that time stays linear.

use super::*;
use crate::cost::is_linear;

fn excess(text: &str) -> Option<Excess> {
    check_yaml(text).err().map(|error| error.excess)
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

/// `a0: &a0 ['', …]`, and then lists of lists: each says ten times what the one before says.
fn laughing(levels: usize) -> String {
    let list = |item: &str| format!("[{}]", [item; 10].join(", "));
    let first = format!("a0: &a0 {}\n", list("''"));
    let others = (1..levels).map(|n| format!("a{n}: &a{n} {}\n", list(&format!("*a{}", n - 1))));
    std::iter::once(first).chain(others).collect()
}

#[test]
fn collections_may_nest_as_deep_as_serde_json_reads_and_no_deeper() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let step = open.matches(['[', '{']).count();
        for depth in [MAX_DEPTH / step, MAX_DEPTH / step + 1] {
            let text = nested(open, close, depth);
            let is_read = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            assert_eq!(check_json(text.as_bytes()).is_ok(), is_read, "{open} {depth}");
            assert_eq!(check_yaml(&text).is_ok(), is_read, "{open} {depth}");
        }
    }
    for open in ["- ", "? ", "- - ", "[", "{a: ", "{\"a\":", "[\n", "[ # x\n", "{? ", "[a, {b: "] {
        assert_eq!(excess(&open.repeat(10_000)), Some(Excess::Depth), "{open}");
    }
    assert_eq!(excess(&"- ".repeat(MAX_DEPTH + 1)), Some(Excess::Depth));
    assert_eq!(excess(&"- ".repeat(MAX_DEPTH)), None);
}

#[test]
fn an_alias_is_as_deep_as_what_it_stands_for() {
    let chain = |length: usize| {
        let links = (1..length).map(|n| format!("- &a{n} [*a{}]\n", n - 1));
        std::iter::once("- &a0 x\n".to_owned()).chain(links).collect::<String>()
    };
    assert_eq!(excess(&chain(MAX_DEPTH)), None);
    assert_eq!(excess(&chain(MAX_DEPTH + 1)), Some(Excess::Depth));
}

#[test]
fn values_are_counted_with_aliases_as_what_they_stand_for() {
    assert_eq!(excess(&laughing(5)), None);
    assert_eq!(excess(&laughing(6)), Some(Excess::Nodes));
    assert_eq!(excess(&laughing(60)), Some(Excess::Nodes));
    let (most, more) = ("- x\n".repeat(MAX_NODES - 1), "- x\n".repeat(MAX_NODES));
    assert_eq!((excess(&most), excess(&more)), (None, Some(Excess::Nodes)));
    // All documents together: what the first has said is not forgotten.
    let documents = format!("{}---\n{}", "- x\n".repeat(MAX_NODES / 2), "- x\n".repeat(MAX_NODES / 2));
    assert_eq!(excess(&documents), Some(Excess::Nodes));
    let json = |count: usize| check_json(format!("[{}]", "{\"a\":1},".repeat(count)).as_bytes());
    assert!(json((MAX_NODES - 1) / 3).is_ok());
    assert_eq!(json(MAX_NODES / 3 + 1).unwrap_err().excess, Excess::Nodes);
    assert_eq!(check_json("1 ".repeat(MAX_NODES + 1).as_bytes()).unwrap_err().excess, Excess::Nodes);
}

#[test]
fn one_long_text_is_not_repeated_without_end() {
    let repeated = |times| format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; times].join(", "));
    assert_eq!(excess(&repeated(5)), None, "aliases as people use them");
    assert_eq!(excess(&repeated(1000)), Some(Excess::Text));
}

#[test]
fn anchors_are_counted() {
    let anchors = |count: usize| (0..count).map(|n| format!("- &a{n} x\n")).collect::<String>();
    assert_eq!(excess(&anchors(MAX_ANCHORS)), None);
    assert_eq!(excess(&anchors(MAX_ANCHORS + 1)), Some(Excess::Anchors));
    let documents = vec![anchors(MAX_ANCHORS / 2); 3].join("---\n");
    assert_eq!(excess(&documents), None, "those of the document before are forgotten");
}

#[test]
fn anchors_are_those_of_their_document() {
    // The second document's alias has no anchor, so its reader refuses it; nothing is counted for it here.
    assert_eq!(excess("- &a [x]\n---\n- *a\n"), None);
    // An anchor that is set again stands for what it was set to last.
    let text = format!("- &a {}\n- &a x\n- [[*a]]\n", nested("[", "]", MAX_DEPTH - 1));
    assert_eq!(excess(&text), None);
}

#[test]
fn brackets_in_strings_and_comments_are_none() {
    let brackets = "[{".repeat(200);
    for text in [
        format!("a: \"{brackets}\"\n"),
        format!("a: '{brackets}'\n"),
        format!("a: |\n  {brackets}\n"),
        format!("# {brackets}\na: 1\n"),
    ] {
        assert_eq!(excess(&text), None, "{text}");
    }
    assert!(check_json(format!(r#"{{"a": "{brackets}\"{brackets}\\", "b": []}}"#).as_bytes()).is_ok());
    let behind = format!(r#"["\\", {}"#, "[".repeat(MAX_DEPTH));
    assert_eq!(check_json(behind.as_bytes()).unwrap_err().excess, Excess::Depth, "an escape that is over");
}

#[test]
fn the_place_is_where_it_is_too_much() {
    assert_eq!(check_json("[".repeat(500).as_bytes()).unwrap_err().at, MAX_DEPTH);
    assert_eq!(check_yaml(&"- ".repeat(500)).unwrap_err().at, 2 * MAX_DEPTH);
    assert_eq!(check_yaml(&"{a: ".repeat(500)).unwrap_err().at, 4 * MAX_DEPTH);
}

/// Each of these was quadratic in some parser.
#[test]
fn time_is_linear_in_the_length_whatever_the_text() {
    type Text = fn(usize) -> String;
    let texts: [(&str, Text); 13] = [
        ("maps", |n| "{a: ".repeat(n / 4)),
        ("lists", |n| "[".repeat(n)),
        ("lines", |n| "[\n".repeat(n / 2)),
        ("closed", |n| nested("[", "]", n / 2)),
        ("dashes", |n| "- ".repeat(n / 2)),
        ("keys", |n| "? ".repeat(n / 2)),
        ("many", |n| format!("[{}]", "a,".repeat(n / 2))),
        ("pairs", |n| format!("[{}]", "a: b,".repeat(n / 5))),
        ("anchors", |n| (0..n / 16).map(|n| format!("- &a{n} x\n- *a{n}\n")).collect()),
        ("documents", |n| "--- &a x\n".repeat(n / 9)),
        // A document with many anchors, and then many with one.
        ("forgotten", |n| {
            let anchors: String = (0..n / 20).map(|n| format!("- &a{n} x\n")).collect();
            anchors + &"--- &a x\n".repeat(n / 18)
        }),
        ("blanks", |n| format!("a:{}\n  b: |\n{}", " ".repeat(n / 2), "\n".repeat(n / 2))),
        ("comments", |n| format!("a: 1\n{}b: 2\n", "# x\n".repeat(n / 4))),
    ];
    for (name, text) in texts {
        is_linear(name, 1 << 16, text, |text| {
            let _ = check_yaml(text);
        });
    }
}
