//! The style in which yaml.v2 writes a text as a YAML scalar.
//!
//! The rules are those of libyaml's emitter, from which yaml.v2 is translated; [`emit`](super::emit) writes the styles.
//! Invariant: a text never gets a style in which it would read as another text.

use super::resolve::{Resolved, is_base60, resolve};

/// The style of a scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// The style of a text.
pub(super) fn style(text: &str) -> Style {
    let found = Analysis::of(text);
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if resolve(text) == Resolved::Text && !is_base60(text) {
        Style::Plain
    } else {
        Style::Double
    };
    let is_broken = found.space_break || found.special;
    match wanted {
        Style::Literal if found.trailing_space || is_broken => Style::Double,
        Style::Plain if found.break_space || is_broken => Style::Double,
        Style::Plain if found.blank_edges || found.breaks || found.indicators => Style::Single,
        wanted => wanted,
    }
}

/// `true` if the text has several lines.
pub(super) fn has_breaks(text: &str) -> bool {
    text.chars().any(is_break)
}

/// `true` for a line end of YAML 1.1.
pub(super) fn is_break(char: char) -> bool {
    matches!(char, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `true` for a character that may stand outside of double quotes.
pub(super) fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && char != '\u{feff}'
}

/// The features of a text that decide its style.
#[derive(Default)]
struct Analysis {
    /// There is a line end.
    breaks: bool,
    /// There is a character that only double quotes can hold.
    special: bool,
    /// The first or the last character is a space or a line end.
    blank_edges: bool,
    /// The last character is a space.
    trailing_space: bool,
    /// There is a space behind a line end.
    break_space: bool,
    /// There is a space before a line end.
    space_break: bool,
    /// There is a character that a reader would take for syntax.
    indicators: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let mut found =
            Self { indicators: text.starts_with("---") || text.starts_with("..."), ..Self::default() };
        let mut before = None;
        let mut rest = text.chars().peekable();
        while let Some(char) = rest.next() {
            found.add(before, char, rest.peek().copied());
            before = Some(char);
        }
        found
    }

    /// Notes a character, given its neighbours.
    fn add(&mut self, before: Option<char>, char: char, next: Option<char>) {
        let is_at_edge = before.is_none() || next.is_none();
        let is_before_blank = matches!(next, None | Some(' ' | '\t'));
        self.indicators |= match (char, before) {
            (
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`',
                None,
            ) => true,
            ('?' | '-', None) | (':', _) => is_before_blank,
            ('#', Some(before)) => matches!(before, ' ' | '\t' | '\0') || is_break(before),
            _ => false,
        };
        self.special |= !is_printable(char);
        if char == ' ' {
            self.blank_edges |= is_at_edge;
            self.trailing_space |= next.is_none();
            self.break_space |= before.is_some_and(is_break);
        } else if is_break(char) {
            self.breaks = true;
            self.blank_edges |= is_at_edge;
            self.space_break |= before == Some(' ');
        }
    }
}
