//! Text to nodes with spans: the one way documents are read here.
//!
//! A [`Tree`] holds one document. Every node keeps the byte range it came from,
//! so an error can point at it and a splice can replace it, and no node copies
//! text that it can borrow: what is copied (escapes, folded lines) is wiped.
//!
//! Caveat: while it scans, granit-parser holds such decoded text in buffers of
//! its own, which it frees without wiping; nothing outside it can.
//!
//! Nothing is built from text that is out of bounds ([`crate::limits`]), so
//! a tree can be walked by functions that call themselves, and its aliases
//! followed. Aliases stay aliases (an index, never a copy). Merge keys (`<<`) are left as they are;
//! whoever reads a mapping for its meaning refuses them.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use crate::limits::{Excess, OutOfBounds, check_yaml};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};
use zeroize::Zeroizing;

/// The text of a scalar.
pub enum Text<'a> {
    Borrowed(&'a str),
    Decoded(Zeroizing<String>),
}

impl Text<'_> {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Decoded(text) => text,
        }
    }
}

/// An index into the nodes of one [`Tree`].
pub type NodeId = usize;

pub struct Node<'a> {
    /// Bytes of the text. A block collection ends where its last leaf ends.
    pub range: Range<usize>,
    pub kind: NodeKind<'a>,
}

pub enum NodeKind<'a> {
    Scalar { text: Text<'a>, style: Style },
    Sequence { items: Vec<NodeId>, flow: bool },
    Mapping { entries: Vec<(NodeId, NodeId)>, flow: bool },
    Alias(NodeId),
}

/// How a scalar was written, as far as it changes what the scalar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Unquoted: [`super::resolve::plain`] says what it is.
    Plain,
    /// Quoted, a block, or tagged `!!str`: a string.
    Text,
    /// Any other tag, such as `!!binary` or `!vault`.
    Tagged,
}

/// One document of a stream.
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// `None` in an empty document.
    pub root: Option<NodeId>,
    /// Keys without a colon: legal YAML for a key of null, and most often a slip, like `{password:x}`.
    bare_keys: HashSet<NodeId>,
    /// Collections whose tag is neither `!!map` nor `!!seq`.
    tagged: HashSet<NodeId>,
    /// Bytes between the document's opening `---` (or the end of the one before) and its end.
    pub body: Range<usize>,
}

/// Why the text can't be read, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct ParseError {
    pub at: usize,
    pub problem: Problem,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("this isn't YAML: {0}")]
    NotYaml(String),
    #[error("this {0}")]
    OutOfBounds(Excess),
    #[error("this takes up more memory than there is room for")]
    NoRoom,
}

impl Problem {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        let Self::NotYaml(problem) = self else { return None };
        Some(if problem.contains("tab") {
            "YAML is indented with spaces only".to_owned()
        } else {
            "is it a manifest? A value with special characters needs quotes: password: \"…\"".to_owned()
        })
    }
}

impl<'a> Tree<'a> {
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id]
    }

    /// The node behind any aliases.
    pub fn resolve(&self, mut id: NodeId) -> NodeId {
        // An alias points at an anchor that ended before it, so this ends.
        while let NodeKind::Alias(target) = self.nodes[id].kind {
            id = target;
        }
        id
    }

    /// The kind of the node behind any aliases.
    pub fn kind(&self, id: NodeId) -> &NodeKind<'a> {
        &self.nodes[self.resolve(id)].kind
    }

    pub fn range(&self, id: NodeId) -> Range<usize> {
        self.nodes[id].range.clone()
    }

    /// Whether a key of a mapping has no colon after it. It may be a value in the wrong place, so it is
    /// never shown.
    pub fn is_bare_key(&self, key: NodeId) -> bool {
        self.bare_keys.contains(&key)
    }

    /// Whether a collection has a tag that may change what it means.
    pub fn has_unknown_tag(&self, collection: NodeId) -> bool {
        self.tagged.contains(&collection)
    }

    fn find_bare_keys(&mut self, text: &str, base: usize) {
        let entries = self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Mapping { entries, .. } => Some(entries),
            _ => None,
        });
        let is_bare = |&(key, value): &(NodeId, NodeId)| {
            let after = &text[self.nodes[key].range.end - base..];
            (self.nodes[value].range.is_empty() && !after.trim_start().starts_with(':')).then_some(key)
        };
        self.bare_keys = entries.flatten().filter_map(is_bare).collect();
    }

    /// Every node beneath this one, keys too, as they are written: an alias is one node.
    pub fn beneath(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let end = self.nodes[id].range.end;
        // A node is added before what is in it, and after what is before it.
        (id + 1..self.nodes.len()).take_while(move |id| self.nodes[*id].range.start < end)
    }

    /// The entries of a mapping; `None` for any other node.
    pub fn mapping(&self, id: NodeId) -> Option<&[(NodeId, NodeId)]> {
        match self.kind(id) {
            NodeKind::Mapping { entries, .. } => Some(entries),
            _ => None,
        }
    }

    /// The text of a scalar as written, whatever it would resolve to.
    pub fn scalar(&self, id: NodeId) -> Option<&str> {
        match self.kind(id) {
            NodeKind::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        }
    }

    /// The value under `key` in a mapping, the first if there are several.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let entry = self.mapping(id)?.iter().find(|(k, _)| self.scalar(*k) == Some(key))?;
        Some(entry.1)
    }
}

