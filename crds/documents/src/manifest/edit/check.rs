//! The proof that an edited file is the old one with exactly the intended changes.
//!
//! Invariant: the check reads both texts, and knows nothing of how the new one was made.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::Edits;
use crate::manifest::splice::{Comparison, comments};
use crate::manifest::{Manifest, read};
use crate::yaml::tree::NodeId;

/// Reads the result, and gives a place near which it is wrong.
pub(super) fn first_difference(manifest: &Manifest<'_>, edits: &[Edits], result: &str) -> Option<usize> {
    let place = |edits: &Edits| {
        let node = edits.replaced.first().map(|(node, _)| *node);
        node.map_or(0, |node| manifest.documents[edits.document].range(node).start)
    };
    let any = || Some(edits.first().map_or(0, place));
    let (syntax, Ok(documents)) = read(result) else { return any() };
    if syntax != manifest.syntax || documents.len() != manifest.documents.len() {
        return any();
    }
    let mut by_document: HashMap<usize, Vec<&Edits>> = HashMap::new();
    edits.iter().for_each(|edits| by_document.entry(edits.document).or_default().push(edits));
    for (index, (old, new)) in manifest.documents.iter().zip(&documents).enumerate() {
        let here = by_document.remove(&index).unwrap_or_default();
        let values =
            here.iter().flat_map(|edits| &edits.replaced).map(|(node, value)| (*node, value)).collect();
        let removed: HashSet<NodeId> =
            here.iter().flat_map(|edits| &edits.removed).flat_map(|(_, keys)| keys).copied().collect();
        let mut comparison = Comparison::new(old, new, values, removed);
        let equal = match (old.root, new.root) {
            (Some(old), Some(new)) => comparison.equal(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !equal {
            return here.first().map(|edits| place(edits)).or_else(any);
        }
    }
    None
}

/// The places of the comments that are gone; `None` if there are other comments than before.
pub(super) fn lost_comments(old: &str, new: &str) -> Option<Vec<usize>> {
    let mut lost = Vec::new();
    let mut left = comments(new).into_iter().peekable();
    for comment in comments(old) {
        let text = |source: &str, range: &Range<usize>| source[range.clone()].trim_end().to_owned();
        if left.peek().is_some_and(|next| text(new, next) == text(old, &comment)) {
            left.next();
        } else {
            lost.push(comment.start);
        }
    }
    left.next().is_none().then_some(lost)
}
