//! Secrets in plaintext: as a document, an item of a List, a part of another object, a manifest in the text of one, or in a
//! file that can't be read as a manifest.
//!
//! A reader of manifests refuses what isn't quite a Secret (`kind: secret`); here that is read leniently, because a value
//! is public however its Secret is misspelt. Not meant are values that SOPS encrypted, patches that delete, and empty
//! values; a value that is nothing but a placeholder is a note.
//!
//! Invariants: each finding is of one item, so a baseline never covers an item that comes later; no message has a value.

mod text;

use std::borrow::Cow;

use seal_crds::resources::SEALED_SECRET;
use seal_documents::data::decode;
use seal_documents::manifest::{Look, shown};
use seal_documents::yaml::tree::{self, NodeId, NodeKind, Style, Tree};
use seal_foreign::word;

use crate::check::finding::Finding;
use crate::check::lint::{Lint, Severity};
use crate::talk::pasted;

/// The annotation in which kubectl keeps the object that it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Manifests in the texts of manifests that are followed.
const MAX_DEPTH: usize = 4;

/// A value in plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    at: usize,
    /// `namespace/name` of the Secret, as far as it says them.
    secret: String,
    item: String,
    kind: ValueKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueKind {
    Plain,
    /// A placeholder with something around it: a password may be the smaller part of it.
    Mixed,
    Placeholder,
}