/// Reads every document of a YAML stream. `base` is added to every offset, for
/// text that was cut out of something larger.
pub fn parse(text: &str, base: usize) -> Result<Vec<Tree<'_>>, ParseError> {
    check_yaml(text).map_err(|error| out_of_bounds(error, base))?;
    let (trees, error) = build(text, base, usize::MAX);
    error.map_or(Ok(trees), Err)
}

/// The documents of a text that is in bounds, up to the first error or node beyond `max_nodes`.
pub(crate) fn parse_up_to(text: &str, max_nodes: usize) -> (Vec<Tree<'_>>, Option<ParseError>) {
    build(text, 0, max_nodes)
}

fn build(text: &str, base: usize, max_nodes: usize) -> (Vec<Tree<'_>>, Option<ParseError>) {
    // Comments are skipped; a limit on how many in a row would refuse honest files.
    let options = granit_parser::options! { emit_comments: false };
    let mut builder = Builder {
        text,
        base,
        left: max_nodes,
        previous_end: 0,
        last_is_open: false,
        trees: Vec::new(),
        tree: None,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        let added = match next {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(scan_error(&error, text, base)),
        };
        if let Err(error) = added {
            return (builder.trees, Some(error));
        }
    }
    builder.extend_last(text.len());
    (builder.trees, None)
}

struct OpenCollection {
    id: NodeId,
    /// The parser's number of its anchor, 0 for none.
    anchor: usize,
    /// In a mapping, the key that waits for its value.
    key: Option<NodeId>,
}

struct Builder<'a> {
    text: &'a str,
    base: usize,
    /// How many more nodes there may be.
    left: usize,
    previous_end: usize,
    /// Whether comments that follow still belong to the last document.
    last_is_open: bool,
    trees: Vec<Tree<'a>>,
    tree: Option<Open<'a>>,
}

/// A document that is still being read.
struct Open<'a> {
    tree: Tree<'a>,
    /// Collections that haven't ended, innermost last.
    stack: Vec<OpenCollection>,
    anchors: HashMap<usize, NodeId>,
    /// Where the last leaf ended: the end of a block collection.
    leaf_end: usize,
}

impl<'a> Builder<'a> {
    fn extend_last(&mut self, end: usize) {
        if let Some(tree) = self.trees.last_mut().filter(|_| self.last_is_open) {
            tree.body.end = self.base + end;
            self.last_is_open = false;
        }
    }

