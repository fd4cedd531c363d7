//! Patches and replacements of a kustomization: whether one of them may give a SealedSecret another place, or take it
//! away.
//!
//! Almost every patch changes a Deployment, and must not put a doubt on the whole kustomization. Invariant: a patch that
//! may move a SealedSecret is never called harmless; one that can't be read may.

use seal_documents::yaml::tree::NodeId;

use super::super::super::Loaded;
use super::Reader;

/// The kind that matters.
const KIND: &str = "SealedSecret";

impl Reader<'_, '_, '_> {
    /// Whether a patch, in place or in a file, may move a SealedSecret.
    pub(super) fn may_move(&self, patch: NodeId, directory: &str) -> bool {
        // `patchesStrategicMerge` has texts and paths, the others have mappings.
        let (text, target) = match self.tree.scalar(patch) {
            Some(entry) => (self.inline_or_file(entry, directory), None),
            None => {
                let text = match (self.field(patch, "patch"), self.field(patch, "path")) {
                    (Some(inline), _) => Loaded::Text(inline),
                    (None, Some(path)) => self.file(path, directory),
                    (None, None) => Loaded::Absent,
                };
                (text, self.tree.get(patch, "target"))
            }
        };
        let kind = target.map(|target| self.field(target, "kind").unwrap_or_default());
        let text = match text {
            Loaded::Text(text) => text,
            // It names no kind that matters, and no place.
            Loaded::Unread => return false,
            Loaded::Absent => return kind.is_none_or(may_match),
        };
        let renames = self.tree.get(patch, "options").is_some() && text.contains(KIND);
        let removes = text.contains("$patch") && (text.contains(KIND) || kind.is_some_and(may_match));
        // A JSON patch names its fields by paths; a merge patch is found by the place that it has, so it changes none.
        let edits = text.contains("/metadata") && kind.is_none_or(may_match) && edits_place(text);
        renames || removes || edits
    }

    /// Whether a replacement may write to the name or namespace of a SealedSecret.
    pub(super) fn may_replace_a_place(&self, replacement: NodeId, directory: &str) -> bool {
        if let Some(path) = self.field(replacement, "path") {
            return match self.file(path, directory) {
                Loaded::Text(text) => text.contains("metadata.name"),
                Loaded::Unread => false,
                Loaded::Absent => true,
            };
        }
        let Some(targets) = self.tree.get(replacement, "targets") else { return false };
        self.items(targets).iter().any(|target| {
            let select = self.tree.get(*target, "select");
            let kind = select.and_then(|select| self.field(select, "kind")).unwrap_or_default();
            let fields = self.tree.get(*target, "fieldPaths");
            let is_place = |path: &str| path.starts_with("metadata.name");
            // Without paths, kustomize writes to `metadata.name`.
            may_match(kind) && fields.is_none_or(|fields| self.texts(fields).any(is_place))
        })
    }

    fn inline_or_file<'s>(&'s self, entry: &'s str, directory: &str) -> Loaded<'s> {
        if entry.contains('\n') || entry.contains('{') {
            return Loaded::Text(entry);
        }
        self.file(entry, directory)
    }

    fn field(&self, node: NodeId, key: &str) -> Option<&str> {
        self.tree.get(node, key).and_then(|value| self.tree.scalar(value))
    }
}

/// Whether a selector of kinds, which is a regular expression, may match SealedSecrets. An empty one matches all.
fn may_match(kind: &str) -> bool {
    let is_word = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !is_word || kind == KIND
}

/// Whether a JSON patch has an operation on a name, a namespace, or the metadata as a whole.
fn edits_place(text: &str) -> bool {
    text.match_indices("/metadata").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let field = rest.strip_prefix('/');
        field.is_none_or(|field| field.starts_with("name"))
    })
}
