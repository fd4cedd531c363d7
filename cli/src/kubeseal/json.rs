//! JSON as Go's `encoding/json` prints it: keys of maps in the order of their bytes, `<`, `>` and `&` escaped.
//!
//! Not a parser. Invariant: the buffer never has to grow, which would leave copies of plaintext behind.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::node::Node;

/// Over several lines, two spaces deep, with a line break at the end.
pub(super) fn pretty(node: &Node) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(node.longest(8)));
    write(node, Some(0), &mut out);
    out.push('\n');
    out
}

/// On one line, with nothing between tokens.
pub(super) fn compact(node: &Node) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(node.longest(8)));
    write(node, None, &mut out);
    out
}

fn write(node: &Node, indent: Option<usize>, out: &mut String) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Number(number) => out.push_str(number),
        Node::Text(text) => quoted(text, out),
        Node::List(values) => {
            all(('[', ']'), values.iter(), indent, out, write);
        }
        Node::Map(entries) => all(('{', '}'), entries.iter(), indent, out, |(key, value), inner, out| {
            quoted(key, out);
            out.push_str(if inner.is_some() { ": " } else { ":" });
            write(value, inner, out);
        }),
    }
}

fn all<T>(
    (open, close): (char, char),
    values: impl ExactSizeIterator<Item = T>,
    indent: Option<usize>,
    out: &mut String,
    each: impl Fn(T, Option<usize>, &mut String),
) {
    let new_line = |indent: Option<usize>, out: &mut String| {
        if let Some(indent) = indent {
            let _ = write!(out, "\n{:indent$}", "");
        }
    };
    let inner = indent.map(|indent| indent + 2);
    let is_empty = values.len() == 0;
    out.push(open);
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(inner, out);
        each(value, inner, out);
    }
    if !is_empty {
        new_line(indent, out);
    }
    out.push(close);
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_escapes_it() {
        let text = "<a&b>\u{1}\u{8}\u{c}\n\r\t\"\\\u{7f}é\u{2028}😀/";
        let expected = "\"\\u003ca\\u0026b\\u003e\\u0001\\b\\f\\n\\r\\t\\\"\\\\\u{7f}é\\u2028😀/\"";
        assert_eq!(*compact(&Node::text(text)), expected);
    }

    #[test]
    fn empty_collections_stay_on_one_line() {
        let node = Node::Map(vec![
            ("a".to_owned(), Node::Map(Vec::new())),
            ("b".to_owned(), Node::List(vec![Node::Null, Node::List(Vec::new())])),
        ]);
        assert_eq!(*pretty(&node), "{\n  \"a\": {},\n  \"b\": [\n    null,\n    []\n  ]\n}\n");
        assert_eq!(*compact(&node), r#"{"a":{},"b":[null,[]]}"#);
    }
}
