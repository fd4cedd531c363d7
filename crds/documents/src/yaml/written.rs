//! Values to be written in a fixed order, as YAML or as JSON.
//!
//! The text reads to the same value in kubectl and in any other YAML library,
//! 1.1 or 1.2: every string that one of them would take for something else is
//! double-quoted, with escapes that all of them (and JSON) share. One line per
//! scalar, so a diff shows one line per item.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::resolve::{Plain, is_safe_unquoted, plain, plain_key};
use super::tree::{NodeId, NodeKind, Style, Tree};

/// A document to be written. Its text is wiped, since `seal unseal` writes
/// plaintext this way.
pub enum Written {
    Text(Zeroizing<String>),
    Bool(bool),
    Sequence(Vec<Written>),
    /// In the order in which it is written.
    Mapping(Vec<(String, Written)>),
}

impl Written {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// A mapping of strings, such as labels.
    pub fn strings<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        Self::Mapping(entries.into_iter().map(|(k, v)| (k.clone(), Self::text(v.as_str()))).collect())
    }

    /// A mapping of one entry.
    pub fn one(key: &str, value: &Self) -> Self {
        Self::Mapping(vec![(key.to_owned(), value.copy())])
    }

    /// This is no `Clone`, so that a copy of plaintext is made on purpose only.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Text(text) => Self::text(text.as_str()),
            Self::Bool(value) => Self::Bool(*value),
            Self::Sequence(values) => Self::Sequence(values.iter().map(Self::copy).collect()),
            Self::Mapping(entries) => {
                Self::Mapping(entries.iter().map(|(key, value)| (key.clone(), value.copy())).collect())
            }
        }
    }

    /// Block YAML, each line but the first indented by `indent` spaces; ends
    /// with a line break.
    pub fn to_yaml(&self, indent: usize) -> Zeroizing<String> {
        let mut out = self.buffer(indent);
        write_yaml(self, indent, Position::Line, &mut out);
        out
    }

    /// JSON over several lines, each but the first indented by `indent` more,
    /// without a line break at the end.
    pub fn to_json(&self, indent: usize, step: usize) -> Zeroizing<String> {
        let mut out = self.buffer(indent);
        write_json(self, Some((indent, step)), &mut out);
        out
    }

    /// JSON on one line, with nothing between tokens: what kubectl keeps in
    /// its last-applied annotation.
    pub fn to_compact_json(&self) -> Zeroizing<String> {
        let mut out = self.buffer(0);
        write_json(self, None, &mut out);
        out
    }

    /// A buffer that never has to grow, which would leave copies behind.
    fn buffer(&self, indent: usize) -> Zeroizing<String> {
        Zeroizing::new(String::with_capacity(self.longest(indent + 8)))
    }

    /// How long this can get as text, nested `indent` deep.
    fn longest(&self, indent: usize) -> usize {
        // At worst a byte becomes `\\u001b`; around it are quotes, `: `, `- `, a comma, a line break.
        let text = |text: &str| text.len() * 6 + 8;
        match self {
            Self::Text(value) => text(value),
            Self::Bool(_) => 8,
            Self::Sequence(values) => {
                values.iter().map(|v| v.longest(indent + 8) + indent + 8).sum::<usize>() + indent + 8
            }
            Self::Mapping(entries) => {
                entries.iter().map(|(k, v)| text(k) + v.longest(indent + 8) + indent + 8).sum::<usize>()
                    + indent
                    + 8
            }
        }
    }

    /// Whether kubectl reads this value from the node.
    pub fn is_read_from(&self, tree: &Tree<'_>, id: NodeId) -> bool {
        match (self, tree.kind(id)) {
            (Self::Text(text), NodeKind::Scalar { text: found, style }) => {
                let is_text = match style {
                    Style::Text => true,
                    Style::Plain => plain(found.as_str()) == Plain::Text,
                    Style::Tagged => false,
                };
                is_text && text.as_str() == found.as_str()
            }
            (Self::Bool(value), NodeKind::Scalar { text, style: Style::Plain }) => {
                plain(text.as_str()) == Plain::Bool(*value)
            }
            (Self::Sequence(values), NodeKind::Sequence { items, .. }) => {
                values.len() == items.len()
                    && values.iter().zip(items).all(|(v, id)| v.is_read_from(tree, *id))
            }
            (Self::Mapping(entries), NodeKind::Mapping { entries: found, .. }) => {
                // In whichever order: a mapping has none.
                let entry = |(index, (key, value)): (usize, &(String, Self))| {
                    let is_it = |(key_id, _): &&(NodeId, NodeId)| is_key(tree, *key_id, key);
                    let there = found.get(index).filter(is_it).or_else(|| found.iter().find(is_it));
                    there.is_some_and(|(_, id)| value.is_read_from(tree, *id))
                };
                entries.len() == found.len() && entries.iter().enumerate().all(entry)
            }
            _ => false,
        }
    }
}

