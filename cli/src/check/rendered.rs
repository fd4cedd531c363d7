//! Objects that a tool rendered, on standard input, held against the repository: `kustomize build X | seal check -`.
//!
//! A rendered SealedSecret is found in the repository by what no tool changes: the ids of its data keys, or in the format
//! of bitnami.com its ciphertexts. If its place isn't the one in the file, and the scope binds what changed, it doesn't
//! open in the cluster. Invariant: an object that isn't found in the repository is no finding, since it may come from a
//! remote base.

use std::collections::{BTreeSet, HashMap};

use seal_crds::{Binding, Scope};
use seal_foreign::word;

use super::context::Context;
use super::finding::Finding;
use super::lint::Lint;
use super::scanned::{Origin, Scanned};
use crate::objects::outline::Outline;

/// What stands in a file of the repository.
struct Original<'c> {
    path: &'c str,
    outline: &'c Outline,
}

/// Finds rendered objects whose place was changed by the tool.
pub(crate) fn compare(context: &Context<'_>, found: &mut Vec<Finding>) {
    let rendered: Vec<&Scanned<'_>> =
        context.files.iter().filter(|file| file.origin == Origin::Rendered).collect();
    if rendered.is_empty() {
        return;
    }
    let mut originals: HashMap<&str, Vec<Original<'_>>> = HashMap::new();
    for file in context.tree() {
        for outline in &file.outlines {
            for mark in marks(outline) {
                originals.entry(mark).or_default().push(Original { path: file.path, outline });
            }
        }
    }
    for file in rendered {
        for outline in &file.outlines {
            let of_it: Vec<&Original<'_>> =
                marks(outline).iter().filter_map(|mark| originals.get(mark)).flatten().collect();
            // A copy in its own place is right, wherever else the file was copied to.
            if of_it.iter().any(|original| binds_the_same(original.outline, outline)) {
                continue;
            }
            if let Some(original) = of_it.first() {
                found.push(changed(file, outline, original));
            }
        }
    }
}

/// What is known to belong to one object: its data keys, or its ciphertexts.
fn marks(outline: &Outline) -> BTreeSet<&str> {
    let keys = outline.used_keys();
    if keys.is_empty() { outline.items.values().map(|item| item.line.as_str()).collect() } else { keys }
}

/// Whether what the scope binds is the same in both.
fn binds_the_same(original: &Outline, rendered: &Outline) -> bool {
    let binding = |outline: &Outline, scope: Scope| {
        outline.object_name.place().map(|place| Binding::new(scope, &place))
    };
    // The scope that was sealed with is the one in the file.
    let Some(scope) = original.scope else { return true };
    match (binding(original, scope), binding(rendered, scope)) {
        (Some(one), Some(other)) => one == other,
        // A file without a namespace is for whatever namespace it is applied to.
        (None, _) => original.object_name.name == rendered.object_name.name || !scope.binds_name(),
        (Some(_), None) => original.object_name == rendered.object_name,
    }
}

fn changed(file: &Scanned<'_>, rendered: &Outline, original: &Original<'_>) -> Finding {
    let (now, then) =
        (word(&rendered.object_name.to_string()), word(&original.outline.object_name.to_string()));
    let path = word(original.path);
    let message = format!("{now} was sealed as {then} ({path}), so it will not open as it is rendered");
    file.finding(Lint::Transformed, rendered.at, message)
        .of(rendered.object_name.to_string())
        .with(original.path)
        .hint(
            "seal it for the place that is rendered, or leave it out of namespace, namePrefix and nameSuffix",
        )
}

#[cfg(test)]
mod tests;
