//! A file read as far as it goes, for a program that looks at files of all kinds and must not end at the first wrong one.
//!
//! [`Manifest::parse`] refuses a file for one wrong object, because what it passes over would be committed. A program that
//! only looks has to see the other objects too: so a wrong object is here with its fault, and where a document of YAML
//! can't be read, the documents around it are.
//!
//! Invariants: what [`Manifest::parse`] finds is found here, in the same order, and SealedSecrets in lists of any type
//! besides, since kubectl takes whatever has `items` for a list; every part of a text is in a tree, or in a
//! part that is unread. The time is linear in the length of the text.

use std::ops::Range;
use std::sync::OnceLock;

use seal_crds::resources::Group;

use super::claims::Claims;
use super::find::{self, FindError, Kind, Object, Slot};
use super::{Manifest, splice};
use crate::source::{Located, Source};
use crate::yaml::tree::{NodeId, NodeKind, ParseError, Tree, parse};
use crate::yaml::{Syntax, json};

/// Lists in Lists that are followed.
const MAX_DEPTH: usize = 8;

/// A source, read as far as it can be.
pub struct Lenient<'a> {
    /// Its objects are all mappings and other roots of documents, also those that are no Kubernetes objects, which are of
    /// [`Kind::Other`].
    pub manifest: Manifest<'a>,
    /// The objects that [`Manifest::parse`] refuses.
    pub faults: Vec<Fault>,
    /// The parts of the text that can't be read.
    pub unread: Vec<Unread>,
}

/// An object that a strict reader refuses.
pub struct Fault {
    /// Its index among the objects.
    pub object: usize,
    pub error: FindError,
    /// The byte that the error is about.
    pub at: usize,
    /// A tag hides a key or the type, so that it may be an object of any type.
    pub is_veiled: bool,
}

/// A part of the text that can't be read.
pub struct Unread {
    pub range: Range<usize>,
    pub error: ParseError,
    /// The byte that the error is about.
    pub at: usize,
    /// It has the marks of a template, of Helm for one, that wasn't rendered.
    pub is_template: bool,
}

impl<'a> Lenient<'a> {
    /// Reads a text, and finds what is in it.
    pub fn read(source: &'a Source) -> Self {
        let text = source.text();
        let (mut documents, mut unread) = (Vec::new(), Vec::new());
        let syntax = match json::parse_json(text) {
            Some(Ok(trees)) => {
                documents = trees;
                Syntax::Json
            }
            Some(Err(error)) => {
                unread.push(Unread::new(text, 0..text.len(), error));
                Syntax::Json
            }
            None => {
                read_yaml(text, &mut documents, &mut unread);
                Syntax::Yaml
            }
        };
        let (visible, comments) = (OnceLock::new(), OnceLock::new());
        let mut manifest = Manifest { source, syntax, documents, objects: Vec::new(), visible, comments };
        let mut faults = Vec::new();
        let mut objects = Vec::new();
        for (document, tree) in manifest.documents.iter().enumerate() {
            if let Some(root) = tree.root {
                walk(tree, document, root, Slot::Document, 0, &mut objects, &mut faults);
            }
        }
        manifest.objects = objects;
        Self { manifest, faults, unread }
    }

    /// The ranges of all comments in the parts that could be read, in their order.
    pub fn comments(&self) -> Vec<Range<usize>> {
        if self.manifest.syntax == Syntax::Json {
            return Vec::new();
        }
        let text = self.manifest.source.text();
        let mut comments = Vec::new();
        let mut from = 0;
        let end = text.len()..text.len();
        for unread in self.unread.iter().map(|part| &part.range).chain([&end]) {
            let found = splice::comments(&text[from..unread.start]);
            comments.extend(found.into_iter().map(|range| range.start + from..range.end + from));
            from = unread.end;
        }
        comments
    }
}

impl Unread {
    fn new(text: &str, range: Range<usize>, error: Located<ParseError>) -> Self {
        let is_template = matches!(error.error, ParseError::NotYaml(_) | ParseError::NotJson)
            && text[range.clone()].lines().any(has_action);
        Self { range, at: error.at, error: error.error, is_template }
    }
}

/// Whether a line has an action of a template. One in a comment is what anybody writes beside anything.
fn has_action(line: &str) -> bool {
    line.split_once("{{")
        .is_some_and(|(before, _)| !before.trim_start().starts_with('#') && !before.contains(" #"))
}

/// Reads all documents at once; if one of them can't be read, each by itself.
fn read_yaml<'a>(text: &'a str, documents: &mut Vec<Tree<'a>>, unread: &mut Vec<Unread>) {
    match parse(text, 0) {
        Ok(trees) => *documents = trees,
        Err(_) => {
            for part in parts(text) {
                match parse(&text[part.clone()], part.start) {
                    Ok(trees) => documents.extend(trees),
                    Err(error) => unread.push(Unread::new(text, part, error)),
                }
            }
        }
    }
}

