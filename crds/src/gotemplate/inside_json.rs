//! Whether a template gives a JSON object whatever the values are, as long as those have no quote, no backslash and
//! nothing unprintable.
//!
//! Not JSON's whole grammar, which is serde_json's. Two things are looked at. Where values go: with an `x` in the place
//! of every action the text is an object, and an `x` fits nowhere but inside a string, and not after a backslash. What
//! goes there: every literal, and every plain text beside the values, is free of such characters, and every function
//! gives none where it is given none; so by induction no action does. Only what quotes for itself, `toJson` and
//! `quote`, may stand where a string may.
//!
//! Invariant: no value is looked at.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::parse::Templates;
use super::references;
use super::tree::{Command, Node, Operand, Pipe};

/// Functions that give neither a quote, a backslash nor anything unprintable where no argument has any. Not `b64dec`, nor
/// what breaks lines or writes other documents.
pub(super) const SAFE: [&str; 38] = [
    "atoi",
    "b32enc",
    "b64enc",
    "cat",
    "coalesce",
    "contains",
    "default",
    "empty",
    "eq",
    "hasPrefix",
    "hasSuffix",
    "html",
    "index",
    "int",
    "int64",
    "len",
    "lower",
    "ne",
    "nospace",
    "not",
    "print",
    "printf",
    "repeat",
    "replace",
    "sha1sum",
    "sha256sum",
    "squote",
    "substr",
    "ternary",
    "title",
    "toString",
    "trim",
    "trimAll",
    "trimPrefix",
    "trimSuffix",
    "trunc",
    "upper",
    "urlquery",
];
/// Functions that put their own quotes around, and escape what is between.
const QUOTING: [&str; 2] = ["quote", "toJson"];

/// How deeply templates may call each other here.
const MAX_CALLS: usize = 16;

/// Whether it is one, with these plain texts among the values.
pub(super) fn is_object(templates: &Templates, texts: &BTreeMap<&str, &str>) -> bool {
    let named = references::find(templates);
    let is_named = |key: &str| named.everything || named.keys.contains(key);
    let are_harmless = texts.iter().all(|(key, text)| !is_named(key) || is_harmless(text.as_bytes()));
    let mut masked = Masked { templates, text: Vec::new(), calls: 0 };
    are_harmless
        && masked.nodes(&templates.root).is_some()
        && masked.text.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<IgnoredAny>(&masked.text).is_ok()
}

/// Whether every format of `printf` is a literal whose verbs print what they are given, and nothing more or less.
pub(super) fn has_plain_formats(pipe: &Pipe) -> bool {
    let mut commands = pipe.commands.iter();
    commands.all(|command| match &command.first {
        Operand::Function(function) if function.name == "printf" => {
            matches!(command.arguments.first(), Some(Operand::Text(format)) if is_plain_format(format))
        }
        _ => true,
    })
}

/// The text with a mark in the place of every action.
struct Masked<'t> {
    templates: &'t Templates,
    text: Vec<u8>,
    calls: usize,
}

impl<'t> Masked<'t> {
    /// `None` where something in it isn't safe.
    fn nodes(&mut self, nodes: &'t [Node]) -> Option<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &'t Node) -> Option<()> {
        match node {
            Node::Text(text) => self.text.extend(text),
            Node::Action(pipe) => {
                let (last, rest) = pipe.commands.split_last()?;
                let quotes = quotes(last) && pipe.variables.is_empty();
                let is_safe = has_plain_formats(pipe)
                    && rest.iter().all(is_safe)
                    && if quotes { last.arguments.iter().all(is_safe_operand) } else { is_safe(last) };
                is_safe.then_some(())?;
                if pipe.variables.is_empty() {
                    self.text.extend(if quotes { b"\"x\"".as_slice() } else { b"x" });
                }
            }
            Node::Template { name, pipe, .. } => {
                self.calls += 1;
                let is_bounded = self.calls <= MAX_CALLS;
                let is_safe = pipe.as_ref().is_none_or(|pipe| pipe.commands.iter().all(is_safe));
                (is_bounded && is_safe).then_some(())?;
                self.nodes(self.templates.defined.get(name)?)?;
            }
            // What branches can't be told from outside.
            _ => return None,
        }
        Some(())
    }
}

