//! Secrets in plaintext: as a document, an item of a List, a part of another object, a manifest in the text of one, or in a
//! file that can't be read as a manifest.
//!
//! A reader of manifests refuses what isn't quite a Secret (`kind: secret`); here that is read leniently, because a value
//! is public however its Secret is misspelt. Not meant are values that SOPS encrypted, and empty values; a value that is
//! nothing but a placeholder is a note.
//!
//! Invariants: each finding is of one item, so a baseline never covers an item that comes later; no message has a value.

mod operation;
mod public;
mod text;

use std::collections::HashSet;
use std::ops::Range;

use seal_crds::resources::SEALED_SECRET;
use seal_documents::data::decode;
use seal_documents::manifest::{Look, shown};
use seal_documents::yaml::tree::{self, NodeId, NodeKind, Style, Tree};
use seal_foreign::word;

use crate::check::finding::Finding;
use crate::check::lint::{Lint, Severity};
use crate::check::namespace::{self, Given};
use crate::check::scanned::Scanned;
use crate::talk::pasted;
use operation::{STRING_DATA, patch_values, patched};

pub(super) use operation::in_patch;

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
    /// SOPS leaves it in plaintext, because its name says so.
    Unencrypted,
}

/// The values in the documents of a text that was read.
pub(super) fn in_documents(path: &str, documents: &[Tree<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for tree in documents {
        let Some(root) = tree.root else { continue };
        let secrets = Secrets::of(tree);
        for object in objects(tree, root) {
            found.extend(in_object(path, &secrets, object));
        }
    }
    found
}

/// The values in a text that can't be read: by its lines.
pub(super) fn in_text(path: &str, text: &str) -> Vec<Finding> {
    text::values(text).iter().map(|value| finding(path, Lint::Plaintext, value, None)).collect()
}

/// The values in a template that isn't rendered, such as one of Helm: by its lines.
///
/// A value that is typed there is as public as in any manifest, and an error. A text that takes something in (a
/// configuration around `{{ .Values.password }}`) is a warning: most such texts have nothing else to hide.
pub(super) fn in_template(path: &str, text: &str) -> Vec<Finding> {
    let hint = "take the value from a Secret that the chart is given by name, and seal that; what is no secret is listed under \
                ignore in .seal.yaml";
    let found = text::values(text).into_iter().map(|value| {
        let finding = finding(path, Lint::Plaintext, &value, None).hint(hint);
        if value.kind == ValueKind::Mixed { finding.only(Severity::Warning) } else { finding }
    });
    found.collect()
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

fn in_object(path: &str, secrets: &Secrets<'_, '_>, object: NodeId) -> Vec<Finding> {
    let tree = secrets.tree;
    let mut values = Vec::new();
    let mut found = Vec::new();
    if secrets.has(object) {
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
    let shapes = shapes(tree, object);
    for node in tree.beneath(object) {
        values.clear();
        if is_within(&shapes, tree.range(node).start) {
            continue;
        }
        if node != object && secrets.has(node) {
            values_of(tree, node, None, &mut values);
        } else if let Some(patched) = patched(tree, node, STRING_DATA) {
            patch_values(tree, &patched, None, &mut values);
        } else if let NodeKind::Scalar { text, .. } = &tree.node(node).kind {
            values_in_scalar(text.as_str(), tree.range(node).start, 0, &mut values);
        }
        let is_annotation = kind == SEALED_SECRET && annotations.contains(&node);
        let lint = if is_annotation { Lint::PlaintextAnnotation } else { Lint::Plaintext };
        found.extend(values.iter().map(|value| finding(path, lint, value, Some(&outer))));
    }
    found
}

/// The parts of an object that say what other objects look like: the schema of a CustomResourceDefinition with its examples,
/// a pattern of Kyverno's.
fn shapes(tree: &Tree<'_>, object: NodeId) -> Vec<Range<usize>> {
    let names: &[&str] = match (field(tree, object, "apiVersion"), field(tree, object, "kind")) {
        (Some(version), Some("CustomResourceDefinition")) if version.starts_with("apiextensions.k8s.io/") => {
            &["openAPIV3Schema"]
        }
        (Some(version), Some("ClusterPolicy" | "Policy")) if version.starts_with("kyverno.io/") => {
            &["pattern", "anyPattern"]
        }
        _ => return Vec::new(),
    };
    let mut found: Vec<Range<usize>> = Vec::new();
    for node in tree.beneath(object) {
        let NodeKind::Mapping { entries, .. } = &tree.node(node).kind else { continue };
        for &(key, value) in entries {
            let range = tree.range(value);
            // Only the outermost ones: they come first.
            let is_inside = found.last().is_some_and(|outer| outer.contains(&range.start));
            if !is_inside && tree.scalar(key).is_some_and(|key| names.contains(&key)) {
                found.push(range);
            }
        }
    }
    found
}

/// Whether a byte is in one of some ranges that are in their order.
fn is_within(ranges: &[Range<usize>], at: usize) -> bool {
    let before = ranges.partition_point(|range| range.start <= at);
    before.checked_sub(1).is_some_and(|index| ranges[index].contains(&at))
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
        ValueKind::Mixed => ("is in plaintext around a placeholder", Severity::Error),
        ValueKind::Placeholder => ("is a placeholder that is filled in later", Severity::Note),
        ValueKind::Unencrypted => ("is left in plaintext by SOPS, as its name says", Severity::Note),
    };
    let message = format!("item {item} of Secret {secret} {what}{inside}");
    let place = outer.map_or(&value.secret, |outer| &outer.place);
    let finding = Finding::new(lint, path, message).at(value.at).of(place).item(item).only(severity);
    match (lint, outer) {
        (Lint::PlaintextAnnotation, _) => {
            finding.hint("remove the annotation, and change the value at its source")
        }
        (_, None) => {
            let lacks_namespace = !value.secret.contains('/');
            let namespace = if lacks_namespace { "-n NAMESPACE " } else { "" };
            let hint = format!("seal it where it stands: seal -w {namespace}{}", pasted::path(path));
            Finding { lacks_namespace, ..finding }.hint(hint)
        }
        (_, Some(_)) => finding.hint("make a Secret of it that is a document of its own, and seal that"),
    }
}

/// Puts the namespace into the command that seals a Secret that names none: as the rule for its file says, or what deploys
/// the file.
pub(super) fn complete(finding: &mut Finding, file: Option<&Scanned<'_>>, given: Option<&Given>) {
    let path = pasted::path(&finding.path);
    let ruling = file.and_then(|file| file.governing.ruling(file.path));
    let is_ruled = ruling
        .is_some_and(|ruling| ruling.namespace.is_some() || !ruling.rule().default_scope().binds_namespace());
    let hint = match given {
        _ if is_ruled => format!("seal it where it stands: seal -w {path}"),
        Some(given) => match namespace::only(given) {
            Some(only) => {
                format!("{}; seal it where it stands: seal -w -n {only} {path}", namespace::said(given))
            }
            None => format!(
                "{}; seal one for each beside it, and list that: seal -n NAMESPACE -o NEW {path}",
                namespace::said(given)
            ),
        },
        None => return,
    };
    finding.hint = Some(hint);
}

/// The Secrets of a tree.
struct Secrets<'t, 'a> {
    tree: &'t Tree<'a>,
    /// Items of a SecretList without a kind. kubectl gives them the one of their list.
    listed: HashSet<NodeId>,
}

impl<'t, 'a> Secrets<'t, 'a> {
    fn of(tree: &'t Tree<'a>) -> Self {
        let mut listed = HashSet::new();
        for node in tree.root.iter().flat_map(|root| std::iter::once(*root).chain(tree.beneath(*root))) {
            if !is_of_kind(tree, node, "SecretList") {
                continue;
            }
            for items in Entries::of(tree, node).under("items") {
                let NodeKind::Sequence { items, .. } = tree.kind(items) else { continue };
                let untyped = items.iter().map(|item| tree.resolve(*item));
                listed.extend(untyped.filter(|item| Entries::of(tree, *item).under("kind").next().is_none()));
            }
        }
        Self { tree, listed }
    }

    /// Whether a mapping is a Secret, or a slip away from one.
    fn has(&self, node: NodeId) -> bool {
        self.listed.contains(&node) || is_of_kind(self.tree, node, "Secret")
    }
}

/// Whether a mapping is of a kind of the group of v1, in any case of letters. A kind of another group is another thing; of
/// several versions, a reader may take any.
fn is_of_kind(tree: &Tree<'_>, node: NodeId, kind: &str) -> bool {
    if !matches!(tree.node(node).kind, NodeKind::Mapping { .. }) {
        return false;
    }
    let entries = Entries::of(tree, node);
    let is_named =
        entries.under("kind").any(|found| says(tree, found, &|text| text.trim().eq_ignore_ascii_case(kind)));
    let is_ours = |text: &str| text.split_once('/').is_none_or(|(group, _)| matches!(group, "" | "core"));
    let mut versions =
        entries.under("apiVersion").filter(|version| tree.scalar(*version).is_some()).peekable();
    is_named && (versions.peek().is_none() || versions.any(|version| says(tree, version, &is_ours)))
}

/// Whether a scalar has a text, as it is written or, behind a tag, in base64: `kind: !!binary U2VjcmV0` is a Secret to
/// kubectl, and so is `!!binary a2luZA==: Secret`.
fn says(tree: &Tree<'_>, node: NodeId, has: &dyn Fn(&str) -> bool) -> bool {
    let NodeKind::Scalar { text, style } = tree.kind(node) else { return false };
    let decoded = || {
        let bytes = decode(text.as_str()).ok()?;
        std::str::from_utf8(bytes.expose()).ok().map(has)
    };
    let is_tagged = *style == Style::Tagged;
    (is_tagged && decoded() == Some(true)) || has(text.as_str())
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
        let named = self.all.iter().filter(move |(key, _)| says(self.tree, *key, &|text| text == name));
        named.map(|(_, value)| *value)
    }
}

/// The values of a Secret. Those of a text in another text stand where that text does.
fn values_of(tree: &Tree<'_>, secret: NodeId, at: Option<usize>, values: &mut Vec<Value>) {
    // A large Secret has a name that is far to look for: once.
    let place = place(tree, secret);
    let entries = Entries::of(tree, secret);
    let has_sops = entries.under("sops").any(|sops| tree.mapping(sops).is_some());
    for (list, is_encoded) in [("data", true), ("stringData", false)] {
        for list in entries.under(list) {
            for (key, value) in Entries::of(tree, list).all {
                let NodeKind::Scalar { text, .. } = tree.kind(value) else { continue };
                if tree.is_null(value) {
                    continue;
                }
                let Some(kind) = kind_of(text.as_str(), is_encoded) else { continue };
                let item = tree.scalar(key).unwrap_or("?").to_owned();
                let is_unencrypted = has_sops && item.ends_with("_unencrypted");
                let kind = if is_unencrypted { ValueKind::Unencrypted } else { kind };
                let at = at.unwrap_or_else(|| tree.range(key).start);
                values.push(Value { at, secret: place.clone(), item, kind });
            }
        }
    }
}

/// Whether a text that isn't encoded is a value, or has one in it.
pub(super) fn is_value(text: &str) -> bool {
    matches!(kind_of(text, false), Some(ValueKind::Plain | ValueKind::Mixed))
}

/// The kind of a value; `None` for one that says nothing.
fn kind_of(text: &str, is_encoded: bool) -> Option<ValueKind> {
    // A placeholder under `data` is no base64.
    let decoded = is_encoded.then(|| decode(text).ok()).flatten();
    let bytes = decoded.as_ref().map_or(text.as_bytes(), |decoded| decoded.expose());
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() || public::is_public(bytes) {
        return None;
    }
    if public::is_reference(bytes) {
        return Some(ValueKind::Placeholder);
    }
    match Look::of(bytes) {
        None => Some(ValueKind::Plain),
        Some(Look::Sops) => None,
        Some(Look::Unrendered) => {
            Some(if is_only_placeholder(bytes) { ValueKind::Placeholder } else { ValueKind::Mixed })
        }
    }
}

/// Whether a text is one placeholder, from its first byte to its last.
fn is_only_placeholder(text: &[u8]) -> bool {
    let between =
        |open: &[u8], close: &[u8]| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    // A default is a value: `${PASSWORD:-hunter2}`, `${PASSWORD-hunter2}`.
    let is_name = |inner: &[u8]| inner.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    between(b"${", b"}").is_some_and(is_name)
        || between(b"{{", b"}}")
            .is_some_and(|inner| !inner.windows(2).any(|two| two == b"}}") && is_asked(inner))
}

/// Whether an action of a template asks for a value, and has none itself: `.Values.password`, and no
/// `.Values.password | default "hunter2"`. A quoted text is a name to few functions.
fn is_asked(action: &[u8]) -> bool {
    const BY_NAME: [&str; 8] = ["include", "index", "lookup", "required", "env", "secret", "key", "op"];
    let Ok(action) = std::str::from_utf8(action) else { return false };
    let function = action.trim_matches(['-', ' ']).split([' ', '(']).next().unwrap_or_default();
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`');
    !action.contains(is_quote) || (BY_NAME.contains(&function) && !action.contains("default"))
}

/// A manifest in the text of a scalar.
fn values_in_scalar(text: &str, at: usize, depth: usize, values: &mut Vec<Value>) {
    let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
    // A look at bytes first: almost every scalar is done with it.
    let may_have = (has(["ecret", "ECRET"]) && text.contains("data")) || text.contains("stringData");
    if depth >= MAX_DEPTH || !may_have {
        return;
    }
    let Ok(trees) = tree::parse(text, 0) else {
        values.extend(text::values(text).into_iter().map(|value| Value { at, ..value }));
        return;
    };
    for tree in &trees {
        let Some(root) = tree.root else { continue };
        let secrets = Secrets::of(tree);
        for node in std::iter::once(root).chain(tree.beneath(root).filter(|node| *node != root)) {
            if secrets.has(node) {
                values_of(tree, node, Some(at), values);
            } else if let Some(patched) = patched(tree, node, STRING_DATA) {
                patch_values(tree, &patched, Some(at), values);
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
