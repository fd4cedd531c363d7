//! Scalars that keep the way they are written: their quotes, or their block.
//!
//! Which texts may stand unquoted is [`Written`]'s to know. Invariant: a style is kept only for a text that it can hold;
//! any other text is written as [`Written`] writes it.

use seal_foreign::is_unprintable;

use super::column;
use crate::yaml::written::Written;

/// The text in the quotes of the scalar that it replaces. An unquoted scalar gets quotes only if the text needs them.
pub(super) fn quoted_alike(old: &str, text: &str) -> String {
    let value = Written::text(text);
    let is_plain = || text.chars().all(|c| c == ' ' || (!c.is_whitespace() && !is_unprintable(c)));
    match old.as_bytes().first() {
        Some(b'\'') if is_plain() => format!("'{}'", text.replace('\'', "''")),
        Some(b'"') => value.to_compact_json().to_string(),
        _ => value.to_yaml(0).trim_end().to_owned(),
    }
}

/// The text as lines of the block scalar that starts at this byte of the source, after `mark`; `None` if such lines
/// can't hold it.
pub(super) fn block(source: &str, mark: &str, start: usize, value: &Written) -> Option<String> {
    let Written::Text(text) = value else { return None };
    let header = mark.split('#').next().unwrap_or_default().trim_end();
    let lines = match header {
        "|" => text.strip_suffix('\n')?,
        "|-" => text,
        _ => return None,
    };
    let is_plain =
        |line: &str| !line.chars().any(is_unprintable) && (line.is_empty() || !line.trim().is_empty());
    let starts_well = lines.starts_with(|c: char| !c.is_whitespace()) && !lines.ends_with('\n');
    let indent = format!("\n{}", " ".repeat(column(source, start)));
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}") };
    (starts_well && lines.split('\n').all(is_plain)).then(|| {
        let block: String = lines.split('\n').map(indented).collect();
        block[indent.len()..].to_owned()
    })
}