/// The parts of a text between lines that begin a document. No scalar of YAML can have such a line inside of it.
fn parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices("\n---") {
        let after = text[at + 4..].chars().next();
        if after.is_none_or(char::is_whitespace) {
            parts.push(start..at + 1);
            start = at + 1;
        }
    }
    parts.push(start..text.len());
    parts
}

/// Finds objects as [`find`] does; where that refuses one, it stays, with its fault.
fn walk(
    tree: &Tree<'_>,
    document: usize,
    node: NodeId,
    slot: Slot,
    depth: usize,
    objects: &mut Vec<Object>,
    faults: &mut Vec<Fault>,
) {
    let mut found = Vec::new();
    let Err(Located { error, at }) = find::walk(tree, document, node, slot, depth, &mut found) else {
        for object in found {
            let inside = sealed_inside(tree, &object, depth);
            objects.push(object);
            objects.extend(inside);
        }
        return;
    };
    let claims = Claims::of(tree, node);
    let is_list =
        claims.as_ref().is_some_and(|claims| claims.kinds.iter().any(|kind| kind.ends_with("List")));
    let items = tree.get(node, "items").map(|items| tree.kind(items));
    if let (true, Some(NodeKind::Sequence { items, .. })) = (is_list && depth < MAX_DEPTH, items) {
        let is_of_secrets = claims.is_some_and(|claims| claims.kinds.contains(&"SecretList"));
        for item in items {
            let before = objects.len();
            walk(tree, document, *item, Slot::Item, depth + 1, objects, faults);
            // The items of such a list need no type of their own.
            for object in objects[before..].iter_mut().filter(|_| is_of_secrets) {
                if tree.get(object.node, "kind").is_none() {
                    object.kind = Kind::Secret;
                }
            }
        }
        return;
    }
    let is_veiled = claims.as_ref().is_some_and(|claims| claims.is_veiled);
    let kind = claims.map_or(Kind::Other, |claims| claimed_kind(&claims));
    objects.push(Object { document, node, kind, slot });
    // Values of charts, configurations and workflows are no Kubernetes objects, and nothing is wrong with them.
    if !matches!(error, FindError::NotObject | FindError::Untyped(_)) {
        faults.push(Fault { object: objects.len() - 1, error, at, is_veiled });
    }
}

/// The SealedSecrets among the items of an object that is no List of v1. Items without a kind have that of their list.
fn sealed_inside(tree: &Tree<'_>, object: &Object, depth: usize) -> Vec<Object> {
    let items = tree.get(object.node, "items").map(|items| tree.kind(items));
    let (Kind::Other, Some(NodeKind::Sequence { items, .. })) = (object.kind, items) else {
        return Vec::new();
    };
    if depth >= MAX_DEPTH {
        return Vec::new();
    }
    let text = |node: NodeId, key: &str| tree.get(node, key).and_then(|value| tree.scalar(value));
    let list = (
        text(object.node, "apiVersion"),
        text(object.node, "kind").and_then(|kind| kind.strip_suffix("List")),
    );
    let is_sealed = |version: Option<&str>, kind: Option<&str>| {
        version.zip(kind).is_some_and(|(version, kind)| Group::find(version, kind).is_some())
    };
    let mut found = Vec::new();
    for &item in items {
        let kind = text(item, "kind");
        if is_sealed(text(item, "apiVersion"), kind) || (kind.is_none() && is_sealed(list.0, list.1)) {
            found.push(Object {
                document: object.document,
                node: item,
                kind: Kind::SealedSecret,
                slot: Slot::Item,
            });
        } else {
            let other = Object { document: object.document, node: item, kind: Kind::Other, slot: Slot::Item };
            found.extend(sealed_inside(tree, &other, depth + 1));
        }
    }
    found
}

