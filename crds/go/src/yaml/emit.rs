//! The emitter: a document to text in yaml.v2's layout, with lists not indented below a key and long lines folded.
//!
//! It is a translation of yaml.v2's state machine for the things that a document can have: no anchors, tags, comments
//! or flow style. Invariant: texts go from the document into a [`Buffer`] and nowhere else, so no copy stays behind.

use super::document::Document;
use super::order::sorted;
use super::scalar::{Style, has_breaks, is_break, is_printable, style};
use crate::Buffer;

/// The width of a line in columns. From here on, the emitter breaks the line at the next space.
const WIDTH: usize = 80;
/// The most bytes of a simple key, which stands before its colon. A longer key, or one of several lines, stands
/// behind a question mark.
const LONGEST_SIMPLE_KEY: usize = 128;
/// The indent of one level, in spaces.
const STEP: usize = 2;

/// The text of one document, with a line end behind its last line.
pub(super) fn document(document: &Document) -> Buffer {
    let mut emitter = Emitter { out: Buffer::default(), column: 0, is_spaced: true, is_indented: true };
    emitter.node(document, Level::Root, Context::Item);
    emitter.start_line(0);
    emitter.out
}

/// The place of a value in its parent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// The root of the document, or an element of a list.
    Item,
    /// A key of a map, before a colon on the same line.
    SimpleKey,
    /// A key of a map behind a question mark, or a value of a map.
    Entry,
}

/// The depth of a value in the document.
#[derive(Clone, Copy)]
enum Level {
    Root,
    At(usize),
}

impl Level {
    /// The indent of the entries of a list or map at this level.
    fn of_entries(self) -> usize {
        match self {
            Self::Root => 0,
            Self::At(indent) => indent + STEP,
        }
    }

    /// The indent of the second and later lines of a text.
    fn of_lines(self) -> usize {
        match self {
            Self::Root => STEP,
            Self::At(indent) => indent + STEP,
        }
    }
}

struct Emitter {
    out: Buffer,
    /// The characters on this line so far.
    column: usize,
    /// `true` if the last character already separates the next word from the one before.
    is_spaced: bool,
    /// `true` if this line has only indents and indicators so far.
    is_indented: bool,
}

impl Emitter {
    fn node(&mut self, node: &Document, level: Level, context: Context) {
        match node {
            Document::List(items) if !items.is_empty() => {
                let indent = match level {
                    // A list that is the value of a key is not indented further than the key.
                    Level::At(indent) if context == Context::Entry && !self.is_indented => indent,
                    level => level.of_entries(),
                };
                for item in items {
                    self.start_line(indent);
                    self.indicator('-');
                    self.node(item, Level::At(indent), Context::Item);
                }
            }
            Document::Map(entries) if !entries.is_empty() => {
                let indent = level.of_entries();
                for (key, value) in sorted(entries) {
                    self.start_line(indent);
                    self.key(key, indent);
                    self.node(value, Level::At(indent), Context::Entry);
                }
            }
            Document::Null => self.word("null"),
            Document::Bool(true) => self.word("true"),
            Document::Bool(false) => self.word("false"),
            Document::Number(number) => self.word(number),
            Document::List(_) => self.word("[]"),
            Document::Map(_) => self.word("{}"),
            Document::Text(text) => self.scalar(text, level.of_lines(), context),
        }
    }

    /// A key with its colon.
    fn key(&mut self, key: &str, indent: usize) {
        let level = Level::At(indent);
        if key.len() <= LONGEST_SIMPLE_KEY && !has_breaks(key) {
            self.scalar(key, level.of_lines(), Context::SimpleKey);
            self.put(':');
            (self.is_spaced, self.is_indented) = (false, false);
        } else {
            self.indicator('?');
            self.scalar(key, level.of_lines(), Context::Entry);
            self.start_line(indent);
            self.indicator(':');
        }
    }

    fn scalar(&mut self, text: &str, indent: usize, context: Context) {
        let may_fold = context != Context::SimpleKey;
        match style(text) {
            Style::Plain => {
                self.separate();
                self.plain_or_single(text, indent, may_fold, Style::Plain);
            }
            Style::Single => {
                self.separate();
                self.put('\'');
                self.plain_or_single(text, indent, may_fold, Style::Single);
                self.put('\'');
            }
            Style::Double => {
                self.separate();
                self.put('"');
                self.double(text, indent, may_fold);
                self.put('"');
            }
            // A literal text leaves the line where its last line ends.
            Style::Literal => return self.literal(text, indent),
        }
        (self.is_spaced, self.is_indented) = (false, false);
    }

