//! Replaces objects in a file, and nothing else.
//!
//! # Guarantees
//!
//! Every byte outside of the replaced objects stays. Everything inside of them goes, comments too: a comment in a
//! Secret may hold a value. The result is read again, and must be the old file with exactly these objects replaced. If
//! it isn't (an anchor was used across objects, the layout is unforeseen), the answer is an error and not a guess.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::find::{Object, Slot};
use super::{Manifest, Syntax, read};
use crate::source::Located;
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::written::Written;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    #[error("the layout of this isn't one that can be replaced safely")]
    UnknownLayout,
    #[error("replacing this object would change the rest of the file")]
    NotLocal,
}

impl SpliceError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownLayout => {
                "start a List's item on the line of its dash, and each key on a line of its own, without anchors and tags"
                    .to_owned()
            }
            Self::NotLocal => {
                "does it hold an anchor that is used outside of it? Write the value out".to_owned()
            }
        })
    }
}

/// A file with some of its objects replaced.
#[derive(Debug)]
pub struct Spliced {
    pub text: String,
    /// How many comments stood in the replaced objects.
    pub dropped_comments: usize,
}

pub fn splice(
    manifest: &Manifest<'_>,
    replacements: &[(&Object, &Written)],
) -> Result<Spliced, Located<SpliceError>> {
    let source = manifest.source.text();
    let mut out = String::with_capacity(source.len());
    let mut ranges = Vec::new();
    let mut at = 0;
    for (object, value) in replacements {
        let patch = patch(manifest, object, value)?;
        out.push_str(&source[at..patch.range.start]);
        out.push_str(&patch.text);
        at = patch.range.end;
        ranges.push(patch.range);
    }
    out.push_str(&source[at..]);
    if let Some(object) = first_difference(manifest, replacements, &out) {
        let at = manifest.tree(object).range(object.node).start;
        return Err(Located { error: SpliceError::NotLocal, at });
    }
    Ok(Spliced { text: out, dropped_comments: count_comments(manifest, &ranges) })
}

struct Patch {
    range: Range<usize>,
    text: String,
}

fn patch(manifest: &Manifest<'_>, object: &Object, value: &Written) -> Result<Patch, Located<SpliceError>> {
    let (tree, source) = (manifest.tree(object), manifest.source.text());
    let range = tree.range(object.node);
    let flow = matches!(tree.node(object.node).kind, NodeKind::Mapping { flow: true, .. });
    let mut patch = match (object.slot, manifest.syntax) {
        (Slot::Document, Syntax::Yaml) => {
            let body = tree.body.clone();
            let starts_line = body.start == 0 || source[..body.start].ends_with('\n');
            let lead = if starts_line { "" } else { "\n" };
            Patch { text: format!("{lead}{}", *value.to_yaml(0)), range: body }
        }
        (Slot::Document | Slot::Item, _) if flow => {
            Patch { text: flow_text(tree, object.node, source, value), range }
        }
        _ => {
            let unknown = || Located { error: SpliceError::UnknownLayout, at: range.start };
            let dash = dash_before(source, range.start).ok_or_else(unknown)?;
            let column = column(source, range.start);
            let text = value.to_yaml(column).trim_end().to_owned();
            let end = with_comments(source, range.end, self::column(source, dash));
            Patch { text, range: range.start..end }
        }
    };
    patch.text = with_line_ends(source, patch.range.start, patch.text);
    Ok(patch)
}

/// A text with the line ends of the line that it comes to. Tools leave both kinds in one file: yq writes the lines of
/// Windows anew, but not its comments.
pub(super) fn with_line_ends(source: &str, at: usize, text: String) -> String {
    let line = source[at..].find('\n').map(|i| at + i).or_else(|| source[..at].rfind('\n'));
    match line {
        Some(line) if source[..line].ends_with('\r') => text.replace('\n', "\r\n"),
        _ => text,
    }
}

/// JSON, laid out as the object was.
pub(super) fn flow_text(tree: &Tree<'_>, node: NodeId, source: &str, value: &Written) -> String {
    let range = tree.range(node);
    let first_key =
        tree.mapping(node).and_then(|entries| entries.first()).map(|(key, _)| tree.range(*key).start);
    match first_key {
        Some(key) if source[range.start..key].contains('\n') => {
            let indent = indent_of_line(source, range.start);
            let step = indent_of_line(source, key).saturating_sub(indent).clamp(1, 8);
            value.to_json(indent, step).to_string()
        }
        _ => value.to_compact_json().to_string(),
    }
}

