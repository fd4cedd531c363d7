//! From the events of the parser to trees, one document at a time.
//!
//! Invariant: of a stream, two trees at most are in memory here: the one that is being built, and the one before it,
//! which waits for the comments that follow it.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle};
use zeroize::Zeroizing;

use super::{Node, NodeId, NodeKind, ParseError, Style, Text, Tree};
use crate::limits::{OutOfBounds, check_yaml};
use crate::source::Located;
use crate::yaml::SEPARATORS;

/// Reads every document of a YAML stream. `base` is added to every offset, for text that was cut out of something
/// larger.
///
/// # Errors
///
/// The first document that isn't YAML, something that readers take for different things, or a bound.
pub fn parse(text: &str, base: usize) -> Result<Vec<Tree<'_>>, Located<ParseError>> {
    if let Some((at, found)) = text.char_indices().find(|(_, c)| SEPARATORS.contains(c)) {
        return Err(Located { at: base + at, error: ParseError::Separator(found.into()) });
    }
    parse_in_bounds(text, base)
}

/// As [`parse`], for a document of JSON, in which a separator is a character like any other.
pub(in crate::yaml) fn parse_in_bounds(
    text: &str,
    base: usize,
) -> Result<Vec<Tree<'_>>, Located<ParseError>> {
    check_yaml(text).map_err(|error| out_of_bounds(error, base))?;
    documents(text, base, usize::MAX).collect()
}

/// The documents of a YAML stream that is in bounds, one by one, up to the first error or node beyond `max_nodes`.
pub(crate) fn documents(text: &str, base: usize, max_nodes: usize) -> Documents<'_> {
    // Comments are skipped; a limit on how many in a row would refuse honest files.
    let options = granit_parser::options! { emit_comments: false };
    Documents {
        events: Parser::new_from_str_with_options(text, options),
        text,
        base,
        left: max_nodes,
        previous_end: 0,
        last_is_open: false,
        last: None,
        open: None,
        error: None,
        is_done: false,
    }
}

/// The documents of a stream. After an error there are no more.
pub(crate) struct Documents<'a> {
    events: Parser<'a, StrInput<'a>>,
    text: &'a str,
    base: usize,
    /// How many more nodes there may be.
    left: usize,
    previous_end: usize,
    /// Whether comments that follow still belong to the last document.
    last_is_open: bool,
    /// The document before the one that is being built.
    last: Option<Tree<'a>>,
    open: Option<Open<'a>>,
    /// An error, which comes out after the documents before it.
    error: Option<Located<ParseError>>,
    is_done: bool,
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<Tree<'a>, Located<ParseError>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_done {
            let finished = match self.events.next() {
                Some(Ok((event, span))) => self.event(event, span),
                Some(Err(error)) => Err(scan_error(&error, self.text, self.base)),
                None => {
                    self.extend_last(self.text.len());
                    self.is_done = true;
                    Ok(None)
                }
            };
            match finished {
                Ok(Some(tree)) => return Some(Ok(tree)),
                Ok(None) => {}
                Err(error) => {
                    self.error = Some(error);
                    self.is_done = true;
                }
            }
        }
        self.last.take().map(Ok).or_else(|| self.error.take().map(Err))
    }
}

struct OpenCollection {
    id: NodeId,
    /// The parser's number of its anchor, 0 for none.
    anchor: usize,
    /// In a mapping, the key that waits for its value.
    key: Option<NodeId>,
}

/// A document that is still being read.
struct Open<'a> {
    tree: Tree<'a>,
    /// Collections that haven't ended, innermost last.
    stack: Vec<OpenCollection>,
    anchors: HashMap<usize, NodeId>,
    /// The end of the last leaf, which is the end of a block collection.
    leaf_end: usize,
}

impl<'a> Documents<'a> {
    fn extend_last(&mut self, end: usize) {
        if let Some(tree) = self.last.as_mut().filter(|_| self.last_is_open) {
            tree.body.end = self.base + end;
            self.last_is_open = false;
        }
    }

    /// Takes in an event. The start of a document gives out the document before it.
    fn event(&mut self, event: Event<'a>, span: Span) -> Result<Option<Tree<'a>>, Located<ParseError>> {
        let range = span.byte_range().expect("a parser over a str knows byte offsets");
        if let Event::DocumentStart(explicit, _) = event {
            if explicit {
                self.extend_last(range.start);
            }
            let start = if explicit { range.end } else { self.previous_end };
            let tree = Tree {
                nodes: Vec::new(),
                root: None,
                bare_keys: Default::default(),
                tagged: Default::default(),
                body: self.base + start..self.base + start,
            };
            self.open = Some(Open { tree, stack: Vec::new(), anchors: HashMap::new(), leaf_end: start });
            return Ok(self.last.take());
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        if matches!(
            event,
            Event::Scalar(..) | Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..)
        ) {
            let no_room = || Located { at: self.base + range.start, error: ParseError::NoRoom };
            self.left = self.left.checked_sub(1).ok_or_else(no_room)?;
        }
        match event {
            Event::DocumentEnd => {
                let mut tree = self.open.take().expect("just borrowed").tree;
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
                self.last = Some(tree);
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
                    let error = ParseError::NotYaml("an alias inside of what it refers to".to_owned());
                    return Err(Located { at: self.base + range.start, error });
                };
                open.leaf_end = range.end;
                open.leaf(NodeKind::Alias(target), shift(range, self.base), 0);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let flow = style == StructureStyle::Flow;
                let dash = if flow { None } else { open.dash(self.text, range.start) };
                open.leaf_end = range.end;
                let range = dash.unwrap_or(range.start)..range.end;
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
        Ok(None)
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

    /// The first dash of a block sequence that isn't indented below its key. For these, the parser's start is what comes
    /// after the dash.
    fn dash(&self, text: &str, start: usize) -> Option<usize> {
        self.stack.last()?.key?;
        let mut line = self.leaf_end;
        // No dash can stand on the line of the key.
        while let Some(end) = text[line..start].find('\n') {
            line += end + 1;
            let rest = text[line..].trim_start_matches(' ');
            if rest
                .strip_prefix('-')
                .is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n']) || rest.is_empty())
            {
                let dash = text.len() - rest.len();
                return (dash < start).then_some(dash);
            }
        }
        None
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

/// A bound that a text went beyond, as an error of its reader.
pub(crate) fn out_of_bounds(OutOfBounds { excess, at }: OutOfBounds, base: usize) -> Located<ParseError> {
    Located { at: base + at, error: ParseError::OutOfBounds(excess) }
}

fn scan_error(error: &ScanError, text: &str, base: usize) -> Located<ParseError> {
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
    Located { at: base + at, error: ParseError::NotYaml(problem) }
}
