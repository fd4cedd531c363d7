//! The objects in a file: documents, and items of Lists.
//!
//! Invariant: an object that might be a Secret in disguise (`kind: secret`, one without `apiVersion`, one behind a merge
//! key, an item of anything but a v1 List) is an error, never "another kind": an object that passes through untouched is
//! about to be committed. [`super::stray`] looks for Secrets deeper in other objects.

use std::ops::Range;

use seal_crds::resources::Group;

use super::fields::{FieldError, Fields, is_word};
use crate::source::Located;
use crate::yaml::resolve::{Plain, plain};
use crate::yaml::tree::{NodeId, NodeKind, Style, Tree};

/// Lists in Lists that are followed.
const MAX_DEPTH: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Secret,
    SealedSecret,
    Other,
}

/// The place of an object in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The object is the document.
    Document,
    /// The object is an item of a List.
    Item,
}

pub struct Object {
    pub document: usize,
    pub node: NodeId,
    pub kind: Kind,
    pub slot: Slot,
}

#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("this isn't a Kubernetes object")]
    NotObject,
    #[error("this object has no {0}")]
    Untyped(&'static str),
    #[error("this looks like a Secret, but its {field} is {found}")]
    AlmostSecret { field: &'static str, found: String, right: &'static str },
    #[error("this looks like a Secret, but it has no {field}")]
    HalfSecret { field: &'static str, right: &'static str },
    #[error("a SecretList can't be replaced item by item")]
    SecretList,
    #[error("this Secret is an item of something that isn't a List of v1")]
    SecretOutsideList,
    #[error("the items of a List must be a sequence")]
    ItemsNotSequence,
    #[error("this item of the List is an alias of another Secret")]
    AliasedSecret,
    #[error("Lists are nested too deeply")]
    TooDeep,
}

impl FindError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Field(error) => error.hint(),
            Self::NotObject | Self::Untyped(_) => {
                Some("a manifest is a mapping with apiVersion and kind".to_owned())
            }
            Self::AlmostSecret { field, right, .. } | Self::HalfSecret { field, right } => {
                Some(format!("write {field}: {right}"))
            }
            Self::SecretList => Some("make it a List: kubectl get secrets -o yaml".to_owned()),
            Self::AliasedSecret => Some("write the Secret out in place of the alias".to_owned()),
            Self::SecretOutsideList => Some("make it a List: apiVersion: v1, kind: List".to_owned()),
            Self::ItemsNotSequence | Self::TooDeep => None,
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

pub(super) fn walk(
    tree: &Tree<'_>,
    document: usize,
    node: NodeId,
    slot: Slot,
    depth: usize,
    objects: &mut Vec<Object>,
) -> Result<(), Located<FindError>> {
    let error = |error| Located { error, at: tree.range(node).start };
    if depth > MAX_DEPTH {
        return Err(error(FindError::TooDeep));
    }
    let aliased = matches!(tree.node(node).kind, NodeKind::Alias(_));
    let Some(entries) = tree.mapping(node) else {
        return Err(error(FindError::NotObject));
    };
    check_keys(tree, entries)?;
    let (api_version, kind) = (type_field(tree, node, "apiVersion")?, type_field(tree, node, "kind")?);
    let class = classify(tree, node, api_version, kind).map_err(error)?;
    match (api_version, kind) {
        (Some(_), Some(_)) => {}
        (None, None) => return Err(error(FindError::NotObject)),
        (None, _) => return Err(error(FindError::Untyped("apiVersion"))),
        (_, None) => return Err(error(FindError::Untyped("kind"))),
    }
    if class == Kind::Secret {
        if aliased {
            return Err(error(FindError::AliasedSecret));
        }
        // Refuses keys that kubectl would rename.
        Fields::read(tree, node, "the Secret").map_err(|e| e.map(FindError::from))?;
    }
    let items = tree.get(node, "items");
    if let (Some("v1"), Some("List"), Some(items)) = (api_version, kind, items) {
        for item in list_items(tree, items)? {
            walk(tree, document, *item, Slot::Item, depth + 1, objects)?;
        }
        return Ok(());
    }
    if let Some(items) = items {
        check_no_secret_in(tree, items, depth + 1)?;
    }
    objects.push(Object { document, node, kind: class, slot });
    Ok(())
}

