//! Values that the operations of a JSON patch put into a Secret.
//!
//! The field tells what is patched: no other kind has `stringData`, but `data` may be that of a ConfigMap, so it counts only
//! where somebody knows that the patch is for a Secret. Invariant: what only removes or tests has no value.

use seal_documents::yaml::tree::{NodeId, NodeKind, Tree, parse};

use super::{Secrets, Value, field, finding, kind_of, values_of};
use crate::check::finding::Finding;
use crate::check::lint::Lint;

/// The field that Secrets alone have.
pub(super) const STRING_DATA: &str = "/stringData";

/// The field whose values are in base64. ConfigMaps have it too.
const DATA: &str = "/data";

/// The values in a patch for a Secret that don't tell so themselves. `at` is the place of the text in its file, if it is a
/// part of one.
pub(in super::super) fn in_patch(path: &str, text: &str, at: Option<usize>, secret: &str) -> Vec<Finding> {
    let mut values = Vec::new();
    for tree in &parse(text, 0).unwrap_or_default() {
        let Some(root) = tree.root else { continue };
        if let NodeKind::Sequence { items, .. } = tree.kind(root) {
            let patches = items.iter().filter_map(|operation| patched(tree, *operation, DATA));
            patches.for_each(|patched| patch_values(tree, &patched, at, &mut values));
        } else if !Secrets::of(tree).has(root) {
            values_of(tree, root, at, &mut values);
        }
    }
    let found = values.into_iter().map(|value| {
        let value = Value { secret: secret.to_owned(), ..value };
        let hint = "take it out of the patch, and seal it as an item of a SealedSecret: seal set FILE ITEM";
        finding(path, Lint::Plaintext, &value, None).hint(hint)
    });
    found.collect()
}

/// What an operation of a JSON patch puts into a Secret.
pub(super) struct Patched<'t> {
    /// The item; empty for all of them.
    item: &'t str,
    value: NodeId,
    is_encoded: bool,
}

/// What an operation puts into a field.
pub(super) fn patched<'t>(tree: &'t Tree<'_>, node: NodeId, list: &str) -> Option<Patched<'t>> {
    let NodeKind::Mapping { .. } = tree.kind(node) else { return None };
    let item = field(tree, node, "path")?.strip_prefix(list)?;
    let is_operation = matches!(field(tree, node, "op"), Some("add" | "replace"));
    let value =
        tree.get(node, "value").filter(|_| is_operation && (item.is_empty() || item.starts_with('/')))?;
    Some(Patched { item: item.trim_start_matches('/'), value, is_encoded: list == DATA })
}

pub(super) fn patch_values(
    tree: &Tree<'_>,
    patched: &Patched<'_>,
    at: Option<usize>,
    values: &mut Vec<Value>,
) {
    let mut add = |node: NodeId, item: &str| {
        let text = tree.scalar(node).filter(|_| !tree.is_null(node));
        let Some(kind) = text.and_then(|text| kind_of(text, patched.is_encoded)) else { return };
        let at = at.unwrap_or_else(|| tree.range(node).start);
        values.push(Value { at, secret: "(of a patch)".to_owned(), item: item.to_owned(), kind });
    };
    match tree.mapping(patched.value) {
        Some(entries) => {
            entries.iter().for_each(|(key, value)| add(*value, tree.scalar(*key).unwrap_or("?")));
        }
        None => add(patched.value, patched.item),
    }
}