fn is_key(tree: &Tree<'_>, id: NodeId, key: &str) -> bool {
    match tree.kind(id) {
        NodeKind::Scalar { text, style: Style::Text } => text.as_str() == key,
        NodeKind::Scalar { text, style: Style::Plain } => plain_key(text.as_str()) == Some(key),
        _ => false,
    }
}

/// The position at which a YAML value is about to be written.
#[derive(Clone, Copy, PartialEq)]
enum Position {
    /// At the start of a line, or right after `- `.
    Line,
    /// After `key:`.
    AfterKey,
}

fn write_yaml(value: &Written, indent: usize, position: Position, out: &mut String) {
    let gap = if position == Position::AfterKey { " " } else { "" };
    match value {
        Written::Text(text) => {
            out.push_str(gap);
            write_scalar(text, out);
            out.push('\n');
        }
        Written::Bool(value) => {
            let _ = writeln!(out, "{gap}{value}");
        }
        Written::Mapping(entries) if entries.is_empty() => {
            let _ = writeln!(out, "{gap}{{}}");
        }
        Written::Sequence(values) if values.is_empty() => {
            let _ = writeln!(out, "{gap}[]");
        }
        Written::Mapping(entries) => {
            let indent = if position == Position::AfterKey { indent + 2 } else { indent };
            for (index, (key, value)) in entries.iter().enumerate() {
                start_line(index, indent, position, out);
                write_scalar(key, out);
                out.push(':');
                write_yaml(value, indent, Position::AfterKey, out);
            }
        }
        Written::Sequence(values) => {
            let indent = if position == Position::AfterKey { indent + 2 } else { indent };
            for (index, value) in values.iter().enumerate() {
                start_line(index, indent, position, out);
                out.push_str("- ");
                write_yaml(value, indent + 2, Position::Line, out);
            }
        }
    }
}

fn start_line(index: usize, indent: usize, position: Position, out: &mut String) {
    if position == Position::AfterKey && index == 0 {
        out.push('\n');
    }
    if position == Position::AfterKey || index > 0 {
        let _ = write!(out, "{:indent$}", "");
    }
}

fn write_scalar(text: &str, out: &mut String) {
    if is_safe_unquoted(text) {
        out.push_str(text);
    } else {
        write_quoted(text, out);
    }
}

fn write_json(value: &Written, layout: Option<(usize, usize)>, out: &mut String) {
    let (open, close, count) = match value {
        Written::Text(text) => return write_quoted(text, out),
        Written::Bool(value) => {
            let _ = write!(out, "{value}");
            return;
        }
        Written::Mapping(entries) => ('{', '}', entries.len()),
        Written::Sequence(values) => ('[', ']', values.len()),
    };
    let inner = layout.map(|(indent, step)| (indent + step, step));
    let new_line = |layout: Option<(usize, usize)>, out: &mut String| {
        if let Some((indent, _)) = layout {
            let _ = write!(out, "\n{:indent$}", "");
        }
    };
    out.push(open);
    for index in 0..count {
        if index > 0 {
            out.push(',');
        }
        new_line(inner, out);
        match value {
            Written::Mapping(entries) => {
                write_quoted(&entries[index].0, out);
                out.push_str(if layout.is_some() { ": " } else { ":" });
                write_json(&entries[index].1, inner, out);
            }
            Written::Sequence(values) => write_json(&values[index], inner, out),
            Written::Text(_) | Written::Bool(_) => unreachable!("returned above"),
        }
    }
    if count > 0 {
        new_line(layout, out);
    }
    out.push(close);
}

