//! A stream of JSON documents, read into the same trees as YAML.
//!
//! kubectl takes text that starts with `{` for JSON. So does this, where all of it is JSON; serde_json (which keeps
//! none of it) says so and tells where each document ends, and the YAML parser, JSON being within its language, finds
//! the spans.

use serde::de::IgnoredAny;
use serde_json::StreamDeserializer;
use serde_json::de::StrRead;

use super::tree::{ParseError, Tree, out_of_bounds, parse_in_bounds};
use crate::limits::check_json;
use crate::source::Located;

/// The documents of `text` if it is JSON; `None` if it is something else.
pub fn parse_json(text: &str) -> Option<Result<Vec<Tree<'_>>, Located<ParseError>>> {
    let start = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - start.len();
    if !start.trim_start().starts_with('{') {
        return None;
    }
    // All documents together; each of them is checked once more as the YAML that it is.
    if let Err(error) = check_json(start.as_bytes()) {
        return Some(Err(out_of_bounds(error, skipped)));
    }
    match documents(start, skipped).collect() {
        Err(Located { error: ParseError::NotJson, .. }) => None,
        parsed => Some(parsed),
    }
}

/// The documents of a JSON text that is in bounds, one by one, up to the first error. `base` is added to every offset.
pub(crate) fn documents(text: &str, base: usize) -> Documents<'_> {
    Documents { text, base, from: 0, json: serde_json::Deserializer::from_str(text).into_iter() }
}

/// The documents of a stream. After an error there are no more.
pub(crate) struct Documents<'a> {
    text: &'a str,
    base: usize,
    /// The byte at which the next document begins.
    from: usize,
    json: StreamDeserializer<'a, StrRead<'a>, IgnoredAny>,
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<Tree<'a>, Located<ParseError>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.json.next()? {
            let at = self.base + offset(self.text, error.line(), error.column());
            return Some(Err(Located { error: ParseError::NotJson, at }));
        }
        let document = self.from..self.json.byte_offset();
        self.from = document.end;
        let tree = parse_in_bounds(&self.text[document.clone()], self.base + document.start);
        tree.map(|trees| trees.into_iter().next()).transpose()
    }
}

/// The byte at a line and a column, which serde_json counts in bytes; both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_one_after_another_are_told_apart() {
        let text = "{\"a\": 1}\n{\"b\":\t[\"\\u00e9\\/\"]} ";
        let trees = parse_json(text).unwrap().unwrap();
        let texts: Vec<_> = trees.iter().map(|t| &text[t.range(t.root.unwrap())]).collect();
        assert_eq!(texts, ["{\"a\": 1}", "{\"b\":\t[\"\\u00e9\\/\"]}"]);
        let b = trees[1].get(trees[1].root.unwrap(), "b").unwrap();
        assert_eq!(&text[trees[1].range(b)], "[\"\\u00e9\\/\"]");
    }

    #[test]
    fn a_flow_mapping_that_is_no_json_is_left_to_yaml() {
        assert!(parse_json("{a: b}").is_none());
        assert!(parse_json("a: b").is_none());
        assert!(parse_json("{\"a\": 1}\n---\n{\"b\": 2}\n").is_none());
    }

    #[test]
    fn documents_that_are_out_of_bounds_together_are_refused() {
        let problem = |text: &str| parse_json(text).unwrap().err().unwrap().error.to_string();
        assert_eq!(problem(&"{\"a\":".repeat(100_000)), "this nests deeper than 127 levels");
        assert!(problem(&"{}".repeat(1_000_001)).starts_with("this holds more than 1000000 values"));
    }

    #[test]
    fn escapes_decode_as_json_says() {
        let text = r#"{"k": "\ud83d\ude00\u0000\b\f\n\r\t\"\\\/é"}"#;
        let trees = parse_json(text).unwrap().unwrap();
        let value = trees[0].get(trees[0].root.unwrap(), "k").unwrap();
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(trees[0].scalar(value), expected["k"].as_str());
    }
}
