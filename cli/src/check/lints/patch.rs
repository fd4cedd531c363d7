//! Values that a patch of a kustomization puts into a Secret.
//!
//! Such a patch doesn't say itself what it is for: the kustomization does, by its `target`. A JSON patch says `/data`, which a
//! ConfigMap has too, and a merge patch beside a target may have any kind. So each patch is read together with its target.
//! What is a value by itself (`/stringData`, `kind: Secret`) is [`plaintext`]'s. Invariant: a finding stands in the file that
//! has the value.

use seal_documents::yaml::tree::{NodeId, Tree, parse};

use super::kustomize::{items, path_from};
use super::{Load, Loaded, plaintext};
use crate::check::finding::Finding;

/// The lists of a kustomization whose entries have a target.
const LISTS: [&str; 2] = ["patches", "patchesJson6902"];

/// The values in the patches of one kustomization.
pub(super) fn in_kustomization(path: &str, tree: &Tree<'_>, load: Load<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for Patch { entry, secret } in of_secrets(tree) {
        if let Some((node, inline)) = text(tree, entry, "patch") {
            found.extend(plaintext::in_patch(path, inline, Some(tree.range(node).start), &secret));
        } else if let Some(file) = file(tree, path, entry)
            && let Loaded::Text(patch) = load(&file)
        {
            found.extend(plaintext::in_patch(&file, patch, None, &secret));
        }
    }
    found
}

/// The files of patches for Secrets that a kustomization names. Nothing in such a file need tell what it is for.
pub(crate) fn files_of_patches(path: &str, kustomization: &str) -> Vec<String> {
    let trees = parse(kustomization, 0).unwrap_or_default();
    let files = trees.iter().flat_map(|tree| of_secrets(tree).map(|patch| file(tree, path, patch.entry)));
    files.flatten().collect()
}

/// A patch for Secrets.
struct Patch {
    entry: NodeId,
    /// The Secret as far as the target names it.
    secret: String,
}

fn of_secrets<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = Patch> + 't {
    let lists = LISTS.iter().filter_map(|list| tree.get(tree.root?, list));
    let entries = lists.flat_map(|list| items(tree, list).iter().copied());
    entries.filter_map(|entry| {
        let target = tree.get(entry, "target")?;
        let field = |key| text(tree, target, key).map(|(_, text)| text);
        if !selects_secrets(field("kind")?) {
            return None;
        }
        let secret = match (field("namespace"), field("name")) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (None, Some(name)) => name.to_owned(),
            (_, None) => "(of a patch)".to_owned(),
        };
        Some(Patch { entry, secret })
    })
}

/// Whether a selector of kinds, which is a regular expression, names Secrets. One that matches everything (`.*`) doesn't:
/// then most of what it patches is something else.
fn selects_secrets(kind: &str) -> bool {
    let around = |c: char| matches!(c, '^' | '$' | '(' | ')');
    kind.split('|').any(|kind| kind.trim_matches(around) == "Secret")
}

fn file(tree: &Tree<'_>, path: &str, entry: NodeId) -> Option<String> {
    path_from(path, text(tree, entry, "path")?.1)
}

fn text<'t>(tree: &'t Tree<'_>, node: NodeId, key: &str) -> Option<(NodeId, &'t str)> {
    let value = tree.get(node, key)?;
    Some((value, tree.scalar(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "- {op: replace, path: /data/password, value: aHVudGVyMg==}\n";

    /// `path place item` of each finding, with the word that it stands at.
    fn found(kustomization: &str) -> Vec<String> {
        let load = |path: &str| match path {
            "a/patch.json" => Loaded::Text(FILE),
            "a/unread.yaml" => Loaded::Unread,
            _ => Loaded::Absent,
        };
        let trees = parse(kustomization, 0).unwrap();
        let findings = in_kustomization("a/kustomization.yaml", &trees[0], &load);
        assert!(findings.iter().all(|found| !found.message.contains("hunter2")));
        let line = |found: &Finding| {
            let (place, item) = (found.place.as_deref().unwrap(), found.item.as_deref().unwrap());
            format!("{} {place} {item}", found.path)
        };
        findings.iter().map(line).collect()
    }

    #[test]
    fn a_json_patch_of_a_secret_is_read_with_its_target() {
        let inline = "patches:\n- target: {kind: Secret, name: db, namespace: prod}\n  patch: |-\n    - op: add\n      path: \
                      /data/password\n      value: aHVudGVyMg==\n    - op: add\n      path: /data\n      value: {user: eA==}\n";
        assert_eq!(
            found(inline),
            ["a/kustomization.yaml prod/db password", "a/kustomization.yaml prod/db user"]
        );
        let file = "patchesJson6902: [{target: {version: v1, kind: Secret, name: db}, path: patch.json}]\n";
        assert_eq!(found(file), ["a/patch.json db password"]);
        assert_eq!(files_of_patches("a/kustomization.yaml", file), ["a/patch.json"]);
        let any = "patches: [{target: {kind: ConfigMap|^Secret$}, path: ./patch.json}]\n";
        assert_eq!(found(any), ["a/patch.json (of a patch) password"]);
        // kustomize takes the target for what a merge patch is for, whatever its kind says.
        let merge = "patches:\n- target: {kind: Secret, name: db}\n  patch: |-\n    kind: any\n    metadata: {name: any}\n    \
                     stringData: {password: hunter2}\n";
        assert_eq!(found(merge), ["a/kustomization.yaml db password"]);
    }

    #[test]
    fn patches_of_other_kinds_and_without_values_are_no_findings() {
        for harmless in [
            "patches: [{target: {kind: ConfigMap}, path: patch.json}]",
            "patches: [{target: {kind: SealedSecret}, path: patch.json}]",
            "patches: [{target: {name: db}, path: patch.json}, {path: patch.json}]",
            "patches: [{target: {kind: Secret}, path: unread.yaml}, {target: {kind: Secret}, path: ../../out.json}]",
            "patches: [{target: {kind: Secret}, patch: '[{\"op\": \"remove\", \"path\": \"/data/a\"}]'}]",
            "patches: [{target: {kind: Secret}, patch: '[{\"op\": \"add\", \"path\": \"/metadata/labels\", \"value\": {}}]'}]",
            "patches: [{target: {kind: Secret}, patch: '[{\"op\": \"add\", \"path\": \"/data/a\", \"value\": \"\"}]'}]",
            "patches: [{target: {kind: Secret}, patch: '{{ x }'}]",
        ] {
            assert!(found(harmless).is_empty(), "{harmless}");
        }
        // What tells by itself is found beside the file alone, and not twice.
        let by_itself = "patches: [{target: {kind: Secret}, patch: '[{op: add, path: /stringData/a, value: x}]'}, {target: {kind: \
                         Secret}, patch: '{apiVersion: v1, kind: Secret, stringData: {a: x}}'}]";
        assert!(found(by_itself).is_empty());
    }
}
