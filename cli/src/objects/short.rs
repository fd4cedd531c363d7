//! A file of SealedSecrets with short names in the place of ciphertext, for people who read a diff.
//!
//! ```text
//! an item      the first 8 characters of its data key's id, and a hash of its line
//! an age file  a hash of it
//! a data key   the first 8 characters of its id
//! ```
//! Everything else stays byte for byte: comments, layout, other documents. A hash is the first 16 hex digits of a SHA-256:
//! with fewer, somebody could grind another ciphertext that shows no difference. Invariant: texts that differ in a sealed
//! part differ in what is shown of it.

use std::ops::Range;

use seal_crds::hex::hex;
use seal_documents::manifest::{Kind, Manifest};
use seal_documents::yaml::tree::{NodeId, NodeKind, Tree};
use sha2::{Digest as _, Sha256};

use crate::objects::conflict;

/// The characters of a data key's id that are shown.
const ID: usize = 8;
/// The bytes of a hash that are shown.
const HASH: usize = 8;

/// The text of a manifest with short names; `None` if it has no SealedSecret.
pub(crate) fn shortened(manifest: &Manifest<'_>) -> Option<String> {
    let mut short: Vec<(Range<usize>, String)> = Vec::new();
    let mut is_any = false;
    for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
        is_any = true;
        let tree = manifest.tree(object);
        let under = |path: &[&str]| path.iter().try_fold(object.node, |node, key| tree.get(node, key));
        let entries = under(&["spec", "encryptedData"]).and_then(|items| tree.mapping(items));
        let items = entries.unwrap_or_default().iter().map(|(_, value)| (*value, item as Shorten));
        let whole = under(&["spec", "data"]).map(|whole| (whole, file as Shorten));
        let envelopes = elements(tree, under(&["spec", "envelopes"]));
        let ages =
            envelopes.iter().filter_map(|envelope| Some((tree.get(*envelope, "age")?, file as Shorten)));
        let keys = envelopes.iter().flat_map(|envelope| elements(tree, tree.get(*envelope, "keys")));
        let keys = keys.map(|id| (*id, key as Shorten));
        for (node, shorten) in items.chain(whole).chain(ages).chain(keys) {
            if let (NodeKind::Scalar { text, .. }, false) =
                (&tree.node(node).kind, tree.range(node).is_empty())
            {
                // A block scalar reaches over the line breaks after it.
                let range = tree.range(node);
                let written = manifest.source.text()[range.clone()].trim_end();
                let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''));
                let quote = quote.map(String::from).unwrap_or_default();
                let name = format!("{quote}{}{quote}", shorten(text.as_str()));
                short.push((range.start..range.start + written.len(), name));
            }
        }
    }
    short.sort_by_key(|(range, _)| range.start);
    // Two aliases of one node are one range.
    short.dedup_by_key(|(range, _)| range.start);
    let ranges = short.iter().map(|(range, name)| (range.clone(), name.as_str()));
    is_any.then(|| conflict::replace(manifest.source.text(), ranges))
}

type Shorten = fn(&str) -> String;

fn item(line: &str) -> String {
    match line.split_once('.') {
        Some((id, _)) => format!("{} {}", key(id), hash(line)),
        None => hash(line),
    }
}

fn file(text: &str) -> String {
    hash(text)
}

fn key(id: &str) -> String {
    id.chars().take(ID).collect()
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text)[..HASH])
}

fn elements<'t>(tree: &'t Tree<'_>, node: Option<NodeId>) -> &'t [NodeId] {
    match node.map(|node| tree.kind(node)) {
        Some(NodeKind::Sequence { items, .. }) => items,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use seal_documents::source::Source;
    use zeroize::Zeroizing;

    use super::*;

    fn short(text: &str) -> Option<String> {
        let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
        shortened(&Manifest::parse(&source).unwrap())
    }

    fn object(id: &str, ciphertext: &str) -> String {
        format!(
            "# about it\napiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: db}}\nspec:\n  envelopes:\n  - \
             keys: [{id}]\n    age: AAAA\n  encryptedData:\n    a: {id}.{ciphertext} # why\n    b: |-\n      \
             {id}.{ciphertext}\n    c: \"{id}.x\"\n---\nkind: ConfigMap\napiVersion: v1\n"
        )
    }

    #[test]
    fn ciphertext_is_short_and_everything_else_stays() {
        let id = "A".repeat(43);
        let text = short(&object(&id, "BBBB")).unwrap();
        let line = hash(&format!("{id}.BBBB"));
        let age = hash("AAAA");
        let expected = format!(
            "# about it\napiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: db}}\nspec:\n  envelopes:\n  - \
             keys: [AAAAAAAA]\n    age: {age}\n  encryptedData:\n    a: AAAAAAAA {line} # why\n    b: |-\n      AAAAAAAA \
             {line}\n    c: \"AAAAAAAA {}\"\n---\nkind: ConfigMap\napiVersion: v1\n",
            hash(&format!("{id}.x"))
        );
        assert_eq!(text, expected);
        assert_ne!(short(&object(&id, "CCCC")).unwrap(), text);
    }

    #[test]
    fn a_file_without_a_sealed_secret_has_no_short_form() {
        assert_eq!(short("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"), None);
    }
}
