//! Text to nodes with spans: the one way documents are read here.
//!
//! A [`Tree`] holds one document. Every node keeps the byte range it came from,
//! so an error can point at it and a splice can replace it, and no node copies
//! text that it can borrow: what is copied (escapes, folded lines) is wiped.
//!
//! Caveat: while it scans, granit-parser holds such decoded text in buffers of
//! its own, which it frees without wiping; nothing outside it can.
//!
//! A tree is built only from text that is in bounds ([`crate::limits`]), so functions that call themselves may walk it and
//! follow its aliases. An alias stays an alias (an index, never a copy). A merge key (`<<`) is left as it is; a reader of
//! a mapping's meaning refuses it.

mod build;

pub(crate) use build::documents;
pub use build::parse;
pub(super) use build::{out_of_bounds, parse_in_bounds};

use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::limits::Excess;
use crate::yaml::resolve::{Plain, plain};

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

/// Why a text can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("this isn't YAML: {0}")]
    NotYaml(String),
    #[error("this isn't JSON")]
    NotJson,
    /// One of `SEPARATORS`, by its code.
    #[error("this has a line separator (U+{0:04X}) that YAML libraries read in different ways")]
    Separator(u32),
    #[error("this {0}")]
    OutOfBounds(Excess),
    #[error("this takes up more memory than there is room for")]
    NoRoom,
}

impl ParseError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotYaml(problem) if problem.contains("tab") => {
                "YAML is indented with spaces only".to_owned()
            }
            Self::NotYaml(_) => {
                "is it a manifest? A value with special characters needs quotes: password: \"…\"".to_owned()
            }
            Self::Separator(code) => {
                format!("take it out; in a value, write it as an escape in double quotes: \"\\u{code:04X}\"")
            }
            Self::NotJson | Self::OutOfBounds(_) | Self::NoRoom => return None,
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

    /// Whether kubectl reads the node as a null.
    pub fn is_null(&self, id: NodeId) -> bool {
        match self.kind(id) {
            NodeKind::Scalar { text, style: Style::Plain } => plain(text.as_str()) == Plain::Null,
            _ => false,
        }
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

#[cfg(test)]
mod tests;