/// The kind of an object that is wrong: one of ours if any reader could take it for that.
fn claimed_kind(claims: &Claims<'_>) -> Kind {
    let is_sealed =
        |kind: &&str| claims.api_versions.iter().any(|version| Group::find(version, kind).is_some());
    if claims.kinds.iter().any(is_sealed) {
        Kind::SealedSecret
    } else if claims.kinds.contains(&"Secret") && claims.api_versions.contains(&"v1") {
        Kind::Secret
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    const SECRET: &str = "apiVersion: v1\nkind: Secret\nstringData: {a: b}\n";
    const SEALED: &str = "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\n";

    /// The kinds, the objects with a fault, and the lines of parts that can't be read.
    fn read(text: &str) -> (Vec<Kind>, Vec<usize>, Vec<usize>) {
        let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
        let found = Lenient::read(&source);
        let kinds = found.manifest.objects.iter().map(|object| object.kind).collect();
        let lines = found.unread.iter().map(|part| source.spot_unparsed(part.range.start).line).collect();
        (kinds, found.faults.iter().map(|fault| fault.object).collect(), lines)
    }

    #[test]
    fn what_a_strict_reader_finds_is_found_and_nothing_is_wrong() {
        let text = format!(
            "{SECRET}---\n{SEALED}---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n"
        );
        assert_eq!(read(&text), (vec![Kind::Secret, Kind::SealedSecret, Kind::Other], vec![], vec![]));
        assert_eq!(read(r#"{"apiVersion":"v1","kind":"Secret"}"#).0, [Kind::Secret]);
    }

    #[test]
    fn objects_beside_a_wrong_one_are_found() {
        let text = format!(
            "kind: secret\napiVersion: v1\n---\n{SEALED}---\nvalues: of a chart\n---\n- 1\n---\n{SECRET}"
        );
        let (kinds, faults, unread) = read(&text);
        assert_eq!(kinds, [Kind::Other, Kind::SealedSecret, Kind::Other, Kind::Other, Kind::Secret]);
        assert_eq!((faults, unread), (vec![0], vec![]));
        let list = "apiVersion: v1\nkind: List\nitems:\n- {kind: secret, apiVersion: v1}\n- {apiVersion: v1, kind: Secret}\n";
        assert_eq!(read(list), (vec![Kind::Other, Kind::Secret], vec![0], vec![]));
        let list =
            "apiVersion: v1\nkind: SecretList\nitems:\n- {apiVersion: v1, kind: Secret}\n- {data: {}}\n";
        assert_eq!(read(list), (vec![Kind::Secret, Kind::Secret], vec![], vec![]));
    }

    #[test]
    fn sealed_secrets_in_lists_of_any_type_are_found() {
        let sealed = "{apiVersion: sealing.dev/v1alpha1, kind: SealedSecret}";
        for list in [
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecretList\nitems: [{spec: {}}]\n".to_owned(),
            format!("apiVersion: v2\nkind: List\nitems: [{sealed}]\n"),
            format!("apiVersion: a/v1\nkind: A\nitems: [{sealed}]\n"),
        ] {
            assert_eq!(read(&list), (vec![Kind::Other, Kind::SealedSecret], vec![], vec![]), "{list}");
        }
    }

    #[test]
    fn an_object_that_readers_take_for_different_ones_is_one_of_ours() {
        let text = format!(
            "{SEALED}kind: ConfigMap\n---\n{SECRET}<<: {{}}\n---\nkind: A\napiVersion: v1\n<<: {{kind: Secret}}\n"
        );
        assert_eq!(
            read(&text),
            (vec![Kind::SealedSecret, Kind::Secret, Kind::Secret], vec![0, 1, 2], vec![])
        );
    }

    #[test]
    fn documents_beside_one_that_cannot_be_read_are_found_at_their_places() {
        let text = format!("{SECRET}--- # c\n{{{{ if .x }}}}\n{SECRET}\n---\r\n{SEALED}# d\n");
        assert_eq!(read(&text), (vec![Kind::Secret, Kind::SealedSecret], vec![], vec![4]));
        let source = Source::new("f".to_owned(), Zeroizing::new(text.clone()));
        let found = Lenient::read(&source);
        assert!(found.unread[0].is_template);
        for other in ["a: [ # {{ x }}\n".to_owned(), format!("a: {}\n{{{{ x }}}}: b\n", "[".repeat(2000))] {
            let source = Source::new("f".to_owned(), Zeroizing::new(other));
            assert!(!Lenient::read(&source).unread[0].is_template);
        }
        let object = &found.manifest.objects[1];
        let start = found.manifest.tree(object).range(object.node).start;
        assert!(text[start..].starts_with(SEALED));
        let comments: Vec<_> =
            found.comments().into_iter().map(|range| text[range].trim().to_owned()).collect();
        assert_eq!(comments, ["# d"]);
        assert_eq!(read("{\"a\": [}").2, [1]);
        assert_eq!(read("").0, []);
    }

    #[test]
    fn many_wrong_documents_cost_no_more_than_their_length() {
        let unread = |text: &str| {
            let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
            Lenient::read(&source).unread.len()
        };
        let documents = |n| "---\n{{ a }}: [\n".repeat(n / 15);
        assert_eq!(unread(&documents(15_000)), 1000);
        crate::cost::is_linear("documents", 30_000, documents, |text| assert!(unread(text) > 0));
        crate::cost::is_linear("deep", 30_000, |n| "[".repeat(n), |text| assert_eq!(unread(text), 1));
    }
}
