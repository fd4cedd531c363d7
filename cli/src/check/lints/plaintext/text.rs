//! Secrets in a text that isn't YAML: a Helm template, a file with conflict markers, a slip of the indentation.
//!
//! The text is read line by line. It is a guess, and it leans to silence: a value counts if it stands behind a key, under
//! `data` or `stringData` or in braces behind it, in a document with the line `kind: Secret`, and has no placeholder in it.
//! Invariant: each line is looked at once.

use seal_documents::manifest::Look;
use seal_documents::yaml::tree;

use super::{Value, ValueKind};

/// The values of all Secrets of a text.
pub(super) fn values(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut start = 0;
    for document in text.split_inclusive("\n---") {
        if document.lines().any(|line| entry(line).is_some_and(|entry| entry.is("kind", "Secret"))) {
            values_of(document, start, &mut found);
        }
        start += document.len();
    }
    found
}

/// A line with a key.
struct Entry<'t> {
    indent: usize,
    key: &'t str,
    value: &'t str,
}

impl Entry<'_> {
    fn is(&self, key: &str, value: &str) -> bool {
        self.key == key && self.value == value
    }
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let rest = line.trim_start_matches([' ', '-']);
    let (key, value) = rest.split_once(':')?;
    let is_quote = |c: char| c == '"' || c == '\'';
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(is_quote);
    let written = key.trim();
    let key = written.trim_matches(is_quote);
    let is_one_word = written.starts_with(is_quote) || !key.contains(char::is_whitespace);
    let is_key = !key.is_empty() && is_one_word && !key.starts_with('#');
    is_key.then_some(Entry { indent: line.len() - rest.len(), key, value })
}

fn values_of(document: &str, start: usize, found: &mut Vec<Value>) {
    let name =
        document.lines().filter_map(entry).find(|entry| entry.key == "name" && !entry.value.is_empty());
    let secret = name.map_or_else(|| "(no name)".to_owned(), |entry| entry.value.to_owned());
    // The indentation of the `data` that the lines are in, and the item whose block of text they are.
    let mut list: Option<usize> = None;
    let mut block: Option<Block<'_>> = None;
    let mut at = start;
    for line in document.split_inclusive('\n') {
        let line_start = at;
        at += line.len();
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let is_blank = line.trim().is_empty() || line.trim_start().starts_with(['#', '{']);
        if is_blank {
            // An action further out says whether the text is there, and not what is in it.
            if let Some(block) = block.as_mut().filter(|block| indent > block.indent) {
                block.is_filled_in |= is_filled_in(line);
            }
            continue;
        }
        if let Some(block) = block.as_mut().filter(|block| indent > block.indent) {
            block.has_value |= is_value(line);
            block.is_filled_in |= is_filled_in(line);
            continue;
        }
        found.extend(block.take().and_then(|block| block.value(&secret)));
        let Some(entry) = entry(line) else { continue };
        if list.is_some_and(|outer| entry.indent <= outer) {
            list = None;
        }
        match list {
            None if matches!(entry.key, "data" | "stringData") && entry.value.is_empty() => {
                list = Some(entry.indent);
            }
            None if matches!(entry.key, "data" | "stringData") => {
                let at = line_start + entry.indent;
                found.extend(in_braces(line).into_iter().map(|item| plain(at, &secret, &item)));
            }
            None => {}
            Some(_) if entry.value.starts_with(['|', '>']) => {
                block = Some(Block::new(&entry, line_start + entry.indent));
            }
            Some(_) if is_value(entry.value) => {
                found.push(plain(line_start + entry.indent, &secret, entry.key));
            }
            Some(_) => {}
        }
    }
    found.extend(block.and_then(|block| block.value(&secret)));
}

/// The lines of a text behind a key.
struct Block<'t> {
    /// The indentation of the key.
    indent: usize,
    /// The byte of the key.
    at: usize,
    item: &'t str,
    /// Some line of it is a value.
    has_value: bool,
    /// Some line of it is filled in later.
    is_filled_in: bool,
}

impl<'t> Block<'t> {
    fn new(entry: &Entry<'t>, at: usize) -> Self {
        Self { indent: entry.indent, at, item: entry.key, has_value: false, is_filled_in: false }
    }

    fn value(self, secret: &str) -> Option<Value> {
        let kind = if self.is_filled_in { ValueKind::Mixed } else { ValueKind::Plain };
        self.has_value.then(|| Value { kind, ..plain(self.at, secret, self.item) })
    }
}

/// The items in braces behind `data:`, all of them on its line.
fn in_braces(line: &str) -> Vec<String> {
    let value = line.split_once(':').map_or("", |(_, value)| value).trim();
    let is_mapping = value.starts_with('{') && !value.starts_with("{{");
    let Some(Ok(trees)) = is_mapping.then(|| tree::parse(value, 0)) else { return Vec::new() };
    let Some((tree, root)) = trees.first().and_then(|tree| Some((tree, tree.root?))) else {
        return Vec::new();
    };
    let entries = tree.mapping(root).unwrap_or_default().iter();
    let items = entries.filter_map(|(key, value)| Some((tree.scalar(*key)?, tree.scalar(*value)?)));
    items.filter(|(_, value)| is_value(value)).map(|(key, _)| key.to_owned()).collect()
}

fn plain(at: usize, secret: &str, item: &str) -> Value {
    Value { at, secret: secret.to_owned(), item: item.to_owned(), kind: ValueKind::Plain }
}

fn is_value(text: &str) -> bool {
    let text = text.trim();
    let is_word = !text.is_empty() && !matches!(text, "null" | "~" | "{}");
    let is_structure = text.starts_with(['*', '&', '!', '{', '[']);
    is_word && !is_structure && !is_filled_in(text) && Look::of(text.as_bytes()).is_none()
}

fn is_filled_in(text: &str) -> bool {
    text.contains("{{") || text.contains("${")
}