/// The values in the documents of a text that was read.
pub(super) fn in_documents(path: &str, documents: &[Tree<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for tree in documents {
        let Some(root) = tree.root else { continue };
        for object in objects(tree, root) {
            found.extend(in_object(path, tree, object));
        }
    }
    found
}

/// The values in a text that can't be read, such as a Helm template: by its lines.
pub(super) fn in_text(path: &str, text: &str) -> Vec<Finding> {
    text::values(text).iter().map(|value| finding(path, Lint::Plaintext, value, None)).collect()
}

/// The objects of a document: those of a List one by one.
fn objects(tree: &Tree<'_>, root: NodeId) -> Vec<NodeId> {
    let is_list = field(tree, root, "kind").is_some_and(|kind| kind.ends_with("List"));
    let items = tree.get(root, "items").filter(|_| is_list).map(|items| tree.kind(items));
    match items {
        Some(NodeKind::Sequence { items, .. }) => items.clone(),
        _ => vec![root],
    }
}

fn in_object(path: &str, tree: &Tree<'_>, object: NodeId) -> Vec<Finding> {
    let mut values = Vec::new();
    let mut found = Vec::new();
    if is_secret(tree, object) {
        values_of(tree, object, None, &mut values);
        found.extend(values.iter().map(|value| finding(path, Lint::Plaintext, value, None)));
        // An annotation repeats the values.
        if !found.is_empty() {
            return found;
        }
    }
    let kind = field(tree, object, "kind").unwrap_or("object");
    let outer = Outer { kind: shown(kind), place: place(tree, object) };
    let annotations = annotations(tree, object);
    for node in tree.beneath(object) {
        values.clear();
        if node != object && is_secret(tree, node) {
            values_of(tree, node, None, &mut values);
        } else if let NodeKind::Scalar { text, .. } = &tree.node(node).kind {
            values_in_scalar(text.as_str(), tree.range(node).start, 0, &mut values);
        }
        let is_annotation = kind == SEALED_SECRET && annotations.contains(&node);
        let lint = if is_annotation { Lint::PlaintextAnnotation } else { Lint::Plaintext };
        found.extend(values.iter().map(|value| finding(path, lint, value, Some(&outer))));
    }
    found
}

/// The object that a Secret is a part of.
struct Outer {
    kind: String,
    place: String,
}

fn finding(path: &str, lint: Lint, value: &Value, outer: Option<&Outer>) -> Finding {
    let (item, secret) = (shown(&value.item), word(&value.secret));
    let inside = match outer {
        Some(outer) if lint == Lint::PlaintextAnnotation => {
            format!(", in annotation {LAST_APPLIED} of {} {}", outer.kind, word(&outer.place))
        }
        Some(outer) => format!(", inside of {} {}", outer.kind, word(&outer.place)),
        None => String::new(),
    };
    let (what, severity) = match value.kind {
        ValueKind::Plain => ("is in plaintext", Severity::Error),
        ValueKind::Mixed => ("is in plaintext around a placeholder", Severity::Warning),
        ValueKind::Placeholder => ("is a placeholder that is filled in later", Severity::Note),
    };
    let message = format!("item {item} of Secret {secret} {what}{inside}");
    let place = outer.map_or(&value.secret, |outer| &outer.place);
    let finding = Finding::new(lint, path, message).at(value.at).of(place).item(item).only(severity);
    match (lint, outer) {
        (Lint::PlaintextAnnotation, _) => {
            finding.hint("remove the annotation, and change the value at its source")
        }
        (_, None) => finding.hint(format!("seal it where it stands: seal -w {}", pasted::path(path))),
        (_, Some(_)) => finding.hint("make a Secret of it that is a document of its own, and seal that"),
    }
}

/// Whether a mapping is a Secret, or a slip away from one. A Secret of another group is another thing.
fn is_secret(tree: &Tree<'_>, node: NodeId) -> bool {
    if !matches!(tree.node(node).kind, NodeKind::Mapping { .. }) {
        return false;
    }
    let entries = Entries::of(tree, node);
    let is_named = entries
        .under("kind")
        .any(|kind| type_text(tree, kind).is_some_and(|kind| kind.trim().eq_ignore_ascii_case("secret")));
    let mut versions = entries.under("apiVersion").filter_map(|version| tree.scalar(version));
    let group = versions.next().and_then(|version| version.split_once('/'));
    is_named && group.is_none_or(|(group, _)| matches!(group, "" | "core"))
}

/// The text of a type, also of one in base64: `kind: !!binary U2VjcmV0` is a Secret to kubectl.
fn type_text<'t>(tree: &'t Tree<'_>, node: NodeId) -> Option<Cow<'t, str>> {
    let NodeKind::Scalar { text, style } = tree.kind(node) else { return None };
    let decoded = (*style == Style::Tagged).then(|| decode(text.as_str()).ok()).flatten();
    let decoded = decoded.and_then(|bytes| std::str::from_utf8(bytes.expose()).ok().map(str::to_owned));
    Some(decoded.map_or(Cow::Borrowed(text.as_str()), Cow::Owned))
}

/// The entries of a mapping with those that merge keys bring along: a reader of YAML sees them all.
struct Entries<'t, 'a> {
    tree: &'t Tree<'a>,
    all: Vec<(NodeId, NodeId)>,
}

impl<'t, 'a> Entries<'t, 'a> {
    /// Merge keys that bring in merge keys that are followed.
    const MAX_DEPTH: usize = 4;

    fn of(tree: &'t Tree<'a>, mapping: NodeId) -> Self {
        let mut entries = Self { tree, all: Vec::new() };
        entries.add(mapping, 0);
        entries
    }

    fn add(&mut self, mapping: NodeId, depth: usize) {
        for &(key, value) in self.tree.mapping(mapping).unwrap_or_default() {
            if self.tree.scalar(key) != Some("<<") || depth >= Self::MAX_DEPTH {
                self.all.push((key, value));
                continue;
            }
            match self.tree.kind(value) {
                NodeKind::Sequence { items, .. } => items.iter().for_each(|item| self.add(*item, depth + 1)),
                _ => self.add(value, depth + 1),
            }
        }
    }

    fn under(&self, name: &'t str) -> impl Iterator<Item = NodeId> {
        let named = self.all.iter().filter(move |(key, _)| self.tree.scalar(*key) == Some(name));
        named.map(|(_, value)| *value)
    }
}

/// The values of a Secret. Those of a text in another text stand where that text does.
fn values_of(tree: &Tree<'_>, secret: NodeId, at: Option<usize>, values: &mut Vec<Value>) {
    if field(tree, secret, "$patch") == Some("delete") {
        return;
    }
    let entries = Entries::of(tree, secret);
    for (list, is_encoded) in [("data", true), ("stringData", false)] {
        for list in entries.under(list) {
            for (key, value) in Entries::of(tree, list).all {
                let NodeKind::Scalar { text, .. } = tree.kind(value) else { continue };
                if tree.is_null(value) {
                    continue;
                }
                let Some(kind) = kind_of(text.as_str(), is_encoded) else { continue };
                let item = tree.scalar(key).unwrap_or("?").to_owned();
                let at = at.unwrap_or_else(|| tree.range(key).start);
                values.push(Value { at, secret: place(tree, secret), item, kind });
            }
        }
    }
}

/// The kind of a value; `None` for one that says nothing.
fn kind_of(text: &str, is_encoded: bool) -> Option<ValueKind> {
    // A placeholder under `data` is no base64.
    let decoded = is_encoded.then(|| decode(text).ok()).flatten();
    let bytes = decoded.as_ref().map_or(text.as_bytes(), |decoded| decoded.expose());
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    match Look::of(bytes) {
        None => Some(ValueKind::Plain),
        Some(Look::Sops) => None,
        Some(Look::Unrendered) => Some(if is_only_placeholder(bytes.trim_ascii()) {
            ValueKind::Placeholder
        } else {
            ValueKind::Mixed
        }),
    }
}

/// Whether a text is one placeholder, from its first byte to its last.
fn is_only_placeholder(text: &[u8]) -> bool {
    let between = |open: &[u8], close: &[u8]| {
        let inner = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| !inner.windows(close.len()).any(|window| window == close))
    };
    // A default is a value: `${PASSWORD:-hunter2}`.
    let has_default = text.windows(2).any(|window| matches!(window, b":-" | b":="));
    (between(b"${", b"}") && !has_default) || between(b"{{", b"}}")
}

