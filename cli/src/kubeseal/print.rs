//! Objects to text, in the format that was asked for.
//!
//! Invariant: several objects in a row read as several documents.

use zeroize::Zeroizing;

use super::{failure::KubesealError, json, node::Node, yaml};

/// Of all objects, one after the other.
pub(super) fn objects<'n>(
    objects: impl IntoIterator<Item = &'n Node>,
    format: &str,
) -> Result<Zeroizing<String>, KubesealError> {
    let print = match format {
        "" | "json" => json::pretty,
        "yaml" => yaml::document,
        other => return Err(KubesealError::Format(other.to_owned())),
    };
    let mark = if format == "yaml" { "---\n" } else { "" };
    let texts: Vec<Zeroizing<String>> = objects.into_iter().map(print).collect();
    let mut all =
        Zeroizing::new(String::with_capacity(texts.iter().map(|text| text.len() + mark.len()).sum()));
    for text in texts {
        all.push_str(mark);
        all.push_str(&text);
    }
    Ok(all)
}
