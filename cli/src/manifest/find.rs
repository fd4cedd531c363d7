//! The objects in a file: documents, and items of Lists.
//!
//! Invariant: whatever might be a Secret in disguise (`kind: secret`, one
//! without `apiVersion`, a `SecretList`) is an error, never "another kind": what
//! passes through untouched is about to be committed.

use std::ops::Range;

use super::fields::{FieldError, Fields, Located, is_word};
use crate::{
    failure::Explain,
    yaml::tree::{NodeId, NodeKind, Tree},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Secret,
    SealedSecret,
    Other,
}

/// Where in its document an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// It is the document.
    Document,
    /// It is an item of a List.
    Item,
}

pub(crate) struct Object {
    pub(crate) document: usize,
    pub(crate) node: NodeId,
    pub(crate) kind: Kind,
    pub(crate) slot: Slot,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("this isn't a Kubernetes object")]
    NotObject,
    #[error("this looks like a Secret, but its {field} is {found}")]
    AlmostSecret { field: &'static str, found: String, right: &'static str },
    #[error("this looks like a Secret, but it has no {field}")]
    HalfSecret { field: &'static str, right: &'static str },
    #[error("a SecretList can't be replaced item by item")]
    SecretList,
    #[error("this item of the List is an alias of another Secret")]
    AliasedSecret,
    #[error("Lists are nested too deeply")]
    TooDeep,
}

impl Explain for FindError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Field(error) => error.hint(),
            Self::NotObject => Some("a manifest is a mapping with apiVersion and kind".to_owned()),
            Self::AlmostSecret { field, right, .. } | Self::HalfSecret { field, right } => {
                Some(format!("write {field}: {right}"))
            }
            Self::SecretList => Some("make it a List: kubectl get secrets -o yaml".to_owned()),
            Self::AliasedSecret => Some("write the Secret out in place of the alias".to_owned()),
            Self::TooDeep => None,
        }
    }
}