/// Refuses keys that make an object one thing to one reader and another to the next: two `kind`s, a merge
/// key that may bring a `kind` along, a key whose tag may make it `kind`.
fn check_keys(tree: &Tree<'_>, entries: &[(NodeId, NodeId)]) -> Result<(), Located<FindError>> {
    let mut seen = Vec::new();
    for &(key, _) in entries {
        let error = |error: FieldError| Err(Located { error: error.into(), at: tree.range(key).start });
        let NodeKind::Scalar { text, style } = tree.kind(key) else {
            return error(FieldError::KeyNotText);
        };
        match text.as_str() {
            "<<" => return error(FieldError::MergeKey),
            _ if *style == Style::Tagged => return error(FieldError::KeyNotText),
            field @ ("apiVersion" | "kind" | "items") => {
                if seen.contains(&field) {
                    return error(FieldError::DuplicateKey(field.to_owned()));
                }
                seen.push(field);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The string under `apiVersion` or `kind`; a null is as good as none.
fn type_field<'t>(
    tree: &'t Tree<'_>,
    node: NodeId,
    key: &'static str,
) -> Result<Option<&'t str>, Located<FindError>> {
    let Some(value) = tree.get(node, key) else {
        return Ok(None);
    };
    let error = |error: FieldError| Err(Located { error: error.into(), at: tree.range(value).start });
    match tree.kind(value) {
        NodeKind::Scalar { text, style: Style::Text } => Ok(Some(text.as_str())),
        NodeKind::Scalar { text, style: Style::Plain } => match plain(text.as_str()) {
            Plain::Text => Ok(Some(text.as_str())),
            Plain::Null => Ok(None),
            other => error(FieldError::NotText { what: key.to_owned(), kind: other.noun() }),
        },
        // `!!binary U2VjcmV0` is Secret to kubectl.
        NodeKind::Scalar { style: Style::Tagged, .. } => error(FieldError::Tagged(key.to_owned())),
        _ => error(FieldError::NotScalar(key.to_owned())),
    }
}

fn list_items<'t>(tree: &'t Tree<'_>, items: NodeId) -> Result<&'t [NodeId], Located<FindError>> {
    match tree.kind(items) {
        NodeKind::Sequence { items, .. } => Ok(items),
        _ if tree.is_null(items) => Ok(&[]),
        _ => Err(Located { error: FindError::ItemsNotSequence, at: tree.range(items).start }),
    }
}

/// Refuses Secrets among the `items` of something that isn't a List. Such items needn't be objects.
fn check_no_secret_in(tree: &Tree<'_>, items: NodeId, depth: usize) -> Result<(), Located<FindError>> {
    let NodeKind::Sequence { items, .. } = tree.kind(items) else {
        return Ok(());
    };
    for &item in items {
        let error = |error| Err(Located { error, at: tree.range(item).start });
        if depth > MAX_DEPTH {
            return error(FindError::TooDeep);
        }
        let Some(entries) = tree.mapping(item) else { continue };
        let (api_version, kind) = (field(tree, item, "apiVersion"), field(tree, item, "kind"));
        match classify(tree, item, api_version, kind) {
            Ok(Kind::Secret) => return error(FindError::SecretOutsideList),
            Ok(_) if kind.is_some() => check_keys(tree, entries)?,
            Ok(_) => {}
            Err(found) => return error(found),
        }
        if let Some(nested) = tree.get(item, "items") {
            check_no_secret_in(tree, nested, depth + 1)?;
        }
    }
    Ok(())
}

/// An object is like a Secret if it is one, or a slip away from one: no other kind of v1 is as near, and no other has
/// `stringData`.
fn is_like_secret(tree: &Tree<'_>, node: NodeId, api_version: Option<&str>, kind: &str) -> bool {
    let has_string_data = || tree.get(node, "stringData").is_some();
    let word = kind.trim().to_lowercase();
    // Longer ones are further away, and would cost what they are long.
    let is_near = word.len() <= 8 && strsim::damerau_levenshtein(&word, "secret") <= 2;
    is_near || (api_version == Some("v1") && has_string_data())
}

/// The kind of an object, by its type and its fields.
pub(super) fn classify(
    tree: &Tree<'_>,
    node: NodeId,
    api_version: Option<&str>,
    kind: Option<&str>,
) -> Result<Kind, FindError> {
    let group = api_version.and_then(|v| v.split_once('/')).map(|(group, _)| group);
    match kind {
        Some(kind) if api_version.and_then(|version| Group::find(version, kind)).is_some() => {
            Ok(Kind::SealedSecret)
        }
        Some("SecretList") if api_version == Some("v1") => Err(FindError::SecretList),
        Some(kind) if is_like_secret(tree, node, api_version, kind) => match api_version {
            Some("v1") if kind == "Secret" => Ok(Kind::Secret),
            // Other groups may have a kind of this name: it isn't ours. The group of v1 has no name, though
            // some write core.
            Some(_) if group.is_some_and(|group| !matches!(group, "" | "core")) => Ok(Kind::Other),
            None => Err(FindError::HalfSecret { field: "apiVersion", right: "v1" }),
            Some("v1") => {
                Err(FindError::AlmostSecret { field: "kind", found: kind.to_owned(), right: "Secret" })
            }
            Some(version) => {
                Err(FindError::AlmostSecret { field: "apiVersion", found: version.to_owned(), right: "v1" })
            }
        },
        None if api_version == Some("v1")
            && ["data", "stringData"].iter().any(|key| tree.get(node, key).is_some()) =>
        {
            Err(FindError::HalfSecret { field: "kind", right: "Secret" })
        }
        _ => Ok(Kind::Other),
    }
}

pub(super) fn field<'t>(tree: &'t Tree<'_>, node: NodeId, key: &str) -> Option<&'t str> {
    tree.scalar(tree.get(node, key)?)
}

/// The parts of a document that may be shown: keys of the upper levels, and the scalars that are public in any Secret.
/// A value that isn't on this list isn't shown, so a misspelt `stringdata` doesn't show the values under it.
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
            (Some("items"), NodeKind::Sequence { items, .. }) if depth < MAX_DEPTH => {
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

/// A key is shown only if it looks like one: a slip of the hand can make a key of a value.
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
            "apiVersion: v1\ndata: {}",
            "apiVersion: v1\nkind: ~\ndata: {}",
            "apiVersion: v1\nkind: 'Secret '",
            "apiVersion: core/v1\nkind: Secret",
            "apiVersion: v1\nkind: !!binary U2VjcmV0",
            "apiVersion: v1\n!!binary a2luZA==: Secret",
            "apiVersion: v1\nkind: [Secret]",
            "apiVersion: v1\nkind: Secrets",
            "apiVersion: v1\nkind: Sercet\ndata: {a: eA==}",
            "apiVersion: v1\nkind: Passwords\nstringData: {a: b}",
        ] {
            assert!(kinds(text).is_err(), "{text}");
        }
        assert_eq!(kinds("apiVersion: vault.dev/v1\nkind: Secret").unwrap(), [Kind::Other]);
    }

    #[test]
    fn an_object_without_a_type_is_refused() {
        assert!(matches!(kinds("kind: ConfigMap"), Err(FindError::Untyped("apiVersion"))));
        assert!(matches!(kinds("apiVersion: ''\nkind:"), Err(FindError::Untyped("kind"))));
        assert!(matches!(kinds("stringData: {a: b}"), Err(FindError::NotObject)));
        assert!(matches!(
            kinds("apiVersion: v1\nkind: List\nitems: [{kind: Pod}]"),
            Err(FindError::Untyped("apiVersion"))
        ));
    }

    #[test]
    fn a_merge_key_is_refused_whatever_the_kind() {
        for text in [
            "<<: {apiVersion: v1, kind: Secret}\nstringData: {a: b}",
            "apiVersion: v1\nkind: ConfigMap\n<<: {kind: Secret}",
        ] {
            assert!(matches!(kinds(text), Err(FindError::Field(FieldError::MergeKey))), "{text}");
        }
    }

    #[test]
    fn a_secret_is_an_item_of_a_list_or_of_nothing() {
        let secret = "{apiVersion: v1, kind: Secret}";
        for (text, expected) in [
            (format!("kind: List\nitems: [{secret}]"), FindError::Untyped("apiVersion")),
            (format!("apiVersion: v2\nkind: List\nitems: [{secret}]"), FindError::SecretOutsideList),
            (
                format!("apiVersion: a/v1\nkind: B\nitems: [{{items: [{secret}]}}]"),
                FindError::SecretOutsideList,
            ),
            (format!("apiVersion: v1\nkind: List\nitems: {secret}"), FindError::ItemsNotSequence),
        ] {
            assert_eq!(kinds(&text).unwrap_err().to_string(), expected.to_string(), "{text}");
        }
        for items in ["[{stringData: {}, apiVersion: v1}]", "[{kind: secret, apiVersion: v1}]"] {
            assert!(kinds(&format!("apiVersion: a/v1\nkind: B\nitems: {items}")).is_err(), "{items}");
        }
        let fine = "apiVersion: v1\nkind: PodList\nitems: [{metadata: {}}, text, {apiVersion: v1, kind: Pod}]\n\
                    ---\napiVersion: v1\nkind: List\nitems:\n---\napiVersion: v1\nkind: List\n";
        assert_eq!(kinds(fine).unwrap(), [Kind::Other, Kind::Other]);
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
