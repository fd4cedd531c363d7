//! Scalars as yaml.v2 writes them: which style, and where a long one is folded.
//!
//! The rules are libyaml's (its emitter), the numbers of which yaml.v2 keeps: 80 columns, two spaces. Not for keys
//! with values of another kind. Invariant: what is written reads back as the same text.

use std::fmt::Write as _;

use super::Printer;

mod resolve;

use resolve::is_text;

/// From here on, a line is broken at the next space.
const WIDTH: usize = 80;

/// What a text is made of, as far as it decides on its style.
#[derive(Default)]
struct Analysis {
    breaks: bool,
    /// Something that only double quotes can hold.
    special: bool,
    /// At the first or the last place.
    edge_space: bool,
    trailing_space: bool,
    edge_break: bool,
    break_space: bool,
    space_break: bool,
    indicators: bool,
}

enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Printer {
    /// A text, of which each further line is indented by two more than `indent`. A key stays on one line.
    pub(super) fn scalar(&mut self, text: &str, indent: usize, is_key: bool) {
        match style(text, is_key) {
            Style::Plain => self.folded(text, indent + 2, !is_key, None),
            Style::Single => {
                self.put('\'');
                self.folded(text, indent + 2, !is_key, Some('\''));
                self.put('\'');
            }
            Style::Double => self.double(text, indent + 2, !is_key),
            Style::Literal => self.literal(text, indent + 2),
        }
    }

    /// Plain or single-quoted, without breaks within: those texts go elsewhere.
    fn folded(&mut self, text: &str, indent: usize, may_fold: bool, quote: Option<char>) {
        let chars: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (index, &c) in chars.iter().enumerate() {
            let next = chars.get(index + 1);
            // At its ends, a quoted text isn't folded; a plain one has no space there.
            let is_inside = index > 0 && next.is_some();
            let is_fold = c == ' '
                && may_fold
                && !after_space
                && self.column > WIDTH
                && next != Some(&' ')
                && is_inside;
            after_space = c == ' ';
            if is_fold {
                self.start_line(indent);
                continue;
            }
            if quote == Some(c) {
                self.put(c);
            }
            self.put(c);
        }
    }

    fn double(&mut self, text: &str, indent: usize, may_fold: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut after_space = false;
        self.put('"');
        for (index, &c) in chars.iter().enumerate() {
            let next = chars.get(index + 1);
            if !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escaped(c);
                after_space = false;
            } else if c == ' ' {
                if may_fold && !after_space && self.column > WIDTH && index > 0 && next.is_some() {
                    self.start_line(indent);
                    if next == Some(&' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.put('"');
    }

    fn escaped(&mut self, c: char) {
        let mut escape = String::new();
        let _ = match c {
            '\0' => write!(escape, "\\0"),
            '\u{7}' => write!(escape, "\\a"),
            '\u{8}' => write!(escape, "\\b"),
            '\t' => write!(escape, "\\t"),
            '\n' => write!(escape, "\\n"),
            '\u{b}' => write!(escape, "\\v"),
            '\u{c}' => write!(escape, "\\f"),
            '\r' => write!(escape, "\\r"),
            '\u{1b}' => write!(escape, "\\e"),
            '"' | '\\' => write!(escape, "\\{c}"),
            '\u{85}' => write!(escape, "\\N"),
            '\u{a0}' => write!(escape, "\\_"),
            '\u{2028}' => write!(escape, "\\L"),
            '\u{2029}' => write!(escape, "\\P"),
            c if c <= '\u{ff}' => write!(escape, "\\x{:02X}", c as u32),
            c if c <= '\u{ffff}' => write!(escape, "\\u{:04X}", c as u32),
            c => write!(escape, "\\U{:08X}", c as u32),
        };
        self.put_all(&escape);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put('2');
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next().is_none_or(is_break)) {
            (false, _) => self.put('-'),
            (true, true) => self.put('+'),
            (true, false) => {}
        }
        self.put('\n');
        for c in text.chars() {
            if is_break(c) {
                self.put(c);
                if c != '\n' {
                    self.column = 0;
                }
            } else {
                if self.column == 0 {
                    (0..indent).for_each(|_| self.put(' '));
                }
                self.put(c);
            }
        }
    }
}

/// Whether a text has several lines.
pub(super) fn has_breaks(text: &str) -> bool {
    text.chars().any(is_break)
}

fn style(text: &str, is_key: bool) -> Style {
    let found = analyze(text);
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if is_text(text) {
        Style::Plain
    } else {
        Style::Double
    };
    let only_double = found.break_space || found.space_break || found.special;
    match wanted {
        // A carriage return alone breaks a line too, and then neither plain nor single quotes keep it.
        _ if is_key && found.breaks => Style::Double,
        Style::Literal if is_key || found.trailing_space || found.space_break || found.special => {
            Style::Double
        }
        Style::Plain
            if found.edge_space || found.edge_break || found.breaks || found.indicators || only_double =>
        {
            if only_double {
                Style::Double
            } else {
                Style::Single
            }
        }
        wanted => wanted,
    }
}

fn analyze(text: &str) -> Analysis {
    let mut found =
        Analysis { indicators: text.starts_with("---") || text.starts_with("..."), ..Analysis::default() };
    let chars: Vec<char> = text.chars().collect();
    let mut before: Option<char> = None;
    for (index, &c) in chars.iter().enumerate() {
        let next = chars.get(index + 1).copied();
        let (is_first, is_last) = (index == 0, next.is_none());
        let before_blank = next.is_none_or(|c| c == ' ' || c == '\t');
        let after_blank = before.is_none_or(|c| c == ' ' || c == '\t' || is_break(c) || c == '\0');
        found.indicators |= match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`'
                if is_first =>
            {
                true
            }
            '?' | '-' if is_first => before_blank,
            ':' => before_blank,
            '#' => after_blank,
            _ => false,
        };
        found.special |= !is_printable(c);
        if c == ' ' {
            found.edge_space |= is_first || is_last;
            found.trailing_space |= is_last;
            found.break_space |= before.is_some_and(is_break);
        } else if is_break(c) {
            found.breaks = true;
            found.edge_break |= is_first || is_last;
            found.space_break |= before == Some(' ');
        }
        before = Some(c);
    }
    found
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests;