/// Every object of the documents, in their order.
pub(super) fn objects(documents: &[Tree<'_>]) -> Result<Vec<Object>, Located<FindError>> {
    let mut objects = Vec::new();
    for (document, tree) in documents.iter().enumerate() {
        if let Some(root) = tree.root {
            walk(tree, document, root, Slot::Document, 0, &mut objects)?;
        }
    }
    Ok(objects)
}

fn walk(
    tree: &Tree<'_>,
    document: usize,
    node: NodeId,
    slot: Slot,
    depth: usize,
    objects: &mut Vec<Object>,
) -> Result<(), Located<FindError>> {
    let error = |error| Located { error, at: tree.range(node).start };
    if depth > 8 {
        return Err(error(FindError::TooDeep));
    }
    let aliased = matches!(tree.node(node).kind, NodeKind::Alias(_));
    let Some(entries) = tree.mapping(node) else {
        return Err(error(FindError::NotObject));
    };
    // Two `kind`s would make it a Secret to one reader and something else to another.
    for field in ["apiVersion", "kind", "items"] {
        let mut keys = entries.iter().filter(|(key, _)| tree.scalar(*key) == Some(field));
        if let (Some(_), Some((key, _))) = (keys.next(), keys.next()) {
            let duplicate = FieldError::DuplicateKey(field.to_owned());
            return Err(Located { error: duplicate.into(), at: tree.range(*key).start });
        }
    }
    let kind = classify(tree, node).map_err(error)?;
    if kind == Kind::Secret {
        if aliased {
            return Err(error(FindError::AliasedSecret));
        }
        // Refuses merge keys and keys that kubectl would rename.
        Fields::read(tree, node, "the Secret").map_err(|e| e.map(FindError::from))?;
    }
    if let Some(items) = list_items(tree, node) {
        for item in items {
            walk(tree, document, *item, Slot::Item, depth + 1, objects)?;
        }
        return Ok(());
    }
    objects.push(Object { document, node, kind, slot });
    Ok(())
}

/// The items of a `kind: List`.
fn list_items<'t>(tree: &'t Tree<'_>, node: NodeId) -> Option<&'t [NodeId]> {
    if field(tree, node, "kind") != Some("List") || field(tree, node, "apiVersion") != Some("v1") {
        return None;
    }
    match tree.kind(tree.get(node, "items")?) {
        NodeKind::Sequence { items, .. } => Some(items),
        _ => None,
    }
}

fn classify(tree: &Tree<'_>, node: NodeId) -> Result<Kind, FindError> {
    let kind = field(tree, node, "kind");
    let api_version = field(tree, node, "apiVersion");
    let group = api_version.and_then(|v| v.split_once('/')).map(|(group, _)| group);
    match kind {
        Some("SealedSecret") if matches!(group, Some("sealing.dev" | "bitnami.com")) => {
            Ok(Kind::SealedSecret)
        }
        Some("SecretList") if api_version == Some("v1") => Err(FindError::SecretList),
        Some(kind) if kind.eq_ignore_ascii_case("Secret") => match api_version {
            Some("v1") if kind == "Secret" => Ok(Kind::Secret),
            // Other groups may have a kind of this name: it isn't ours.
            Some(version) if version.contains('/') => Ok(Kind::Other),
            None => Err(FindError::HalfSecret { field: "apiVersion", right: "v1" }),
            Some("v1") => {
                Err(FindError::AlmostSecret { field: "kind", found: kind.to_owned(), right: "Secret" })
            }
            Some(version) => {
                Err(FindError::AlmostSecret { field: "apiVersion", found: version.to_owned(), right: "v1" })
            }
        },
        None if api_version == Some("v1") && tree.get(node, "stringData").is_some() => {
            Err(FindError::HalfSecret { field: "kind", right: "Secret" })
        }
        _ => Ok(Kind::Other),
    }
}

fn field<'t>(tree: &'t Tree<'_>, node: NodeId, key: &str) -> Option<&'t str> {
    tree.scalar(tree.get(node, key)?)
}

/// What of a document may be shown: keys of the upper levels and the scalars
/// that are public in any Secret. A value that isn't on this list isn't shown,
/// so a misspelt `stringdata` doesn't show what is under it.
pub(super) fn visible(tree: &Tree<'_>, out: &mut Vec<(Range<usize>, bool)>) {
    if let Some(root) = tree.root {
        visible_object(tree, root, 0, out);
    }
}

fn visible_object(tree: &Tree<'_>, node: NodeId, depth: usize, out: &mut Vec<(Range<usize>, bool)>) {
    let NodeKind::Mapping { entries, .. } = &tree.node(node).kind else {
        return out.push((tree.range(node), false));
    };
    for &(key, value) in entries {
        out.push((tree.range(key), is_key(tree, key)));
        match (tree.scalar(key), &tree.node(value).kind) {
            (Some("apiVersion" | "kind" | "type" | "immutable"), NodeKind::Scalar { .. }) => {
                out.push((tree.range(value), true));
            }
            (Some("metadata"), NodeKind::Mapping { entries, .. }) => {
                for &(key, value) in entries {
                    let name = tree.scalar(key).unwrap_or_default();
                    out.push((tree.range(key), is_key(tree, key)));
                    match &tree.node(value).kind {
                        NodeKind::Scalar { .. } => {
                            out.push((
                                tree.range(value),
                                matches!(name, "name" | "namespace" | "generateName"),
                            ));
                        }
                        NodeKind::Mapping { entries, .. } => {
                            visible_keys(tree, entries, name == "labels", out)
                        }
                        _ => out.push((tree.range(value), false)),
                    }
                }
            }
            (Some("data" | "stringData"), NodeKind::Mapping { entries, .. }) => {
                visible_keys(tree, entries, false, out);
            }
            (Some("items"), NodeKind::Sequence { items, .. }) if depth < 8 => {
                for item in items {
                    visible_object(tree, *item, depth + 1, out);
                }
            }
            _ => out.push((tree.range(value), false)),
        }
    }
}

fn visible_keys(
    tree: &Tree<'_>,
    entries: &[(NodeId, NodeId)],
    values: bool,
    out: &mut Vec<(Range<usize>, bool)>,
) {
    for &(key, value) in entries {
        out.push((tree.range(key), is_key(tree, key)));
        out.push((tree.range(value), values && is_scalar(tree, value)));
    }
}

/// Whether a key was meant to be one; a slip of the hand can make one of a value.
fn is_key(tree: &Tree<'_>, id: NodeId) -> bool {
    !tree.is_bare_key(id) && tree.scalar(id).is_some_and(is_word)
}

fn is_scalar(tree: &Tree<'_>, id: NodeId) -> bool {
    matches!(tree.node(id).kind, NodeKind::Scalar { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::tree::parse;

    fn kinds(text: &str) -> Result<Vec<Kind>, FindError> {
        let trees = parse(text, 0).unwrap();
        objects(&trees).map(|objects| objects.iter().map(|o| o.kind).collect()).map_err(|e| e.error)
    }

    #[test]
    fn lists_are_walked_to_their_items() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n\
                    - {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap}]}\n---\n\
                    apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\n---\n";
        assert_eq!(kinds(text).unwrap(), [Kind::Secret, Kind::Other, Kind::SealedSecret]);
    }

    #[test]
    fn a_secret_in_disguise_never_passes_as_another_kind() {
        for text in [
            "kind: Secret\ndata: {}",
            "apiVersion: v1\nkind: secret",
            "apiVersion: V1\nkind: Secret",
            "apiVersion: v1\nstringData: {}",
            "apiVersion: v1\nkind: SecretList\nitems: []",
            "apiVersion: v1\nkind: ConfigMap\nkind: Secret",
            "apiVersion: v1\nkind: Secret\n<<: {}",
            "apiVersion: v1\nkind: List\nitems: [&a {apiVersion: v1, kind: Secret}, *a]",
        ] {
            assert!(kinds(text).is_err(), "{text}");
        }
        assert_eq!(kinds("apiVersion: vault.dev/v1\nkind: Secret").unwrap(), [Kind::Other]);
    }

    #[test]
    fn text_and_sequences_are_no_objects() {
        assert!(matches!(kinds("just text"), Err(FindError::NotObject)));
        assert!(matches!(kinds("- a"), Err(FindError::NotObject)));
    }

    #[test]
    fn values_and_unknown_fields_are_never_visible() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, labels: {a: pub}, annotations: {b: hide}}\n\
                    stringData: {c: hide}\nstringdata: {d: hide}\nspec: {e: [hide]}\n";
        let trees = parse(text, 0).unwrap();
        let mut ranges = Vec::new();
        visible(&trees[0], &mut ranges);
        let shown: Vec<_> =
            ranges.iter().filter(|(_, shown)| *shown).map(|(r, _)| &text[r.clone()]).collect();
        assert!(shown.contains(&"db") && shown.contains(&"pub") && shown.contains(&"c"));
        assert!(!shown.iter().any(|text| text.contains("hide")), "{shown:?}");
    }
}