/// A manifest in the text of a scalar.
fn values_in_scalar(text: &str, at: usize, depth: usize, values: &mut Vec<Value>) {
    let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
    // A look at bytes first: almost every scalar is done with it.
    if depth >= MAX_DEPTH || !has(["ecret", "ECRET"]) || !has(["data", "stringData"]) {
        return;
    }
    let Ok(trees) = tree::parse(text, 0) else {
        values.extend(text::values(text).into_iter().map(|value| Value { at, ..value }));
        return;
    };
    for tree in &trees {
        let Some(root) = tree.root else { continue };
        for node in std::iter::once(root).chain(tree.beneath(root).filter(|node| *node != root)) {
            if is_secret(tree, node) {
                values_of(tree, node, Some(at), values);
            } else if let NodeKind::Scalar { text: inner, .. } = &tree.node(node).kind {
                // A text that is one scalar would be read again and again.
                if inner.as_str().len() < text.len() {
                    values_in_scalar(inner.as_str(), at, depth + 1, values);
                }
            }
        }
    }
}

/// The scalars of the annotation in which kubectl keeps what it applied.
fn annotations(tree: &Tree<'_>, object: NodeId) -> Vec<NodeId> {
    let paths: [&[&str]; 2] = [&["metadata"], &["spec", "template", "metadata"]];
    let found = paths.iter().filter_map(|path| {
        let metadata = path.iter().try_fold(object, |node, key| tree.get(node, key))?;
        tree.get(tree.get(metadata, "annotations")?, LAST_APPLIED)
    });
    found.collect()
}

fn place(tree: &Tree<'_>, object: NodeId) -> String {
    let metadata = tree.get(object, "metadata");
    let text = |key: &str| metadata.and_then(|metadata| field(tree, metadata, key)).unwrap_or_default();
    match (text("namespace"), text("name")) {
        ("", "") => "(no name)".to_owned(),
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

fn field<'t>(tree: &'t Tree<'_>, node: NodeId, key: &str) -> Option<&'t str> {
    tree.get(node, key).and_then(|value| tree.scalar(value))
}

#[cfg(test)]
mod tests;