/// The `-` that opens the item at `start`, if only blanks are between them.
pub(super) fn dash_before(source: &str, start: usize) -> Option<usize> {
    let before = source[..start].trim_end_matches([' ', '\n', '\r']);
    before.ends_with('-').then(|| before.len() - 1)
}

/// The end of an object with the comments that belong to it: the rest of its
/// last line, and comment lines indented deeper than the dash of its item.
fn with_comments(source: &str, end: usize, dash_column: usize) -> usize {
    let line_end = |from: usize| source[from..].find('\n').map_or(source.len(), |i| from + i);
    let mut end = line_end(end);
    let mut at = end;
    while at < source.len() {
        let next_end = line_end(at + 1);
        let line = source[at + 1..next_end].trim_end();
        let indent = line.len() - line.trim_start().len();
        if line[indent..].starts_with('#') && indent > dash_column {
            end = next_end;
        } else if !line.is_empty() {
            break;
        }
        at = next_end;
    }
    // `\r` belongs to the line break that stays.
    source[..end].strip_suffix('\r').map_or(end, str::len)
}

pub(super) fn column(source: &str, at: usize) -> usize {
    at - source[..at].rfind('\n').map_or(0, |i| i + 1)
}

pub(super) fn indent_of_line(source: &str, at: usize) -> usize {
    let start = at - column(source, at);
    source[start..].len() - source[start..].trim_start_matches([' ', '\t']).len()
}

fn count_comments(manifest: &Manifest<'_>, replaced: &[Range<usize>]) -> usize {
    let is_replaced = |comment: &&Range<usize>| replaced.iter().any(|range| range.contains(&comment.start));
    manifest.comments().iter().filter(is_replaced).count()
}

/// The ranges of the comments of a YAML text, in their order.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    let options = granit_parser::options! { max_buffered_comment_events: usize::MAX };
    let mut comments: Vec<Range<usize>> = granit_parser::Parser::new_from_str_with_options(text, options)
        .filter_map(Result::ok)
        .filter(|(event, _)| matches!(event, granit_parser::Event::Comment(..)))
        .filter_map(|(_, span)| span.byte_range())
        .collect();
    comments.sort_by_key(|range| range.start);
    comments
}

