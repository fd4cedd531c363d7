//! Scalars, each as the real kubeseal printed it in an annotation.
//!
//! Not all there is: the differential tests compare whole outputs. Invariant: none of these was computed by hand.

use super::super::document;
use crate::kubeseal::node::Node;

fn written(text: &str) -> String {
    let inner = Node::Map(vec![("k".to_owned(), Node::text(text))]);
    let text = document(&Node::Map(vec![("a".to_owned(), inner)]));
    text.strip_prefix("a:\n  k: ").unwrap().strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn a_style_is_chosen_as_yaml_v2_chooses_it() {
    for (text, expected) in [
        ("1:30", "\"1:30\""),
        ("a: b", "'a: b'"),
        ("a\r\nb", "\"a\\r\\nb\""),
        ("- x", "'- x'"),
        ("say \"hi\" \\", "say \"hi\" \\"),
        ("", "\"\""),
        ("=", "="),
        ("1e3", "\"1e3\""),
        ("a #b", "'a #b'"),
        ("<<", "<<"),
        ("null", "\"null\""),
        ("0o17", "\"0o17\""),
        ("it's: 'x'", "'it''s: ''x'''"),
        ("2001-01-01", "\"2001-01-01\""),
        ("~x", "~x"),
        ("x ", "'x '"),
        ("é \u{2028} \u{a0} 😀 \u{1} \t", "\"é \\L \u{a0} \\U0001F600 \\x01 \\t\""),
        ("a \nb", "\"a \\nb\""),
        ("1_000.5", "\"1_000.5\""),
        ("0xffffffffffffffffff", "0xffffffffffffffffff"),
        ("1e400", "1e400"),
        ("08", "\"08\""),
        ("2001-13-01", "2001-13-01"),
        ("2001-1-1 1:1:1", "\"2001-1-1 1:1:1\""),
        ("1:60", "1:60"),
        ("._5", "._5"),
        ("yEs", "yEs"),
    ] {
        assert_eq!(written(text), expected, "{text:?}");
    }
}

#[test]
fn several_lines_are_a_literal_with_its_hints() {
    assert_eq!(written("a\nb\n"), "|\n    a\n    b");
    assert_eq!(written(" a\nb"), "|2-\n     a\n    b");
    // The line break behind the last one belongs to the text.
    assert_eq!(written("a\nb\n\n"), "|+\n    a\n    b\n");
}

#[test]
fn long_lines_are_folded_at_the_first_space_behind_column_80() {
    let words =
        "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore";
    let expected = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor\n    incididunt ut labore";
    assert_eq!(written(words), expected);
    assert_eq!(written(&format!("{{{words}")), format!("'{{{}'", expected));
    assert_eq!(written(&"x".repeat(200)), "x".repeat(200));
}