/// With one argument, be it before a `|` or after the name.
fn quotes(command: &Command) -> bool {
    matches!(&command.first, Operand::Function(function) if QUOTING.contains(&function.name))
        && command.arguments.len() <= 1
}

fn is_safe(command: &Command) -> bool {
    is_safe_operand(&command.first) && command.arguments.iter().all(is_safe_operand)
}

fn is_safe_operand(operand: &Operand) -> bool {
    match operand {
        Operand::Function(function) => SAFE.contains(&function.name),
        Operand::Text(text) => is_harmless(text),
        Operand::Pipe(pipe) => has_plain_formats(pipe) && pipe.commands.iter().all(is_safe),
        Operand::Chain(inner, _) => is_safe_operand(inner),
        _ => true,
    }
}

/// Nothing that ends a JSON string, escapes in one, or may not stand in one.
fn is_harmless(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(|c| c >= ' ' && !matches!(c, '"' | '\\')))
}

/// `%s`, `%v`, `%d`, `%x` and `%%`, with a width or a precision. `%q` would quote.
fn is_plain_format(format: &[u8]) -> bool {
    let mut rest = format;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = &rest[at + 1..];
        let width =
            rest.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')).count();
        match rest.get(width) {
            Some(b's' | b'v' | b'd' | b'x' | b'%') => rest = &rest[width + 1..],
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::{Branching, GoTemplate, functions};
    use super::*;

    /// For arguments without quotes, backslashes and unprintable characters there are none in the result: what the
    /// induction stands on.
    #[test]
    fn safe_functions_keep_texts_harmless() {
        let values =
            ["", "a", "0", "Ab 9.-_~:;,+*#'(){}[]<>&%$!?/=", "äß€ǅ", "{{ .a }}", "nullnull", "%s%q%!"];
        let mut made = 0;
        for function in SAFE {
            assert!(functions::all().any(|known| known.name == function), "{function}");
            for arguments in [
                ".a",
                ".a .b",
                ".b .a",
                ".a .b .a",
                "\"a\" .a",
                "\"a\" \"%\" .b",
                "2 .a",
                "1 3 .b",
                ". \"b\"",
                ".a 0",
                ".a .b true",
                "\"%s|%v|%5.2s|%-3d|%x|%%\" .a .b .a .a .b",
            ] {
                let text = format!("{{{{ {function} {arguments} }}}}");
                let template = GoTemplate::parse(&text, Branching::Refused).unwrap();
                for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (*a, *b))) {
                    if function == "printf" && !arguments.starts_with('"') {
                        continue;
                    }
                    let items = [("a", a.as_bytes()), ("b", b.as_bytes())].into();
                    if let Ok(text) = template.render(&items) {
                        made += 1;
                        let text = String::from_utf8_lossy(text.value.expose());
                        assert!(
                            is_harmless(text.as_bytes()),
                            "{function} {arguments} of {a:?}, {b:?}: {text}"
                        );
                    }
                }
            }
        }
        assert!(made > 2_000, "{made}");
    }

    #[test]
    fn formats_that_quote_or_print_characters_are_not_plain() {
        for plain in ["", "%s:%s", "100%%", "%5.2s%-3v", "%d%x"] {
            assert!(is_plain_format(plain.as_bytes()), "{plain}");
        }
        for other in ["%q", "%c", "%U", "%#v", "%+q", "%", "%5", "%*d", "%[1]q"] {
            assert!(!is_plain_format(other.as_bytes()), "{other}");
        }
    }
}