    fn event(&mut self, event: Event<'a>, span: Span) -> Result<(), ParseError> {
        let range = span.byte_range().expect("a parser over a str knows byte offsets");
        if let Event::DocumentStart(explicit, _) = event {
            if explicit {
                self.extend_last(range.start);
            }
            let start = if explicit { range.end } else { self.previous_end };
            let tree = Tree {
                nodes: Vec::new(),
                root: None,
                bare_keys: HashSet::new(),
                tagged: HashSet::new(),
                body: self.base + start..self.base + start,
            };
            self.tree = Some(Open { tree, stack: Vec::new(), anchors: HashMap::new(), leaf_end: start });
            return Ok(());
        }
        let Some(open) = &mut self.tree else { return Ok(()) };
        if matches!(
            event,
            Event::Scalar(..) | Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..)
        ) {
            let no_room = || ParseError { at: self.base + range.start, problem: Problem::NoRoom };
            self.left = self.left.checked_sub(1).ok_or_else(no_room)?;
        }
        match event {
            Event::DocumentEnd => {
                let mut tree = self.tree.take().expect("just borrowed").tree;
                tree.body.end = self.base + range.start;
                tree.find_bare_keys(self.text, self.base);
                self.previous_end = range.end;
                // `...` ends a document for good; without it the next `---` does.
                self.last_is_open = range.is_empty();
                // `a:` has a null; a document of nothing but comments has no root.
                let is_empty = |id: NodeId| tree.nodes[id].range.is_empty() && tree.nodes.len() == 1;
                if tree.root.is_some_and(is_empty) {
                    tree.root = None;
                }
                self.trees.push(tree);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let style = match tag {
                    Some(tag) if tag.core_suffix() == Some("str") => Style::Text,
                    Some(_) => Style::Tagged,
                    None if style == ScalarStyle::Plain => Style::Plain,
                    None => Style::Text,
                };
                let text = match text {
                    std::borrow::Cow::Borrowed(text) => Text::Borrowed(text),
                    std::borrow::Cow::Owned(text) => Text::Decoded(Zeroizing::new(text)),
                };
                open.leaf_end = range.end;
                open.leaf(NodeKind::Scalar { text, style }, shift(range, self.base), anchor);
            }
            Event::Alias(anchor) => {
                let Some(&target) = open.anchors.get(&anchor) else {
                    let problem = Problem::NotYaml("an alias inside of what it refers to".to_owned());
                    return Err(ParseError { at: self.base + range.start, problem });
                };
                open.leaf_end = range.end;
                open.leaf(NodeKind::Alias(target), shift(range, self.base), 0);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let flow = style == StructureStyle::Flow;
                open.leaf_end = range.end;
                let is_tagged = tag.is_some_and(|tag| tag.core_suffix() != Some("seq"));
                let kind = NodeKind::Sequence { items: Vec::new(), flow };
                open.start(kind, shift(range, self.base), anchor, is_tagged);
            }
            Event::MappingStart(style, anchor, tag) => {
                let flow = style == StructureStyle::Flow;
                open.leaf_end = range.end;
                let is_tagged = tag.is_some_and(|tag| tag.core_suffix() != Some("map"));
                let kind = NodeKind::Mapping { entries: Vec::new(), flow };
                open.start(kind, shift(range, self.base), anchor, is_tagged);
            }
            Event::SequenceEnd | Event::MappingEnd => open.end(range.end, self.text, self.base),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Open<'a> {
    fn leaf(&mut self, kind: NodeKind<'a>, range: Range<usize>, anchor: usize) {
        let id = self.add(kind, range);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    fn start(&mut self, kind: NodeKind<'a>, range: Range<usize>, anchor: usize, is_tagged: bool) {
        let id = self.add(kind, range);
        if is_tagged {
            self.tree.tagged.insert(id);
        }
        self.stack.push(OpenCollection { id, anchor, key: None });
    }

    fn end(&mut self, end: usize, text: &str, base: usize) {
        let closed = self.stack.pop().expect("the parser balances collections");
        // An anchor counts only once its collection is complete, so no alias
        // can lie inside of what it refers to.
        if closed.anchor != 0 {
            self.anchors.insert(closed.anchor, closed.id);
        }
        let node = &mut self.tree.nodes[closed.id];
        if let NodeKind::Sequence { flow: true, .. } | NodeKind::Mapping { flow: true, .. } = node.kind {
            self.leaf_end = end;
        }
        // A block scalar reaches over the blank lines and the indent after it.
        let end = text[..self.leaf_end].trim_end().len();
        node.range.end = (base + end).max(node.range.start);
    }

    fn add(&mut self, kind: NodeKind<'a>, range: Range<usize>) -> NodeId {
        let id = self.tree.nodes.len();
        self.tree.nodes.push(Node { range, kind });
        let Some(parent) = self.stack.last_mut() else {
            self.tree.root = Some(id);
            return id;
        };
        match &mut self.tree.nodes[parent.id].kind {
            NodeKind::Sequence { items, .. } => items.push(id),
            NodeKind::Mapping { entries, .. } => match parent.key.take() {
                None => parent.key = Some(id),
                Some(key) => entries.push((key, id)),
            },
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => unreachable!("leaves are never on the stack"),
        }
        id
    }
}

fn shift(range: Range<usize>, base: usize) -> Range<usize> {
    range.start + base..range.end + base
}

pub(super) fn out_of_bounds(error: OutOfBounds, base: usize) -> ParseError {
    ParseError { at: base + error.at, problem: Problem::OutOfBounds(error.excess) }
}

fn scan_error(error: &ScanError, text: &str, base: usize) -> ParseError {
    // Fixed words: of the library's own, one kind quotes a character of the input.
    let problem = match error.kind() {
        granit_parser::ErrorKind::UnexpectedCharacter { .. } => {
            "a character that can't stand here".to_owned()
        }
        granit_parser::ErrorKind::TabInBlockIndentation
        | granit_parser::ErrorKind::TabInIndentation
        | granit_parser::ErrorKind::TabNotAllowed => "a tab used as indentation".to_owned(),
        kind => kind.to_string(),
    };
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    ParseError { at: base + at, problem: Problem::NotYaml(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges<'a>(text: &'a str, tree: &Tree<'_>) -> Vec<&'a str> {
        tree.nodes.iter().map(|node| &text[node.range.clone()]).collect()
    }

    #[test]
    fn a_key_without_a_colon_is_told_from_one_with_a_null() {
        for (text, bare) in [
            ("{a:b, c: d, e, f: , g : }", &["a:b", "e"][..]),
            ("a:\nb: ~\n? c\n? d\n: 1\n", &["c"]),
            ("- [x: , y]\n- {\"q\", \"r\":}\n", &["\"q\""]),
        ] {
            let tree = &parse(text, 0).unwrap()[0];
            let mut found: Vec<_> = tree.bare_keys.iter().map(|id| &text[tree.range(*id)]).collect();
            found.sort_unstable_by_key(|key| text.find(*key));
            assert_eq!(found, bare, "{text}");
        }
        assert!(parse("{a: 1}, b", 7).is_err());
        let tree = &parse("{a}", 7).unwrap()[0];
        assert_eq!(tree.bare_keys.len(), 1, "offsets count from the base");
    }

    #[test]
    fn a_block_collection_ends_with_its_last_leaf() {
        let text = "a:\n  b: 1\n  c: |\n    x\n\n# after\nd: 2\n";
        let trees = parse(text, 0).unwrap();
        let root = trees[0].root.unwrap();
        let a = trees[0].get(root, "a").unwrap();
        assert_eq!(&text[trees[0].range(a)], "b: 1\n  c: |\n    x");
        assert_eq!(&text[trees[0].range(root)], text.trim_end());
    }

    #[test]
    fn bodies_leave_the_separators_out() {
        let text = "# head\n--- # one\na: 1\n# x\n---\nb: 2\n...\n# y\n---\n";
        let bodies: Vec<_> = parse(text, 0).unwrap().iter().map(|t| &text[t.body.clone()]).collect();
        assert_eq!(bodies, [" # one\na: 1\n# x\n", "\nb: 2\n", "\n"]);
        let text = "# head\na: 1\n---\nb: 2";
        let bodies: Vec<_> = parse(text, 0).unwrap().iter().map(|t| &text[t.body.clone()]).collect();
        assert_eq!(bodies, ["# head\na: 1\n", "\nb: 2"]);
        let text = "{a: 1} # one\n--- {b: 2} # two\n...\n# y\n";
        let bodies: Vec<_> = parse(text, 0).unwrap().iter().map(|t| &text[t.body.clone()]).collect();
        assert_eq!(bodies, ["{a: 1} # one\n", " {b: 2} # two\n"]);
    }

    #[test]
    fn documents_without_content_have_no_root() {
        let trees = parse("---\n---\na:\n--- # c\n", 0).unwrap();
        let roots: Vec<_> = trees.iter().map(|t| t.root.is_some()).collect();
        assert_eq!(roots, [false, true, false]);
    }

    #[test]
    fn an_alias_is_followed_but_never_copied() {
        let text = "a: &x [1, 2]\nb: *x\nc: &y {z: *x}\n";
        let trees = parse(text, 0).unwrap();
        let tree = &trees[0];
        let b = tree.get(tree.root.unwrap(), "b").unwrap();
        assert_eq!(&text[tree.range(b)], "*x");
        assert_eq!(&text[tree.range(tree.resolve(b))], "[1, 2]");
        assert_eq!(ranges(text, tree).len(), 1 + 4 + 2 + 4);
    }

    #[test]
    fn an_alias_inside_its_own_anchor_is_refused() {
        assert!(parse("a: &x [*x]\n", 0).is_err());
    }

    #[test]
    fn a_text_that_is_out_of_bounds_is_refused_before_anything_is_built() {
        let mut laughing = String::from("a0: &a0 [x, x]\n");
        for n in 1..60 {
            laughing += &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1);
        }
        for (text, problem) in [
            ("{a: ".repeat(100_000), "this nests deeper than 127 levels"),
            ("- ".repeat(100_000), "this nests deeper than 127 levels"),
            (laughing, "this says far more than it is long (aliases)"),
        ] {
            assert_eq!(parse(&text, 7).err().unwrap().problem.to_string(), problem);
        }
        assert_eq!(parse(&"- ".repeat(500), 7).err().unwrap().at, 7 + 2 * 127);
    }

    #[test]
    fn a_message_never_quotes_the_input() {
        for text in
            ["a: @hunter2", "a: \"hunter2", "\thunter2: x", "a: *hunter2", "a: !hunter2!x y", "hunter2: %"]
        {
            if let Err(error) = parse(text, 0) {
                let problem = error.problem.to_string();
                assert!(!problem.contains("hunter2") && !problem.contains('@'), "{problem}");
            }
        }
    }
}
