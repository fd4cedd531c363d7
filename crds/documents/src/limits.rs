//! Bounds on YAML and JSON from outside, checked over the text before anything is built from it.
//!
//! The threat: a person who may commit or post a manifest makes a program spend minutes or gigabytes on a few
//! kilobytes. Brackets inside of brackets cost some parsers the square of their number, a reader that calls itself
//! for each of them its stack, and aliases let a short text stand for one without end.
//!
//! The check doesn't check syntax: a text that is no YAML passes, because its reader refuses it in the same place. A
//! reader of YAML that is checked here must stand on granit-parser, as this check does. Another parser may see brackets
//! where this one sees a comment.
//!
//! Invariants: time is linear in the length of the text, and memory doesn't depend on it. A function that calls itself
//! can build a text that passes, with every alias copied.

use std::collections::HashMap;

use granit_parser::{Event, Parser};

/// How many collections may stand in one another. serde_json, which reads JSON here, stops at the same depth.
pub const MAX_DEPTH: usize = 127;
/// How many values and keys a text may hold, all its documents together, an alias counted as what it stands for.
pub const MAX_NODES: usize = 1_000_000;
/// How many anchors a document may have: a number is kept for each.
pub const MAX_ANCHORS: usize = 10_000;
/// How many times its own length a text may say by aliases, beyond [`FREE_TEXT`].
const MAX_REPETITION: usize = 16;
/// Bytes that any text may say.
const FREE_TEXT: usize = 1 << 10;

/// The thing of which a text has too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Collections in collections.
    #[error("nests deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Values.
    #[error("holds more than {MAX_NODES} values, with aliases counted as what they stand for")]
    Nodes,
    /// Anchors.
    #[error("has more than {MAX_ANCHORS} anchors")]
    Anchors,
    /// Text behind aliases.
    #[error("says far more than it is long (aliases)")]
    Text,
}

/// A text that is out of bounds, and where it gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// The thing of which a text has too much.
    pub excess: Excess,
    /// The byte at which there is.
    pub at: usize,
}

/// Checks every document of a YAML stream, up to the first error of syntax.
///
/// # Errors
///
/// The first thing of which there is too much.
pub fn check_yaml(text: &str) -> Result<(), OutOfBounds> {
    let mut count = Count::new(text.len());
    // The parser looks ahead by 1024 characters and would meet limits of its own there, in words of its own.
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: usize::MAX,
        block_nesting_limit: usize::MAX,
    };
    for (event, span) in Parser::new_from_str_with_options(text, options).map_while(Result::ok) {
        let counted = match event {
            Event::DocumentStart(..) => {
                // Not `clear`: that takes time for all the room that an earlier document needed.
                count.anchors = HashMap::new();
                Ok(())
            }
            Event::Scalar(text, _, anchor, _) => {
                count.leaf(Weight { nodes: 1, text: text.len(), height: 0 }, anchor)
            }
            // An alias inside of what it refers to has no weight yet: every reader refuses it.
            Event::Alias(anchor) => count.leaf(count.anchors.get(&anchor).copied().unwrap_or_default(), 0),
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => count.start(anchor),
            Event::SequenceEnd | Event::MappingEnd => count.end(),
            _ => Ok(()),
        };
        let at = span.byte_range().map_or(0, |range| range.start);
        counted.map_err(|excess| OutOfBounds { excess, at })?;
    }
    Ok(())
}

/// Checks every document of a JSON stream.
///
/// # Errors
///
/// The first thing of which there is too much.
pub fn check_json(text: &[u8]) -> Result<(), OutOfBounds> {
    let (mut depth, mut nodes) = (0_usize, 0);
    let (mut in_string, mut is_escaped, mut in_word) = (false, false, false);
    for (at, &byte) in text.iter().enumerate() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        let was_in_word = std::mem::take(&mut in_word);
        match byte {
            b'{' | b'[' => (depth, nodes) = (depth + 1, nodes + 1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => (in_string, nodes) = (true, nodes + 1),
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            // A number, `true`, `false`, `null`.
            _ => (in_word, nodes) = (true, nodes + usize::from(!was_in_word)),
        }
        if depth > MAX_DEPTH {
            return Err(OutOfBounds { excess: Excess::Depth, at });
        }
        if nodes > MAX_NODES {
            return Err(OutOfBounds { excess: Excess::Nodes, at });
        }
    }
    Ok(())
}

/// The size of a value, with every alias counted as its target.
#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    /// Bytes of its scalars.
    text: usize,
    /// Collections in one another, itself included.
    height: usize,
}

/// A collection that hasn't ended.
struct Open {
    /// The parser's number of its anchor, 0 for none.
    anchor: usize,
    /// Nodes and text before it.
    before: Weight,
    height: usize,
}

/// The size of a stream so far.
struct Count {
    nodes: usize,
    text: usize,
    max_text: usize,
    /// Of the document that is being read, by the parser's numbers.
    anchors: HashMap<usize, Weight>,
    /// Innermost last.
    open: Vec<Open>,
}

impl Count {
    fn new(length: usize) -> Self {
        let max_text = length.saturating_mul(MAX_REPETITION).saturating_add(FREE_TEXT);
        Self { nodes: 0, text: 0, max_text, anchors: HashMap::new(), open: Vec::new() }
    }

    /// A scalar or an alias.
    fn leaf(&mut self, weight: Weight, anchor: usize) -> Result<(), Excess> {
        self.add(weight)?;
        self.complete(weight, anchor)
    }

    fn start(&mut self, anchor: usize) -> Result<(), Excess> {
        let before = Weight { nodes: self.nodes, text: self.text, height: 0 };
        self.add(Weight { nodes: 1, text: 0, height: 1 })?;
        self.open.push(Open { anchor, before, height: 1 });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Excess> {
        let Some(Open { anchor, before, height }) = self.open.pop() else { return Ok(()) };
        let (nodes, text) = (self.nodes - before.nodes, self.text - before.text);
        self.complete(Weight { nodes, text, height }, anchor)
    }

    fn add(&mut self, weight: Weight) -> Result<(), Excess> {
        if self.open.len() + weight.height > MAX_DEPTH {
            return Err(Excess::Depth);
        }
        self.nodes = self.nodes.saturating_add(weight.nodes);
        self.text = self.text.saturating_add(weight.text);
        if self.nodes > MAX_NODES {
            return Err(Excess::Nodes);
        }
        if self.text > self.max_text { Err(Excess::Text) } else { Ok(()) }
    }

    fn complete(&mut self, weight: Weight, anchor: usize) -> Result<(), Excess> {
        if let Some(around) = self.open.last_mut() {
            around.height = around.height.max(weight.height + 1);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, weight);
        }
        if self.anchors.len() > MAX_ANCHORS { Err(Excess::Anchors) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
