//! The type that an object claims, for a program that must not overlook a SealedSecret: a Secret whose SealedSecret is
//! absent gets pruned.
//!
//! The type is looked for without decoding the object, so an unrelated object may be written in any way. Invariant: a
//! value that some reader takes for the type of an object is among its claims, also where a key occurs twice or a
//! merge key brings it along; and there is a doubt where readers can differ.

use super::fields::FieldError;
use crate::source::Located;
use crate::yaml::resolve::{Plain, plain};
use crate::yaml::tree::{NodeId, NodeKind, Style, Tree};

/// The type of an object, as far as it can be told.
pub struct Claims<'t> {
    /// More than one only if there is a doubt.
    pub kinds: Vec<&'t str>,
    /// More than one only if there is a doubt.
    pub api_versions: Vec<&'t str>,
    /// The elements of `items`.
    pub items: &'t [NodeId],
    /// Why readers can take the object for different ones.
    pub doubt: Option<Located<FieldError>>,
    /// A tag hides a key or the type, so the object may be of any type.
    pub is_veiled: bool,
}

impl<'t> Claims<'t> {
    /// The claims of a mapping; `None` for any other node, which is no object.
    pub(crate) fn of(tree: &'t Tree<'_>, id: NodeId) -> Option<Self> {
        tree.mapping(id)?;
        let [kinds, api_versions, items] =
            ["kind", "apiVersion", "items"].map(|key| Values::of(tree, id, key));
        let typed = || kinds.found.iter().chain(&api_versions.found).copied();
        let tagged =
            typed().find(|id| matches!(tree.kind(*id), NodeKind::Scalar { style: Style::Tagged, .. }));
        let is_veiled = kinds.has_tagged_key || tagged.is_some();
        let tagged = tagged.map(|id| Located {
            error: FieldError::Tagged("the type of this object".to_owned()),
            at: tree.range(id).start,
        });
        let texts = |found: &[NodeId]| found.iter().filter_map(|id| string(tree, *id)).collect();
        let sequence = items.found.first().map(|items| tree.kind(*items));
        let items_of = match sequence {
            Some(NodeKind::Sequence { items, .. }) => items.as_slice(),
            _ => &[],
        };
        Some(Self {
            kinds: texts(&kinds.found),
            api_versions: texts(&api_versions.found),
            items: items_of,
            doubt: kinds.doubt.or(api_versions.doubt).or(items.doubt).or(tagged),
            is_veiled,
        })
    }
}

/// The string under a path of keys; `None` if there is none.
///
/// # Errors
///
/// Readers can differ on it.
pub(crate) fn text_at<'t>(
    tree: &'t Tree<'_>,
    id: NodeId,
    path: &[&str],
) -> Result<Option<&'t str>, Located<FieldError>> {
    let Some((key, rest)) = path.split_first() else { return Ok(string(tree, id)) };
    let Values { found, doubt, .. } = Values::of(tree, id, key);
    match (doubt, found.first()) {
        (Some(doubt), _) => Err(doubt),
        (None, None) => Ok(None),
        (None, Some(value)) => text_at(tree, *value, rest),
    }
}

/// The text of a scalar that is a string to kubectl.
fn string<'t>(tree: &'t Tree<'_>, id: NodeId) -> Option<&'t str> {
    match tree.kind(id) {
        NodeKind::Scalar { text, style: Style::Text } => Some(text.as_str()),
        NodeKind::Scalar { text, style: Style::Plain } if plain(text.as_str()) == Plain::Text => {
            Some(text.as_str())
        }
        _ => None,
    }
}

/// Everything that stands under one key of a mapping.
#[derive(Default)]
struct Values {
    found: Vec<NodeId>,
    doubt: Option<Located<FieldError>>,
    has_tagged_key: bool,
}

impl Values {
    fn of(tree: &Tree<'_>, id: NodeId, key: &str) -> Self {
        let mut values = Self::default();
        values.add(tree, id, key);
        values
    }

    /// Calls itself for mappings that are merged in: a text that is in bounds isn't deep, with aliases counted.
    fn add(&mut self, tree: &Tree<'_>, id: NodeId, key: &str) {
        for &(key_id, value) in tree.mapping(id).unwrap_or_default() {
            let NodeKind::Scalar { text, style } = tree.kind(key_id) else { continue };
            let at = tree.range(key_id).start;
            if *style == Style::Tagged {
                self.has_tagged_key = true;
                self.doubt.get_or_insert(Located { error: FieldError::KeyNotText, at });
            } else if text.as_str() == key {
                if !self.found.is_empty() {
                    self.doubt.get_or_insert(Located { error: FieldError::DuplicateKey(key.to_owned()), at });
                }
                self.found.push(value);
            } else if text.as_str() == "<<" {
                let (before, is_doubted) = (self.found.len(), self.doubt.is_some());
                match tree.kind(value) {
                    NodeKind::Sequence { items, .. } => {
                        items.iter().for_each(|item| self.add(tree, *item, key))
                    }
                    _ => self.add(tree, value, key),
                }
                if self.found.len() > before && !is_doubted {
                    self.doubt = Some(Located { error: FieldError::MergeKey, at });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::tree::parse;

    /// The kinds, and whether there is a doubt.
    fn kinds(text: &str) -> (Vec<String>, bool) {
        let trees = parse(text, 0).unwrap();
        let claims = Claims::of(&trees[0], trees[0].root.unwrap()).unwrap();
        (claims.kinds.iter().map(|kind| (*kind).to_owned()).collect(), claims.doubt.is_some())
    }

    #[test]
    fn every_kind_that_some_reader_sees_is_a_claim() {
        for (text, expected, is_doubted) in [
            ("kind: A\nkind: B", &["A", "B"][..], true),
            ("kind: A\n<<: {kind: B}", &["A", "B"], true),
            ("<<: [{a: b}, {<<: {kind: B}}]", &["B"], true),
            ("kind: A\n<<: {spec: {kind: B}}", &["A"], false),
            ("a: &a {kind: B}\nkind: A\nb: {<<: *a}", &["A"], false),
            ("kind: A\non: B\non: C\nx: .inf", &["A"], false),
            ("kind: !!binary QQ==", &[], true),
            ("!!binary a2luZA==: A", &[], true),
            ("kind: !!str 1", &["1"], false),
            ("kind: 1", &[], false),
        ] {
            let expected = expected.iter().map(|kind| (*kind).to_owned()).collect();
            assert_eq!(kinds(text), (expected, is_doubted), "{text}");
        }
    }

    #[test]
    fn a_name_is_told_unless_readers_can_differ_on_it() {
        let name = |text: &str| {
            let trees = parse(text, 0).unwrap();
            text_at(&trees[0], trees[0].root.unwrap(), &["metadata", "name"])
                .map(|name| name.map(str::to_owned))
                .map_err(|doubt| doubt.error)
        };
        assert_eq!(name("metadata: {name: db, on: x, on: y}"), Ok(Some("db".to_owned())));
        for text in ["metadata: {name: 1}", "metadata: {}", "metadata: x", "{}"] {
            assert_eq!(name(text), Ok(None), "{text}");
        }
        assert_eq!(name("metadata: {name: a, name: b}"), Err(FieldError::DuplicateKey("name".to_owned())));
        assert_eq!(
            name("metadata: {name: a}\nmetadata: {}"),
            Err(FieldError::DuplicateKey("metadata".to_owned()))
        );
        assert_eq!(name("metadata: {<<: {name: a}}"), Err(FieldError::MergeKey));
    }
}