/// A string in double quotes, by rules that JSON, YAML 1.1 and YAML 1.2 share. A character that isn't printable, or is a
/// line break to one of them, is escaped.
fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
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
    use crate::yaml::json::parse_json;
    use crate::yaml::tree::parse;

    fn awkward() -> Written {
        let strings = [
            "",
            "on",
            "null",
            "~",
            "1",
            "1.5",
            "2001-01-01",
            "- x",
            "a: b",
            "#c",
            " lead",
            "trail ",
            "é",
            "a\nb\r\n\t",
            "\u{1}\u{7f}\u{85}\u{2028}\u{feff}",
            "😀",
            "\"quoted\\\"",
            "*a",
            "&a",
            "!a",
            "{}",
            "[]",
            "@",
            "`",
            "%",
        ];
        let items = strings.iter().map(|s| Written::text(*s)).collect();
        let entries = strings.iter().map(|s| ((*s).to_owned(), Written::text(*s))).collect();
        Written::Mapping(vec![
            ("sequence".to_owned(), Written::Sequence(items)),
            ("mapping".to_owned(), Written::Mapping(entries)),
            ("empty".to_owned(), Written::Mapping(Vec::new())),
            ("none".to_owned(), Written::Sequence(Vec::new())),
            (
                "nested".to_owned(),
                Written::Sequence(vec![
                    Written::Mapping(vec![
                        ("a".to_owned(), Written::Sequence(vec![Written::Bool(true)])),
                        ("b".to_owned(), Written::Bool(false)),
                    ]),
                    Written::Sequence(vec![Written::text("x")]),
                ]),
            ),
        ])
    }

    #[test]
    fn awkward_strings_read_back_from_yaml() {
        let text = awkward().to_yaml(0);
        let trees = parse(&text, 0).unwrap();
        assert!(awkward().is_read_from(&trees[0], trees[0].root.unwrap()), "{}", *text);
    }

    #[test]
    fn awkward_strings_read_back_from_json() {
        for text in [awkward().to_json(0, 2), awkward().to_compact_json()] {
            let text = text.as_str();
            let trees = parse_json(text).unwrap().unwrap();
            assert!(awkward().is_read_from(&trees[0], trees[0].root.unwrap()), "{text}");
            serde_json::from_str::<serde::de::IgnoredAny>(text).unwrap();
        }
    }

    #[test]
    fn a_buffer_never_grows() {
        let text = "\u{1b}".repeat(1000);
        let nested = |value| Written::Sequence(vec![Written::Mapping(vec![(text.clone(), value)])]);
        let value = nested(nested(Written::text(text.as_str())));
        for indent in [0, 40] {
            assert!(value.to_yaml(indent).capacity() <= value.longest(indent + 8));
            assert!(value.to_json(indent, 8).capacity() <= value.longest(indent + 8));
        }
    }

    #[test]
    fn yaml_looks_as_people_write_it() {
        let value = Written::Mapping(vec![
            (
                "a".to_owned(),
                Written::Sequence(vec![Written::Mapping(vec![
                    ("b".to_owned(), Written::text("c")),
                    ("d".to_owned(), Written::Sequence(vec![Written::text("e")])),
                ])]),
            ),
            ("on".to_owned(), Written::Bool(true)),
        ]);
        assert_eq!(*value.to_yaml(0), "a:\n  - b: c\n    d:\n      - e\n\"on\": true\n");
        assert_eq!(*value.to_yaml(2), "a:\n    - b: c\n      d:\n        - e\n  \"on\": true\n");
    }
}