    fn plain_or_single(&mut self, text: &str, indent: usize, may_fold: bool, style: Style) {
        let (mut is_after_space, mut is_after_break) = (false, false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            if char == ' ' {
                // A text isn't folded at its ends. A plain text has no space there.
                let is_inside = at > 0 && next.is_some();
                let folds = may_fold && !is_after_space && self.column > WIDTH;
                if folds && is_inside && next != Some(' ') {
                    self.start_line(indent);
                } else {
                    self.put(' ');
                }
                is_after_space = true;
            } else if is_break(char) {
                self.put_break(char);
                self.is_indented = true;
                is_after_break = true;
            } else {
                if is_after_break {
                    self.start_line(indent);
                }
                if char == '\'' && style == Style::Single {
                    self.put(char);
                }
                self.put(char);
                self.is_indented = false;
                (is_after_space, is_after_break) = (false, false);
            }
        }
    }

    fn double(&mut self, text: &str, indent: usize, may_fold: bool) {
        // yaml.v2 looks for the mark at the beginning of the text for every character that it writes.
        let is_marked = text.starts_with('\u{feff}');
        let mut is_after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            if is_marked || !is_printable(char) || is_break(char) || matches!(char, '"' | '\\') {
                self.escaped(char);
                is_after_space = false;
            } else if char == ' ' {
                let folds = may_fold && !is_after_space && self.column > WIDTH;
                if folds && at > 0 && next.is_some() {
                    self.start_line(indent);
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                is_after_space = true;
            } else {
                self.put(char);
                is_after_space = false;
            }
        }
    }

    fn escaped(&mut self, char: char) {
        self.put('\\');
        let value = u32::from(char);
        let (letter, digits) = match char {
            '\0' => ('0', 0),
            '\u{7}' => ('a', 0),
            '\u{8}' => ('b', 0),
            '\t' => ('t', 0),
            '\n' => ('n', 0),
            '\u{b}' => ('v', 0),
            '\u{c}' => ('f', 0),
            '\r' => ('r', 0),
            '\u{1b}' => ('e', 0),
            '"' | '\\' => (char, 0),
            '\u{85}' => ('N', 0),
            '\u{a0}' => ('_', 0),
            '\u{2028}' => ('L', 0),
            '\u{2029}' => ('P', 0),
            ..='\u{ff}' => ('x', 2),
            ..='\u{ffff}' => ('u', 4),
            _ => ('U', 8),
        };
        self.put(letter);
        for at in (0..digits).rev() {
            self.put(char::from(b"0123456789ABCDEF"[(value >> (4 * at) & 15) as usize]));
        }
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.separate();
        self.put('|');
        if text.starts_with(|char| char == ' ' || is_break(char)) {
            self.put('2');
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next().is_none_or(is_break)) {
            (false, _) => self.put('-'),
            (true, true) => self.put('+'),
            (true, false) => {}
        }
        self.put_break('\n');
        (self.is_spaced, self.is_indented) = (true, true);
        let mut is_after_break = true;
        for char in text.chars() {
            is_after_break = if is_break(char) {
                self.put_break(char);
                self.is_indented = true;
                true
            } else {
                if is_after_break {
                    self.start_line(indent);
                }
                self.put(char);
                self.is_indented = false;
                false
            };
        }
    }

    /// A scalar that needs neither quotes nor folding.
    fn word(&mut self, word: &str) {
        self.separate();
        word.chars().for_each(|char| self.put(char));
        (self.is_spaced, self.is_indented) = (false, false);
    }

    /// Writes a sign of the syntax. The line stays indented behind it.
    fn indicator(&mut self, sign: char) {
        self.separate();
        self.put(sign);
        self.is_spaced = false;
    }

    /// Writes a space, unless the last character separates already.
    fn separate(&mut self) {
        if !self.is_spaced {
            self.put(' ');
        }
    }

    /// Starts a new line, unless one has just begun, and writes its indent.
    fn start_line(&mut self, indent: usize) {
        if !self.is_indented || self.column > indent || (self.column == indent && !self.is_spaced) {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        (self.is_spaced, self.is_indented) = (true, true);
    }

    fn put_break(&mut self, char: char) {
        self.put(char);
        self.column = 0;
    }

    fn put(&mut self, char: char) {
        self.out.push_char(char);
        self.column += 1;
    }
}
