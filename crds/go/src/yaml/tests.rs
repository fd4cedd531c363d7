//! Documents and scalars, each as a real program over yaml.v2 printed it.
//!
//! The tests of the workspace compare whole outputs with those of the real programs. Invariant: no expectation
//! was computed by hand.

use std::collections::BTreeMap;

use super::{NotWritten, Resolved, marshal, resolve};
use crate::value::{Text, Value};

fn text(text: &str) -> Value {
    Value::text(text.as_bytes())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries: BTreeMap<Text, Value> =
        entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Value::map(entries)
}

fn document(value: &Value) -> String {
    String::from_utf8(marshal(value).ok().unwrap().bytes().to_vec()).unwrap()
}

/// The YAML of a text at some depth, without the lines around it.
fn written(value: &str) -> String {
    let text = document(&map([("a", map([("k", text(value))]))]));
    text.strip_prefix("a:\n  k: ").unwrap().strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn keys_are_in_yaml_v2s_order() {
    let keys = ["a10", "a9", "a", "10", "9", "_b", "A", "a-b", "a.b", "a01", "a1", "é"];
    let text = document(&map(keys.map(|key| (key, text("x")))));
    let found: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap().trim_matches('"')).collect();
    assert_eq!(found, ["_b", "9", "10", "A", "a", "a-b", "a.b", "a1", "a01", "a9", "a10", "é"]);
}

/// yaml.v2's relation isn't an order for such keys, and the standard library's sort would panic.
#[test]
fn keys_without_an_order_are_all_there() {
    let keys: Vec<String> =
        (0..4000).map(|n| format!("{}{}{}", "0".repeat(n % 7), n % 13, "0".repeat(n % 5))).collect();
    let entries: BTreeMap<Text, Value> = keys.iter().map(|key| (key.as_str().into(), text("x"))).collect();
    let count = entries.len();
    assert_eq!(document(&Value::map(entries)).lines().count(), count);
}

#[test]
fn collections_are_laid_out_as_yaml_v2_does() {
    let items = vec![map([("b", text("1")), ("a", text("x"))]), text("y"), Value::list(vec![Value::Nil])];
    let value = map([
        ("list", Value::list(items)),
        ("empty", map([])),
        ("none", Value::list(Vec::new())),
        ("map", map([("k", text("v"))])),
        ("yes", Value::Bool(true)),
    ]);
    let expected =
        "empty: {}\nlist:\n- a: x\n  b: \"1\"\n- \"y\"\n- - null\nmap:\n  k: v\nnone: []\n\"yes\": true\n";
    assert_eq!(document(&value), expected);
}

#[test]
fn a_long_key_stands_behind_a_question_mark() {
    let key = "k".repeat(129);
    assert_eq!(document(&map([(&key, text("v"))])), format!("? {key}\n: v\n"));
    assert_eq!(document(&map([(&key[1..], text("v"))])), format!("{}: v\n", &key[1..]));
}

#[test]
fn a_key_of_several_lines_stands_behind_a_question_mark() {
    assert_eq!(document(&map([("a\nb", text("v"))])), "? |-\n  a\n  b\n: v\n");
    assert_eq!(document(&map([("\n", text("v"))])), "? |2+\n\n: v\n");
    assert_eq!(document(&map([("a\u{2028}b", text("v"))])), "? 'a\u{2028}  b'\n: v\n");
    let list = Value::list(vec![text("v")]);
    assert_eq!(document(&map([("a\nb", list)])), "? |-\n  a\n  b\n: - v\n");
}

#[test]
fn what_the_reader_of_the_json_refuses_is_not_written() {
    for (value, expected) in [
        (text("\u{7f}"), NotWritten::Control),
        (text("\u{fffe}"), NotWritten::Control),
        (map([("\u{80}", text("v"))]), NotWritten::Control),
        (map([("a\u{85}b", text("v"))]), NotWritten::Key),
        (map([(&"k".repeat(1023), text("v"))]), NotWritten::Key),
        (map([(&"\n".repeat(512), text("v"))]), NotWritten::Key),
        (Value::Float(f64::NAN), NotWritten::NotFinite),
    ] {
        assert_eq!(marshal(&value).err(), Some(expected));
    }
    assert!(marshal(&map([(&"k".repeat(1022), text("v"))])).is_ok());
    // U+0085 is a line end to YAML. JSON has no meaning for it and leaves it as it is.
    assert_eq!(written("a \u{85} b"), "a b");
    assert_eq!(written("a\u{85}\u{85}b"), "|-\n    a\n    b");
}

#[test]
fn numbers_are_what_their_json_reads_as() {
    for (value, expected) in [
        (Value::Float(1.0), "1\n"),
        (Value::Float(-0.0), "0\n"),
        (Value::Float(1e18), "1000000000000000000\n"),
        (Value::Float(1e20), "1e+20\n"),
        (Value::Float(1.5), "1.5\n"),
    ] {
        assert_eq!(document(&value), expected);
    }
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
        ("2001-01-01T00:00:00,5Z", "\"2001-01-01T00:00:00,5Z\""),
        ("2001-01-01 00:00:00,5", "\"2001-01-01 00:00:00,5\""),
        ("2001-01-01T00:00:00+99:99", "2001-01-01T00:00:00+99:99"),
        ("2001-01-01T00:00:00+25:00", "2001-01-01T00:00:00+25:00"),
        ("2001-01-01   00:00:00", "\"2001-01-01   00:00:00\""),
        (".5_0", "\".5_0\""),
        ("0b-11", "\"0b-11\""),
        ("1:30._", "\"1:30._\""),
        ("+-5", "+-5"),
        ("yEs", "yEs"),
    ] {
        assert_eq!(written(text), expected, "{text:?}");
    }
}

#[test]
fn several_lines_are_a_literal_with_its_hints() {
    assert_eq!(written("a\nb\n"), "|\n    a\n    b");
    assert_eq!(written(" a\nb"), "|2-\n     a\n    b");
    // The second line end at the end belongs to the text.
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

#[test]
fn an_unquoted_word_means_what_it_means_to_yaml_v2() {
    for (text, expected) in [
        ("", Resolved::Null),
        ("~", Resolved::Null),
        ("On", Resolved::Bool(true)),
        ("n", Resolved::Bool(false)),
        ("017", Resolved::Int(15)),
        ("0o17", Resolved::Int(15)),
        ("1_000", Resolved::Int(1000)),
        ("-0b11", Resolved::Int(-3)),
        ("0b-11", Resolved::Int(-3)),
        ("0x7fffffffffffffff", Resolved::Int(i64::MAX)),
        ("18446744073709551615", Resolved::Uint(u64::MAX)),
        ("18446744073709551616", Resolved::Float(18446744073709551616.0)),
        ("08", Resolved::Float(8.0)),
        ("+.5e1", Resolved::Float(5.0)),
        ("5.", Resolved::Float(5.0)),
        ("-.Inf", Resolved::Float(f64::NEG_INFINITY)),
        ("2001-1-1", Resolved::Timestamp),
        ("2001-1-1T1:1:1", Resolved::Text),
        ("1:30", Resolved::Text),
        ("<<", Resolved::Text),
        ("1e400", Resolved::Text),
        ("0x", Resolved::Text),
        (".", Resolved::Text),
        ("-", Resolved::Text),
        ("+-5", Resolved::Text),
        ("nan", Resolved::Text),
        ("tRUE", Resolved::Text),
    ] {
        assert_eq!(resolve(text), expected, "{text}");
    }
}