/// Reads the result, and gives a replaced object near which the result is wrong.
fn first_difference<'o>(
    manifest: &Manifest<'_>,
    replacements: &[(&'o Object, &Written)],
    result: &str,
) -> Option<&'o Object> {
    let any = replacements.first().map(|(object, _)| *object);
    let (syntax, Ok(documents)) = read(result) else {
        return any;
    };
    if syntax != manifest.syntax || documents.len() != manifest.documents.len() {
        return any;
    }
    for (index, (old, new)) in manifest.documents.iter().zip(&documents).enumerate() {
        let here = replacements.iter().filter(|(object, _)| object.document == index);
        let values: HashMap<NodeId, &Written> =
            here.clone().map(|(object, value)| (object.node, *value)).collect();
        let mut comparison = Comparison::new(old, new, values, HashSet::new());
        let equal = match (old.root, new.root) {
            (Some(old), Some(new)) => comparison.equal(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !equal {
            return here.map(|(object, _)| *object).next().or(any);
        }
    }
    None
}

/// Two readings of a document that may differ in known places only.
pub(super) struct Comparison<'c, 'a> {
    old: &'c Tree<'a>,
    new: &'c Tree<'a>,
    /// The values to be read in the place of old nodes.
    values: HashMap<NodeId, &'c Written>,
    /// Keys of the old document that are no longer there.
    removed: HashSet<NodeId>,
    /// The new node for each old one: an alias has to follow its target.
    same: HashMap<NodeId, NodeId>,
    /// How many replaced or removed nodes were met.
    changes: usize,
}

impl<'c, 'a> Comparison<'c, 'a> {
    pub(super) fn new(
        old: &'c Tree<'a>,
        new: &'c Tree<'a>,
        values: HashMap<NodeId, &'c Written>,
        removed: HashSet<NodeId>,
    ) -> Self {
        Self { old, new, values, removed, same: HashMap::new(), changes: 0 }
    }
}

impl Comparison<'_, '_> {
    pub(super) fn equal(&mut self, old: NodeId, new: NodeId) -> bool {
        if let Some(value) = self.values.get(&old) {
            self.changes += 1;
            return value.is_read_from(self.new, new);
        }
        self.same.insert(old, new);
        let before = self.changes;
        let equal = self.parts_equal(old, new);
        // The target of an alias may not change with it.
        if self.changes != before {
            self.same.remove(&old);
        }
        equal
    }

    fn parts_equal(&mut self, old: NodeId, new: NodeId) -> bool {
        let (old_tree, new_tree) = (self.old, self.new);
        match (&old_tree.node(old).kind, &new_tree.node(new).kind) {
            (NodeKind::Alias(old), NodeKind::Alias(new)) => self.same.get(old) == Some(new),
            (NodeKind::Scalar { text: a, style: s }, NodeKind::Scalar { text: b, style: t }) => {
                a.as_str() == b.as_str() && s == t
            }
            (NodeKind::Sequence { items: a, .. }, NodeKind::Sequence { items: b, .. }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.equal(*a, *b))
            }
            (NodeKind::Mapping { entries: a, .. }, NodeKind::Mapping { entries: b, .. }) => {
                let all = a.len();
                let a: Vec<_> = a.iter().filter(|(key, _)| !self.removed.contains(key)).collect();
                self.changes += all - a.len();
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| self.equal(a.0, b.0) && self.equal(a.1, b.1))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Kind;
    use crate::source::Source;
    use zeroize::Zeroizing;

    /// Replaces every Secret by a small mapping.
    fn replaced(text: &str) -> Result<Spliced, SpliceError> {
        let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let value = Written::Mapping(vec![
            ("kind".to_owned(), Written::text("S")),
            ("spec".to_owned(), Written::Mapping(vec![("on".to_owned(), Written::text("x"))])),
        ]);
        let secrets: Vec<_> = manifest
            .objects
            .iter()
            .filter(|o| o.kind == Kind::Secret)
            .map(|object| (object, &value))
            .collect();
        splice(&manifest, &secrets).map_err(|error| error.error)
    }

    fn text(text: &str) -> String {
        replaced(text).unwrap().text
    }

    const NEW: &str = "kind: S\nspec:\n  \"on\": x\n";

    #[test]
    fn documents_around_a_secret_keep_every_byte() {
        let before = "# head\n%YAML 1.1\n---   # odd\napiVersion: v1\nkind:   ConfigMap # c\n\n\n";
        let after = "--- # next\n{kind: X,  apiVersion: v1} # tail\n...\n# end";
        let secret = "---\napiVersion: v1 # c\nkind: Secret\n# c\ndata: {} # c\n";
        let result = replaced(&format!("{before}{secret}{after}")).unwrap();
        assert_eq!(result.text, format!("{before}---\n{NEW}{after}"));
        assert_eq!(result.dropped_comments, 3);
    }

    #[test]
    fn a_secret_without_separator_or_line_break_is_replaced() {
        assert_eq!(text("apiVersion: v1\nkind: Secret"), NEW);
        assert_eq!(text("# c\napiVersion: v1\nkind: Secret\n---\n"), format!("{NEW}---\n"));
        assert_eq!(text("--- {apiVersion: v1, kind: Secret}\n"), format!("---\n{NEW}"));
        assert_eq!(text("{apiVersion: v1, kind: Secret}\n"), NEW);
    }

    #[test]
    fn line_breaks_of_windows_stay_what_they_are() {
        let result = text(
            "{apiVersion: v1, kind: A}\r\n---\r\napiVersion: v1\r\nkind: Secret\r\n---\r\n{apiVersion: v1, kind: B}\r\n",
        );
        let expected = format!("{{apiVersion: v1, kind: A}}\n---\n{NEW}---\n{{apiVersion: v1, kind: B}}\n")
            .replace('\n', "\r\n");
        assert_eq!(result, expected);
        let result =
            text("apiVersion: v1\r\nkind: List\r\nitems:\r\n- apiVersion: v1\r\n  kind: Secret\r\n# x\r\n");
        assert!(result.ends_with("- kind: S\r\n  spec:\r\n    \"on\": x\r\n# x\r\n"), "{result}");
    }

    #[test]
    fn items_of_a_list_are_replaced_where_they_stand() {
        let list = "apiVersion: v1 # a\nitems:\n# b\n- apiVersion: v1 # secret\n  kind: Secret # secret\n\n  # secret\n# c\n\
                    -   kind: ConfigMap # d\n    apiVersion: v1\n- apiVersion: v1\n  kind: Secret\n  data:\n    a: |\n      b\n# e\nkind: List\n";
        let result = replaced(list).unwrap();
        let item = "kind: S\n  spec:\n    \"on\": x";
        let expected = format!(
            "apiVersion: v1 # a\nitems:\n# b\n- {item}\n# c\n-   kind: ConfigMap # d\n    apiVersion: v1\n- {item}\n# e\nkind: List\n"
        );
        assert_eq!(result.text, expected);
        assert_eq!(result.dropped_comments, 3);
    }

    #[test]
    fn json_keeps_its_layout() {
        let list = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {\n            \"apiVersion\": \"v1\",\n            \
                    \"kind\": \"Secret\"\n        },\n        {\"apiVersion\":\"v1\",\"kind\":\"Secret\"}\n    ],\n    \
                    \"kind\": \"List\"\n}\n";
        let expected = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {\n            \"kind\": \"S\",\n            \
                        \"spec\": {\n                \"on\": \"x\"\n            }\n        },\n        \
                        {\"kind\":\"S\",\"spec\":{\"on\":\"x\"}}\n    ],\n    \"kind\": \"List\"\n}\n";
        assert_eq!(text(list), expected);
        assert_eq!(
            text("{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}\n{\"kind\": \"A\", \"apiVersion\": \"v1\"}\n"),
            "{\"kind\":\"S\",\"spec\":{\"on\":\"x\"}}\n{\"kind\": \"A\", \"apiVersion\": \"v1\"}\n"
        );
    }

    #[test]
    fn an_anchor_used_across_objects_is_refused() {
        let defined_inside = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  data: &d {}\n\
                              - apiVersion: v1\n  kind: ConfigMap\n  data: *d\n";
        assert_eq!(replaced(defined_inside).unwrap_err(), SpliceError::NotLocal);
        let redefined_inside = "x: &d {}\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  \
                                data: &d {}\n- apiVersion: v1\n  kind: ConfigMap\n  data: *d\n";
        assert_eq!(replaced(redefined_inside).unwrap_err(), SpliceError::NotLocal);
        let anchored = "apiVersion: v1\nkind: List\nitems:\n- &s\n  apiVersion: v1\n  kind: Secret\n";
        assert_eq!(replaced(anchored).unwrap_err(), SpliceError::UnknownLayout);
    }

    #[test]
    fn whatever_stands_around_a_secret_stays_and_nothing_of_it_does() {
        let others = [
            "apiVersion: v1\nkind: ConfigMap # keep\ndata:\n  a: |\n    text # no\n    ---x\n\n",
            "{apiVersion: v1, kind: X,  a: [b]} # keep\n",
            "# only a comment\n",
            "apiVersion: v1\nkind: &k X\nb: *k\n\n\n",
            "",
        ];
        let secrets = [
            "# CANARY\napiVersion: v1\nkind: Secret # CANARY\nstringData:\n  a: |\n    CANARY\n\n# CANARY\n",
            "{apiVersion: v1, kind: Secret, stringData: {a: CANARY}} # CANARY\n",
            "apiVersion: v1\nkind: Secret\ndata:\n  a: CANARY\n  # CANARY\n",
        ];
        for (before, secret, after) in others
            .iter()
            .flat_map(|before| secrets.iter().map(move |secret| (before, secret)))
            .flat_map(|(before, secret)| others.iter().map(move |after| (before, secret, after)))
        {
            for separator in ["---\n", "...\n---\n", "--- # keep\n"] {
                for line_break in ["\n", "\r\n"] {
                    let old =
                        format!("---\n{before}---\n{secret}{separator}{after}").replace('\n', line_break);
                    let new = format!("---\n{before}---\n{NEW}{separator}{after}").replace('\n', line_break);
                    assert_eq!(text(&old), new, "{old}");
                }
            }
        }
    }
}
